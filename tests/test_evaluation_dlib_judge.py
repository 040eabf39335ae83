"""dlib's recogniser tells two photos of one person from another's, and is left out in one line where it is absent."""

import sys
from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.errors import WeightsError
from faceswap_cli.evaluation import dlib_judge
from faceswap_cli.evaluation.dlib_judge import FILES, DlibJudge, open_dlib, square_of
from faceswap_cli.evaluation.judges import NO_DLIB
from faceswap_cli.evaluation.options import EvaluateOptions
from faceswap_cli.evaluation.score import Evaluation, Pair, evaluate
from faceswap_cli.media.photo import read_photo
from faceswap_cli.options import Options
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.types import Face

ROWS = ("dlib_distance", "dlib_distance_target", "dlib_retrieval", "dlib_target")


@pytest.fixture(scope="module")
def judge() -> DlibJudge:
    found = open_dlib()
    if found is None:
        pytest.skip("dlib's judge needs the [judges] extra")
    return found


@pytest.fixture(scope="module")
def photos(data: Path) -> dict[str, Path]:
    return {name: data / "photos/face_recognition" / f"{name}.jpg" for name in ("obama", "obama2", "biden")}


@pytest.fixture(scope="module")
def vectors(judge: DlibJudge, photos: dict[str, Path], face_pack: Path) -> dict[str, np.ndarray]:
    detector = open_detector(face_pack, Options(threads=1))
    pictures = {name: read_photo(path).frame.rgb for name, path in photos.items()}
    return {name: judge.embed(rgb, detector.detect(rgb)[0]) for name, rgb in pictures.items()}


def test_two_photos_of_one_person_are_within_dlibs_threshold_and_anothers_beyond(
    vectors: dict[str, np.ndarray],
) -> None:
    same, *others = (
        float(np.linalg.norm(vectors[one] - vectors[other]))
        for one, other in (("obama", "obama2"), ("obama", "biden"), ("obama2", "biden"))
    )
    assert vectors["obama"].shape == (128,)
    assert same < 0.45
    assert min(others) > 0.7


def test_the_square_is_dlibs_own_around_our_box() -> None:
    box = np.array([100, 200, 180, 300], np.float32)  # 80 x 100, middle at (140, 250)
    assert square_of(Face(box, np.zeros((5, 2), np.float32), 1.0)) == (98, 214, 182, 297)


@pytest.fixture(scope="module")
def judged(judge: DlibJudge, photos: dict[str, Path], face_pack: Path) -> Evaluation:
    """A photo of Biden given out as a swap of Obama into it."""
    options = EvaluateOptions(swap=Options(face_pack=face_pack, threads=1))
    return evaluate([Pair(photos["obama2"], photos["biden"], photos["biden"])], options)


def test_a_copy_of_the_target_is_the_target_by_dlib(judged: Evaluation, vectors: dict[str, np.ndarray]) -> None:
    values = judged.rows[0].values
    apart = float(np.linalg.norm(vectors["obama2"] - vectors["biden"]))
    assert values["dlib_distance"] == pytest.approx(apart, abs=0.03)
    assert (values["dlib_distance_target"], values["dlib_retrieval"], values["dlib_target"]) == (0, 0, 1)


def test_the_size_of_both_faces_is_told(judged: Evaluation, photos: dict[str, Path], face_pack: Path) -> None:
    values, detector = judged.rows[0].values, open_detector(face_pack, Options(threads=1))
    for row, name in (("source_face", "obama2"), ("target_face", "biden")):
        box = detector.detect(read_photo(photos[name]).frame.rgb)[0].box
        assert values[row] == pytest.approx(min(box[2] - box[0], box[3] - box[1]), rel=0.05)


def test_without_the_extra_its_rows_are_left_out_and_said_in_one_line(
    photos: dict[str, Path], face_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)  # as Python marks what cannot be imported
    options = EvaluateOptions(swap=Options(face_pack=face_pack, threads=1))
    alone = evaluate([Pair(photos["obama2"], photos["biden"], photos["biden"])], options)
    assert [alone.rows[0].values[name] for name in ROWS] == [None] * 4
    assert [note for note in alone.notes if "dlib" in note] == [NO_DLIB]
    assert "\n" not in NO_DLIB
    assert "faceswap-cli[judges]" in NO_DLIB


def test_a_file_that_is_not_dlibs_is_refused(judge: DlibJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "shape_predictor_5_face_landmarks.dat", "0" * 64)
    with pytest.raises(WeightsError, match="is not the file dlib published"):
        open_dlib()


def test_the_file_that_is_not_free_is_never_named() -> None:
    assert sorted(FILES) == ["dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_5_face_landmarks.dat"]
    assert "68_face" not in Path(dlib_judge.__file__).read_text()
