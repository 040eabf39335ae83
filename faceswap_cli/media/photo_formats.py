"""Encode a photo's samples and metadata in each format we write.

Pillow writes 8 bits; PNG and TIFF, which hold 16, are written with OpenCV and tifffile, and PNG's own chunks are copied
byte for byte.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from .disclosure import DIGITAL_SOURCE_TYPE
from .encoders import quality_to_scale
from .orientation import EXIF_ORIENTATIONS
from .sequence import SUFFIXES

DEFAULT_QUALITY = 75
# Extension -> how Pillow calls the format. The first is the default for photos of kinds we read but do not write.
PHOTO_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".bmp": "BMP",
}
NUMBERED_FORMATS = tuple(ending for ending in PHOTO_FORMATS if ending in SUFFIXES)  # as the video library knows them
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT_CHUNKS = {
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"iCCP",
    b"cICP",
    b"mDCV",
    b"cLLI",
    b"pHYs",
    b"tEXt",
    b"zTXt",
    b"iTXt",
    b"tIME",
}
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
XMP_KEYWORD = b"XML:com.adobe.xmp"
JPEG_SCALE = ((0, 30), (50, 85), (75, 95), (100, 100))
WEBP_SCALE = ((0, 20), (50, 80), (75, 92), (99, 100))
AVIF_SCALE = ((0, 20), (50, 75), (75, 90), (100, 100))
TIFF_XMP_TAG, TIFF_ICC_TAG = 700, 34675
Directories = dict[int, ImageFileDirectory_v2]  # of a TIFF, by the tag that says where each begins
BROKEN_EXIF = (SyntaxError, OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, struct.error)
TIFF_DIRECTORY_TAGS = (34665, 34853)  # EXIF and GPS
LITTLE_ENDIAN = b"II*\0\x08\0\0\0"  # how a TIFF begins


@dataclass(frozen=True, slots=True, eq=False)
class Metadata:
    """What a photo carries beside its samples."""

    exif: bytes  # without preview; empty where there is none
    icc: bytes | None
    xmp: bytes  # empty where there is none
    dpi: tuple[float, float] | None
    orientation: int  # EXIF value, 1 where there is none
    jpeg_tables: dict[int, list[int]] | None  # quantisation of a JPEG input
    jpeg_sampling: int  # Pillow's number for its chroma sampling, -1 unknown
    png_chunks: tuple[tuple[bytes, bytes], ...]  # type and content of a PNG input's metadata
    original_format: str


def encode_photo(
    samples: np.ndarray, alpha: np.ndarray | None, metadata: Metadata, suffix: str, quality: int
) -> tuple[bytes, list[str]]:
    """Encode (H, W) or (H, W, 3) samples, uint8 or uint16; gives the file's bytes and notes on what was lost."""
    kind = PHOTO_FORMATS[suffix]
    notes = []
    if samples.dtype == np.uint16 and kind not in ("PNG", "TIFF"):
        notes.append(f"16 bits become 8: {kind} holds no more")
        samples, alpha = _to_8_bits(samples), None if alpha is None else _to_8_bits(alpha)
    if alpha is not None and kind in ("JPEG", "BMP"):
        notes.append(f"transparency is left out: {kind} does not hold it")
        alpha = None
    notes += _left_out(metadata, kind)
    if kind == "BMP" and DIGITAL_SOURCE_TYPE.encode() in metadata.xmp:
        notes.append("the file does not say that it was edited with AI: BMP holds no metadata")
    if kind == "BMP" and metadata.orientation != 1:
        samples = EXIF_ORIENTATIONS[metadata.orientation].to_upright(samples)
    if kind == "PNG":
        return _png(samples, alpha, metadata), notes
    if kind == "TIFF":
        parts = _exif_parts(metadata.exif)
        notes += [] if parts else ["EXIF data is left out: it is broken"]
        return _tiff(samples, alpha, metadata, *(parts or ({}, {}))), notes
    return _with_pillow(_joined(samples, alpha), kind, metadata, quality), notes


def _left_out(metadata: Metadata, kind: str) -> list[str]:
    """Say what a photo carries beside its samples that this format does not hold."""
    lost = {
        "EXIF data": kind == "BMP" and bool(metadata.exif),
        "colour profile": kind == "BMP" and bool(metadata.icc),
        "PNG text": kind != "PNG" and any(name in TEXT_CHUNKS for name, _ in metadata.png_chunks),
    }
    words = ", ".join(name for name, is_lost in lost.items() if is_lost)
    return [f"left out: {words}; {kind} does not hold it"] if words else []


