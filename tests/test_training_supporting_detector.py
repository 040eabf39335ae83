"""The detector's training: labels, tiles, matching, loss, measures, a run that goes on, the exported file."""

from dataclasses import asdict
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from faceswap_cli.errors import UsageError
from faceswap_cli.evaluation.by_eye import labelled, point_error
from faceswap_cli.networks.detector import FaceDetector
from faceswap_cli.training.core import averaged
from faceswap_cli.training.core.checkpoint import load, save
from faceswap_cli.training.core.options import TrainOptions
from faceswap_cli.training.export import export
from faceswap_cli.training.supporting import detector
from faceswap_cli.training.supporting.detector_data import (
    PICTURE,
    Pictures,
    correct_points,
    find_all,
    load_pictures,
    overlaps,
)
from faceswap_cli.training.supporting.detector_loss import assign, decode_boxes, detector_loss, gather, make_anchors
from faceswap_cli.training.supporting.detector_measure import measure, suppress
from faceswap_cli.training.supporting.detector_tiles import Tile, training_tile
from faceswap_cli.training.teachers.openseeface import PointsTeacher
from faceswap_cli.training.teachers.yunet import YuNet

FIVE = np.array([(40, 45), (80, 45), (60, 65), (45, 85), (75, 85)], np.float32)
COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)], np.uint8)


def made_pictures() -> Pictures:
    """One grey picture with a coloured patch at each of the five points."""
    image = np.full((120, 120, 3), 128, np.uint8)
    for (x, y), colour in zip(FIVE.astype(int), COLOURS, strict=True):
        image[y - 5 : y + 6, x - 5 : x + 6] = colour
    face = np.concatenate([(25, 20, 95, 105), FIVE.ravel(), [0.9]]).astype(np.float32)
    return Pictures(np.array(["made"]), [image], [face[None]])


def tile_of(*boxes: tuple[float, float, float, float], certain: bool = True) -> Tile:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    low, size = rows[:, None, :2], (rows[:, 2:] - rows[:, :2])[:, None]
    shares = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)], np.float32)
    return Tile(np.zeros((256, 256, 3), np.uint8), rows, low + shares * size, np.full(len(rows), certain))


def right_answer(tile: Tile) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predictions that say of every anchor's face just what is wanted."""
    anchors, wanted = make_anchors(256, 256), gather([tile])
    face = assign(wanted, anchors)[0].clamp(min=0)
    centres, strides = anchors.centres[None], anchors.strides[None, :, None]
    box, points = wanted.boxes[0, face], wanted.points[0, face]
    distances = torch.cat([centres - box[..., :2], box[..., 2:] - centres], -1) / strides
    logits = torch.where(assign(wanted, anchors)[0] >= 0, 12.0, -12.0)
    return logits, distances, (points - centres.repeat(1, 1, 5)) / strides


def test_labels_stay_on_the_face_however_it_is_pasted():
    near, looked_at = 0, 0
    for seed in range(120):
        tile = training_tile(made_pictures(), 256, np.random.default_rng(seed), [])
        for box, points in zip(tile.boxes[tile.certain], tile.points[tile.certain], strict=True):
            if min(box[2:] - box[:2]) < 40 or points.min() < 2 or points.max() > 253:
                continue
            x, y = points.round().astype(int).T
            seen = tile.image[y, x].astype(int)
            if np.ptp(seen, axis=1).min() < 60:  # dark, grey or covered
                continue
            distance = np.abs(seen[:, None] / seen.max(1)[:, None, None] - COLOURS[None] / 255).sum(2)
            looked_at += 1
            near += tuple(distance.argmin(1)) in ((0, 1, 2, 3, 4), (1, 0, 2, 4, 3))
            assert (points.min(0) > box[:2]).all() and (points.max(0) < box[2:]).all()
    assert looked_at > 15 and near / looked_at > 0.85


def test_the_left_eye_is_left_in_the_tile_also_when_mirrored():
    for seed in range(60):
        tile = training_tile(made_pictures(), 256, np.random.default_rng(seed), [])
        upright = np.abs(tile.points[:, 0, 1] - tile.points[:, 1, 1]) < np.abs(
            tile.points[:, 0, 0] - tile.points[:, 1, 0]
        )
        assert (tile.points[upright, 0, 0] < tile.points[upright, 1, 0]).all()


def test_a_seed_gives_the_same_tile_again():
    first, second = (training_tile(made_pictures(), 128, np.random.default_rng(7), []) for _ in range(2))
    assert (first.image == second.image).all() and (first.boxes == second.boxes).all()


