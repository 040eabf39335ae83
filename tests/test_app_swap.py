"""What a program names as the source: photos, faces of photos, and what a broken run may go on with."""

import shutil
from pathlib import Path

import pytest

from faceswap_cli.app.swap import read_photos, recipe_of
from faceswap_cli.errors import MediaError
from faceswap_cli.options import Options
from faceswap_cli.stages.bundle import find_bundle


@pytest.fixture
def me(tmp_path: Path, portrait: Path) -> Path:
    return Path(shutil.copy(portrait, tmp_path / "me.jpg"))


def test_a_number_behind_a_photo_chooses_one_of_its_faces(me: Path) -> None:
    (photo,) = read_photos([me.with_name("me.jpg#2")])
    assert (photo.name, photo.face) == ("me.jpg", 2)
    assert [each.face for each in read_photos([me, me.with_name("me.jpg#1")])] == [None, 1]


def test_a_file_that_has_such_a_name_is_itself_meant(me: Path) -> None:
    own = Path(shutil.copy(me, me.with_name("me.jpg#2")))
    (photo,) = read_photos([own])
    assert (photo.name, photo.face) == ("me.jpg#2", None)


@pytest.mark.parametrize("name", ["gone.jpg#2", "me.jpg#", "me.jpg#two", "me.jpg#-1", "#2"])
def test_what_is_neither_is_a_file_that_is_missing(me: Path, name: str) -> None:
    with pytest.raises(MediaError, match="does not exist"):
        read_photos([me.with_name(name)])


def test_photos_of_one_name_are_told_apart_by_their_folders(me: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Path(shutil.copy(me, tmp_path / "other" / "me.jpg"))
    assert [photo.name for photo in read_photos([me, other])] == [str(me), str(other)]


def test_a_run_of_another_face_of_the_photo_is_another_run(me: Path, tinting_generator: Path, whole_pack: Path) -> None:
    options = Options(model=str(tinting_generator), face_pack=whole_pack)
    bundle = find_bundle(options)
    first, second, again = (recipe_of([me.with_name(f"me.jpg#{face}")], bundle, options) for face in (1, 2, 1))
    assert first == again != second
