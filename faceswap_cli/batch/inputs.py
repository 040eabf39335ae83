"""Find photos and clips by what a person types: files, globs, and folders with all that lies in them.

In folders it is the name's ending that makes a file an input; what it really holds shows when its turn comes.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import MediaError, UsageError
from ..media.photo_formats import PHOTO_FORMATS
from ..media.plan import CONTAINERS
from ..media.sequence import is_sequence

# Endings of what is read and written as another kind.
READ_ONLY = {
    ".heic", ".heif", ".tga", ".jp2", ".j2k", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv",
    ".mxf", ".vob", ".apng",
}  # fmt: skip
MEDIA = READ_ONLY | set(PHOTO_FORMATS) | set(CONTAINERS)


@dataclass(frozen=True, slots=True)
class Found:
    """A file to swap."""

    path: Path
    folder: Path = Path()  # where it lies in the folder that was given; empty for one named by itself
    named: bool = True  # by itself, or by a glob


def find_inputs(words: Sequence[str], leave_out: Sequence[Path] = ()) -> tuple[list[Found], list[str]]:
    """Return the photos and clips that some words name, each once, and what is to be told of the rest.

    Folders are gone through to their ends; what is hidden, and what lies in `leave_out`, is passed over there.
    Raises MediaError for a file that does not exist, UsageError for a glob or a folder that names nothing.
    """
    notes: list[str] = []
    found: dict[str, Found] = {}
    for word in words:
        for each in _named_by(word, [os.path.realpath(path) for path in leave_out]):
            if each.named and not _is_media(each.path):
                notes.append(f"left out: {each.path} is no photo or clip by its name")
                continue
            found.setdefault(os.path.realpath(each.path), each)
    if not found:
        raise UsageError("nothing to swap is named: give photos, clips, or folders of them")
    return list(found.values()), notes


def _named_by(word: str, leave_out: list[str]) -> list[Found]:
    path = Path(word)
    if path.is_dir():
        inside = list(_inside(path, leave_out))
        if not inside:
            raise UsageError(f"{path} holds no photo or clip: give a folder with some, or name files")
        return inside
    if os.path.lexists(path) or is_sequence(path):
        return [Found(path)]
    if not glob.has_magic(word):
        raise MediaError(f"{path} does not exist: check the path")
    matches = sorted(glob.glob(word, recursive=True))
    if not matches:
        raise UsageError(f"{word} matches nothing: check the pattern")
    several = [list(_inside(Path(each), leave_out)) if os.path.isdir(each) else [Found(Path(each))] for each in matches]
    return [each for some in several for each in some]


def _inside(top: Path, leave_out: list[str]) -> Iterator[Found]:
    """Yield the media of a folder and all folders in it, by name."""
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(folder, name)) not in leave_out
        )
        for name in sorted(files):
            path = Path(folder, name)
            if not name.startswith(".") and _is_media(path):
                yield Found(path, Path(folder).relative_to(top), named=False)


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in MEDIA or is_sequence(path)
