"""Tell photos from clips by what the file holds, not by its name; of TGA alone, which has no signature, by both."""

import re
import stat
import struct
from pathlib import Path
from typing import Literal

from ..errors import MediaError
from .sequence import SUFFIXES, UNREADABLE, WRITE_ONLY, is_numbered, is_sequence, members

Kind = Literal["photo", "clip"]

HEAD_BYTES = 4096
# First bytes of still picture formats.
PHOTO_SIGNATURES = (
    b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\1\0", b"\xff\x0a", b"8BPS",
    b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51",  # JPEG XL, JPEG 2000 twice
    b"qoif", b"\x01\xda", b"DDS ", b"icns", b"#?RADIANCE", b"v/1\x01", b"SDPX", b"XPDS",  # the last: OpenEXR, DPX
)  # fmt: skip
GIF = (b"GIF87a", b"GIF89a")
PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-"
Y4M = b"YUV4MPEG2 "  # uncompressed pictures behind a line of text
NUMBERED_NAME = re.compile(r"(.*?)(\d+)(\.\w+)")
NETPBM = re.compile(rb"P[1-7fF]\s")
# Brands of the ISO file format that hold one picture (or several stills), ISO 23008-12.
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
STILL_BRANDS = (*HEIF_BRANDS, b"avif", b"avis", b"crx ")
TGA_SUFFIXES = frozenset({".tga", ".icb", ".vda", ".vst"})
TGA_HEADER = struct.Struct("<BBB9xHHB")  # length of the name, colour map, kind; width, height, bits of a pixel
TGA_KINDS, TGA_BITS = frozenset({1, 2, 3, 9, 10, 11}), frozenset({8, 15, 16, 24, 32})


def kind_of(path: Path) -> Kind:
    """Say whether `path` is a photo or a clip.

    Raises MediaError with the reason when it is neither: missing, empty, a folder, no media file.
    """
    if is_numbered(path) and (is_sequence(path) or members(path)):
        return _sequence_kind(path)
    head = _head(path)
    if head.startswith(GIF):
        return "clip" if moves(path, if_broken=True) else "photo"
    if head.startswith(PNG) or _is_packed(head):
        return "clip" if moves(path) else "photo"
    if _is_still(head) or (path.suffix.lower() in TGA_SUFFIXES and _is_tga(head)):
        return "photo"
    if head.startswith(PDF):
        raise MediaError(f"{path.name} is a PDF document, not a photo or clip: save its picture as a photo")
    if _looks_like_text(head) and not head.startswith(Y4M):
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
            raise MediaError(f"{path} is a folder: {_what_to_give(path)}")
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


def _what_to_give(folder: Path) -> str:
    """Say how to name what lies in a folder: numbered pictures by their pattern, else each file by itself."""
    pictures = sorted(each.name for each in folder.iterdir() if each.suffix.lower() in SUFFIXES - WRITE_ONLY)
    numbered = [NUMBERED_NAME.fullmatch(name) for name in pictures]
    if len(pictures) > 1 and all(numbered):
        names = {(found[1], found[3]) for found in numbered if found}
        digits = [found[2] for found in numbered if found]
        if len(names) == 1:
            (before, after) = names.pop()
            padded = len({len(each) for each in digits}) == 1 and len(digits[0]) > 1
            pattern = f"%0{len(digits[0])}d" if padded else "%d"
            return f"its {len(pictures)} numbered pictures are the clip {folder / (before + pattern + after)}"
    return "give one photo or clip in it" if pictures else "give a photo or clip"


def is_packed(path: Path) -> bool:
    """Say whether a file is WebP or AVIF, whose moving pictures the video library does not read."""
    with path.open("rb") as file:
        return _is_packed(file.read(12))


def is_heif(path: Path) -> bool:
    """Say whether a photo is HEIC, as phones take them."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS


def unpacked_format(path: Path) -> str | None:
    """Name the format of moving pictures that the video library is given unpacked; None for every other file."""
    if is_sequence(path) or not is_packed(path):
        return None
    with path.open("rb") as file:
        return "webp" if file.read(4) == b"RIFF" else "avif"


def _is_packed(head: bytes) -> bool:
    webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return webp or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"))


def _is_still(head: bytes) -> bool:
    if head[4:8] == b"ftyp":
        return head[8:12] in STILL_BRANDS
    return head.startswith(PHOTO_SIGNATURES) or NETPBM.match(head) is not None


def _is_tga(head: bytes) -> bool:
    if len(head) < TGA_HEADER.size:
        return False
    _, colour_map, kind, width, height, bits = TGA_HEADER.unpack_from(head)
    return colour_map in (0, 1) and kind in TGA_KINDS and bits in TGA_BITS and width > 0 and height > 0


def moves(path: Path, if_broken: bool = False) -> bool:
    """Say whether a file of a kind that can move holds more than one picture."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except (*UNREADABLE, LookupError, TypeError, EOFError, RuntimeError, struct.error):
        return if_broken  # the reader will say how


def _looks_like_text(head: bytes) -> bool:
    """Take it for text when it is UTF-8 without control characters; no media container begins so."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else "\0"
    return all(character.isprintable() or character in "\r\n\t\f" for character in text)
