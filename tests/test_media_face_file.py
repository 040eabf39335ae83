"""A .face file: the same pixels and numbers come out that went in, and whatever was changed in it is refused."""

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceswap_cli.errors import MediaError, OutputError
from faceswap_cli.media.face_file import MOST_SIDE, read_face_file, write_face_file
from faceswap_cli.types import Face, Identity, KnownFace

RGB = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
POINTS = np.array([[120, 110], [180, 110], [150, 140], [125, 170], [175, 170]], np.float32)
KNOWN = KnownFace(
    Face(np.array([100, 80, 200, 200], np.float32), POINTS, 0.9), Identity(np.array([0.6, 0.8], np.float32), "ours")
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_face_file(tmp_path / "anna.face", RGB, KNOWN, ["ab" * 32])
    return tmp_path / "anna.face"


def test_pixels_and_identity_come_out_as_they_went_in(file: Path) -> None:
    """150 pixels either way from the middle (150, 140) are kept, as far as the picture goes: 0..300 by 0..290."""
    photo = read_face_file(file)
    np.testing.assert_array_equal(photo.frame.rgb, RGB[0:290, 0:300])
    assert photo.name == "anna.face"
    assert photo.known is not None
    np.testing.assert_array_equal(photo.known.identity.embedding, KNOWN.identity.embedding)
    np.testing.assert_array_equal(photo.known.face.points, POINTS)
    assert (photo.known.identity.space, photo.known.face.score) == ("ours", 0.9)


def test_points_go_with_the_corner_that_is_cut(tmp_path: Path) -> None:
    """A face of 40 pixels in the middle of the picture: 50 either way from (210, 150) are kept."""
    face = Face(np.array([190, 130, 230, 170], np.float32), POINTS / 5 + [190, 130], 0.9)
    write_face_file(tmp_path / "a.face", RGB, replace(KNOWN, face=face), [])
    photo = read_face_file(tmp_path / "a.face")
    np.testing.assert_array_equal(photo.frame.rgb, RGB[100:200, 160:260])
    assert photo.known is not None
    assert photo.known.face.box.tolist() == [30, 30, 70, 70]
    np.testing.assert_allclose(photo.known.face.points, face.points - [160, 100])


def test_a_large_portrait_is_scaled_with_its_points(tmp_path: Path) -> None:
    """A face of 1024 pixels with 2560 around it becomes one of 410 in 1024: 2.5 times smaller."""
    rgb = np.full((2560, 2560, 3), 90, np.uint8)
    face = Face(np.array([768, 768, 1792, 1792], np.float32), POINTS * 8, 0.9)
    write_face_file(tmp_path / "a.face", rgb, replace(KNOWN, face=face), [])
    photo = read_face_file(tmp_path / "a.face")
    assert photo.frame.rgb.shape == (MOST_SIDE, MOST_SIDE, 3)
    assert photo.known is not None
    np.testing.assert_allclose(photo.known.face.points, POINTS * 8 / 2.5, atol=1e-3)


def test_the_same_photos_give_the_same_file(file: Path, tmp_path: Path) -> None:
    write_face_file(tmp_path / "again.face", RGB, KNOWN, ["ab" * 32])
    assert (tmp_path / "again.face").read_bytes() == file.read_bytes()


def test_a_file_that_is_there_is_kept_unless_forced(file: Path) -> None:
    with pytest.raises(OutputError, match="--force"):
        write_face_file(file, RGB, KNOWN, [])
    write_face_file(file, RGB, KNOWN, [], force=True)


def changed(file: Path, edit: Callable[[dict[str, Any]], object], png: bytes | None = None) -> None:
    with zipfile.ZipFile(file) as archive:
        record, portrait = json.loads(archive.read("face.json")), archive.read("portrait.png")
    edit(record)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("face.json", json.dumps(record))
        archive.writestr("portrait.png", portrait if png is None else png)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda record: record.update(version=2), "version 2, 1 is read here"),
        (lambda record: record.update(format="other"), "something else"),
        (lambda record: record.update(identity=[0.6, 0.6]), "no vector of length 1"),
        (lambda record: record.update(points=[[1, 2]]), "where the face is"),
        (lambda record: record.update(box=[0, 0, float("nan"), 1]), "where the face is"),
        (lambda record: record.update(portrait_sha256="00"), "portrait was altered"),
        (lambda record: record.pop("space"), "space"),
    ],
)
def test_what_was_edited_is_refused(file: Path, edit: Callable[[dict[str, Any]], object], told: str) -> None:
    changed(file, edit)
    with pytest.raises(MediaError, match=re.escape(told)):
        read_face_file(file)


def test_another_portrait_is_refused(file: Path) -> None:
    changed(file, lambda record: None, b"\x89PNG")
    with pytest.raises(MediaError, match="portrait was altered"):
        read_face_file(file)


@pytest.mark.parametrize("length", [0, 100, -100])
def test_a_file_cut_off_is_refused(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(MediaError, match=r"no whole \.face file"):
        read_face_file(file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="does not exist"):
        read_face_file(tmp_path / "gone.face")