@pytest.mark.parametrize("side", [12, 16, 23, 40, 64, 90, 180, 256, 440])
def test_every_face_has_anchors_of_about_its_size_at_its_middle(side: float):
    anchors, middle = make_anchors(256, 256), np.array([131.0, 117.0])
    wanted = gather([tile_of((*(middle - side / 2), *(middle + side / 2)))])
    assigned, alone = assign(wanted, anchors)
    chosen = torch.nonzero(assigned[0] >= 0)[:, 0]
    assert 1 <= len(chosen) <= 80 and not alone.any()
    ratio = (side / anchors.sizes[chosen]).log2().abs()
    extremes = (anchors.sizes[chosen] == anchors.sizes.min()) | (anchors.sizes[chosen] == anchors.sizes.max())
    assert ((ratio <= 0.8) | extremes).all()


def test_around_a_doubtful_face_nothing_is_called_background():
    anchors = make_anchors(256, 256)
    assigned, alone = assign(gather([tile_of((60, 60, 140, 140), certain=False)]), anchors)
    assert (assigned < 0).all() and alone.any() and not alone.all()


def test_the_loss_is_least_where_the_answer_is_right():
    tile = tile_of((30, 40, 100, 120), (160, 150, 190, 184), (200, 20, 216, 40))
    anchors, wanted = make_anchors(256, 256), gather([tile])
    logits, distances, offsets = right_answer(tile)
    right = detector_loss((logits, distances, offsets), wanted, anchors)
    assert all(value < 0.01 for value in right.values())
    assert detector_loss((-logits, distances, offsets), wanted, anchors)["score"] > 1
    assert detector_loss((logits, distances * 1.3, offsets), wanted, anchors)["box"] > 0.1
    assert detector_loss((logits, distances, offsets + 0.5), wanted, anchors)["points"] > 0.05


def test_a_tile_without_faces_has_a_loss_too():
    tile, anchors = tile_of(), make_anchors(256, 256)
    logits = torch.zeros(1, len(anchors.sizes))
    losses = detector_loss((logits, torch.ones(1, len(anchors.sizes), 4), torch.zeros(1, len(anchors.sizes), 10)),
                           gather([tile]), anchors)  # fmt: skip
    assert losses["score"] > 0 and losses["box"] == 0 and losses["points"] == 0


def test_boxes_decode_from_the_anchors_centre():
    assert decode_boxes(torch.tensor([[1.0, 2, 3, 4]]), torch.tensor([[10.0, 20]])).tolist() == [[9, 18, 13, 24]]


def test_of_finds_on_one_another_the_best_stays():
    rows = np.zeros((3, 15), np.float32)
    rows[:, :4] = [(0, 0, 10, 10), (1, 0, 11, 10), (30, 30, 50, 50)]
    rows[:, 14] = (0.9, 0.8, 0.7)
    assert suppress(rows)[:, 14].tolist() == pytest.approx([0.9, 0.7])


def test_measures_tell_a_good_detector_from_a_bad_one():
    tiles = [tile_of((30, 40, 100, 120), (160, 150, 180, 172)), tile_of()]

    def perfect(rgb: np.ndarray, tile: Tile) -> np.ndarray:
        return np.hstack([tile.boxes, tile.points.reshape(-1, 10), np.ones((len(tile.boxes), 1))]).astype(np.float32)

    waiting = iter(tiles)
    good = measure(lambda rgb: perfect(rgb, next(waiting)), tiles)
    assert (good.recall, good.small_recall, good.landmark_error, good.false_faces) == (1, 1, 0, 0)
    assert (good.faces, good.small_faces) == (1, 1)
    waiting = iter(tiles)
    bad = measure(lambda rgb: perfect(rgb, next(waiting)) * 0 + np.float32(5), [tiles[0]])
    assert bad.recall == 0 and bad.false_faces == 2


def test_overlap_of_a_box_with_itself_is_one_and_with_its_half_a_half():
    boxes = np.array([(0, 0, 10, 10), (0, 0, 10, 5), (20, 20, 30, 30)], np.float32)
    assert overlaps(boxes[:1], boxes)[0] == pytest.approx([1, 0.5, 0])


def test_a_run_without_a_teacher_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="--teacher"):
        detector.train(TrainOptions(data=(tmp_path,), network="detector"))


