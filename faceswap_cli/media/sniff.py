"""Tell photos from clips by what the file holds, not by its name."""

import stat
import struct
import warnings
from pathlib import Path
from typing import Literal

from ..errors import MediaError
from .sequence import SUFFIXES, WRITE_ONLY, is_numbered, is_sequence, members

Kind = Literal["photo", "clip"]

HEAD_BYTES = 4096
# First bytes of still picture formats.
PHOTO_SIGNATURES = (b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\1\0", b"\xff\x0a", b"8BPS")
JPEG_XL = b"\0\0\0\x0cJXL \r\n\x87\n"
PNG = b"\x89PNG\r\n\x1a\n"
# Brands of the ISO file format that hold one picture (or several stills), ISO 23008-12.
STILL_BRANDS = (b"avif", b"heic", b"heix", b"heim", b"heis", b"mif1")


def kind_of(path: Path) -> Kind:
    """Say whether `path` is a photo or a clip.

    Raises MediaError with the reason when it is neither: missing, empty, a folder, no media file.
    """
    if is_numbered(path) and (is_sequence(path) or members(path)):
        return _sequence_kind(path)
    head = _head(path)
    if _is_still(head):
        return "photo"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "clip" if _gif_moves(path) else "photo"
    if _looks_like_text(head):
        raise MediaError(f"{path.name} is a text file, not a photo or clip")
    return "clip"


def _sequence_kind(path: Path) -> Kind:
    if not members(path):
        raise MediaError(f"{path} names numbered pictures, but there is none: check the path")
    readable = SUFFIXES - WRITE_ONLY
    if path.suffix.lower() not in readable:
        raise MediaError(
            f"{path.name}: numbered {path.suffix} files cannot be read, only {', '.join(sorted(readable))}"
        )
    return "clip"


def _head(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise MediaError(f"{path} is a folder: give a photo or clip")
        if not stat.S_ISREG(mode):
            raise MediaError(f"{path} is no regular file: give a photo or clip on disk")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise MediaError(f"{path} does not exist: check the path") from None
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise MediaError(f"{path.name} is empty (0 bytes)")
    return head


def _is_still(head: bytes) -> bool:
    if head.startswith(PNG):
        return b"acTL" not in head
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return True
    if head[4:8] == b"ftyp":
        return head[8:12] in STILL_BRANDS
    return head.startswith((*PHOTO_SIGNATURES, JPEG_XL)) or head[:2] in (b"P5", b"P6")


def _gif_moves(path: Path) -> bool:
    from PIL import Image

    broken = (OSError, ValueError, LookupError, TypeError, EOFError, struct.error, Image.DecompressionBombError)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except broken:
        return True  # broken: the reader will say how


def _looks_like_text(head: bytes) -> bool:
    """Take it for text when it is UTF-8 without control characters; no media container begins so."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else "\0"
    return all(character.isprintable() or character in "\r\n\t\f" for character in text)
