"""Numbered pictures as a clip: `frames/%05d.png` names them all, as ffmpeg writes it."""

import os
import re
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..errors import MediaError

METADATA = {"exif": "EXIF data", "icc_profile": "colour profiles"}  # Pillow's name -> words for people
EXIF_ORIENTATION_TAG = 0x0112
# What Pillow raises for formats that the video library alone reads, and for files that lie about themselves.
UNREADABLE = (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError)
NUMBER = re.compile(r"%(0\d+)?d")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif", ".bmp", ".dpx", ".exr", ".ppm"})


WRITE_ONLY = frozenset({".avif"})  # the video library reads such files one by one only


def is_sequence(path: Path) -> bool:
    """Say whether a path names numbered pictures; a file that is really called so is a file."""
    return is_numbered(path) and path.suffix.lower() in SUFFIXES


def is_numbered(path: Path) -> bool:
    """Say whether a path has a place for a number, whatever its ending; a file that is really called so has none."""
    return len(NUMBER.findall(path.name)) == 1 and not os.path.exists(path)


def members(path: Path) -> dict[int, Path]:
    """Find the pictures that are there, by number, in order."""
    before, after = NUMBER.split(path.name)[0], NUMBER.split(path.name)[-1]
    pattern = re.compile(rf"{re.escape(before)}(\d+){re.escape(after)}")
    found = {}
    if path.parent.is_dir():
        for candidate in path.parent.iterdir():
            match = pattern.fullmatch(candidate.name)
            if match and member(path, int(match[1])) == candidate:
                found[int(match[1])] = candidate
    return dict(sorted(found.items()))


def member(path: Path, number: int) -> Path:
    """Name one picture."""
    return path.with_name(NUMBER.sub(lambda match: match[0] % number, path.name))


def metadata_of_first(path: Path) -> list[str]:
    """Name what the first of numbered photos carries beside its pixels; nothing for any other path."""
    first = next(iter(members(path).values()), None) if is_sequence(path) else None
    if first is None:
        return []
    try:
        with Image.open(first) as image:
            return [words for name, words in METADATA.items() if image.info.get(name)]
    except UNREADABLE:
        return []


def exif_orientation(path: Path) -> int:
    """Read how numbered photos lie: EXIF's value, 1 where they say nothing. MediaError where they differ."""
    pictures = list(members(path).values())
    values = [_exif_orientation(picture) for picture in pictures]
    for picture, value in zip(pictures, values, strict=True):
        if value != values[0]:
            differing = f"{pictures[0].name} says EXIF orientation {values[0]}, {picture.name} {value}"
            raise MediaError(
                f"{path.name}: its photos lie in different ways ({differing}): turn them all upright first"
            )
    return values[0] if values else 1


def _exif_orientation(picture: Path) -> int:
    try:
        with Image.open(picture) as image:
            if image.format == "PNG":
                image.info.setdefault("exif", b"")  # else it is decoded whole in search of it
            value = image.getexif().get(EXIF_ORIENTATION_TAG, 1)
    except UNREADABLE:
        return 1
    return value if value in range(1, 9) else 1
