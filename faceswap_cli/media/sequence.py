"""Numbered pictures as a clip: `frames/%05d.png` names them all, as ffmpeg writes it."""

import os
import re
from pathlib import Path

from PIL import Image, UnidentifiedImageError

METADATA = {
    "exif": "EXIF data (how they lie, too)",
    "icc_profile": "colour profiles",
}  # Pillow's name -> words for people
NUMBER = re.compile(r"%(0\d+)?d")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif", ".bmp", ".dpx", ".exr", ".ppm"})


def is_sequence(path: Path) -> bool:
    """Say whether a path names numbered pictures; a file that is really called so is a file."""
    named = len(NUMBER.findall(path.name)) == 1 and path.suffix.lower() in SUFFIXES
    return named and not os.path.exists(path)


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
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return []  # formats that the video library alone reads, and pictures too large for Pillow
