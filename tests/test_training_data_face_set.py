"""Packs as one set: rows behind each other, people by name, and who is held out; nothing is read before it is drawn."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.errors import UsageError  # noqa: E402
from faceswap_cli.evaluation.splits import part_of  # noqa: E402
from faceswap_cli.training.data import face_set  # noqa: E402
from faceswap_cli.training.data.face_set import FaceSet, load_packs  # noqa: E402

from .test_training_data_table import pack  # noqa: E402


@pytest.fixture
def faces(tmp_path: Path) -> FaceSet:
    """Five rows of a, b and c, then three of d and a; the levels of crops are 10 times their number in the pack."""
    return load_packs((pack(tmp_path / "one"), pack(tmp_path / "two", ("d", "a", "d"))), 32)


def test_rows_lie_behind_each_other_and_a_name_is_one_person(faces: FaceSet) -> None:
    assert faces.people.tolist() == [1, 0, 1, 2, 0, 3, 0, 3]
    assert faces.grey.tolist() == [False, False, True, False, False, False, False, True]
    levels = [10 * number for number in (0, 1, 2, 3, 4, 0, 1, 2)]
    np.testing.assert_allclose(faces.images[:].mean(axis=(1, 2, 3)), levels, atol=1)
    np.testing.assert_allclose(faces.images[np.array([6, 0, 4])].mean(axis=(1, 2, 3)), [10, 0, 40], atol=1)
    assert (faces.size, faces.images.shape) == (32, (8, 32, 32, 3))


def test_points_are_in_pixels_of_the_crops_that_are_read(faces: FaceSet) -> None:
    own = np.arange(10).reshape(5, 2)
    for row, number in ((3, 3), (6, 1)):
        np.testing.assert_allclose(faces.points[row], (own + number / 4) / 2, rtol=1e-6)


def test_chosen_rows_are_a_set_of_their_own(faces: FaceSet) -> None:
    some = faces.chosen(np.array([7, 1]))
    assert (len(some), some.people.tolist()) == (2, [3, 0])
    np.testing.assert_allclose(some.images[0].mean(), 20, atol=1)
    np.testing.assert_allclose(some.points[1], faces.points[1])


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    crop_at = face_set.crop_at
    monkeypatch.setattr(face_set, "crop_at", lambda table, row, size: read.append(row) or crop_at(table, row, size))
    faces = load_packs((pack(tmp_path / "pack"),), 32, held_bytes=2 * 32 * 32 * 3)
    assert read == []
    for _ in range(2):
        assert len(faces.images[[4, 2, 0]]) == 3
    assert read == [4, 2, 0, 0]  # two are kept
    assert sum(getattr(faces, name).nbytes for name in ("people", "grey", "held_out", "watched")) == 7 * len(faces)


def test_one_in_ten_is_held_out_and_half_of_them_are_watched(tmp_path: Path) -> None:
    names = tuple(f"face {number}" for number in range(60))  # three held out, one of them tunes
    faces = load_packs((pack(tmp_path / "many", names),), 32)
    of = [part_of(sorted(names)[number]) for number in faces.people]
    assert faces.held_out.tolist() == [part != "training" for part in of] and faces.held_out.any()
    assert faces.watched.tolist() == [part == "tuning" for part in of] and faces.watched.any()


def test_of_few_people_nobody_is_held_out(faces: FaceSet) -> None:
    assert not faces.held_out.any() and not faces.watched.any()


def test_fewer_than_two_faces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 usable faces"):
        load_packs((pack(tmp_path / "one", ("a",)),), 32)