@pytest.fixture(scope="module")
def small_data(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six real portraits."""
    folder = tmp_path_factory.mktemp("portraits")
    for number, image in enumerate(sorted((data / "faces" / "celebahq" / "images").glob("*.jpg"))[:6]):
        (folder / f"{number}.jpg").symlink_to(image)
    return folder


def run_options(data: Path, folder: Path, output: Path, **changes) -> TrainOptions:
    teacher = data / "weights" / "detect" / "yunet_n_dynamic.onnx"
    fixed = {"batch": 2, "size": 64, "save_every": 2, "threads": 1, "device": "cpu"}
    return TrainOptions(data=(folder,), output=output, network="detector", teacher=teacher, **fixed, **changes)


def test_the_teacher_finds_the_face_of_a_tight_portrait_once(data: Path, small_data: Path, tmp_path: Path):
    teacher = data / "weights" / "detect" / "yunet_n_dynamic.onnx"
    pictures = load_pictures((small_data,), teacher, tmp_path / "cache.npz")
    assert len(pictures) == 6 and {image.shape for image in pictures.images} == {(PICTURE, PICTURE, 3)}
    for image, faces in zip(pictures.images, pictures.faces, strict=True):
        sizes = (faces[:, 2:4] - faces[:, :2]).max(1)
        assert (sizes > 100).sum() == 1
        assert np.abs(find_all(image, YuNet(teacher))[0, :14] - faces[0, :14]).max() < 12
    again = load_pictures((small_data,), Path("no-teacher-needed"), tmp_path / "cache.npz")
    assert all((one == other).all() for one, other in zip(again.images, pictures.images, strict=True))
    assert all((one == other).all() for one, other in zip(again.faces, pictures.faces, strict=True))


def test_openseeface_puts_the_teachers_points_right(data: Path):
    teacher = YuNet(data / "weights" / "detect" / "yunet_n_dynamic.onnx")
    points = PointsTeacher(data / "weights" / "landmark" / "openseeface_lm_model0_opt.onnx", 1)
    before, after = [], []
    for picture in islice(labelled(Path(__file__).with_name("faces_by_eye.toml"), data), 12):
        found = find_all(picture.rgb, teacher)
        corrected = correct_points(picture.rgb, found, points)
        assert np.array_equal(corrected[:, [0, 1, 2, 3, 14]], found[:, [0, 1, 2, 3, 14]])
        for face in picture.faces:
            best = int(overlaps(face.box[None], found[:, :4])[0].argmax())
            errors = [point_error(rows[best, 4:14].reshape(5, 2), face.points) for rows in (found, corrected)]
            if np.isfinite(errors).all():
                before.append(errors[0])
                after.append(errors[1])
    assert len(before) >= 10
    assert np.mean(after) < 0.9 * np.mean(before)


def test_small_faces_and_lost_ones_keep_the_teachers_points(data: Path):
    points = PointsTeacher(data / "weights" / "landmark" / "openseeface_lm_model0_opt.onnx", 1)
    rgb = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    small = np.array([[10, 10, 40, 45, 18, 22, 32, 22, 25, 30, 19, 37, 31, 37, 0.9]], np.float32)
    nothing = small.copy()
    nothing[:, :14] = nothing[:, :14] * 4
    for faces in (small, nothing):
        assert np.array_equal(correct_points(rgb, faces, points), faces)


def test_opencvs_threads_are_given_back():
    before = cv2.getNumThreads()
    with pytest.raises(KeyboardInterrupt), detector.opencv_single_threaded():
        assert cv2.getNumThreads() == 1
        raise KeyboardInterrupt
    assert cv2.getNumThreads() == before


def test_a_run_that_goes_on_equals_one_that_never_stopped(data: Path, small_data: Path, tmp_path: Path):
    threads = cv2.getNumThreads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detector, "MEASURED_TILES", 24)
        patch.setattr(detector, "write_detector", lambda network, path: None)  # tested with the network
        detector.train(run_options(data, small_data, tmp_path / "whole", steps=4))
        with pytest.MonkeyPatch.context() as stop:
            stop.setattr(averaged, "share_done", lambda options, step, *rest: step / 4 if step < 2 else 1.0)
            detector.train(run_options(data, small_data, tmp_path / "parts", steps=4))
        kept = load(tmp_path / "parts" / "last.pt")
        save(tmp_path / "parts" / "last.pt", {**kept, "progress": 0.5})
        scores = detector.train(run_options(data, small_data, tmp_path / "parts", steps=4, resume=True))
    whole, parts = (load(tmp_path / name / "last.pt")["average"] for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert cv2.getNumThreads() == threads
    assert (tmp_path / "parts" / "samples" / "000004.png").is_file()
    assert "recall" in scores.table()
    assert detector.read_detector(tmp_path / "parts" / "last.pt").config == detector.FaceDetectorConfig()


def test_a_detectors_run_is_exported_like_any_other(tmp_path: Path):
    network = FaceDetector()
    settings = {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(network.config).items()
    }
    save(tmp_path / "last.pt", {"kind": "detector", "configuration": settings, "average": network.state_dict()})
    written = detector.read_detector(export(tmp_path))
    assert torch.allclose(next(written.parameters()), next(network.parameters()), atol=1e-3)
