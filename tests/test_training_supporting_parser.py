"""The parser's training: labels, crops, loss, a run that goes on, the exported file."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from faceswap_cli.errors import OutputError, UsageError
from faceswap_cli.training.core import averaged
from faceswap_cli.training.core.checkpoint import load, save
from faceswap_cli.training.core.options import TrainOptions
from faceswap_cli.training.data.labels import CLASS_COLOURS
from faceswap_cli.training.data.occluders import face_free_pictures, occlude
from faceswap_cli.training.supporting import parser
from faceswap_cli.training.supporting.parser_data import (
    MIRRORED,
    CropSettings,
    LabelledFaces,
    load_labelled,
    plain_crop,
    split_people,
    training_crop,
)

POINTS = np.array([(96, 110), (160, 110), (128, 145), (104, 180), (152, 180)], np.float32)


def made_faces(count: int) -> LabelledFaces:
    """Flat drawings of a face whose class map is known exactly."""
    label = np.zeros((256, 256), np.uint8)
    cv2.ellipse(label, (128, 140), (70, 95), 0, 0, 360, 17, -1)
    cv2.ellipse(label, (128, 150), (55, 75), 0, 0, 360, 1, -1)
    cv2.circle(label, (160, 110), 10, 4, -1)  # the person's left eye lies right in the picture
    cv2.circle(label, (96, 110), 10, 5, -1)
    image = np.array(CLASS_COLOURS, np.uint8)[label]
    names = np.array([f"made-{number}" for number in range(count)])
    return LabelledFaces(names, names, np.stack([image] * count), np.stack([label] * count), np.stack([POINTS] * count))


@pytest.fixture
def small_data(data: Path, tmp_path: Path) -> Path:
    """Six real pictures with masks."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for mask in sorted((data / "faces" / "celebahq" / "masks").glob("*.png"))[:6]:
        (folder / "masks" / mask.name).symlink_to(mask)
        image = data / "faces" / "celebahq" / "images" / f"{mask.stem}.jpg"
        (folder / "images" / image.name).symlink_to(image)
    return folder


def run_options(data: Path, folder: Path, output: Path, **changes) -> TrainOptions:
    teacher = data / "weights" / "detect" / "yunet_n_dynamic.onnx"
    fixed = {"batch": 2, "size": 32, "save_every": 2, "threads": 1, "device": "cpu"}
    return TrainOptions(data=(folder,), output=output, network="parser", teacher=teacher, **fixed, **changes)


def test_a_crop_and_its_labels_stay_together():
    faces = made_faces(1)
    colours = np.array(CLASS_COLOURS, np.int64)
    image, label = plain_crop(faces, 0, 160)
    assert (np.abs(image - colours[label]).max(2) < 40).mean() > 0.95


def test_mirroring_renames_left_and_right():
    faces = made_faces(1)
    settings = CropSettings(size=96, rotation=0, scale=0, shift=0, glasses=0, occluder=0)
    for seed in range(12):
        label = training_crop(faces, 0, settings, np.random.default_rng(seed), [])[1]
        left, right = (np.nonzero(label == number)[1].mean() for number in (4, 5))
        if abs(np.nonzero(label == 4)[0].mean() - np.nonzero(label == 5)[0].mean()) < 5:  # not one of the turned ones
            assert left > right
    assert (MIRRORED[MIRRORED] == np.arange(19)).all()


def test_an_occluder_hides_what_it_covers_and_nothing_else():
    image = np.full((96, 96, 3), 128, np.uint8)
    for seed in range(20):
        covered, hidden = occlude(image, np.random.default_rng(seed), None, face_free_pictures())
        changed = np.abs(covered.astype(int) - image).max(2) > 1
        assert not changed[hidden == 0].any()


def test_no_person_is_both_learnt_from_and_kept_back():
    people = np.array([f"person-{number % 40}" for number in range(100)])
    learn, held_out = split_people(people)
    assert len(learn) + len(held_out) == 100
    assert len(held_out)
    assert not set(people[learn]) & set(people[held_out])


def test_the_loss_is_least_where_the_answer_is_right():
    labels = torch.randint(0, 19, (2, 8, 8))
    right = torch.nn.functional.one_hot(labels, 19).permute(0, 3, 1, 2) * 20.0
    losses = [sum(parser.parser_loss(logits, labels).values()) for logits in (right, right * 0, -right)]
    assert losses[0] < 0.05 < losses[1] < losses[2]
    expected = torch.nn.functional.cross_entropy(right * 0.1, labels)
    assert torch.allclose(parser.parser_loss(right * 0.1, labels)["cross_entropy"], expected)


def test_sides_are_the_persons_own_in_real_masks(data: Path, small_data: Path, tmp_path: Path):
    faces = load_labelled((small_data,), data / "weights" / "detect" / "yunet_n_dynamic.onnx", tmp_path / "cache.npz")
    assert len(faces.names) == 6
    for label in faces.labels:
        left, right = (np.nonzero(label == number)[1].mean() for number in (4, 5))
        assert left > right
    again = load_labelled((small_data,), Path("no-teacher-needed"), tmp_path / "cache.npz")
    assert (again.images == faces.images).all()


def test_a_run_that_goes_on_equals_one_that_never_stopped(data: Path, small_data: Path, tmp_path: Path):
    parser.train(run_options(data, small_data, tmp_path / "whole", steps=4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(averaged, "share_done", lambda options, step, *rest: step / 4 if step < 2 else 1.0)
        parser.train(run_options(data, small_data, tmp_path / "parts", steps=4))
    kept = load(tmp_path / "parts" / "last.pt")
    save(tmp_path / "parts" / "last.pt", {**kept, "progress": 0.5})
    parser.train(run_options(data, small_data, tmp_path / "parts", steps=4, resume=True))
    whole, parts = (load(tmp_path / name / "last.pt")["network"] for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_the_exported_file_answers_as_the_network_does(data: Path, small_data: Path, tmp_path: Path):
    options = run_options(data, small_data, tmp_path / "run", steps=2)
    scores = parser.train(options)
    assert "face_iou" in scores.table()
    assert (options.output / "samples" / "000002.png").is_file()
    network = parser.read_parser(options.output / "parser.onnx")
    image = torch.rand(3, 3, 32, 32)
    session = onnxruntime.InferenceSession(options.output / "parser.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": image.numpy()})
    assert np.abs(logits - network(image).detach().numpy()).max() < 1e-3
    with pytest.raises(OutputError, match="resume"):
        parser.train(options)


def test_a_run_without_a_teacher_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="--teacher"):
        parser.train(TrainOptions(data=(tmp_path,), network="parser"))