def png_chunks(content: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Read the metadata chunks of a PNG file, its XMP and EXIF left out."""
    kept = []
    for kind, body in _walk_chunks(content):
        if kind in KEPT_CHUNKS and not (kind == b"iTXt" and body.startswith(XMP_KEYWORD)):
            kept.append((kind, body))
    return tuple(kept)


def _to_8_bits(samples: np.ndarray) -> np.ndarray:
    return ((samples.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _joined(samples: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    return samples if alpha is None else np.dstack([samples, alpha])


def _with_pillow(samples: np.ndarray, kind: str, metadata: Metadata, quality: int) -> bytes:
    file = io.BytesIO()
    options: dict[str, object] = {}
    if kind != "BMP":
        options |= {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.icc}
    if metadata.dpi and kind in ("JPEG", "BMP"):
        options["dpi"] = metadata.dpi
    Image.fromarray(samples).save(file, kind, **options, **_quality_options(kind, metadata, quality))
    return file.getvalue()


def _quality_options(kind: str, metadata: Metadata, quality: int) -> dict[str, object]:
    if kind == "JPEG":
        if metadata.jpeg_tables and quality == DEFAULT_QUALITY:  # its own tables: almost nothing is lost once more
            return {"qtables": metadata.jpeg_tables, "subsampling": metadata.jpeg_sampling}
        return {"quality": quality_to_scale(quality, JPEG_SCALE), "subsampling": 0}
    if kind == "WEBP":
        return {"lossless": quality == 100, "quality": quality_to_scale(quality, WEBP_SCALE), "exact": True}
    if kind == "AVIF":
        return {"quality": quality_to_scale(quality, AVIF_SCALE), "subsampling": "4:4:4"}
    return {}


def _png(samples: np.ndarray, alpha: np.ndarray | None, metadata: Metadata) -> bytes:
    joined = samples if alpha is None else np.dstack([_three_channels(samples), alpha])
    if joined.ndim == 3:
        joined = cv2.cvtColor(joined, cv2.COLOR_RGB2BGR if joined.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    plain = cv2.imencode(".png", joined)[1].tobytes()
    chunks = list(_walk_chunks(plain))
    header, rest = chunks[0], [chunk for chunk in chunks[1:] if chunk[0] in (b"IDAT", b"IEND")]
    return PNG_SIGNATURE + b"".join(_chunk(*each) for each in [header, *_png_metadata(metadata), *rest])


def _png_metadata(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    yield from metadata.png_chunks
    kinds = {kind for kind, _ in metadata.png_chunks}
    if metadata.icc and b"iCCP" not in kinds:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)
    if metadata.dpi and b"pHYs" not in kinds:
        yield b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in metadata.dpi), 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")
    if metadata.xmp:
        yield b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + metadata.xmp


def _three_channels(samples: np.ndarray) -> np.ndarray:
    return np.repeat(samples[..., None], 3, axis=2) if samples.ndim == 2 else samples


def _walk_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(PNG_SIGNATURE)
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _tiff(
    samples: np.ndarray, alpha: np.ndarray | None, metadata: Metadata, words: dict[int, str], directories: Directories
) -> bytes:
    import tifffile

    extra_tags: list[tuple[int, int, int, bytes | int | str, bool]] = [
        *((tag, 2, 0, text, True) for tag, text in words.items()),
        *((tag - 1, 4, 1, 0, True) for tag in directories),  # tifffile refuses the true number: put in below
    ]
    if metadata.xmp:
        extra_tags.append((TIFF_XMP_TAG, 1, len(metadata.xmp), metadata.xmp, True))
    if metadata.icc:
        extra_tags.append((TIFF_ICC_TAG, 7, len(metadata.icc), metadata.icc, True))
    if metadata.orientation != 1:
        extra_tags.append((274, 3, 1, metadata.orientation, True))
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        _joined(samples, alpha),
        byteorder="<",
        photometric="minisblack" if samples.ndim == 2 else "rgb",
        extrasamples=None if alpha is None else ["unassalpha"],
        compression="adobe_deflate",
        resolution=metadata.dpi,
        resolutionunit=None if metadata.dpi is None else 2,
        software=False,
        extratags=extra_tags,
        metadata=None,
    )
    return _with_directories(file.getvalue(), directories)


def _exif_parts(exif: bytes) -> tuple[dict[int, str], Directories] | None:
    """Part EXIF data into words such as maker and date, and the directories that a TIFF holds; None: it is broken."""
    found = Image.Exif()
    directories = {}
    try:
        found.load(exif)
        words = {tag: value for tag, value in found.items() if isinstance(value, str) and value.isascii()}
        for tag in TIFF_DIRECTORY_TAGS:
            entries = {name: value for name, value in found.get_ifd(tag).items() if not isinstance(value, dict)}
            directories[tag] = ImageFileDirectory_v2(ifh=LITTLE_ENDIAN, group=tag)
            directories[tag].update(entries)
            directories[tag].tobytes()
    except BROKEN_EXIF:
        return None
    return words, {tag: directory for tag, directory in directories.items() if directory}


def _with_directories(content: bytes, directories: Directories) -> bytes:
    """Append the directories to a TIFF, and give the entry that waits for each its number and where it begins."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        places = {tag: file.pages.first.tags[tag - 1].offset for tag in directories}
    whole = bytearray(content)
    for tag, directory in directories.items():
        whole += bytes(len(whole) % 2)  # a directory begins on an even byte
        struct.pack_into("<HHII", whole, places[tag], tag, 4, 1, len(whole))
        whole += directory.tobytes(len(whole))
    return bytes(whole)
