"""Read what a user names as the source: photos, one of a photo's faces, saved identities, one person or several."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from ..media.face_file import is_face_file, read_face_file
from ..media.photo import read_photo
from ..media.sniff import kind_of
from ..shelf import Shelf
from ..types import SourcePhoto

Photos = str | Path | Sequence[str | Path]  # of one person
Source = Photos | Mapping[str, Photos]  # the latter: by whom it is put in for, as Options.who says it
Cast = dict[str | None, list[Path]]  # the same, every photo a path; None is whoever the options name

_CHOSEN_FACE = re.compile(r"(?P<photo>.+)#(?P<face>[0-9]{1,4})", re.DOTALL)  # how one of a photo's faces is named


def cast_of(source: Source) -> Cast:
    """Return the photos of each source by whom it is put in for; None is whoever the options name.

    Raises UsageError for a source without photos.
    """
    if not isinstance(source, Mapping):
        return {None: paths_of(source)}
    cast: Cast = {who: paths_of(photos) for who, photos in source.items()}
    if not cast or not all(cast.values()):
        raise UsageError("nobody is put in: give at least one photo of each source")
    return cast


def paths_of(source: Photos) -> list[Path]:
    """Take one photo or several."""
    several = [source] if isinstance(source, str | Path) else source
    return [Path(each) for each in several]


def shelved_photos(sources: list[Path], shelf: Shelf) -> list[SourcePhoto]:
    """Read a source's photos unless they are on the shelf as they lie on disk."""
    stamps = [_stamp(photo_path(source)) for source in sources]
    return shelf.take(("photos", *sources, *stamps), lambda: read_photos(sources))


def read_photos(sources: list[Path]) -> list[SourcePhoto]:
    """Read the source's photos; `me.jpg#2` is the second face of me.jpg, unless a file has that very name.

    What `save_identity` wrote may stand among them.

    Raises UsageError for a clip, with the way to get a photo out of it.
    """
    photos = [photo_and_face(source) for source in sources]
    for path, _ in photos:
        if not is_face_file(path) and kind_of(path) == "clip":
            raise UsageError(
                f"source {path.name} is a clip: give a photo of the person (`faceswap faces {path} --sheet faces.png` "
                "shows who is in it), or save one of its pictures"
            )
    names = [path.name for path, _ in photos]
    return [_read_source(path, path.name if names.count(path.name) == 1 else str(path), face) for path, face in photos]


def photo_path(source: Path) -> Path:
    """Return the file of a source photo, without the number of a face."""
    return photo_and_face(source)[0]


def photo_and_face(source: Path) -> tuple[Path, int | None]:
    """Return the file a source names, and which of its faces; None means the largest."""
    chosen = _CHOSEN_FACE.fullmatch(source.name)
    if chosen is None or os.path.lexists(source):
        return source, None
    return source.with_name(chosen["photo"]), int(chosen["face"])


def _stamp(path: Path) -> tuple[int, int]:
    """Tell one state of a file from another; a missing one is refused by whoever reads it."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_size, stat.st_mtime_ns)


def _read_source(path: Path, name: str, face: int | None) -> SourcePhoto:
    if is_face_file(path):
        return replace(read_face_file(path), name=name, face=face)
    return SourcePhoto(read_photo(path).frame, name, face)
