"""Training the face points from two crops: labels move with their pictures, a run resumes exactly, a file serves."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from skimage.data import astronaut  # noqa: E402

from faceswap_cli.errors import UsageError  # noqa: E402
from faceswap_cli.networks.points import POINTS, FacePoints  # noqa: E402
from faceswap_cli.portrait.landmarks import MIRRORED  # noqa: E402
from faceswap_cli.stages.align import TEMPLATES  # noqa: E402
from faceswap_cli.training.core import checkpoint  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions  # noqa: E402
from faceswap_cli.training.data.augment import draw_moves, move_points, moved  # noqa: E402
from faceswap_cli.training.data.pack import PackWriter  # noqa: E402
from faceswap_cli.training.export import export  # noqa: E402
from faceswap_cli.training.supporting import points  # noqa: E402
from faceswap_cli.training.teachers.openseeface import PointsTeacher  # noqa: E402
from tests.conftest import assert_same_weights, stop_behind_checkpoint  # noqa: E402


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return np.ascontiguousarray(cv2.resize(astronaut()[0:220, 110:330], (160, 160), interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def teacher_file(data: Path) -> Path:
    return data / "weights" / "landmark" / "openseeface_lm_model0_opt.onnx"


@pytest.fixture(scope="module")
def options(face: np.ndarray, teacher_file: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    folder = tmp_path_factory.mktemp("points")
    place = (TEMPLATES["simswap-frontal"][0] * 160).tolist()
    with PackWriter(folder / "pack") as writer:
        for person in "ab":
            about = {"source": f"{person}/1.jpg", "person": person, "points": place, "scale": 1.0, "grey": False}
            writer.add(face, None, about)
    return TrainOptions(
        data=(folder / "pack",), network="points", teacher=teacher_file, output=folder / "whole",
        steps=4, batch=4, threads=1, save_every=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole_run(options: TrainOptions) -> Path:
    points.train(options)
    return options.output


def test_the_mirror_of_the_mirror_is_the_face() -> None:
    assert sorted(MIRRORED) == list(range(POINTS))
    np.testing.assert_array_equal(MIRRORED[MIRRORED], np.arange(POINTS))


def test_the_teacher_sees_almost_the_same_in_both_pictures(teacher_file: Path, face: np.ndarray) -> None:
    """A wrong name for a point in the mirror would put it halfway to its neighbour."""
    teacher = PointsTeacher(teacher_file, 1)
    mirrored = teacher._look(np.ascontiguousarray(face[:, ::-1]))[MIRRORED] * [-1, 1] + [1, 0]
    assert np.linalg.norm(mirrored - teacher._look(face), axis=1).max() < 0.04


def test_the_teacher_sees_the_mirrored_face_mirrored(teacher_file: Path, face: np.ndarray) -> None:
    teacher = PointsTeacher(teacher_file, 1)
    found, mirrored = teacher.points(face), teacher.points(np.ascontiguousarray(face[:, ::-1]))
    np.testing.assert_allclose(mirrored[MIRRORED] * [-1, 1] + [1, 0], found, atol=1e-5)
    eyes = found[36:42].mean(axis=0), found[42:48].mean(axis=0)
    assert eyes[0][0] < eyes[1][0]
    assert max(eye[1] for eye in eyes) < found[30, 1] < found[48:60, 1].mean()


def test_points_move_with_their_picture() -> None:
    torch.manual_seed(1)
    where = torch.rand(6, POINTS, 2) * 0.5 + 0.25
    pictures = torch.zeros(6, 1, 96, 96)
    for picture, places in zip(pictures, where, strict=True):
        x, y = (places[27] * 96 - 0.5).round().long()
        picture[0, y - 1 : y + 2, x - 1 : x + 2] = 1
    moves = draw_moves(6, torch.device("cpu"), degrees=8, scale=0.08, shift=0.03)
    assert {bool(mirrors) for mirrors in torch.linalg.det(moves[:, :, :2]) < 0} == {True, False}
    images, places = moved(pictures, moves, 96), move_points(where, moves)
    for image, wanted in zip(images, places[:, 27], strict=True):  # on the nose: the same point in the mirror
        row, column = divmod(int(image[0].argmax()), 96)
        assert abs((column + 0.5) / 96 - float(wanted[0])) < 0.03
        assert abs((row + 0.5) / 96 - float(wanted[1])) < 0.03


def test_the_loss_is_nothing_for_the_wanted_points_only() -> None:
    wanted = torch.rand(2, POINTS, 2)
    assert float(points.wing_loss(wanted, wanted)) == pytest.approx(0, abs=1e-6)
    near, far = (float(points.wing_loss(wanted + by, wanted)) for by in (0.005, 0.05))
    assert 0 < near < far


def test_a_run_leaves_scores_and_a_sheet(whole_run: Path) -> None:
    assert '"eyes"' in (whole_run / "scores.json").read_text()
    assert cv2.imread(str(whole_run / "samples" / "000004.png")) is not None


def test_an_interrupted_run_ends_with_the_same_weights(
    options: TrainOptions, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = replace(options, output=tmp_path / "halves")
    stop_behind_checkpoint(monkeypatch, points, halves)
    assert checkpoint.load(halves.output / "last.pt")["step"] == 2
    points.train(replace(halves, resume=True))
    assert checkpoint.load(halves.output / "last.pt")["step"] == 4
    assert_same_weights(whole_run, halves.output, "network")


def test_the_exported_file_finds_what_the_network_finds(whole_run: Path, tmp_path: Path) -> None:
    path = export(whole_run, tmp_path / "points.onnx")
    network = points.build_points(
        *(checkpoint.load(whole_run / "last.pt")[key] for key in ("configuration", "average"))
    )
    image = torch.rand(2, 3, 112, 112)
    (found,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
        None, {"image": image.numpy()}
    )
    np.testing.assert_allclose(found, network(image).detach().numpy(), atol=2e-3)


def test_a_run_can_start_from_an_exported_file(options: TrainOptions, whole_run: Path, tmp_path: Path) -> None:
    path = export(whole_run, tmp_path / "points.onnx")
    on = replace(options, output=tmp_path / "on", init_from=path, steps=1, learning_rate=1e-12)
    points.train(on)
    begun, wanted = checkpoint.load(on.output / "last.pt")["network"], points.read_points(path).state_dict()
    torch.testing.assert_close(begun["read.weight"], wanted["read.weight"], atol=1e-6, rtol=0)


def test_an_untrained_network_answers_with_the_middle() -> None:
    found = FacePoints().eval()(torch.rand(1, 3, 112, 112)).detach()
    assert float((found - 0.5).abs().max()) < 0.2


def test_a_teacher_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--teacher"):
        points.train(TrainOptions(data=(tmp_path,), network="points"))
