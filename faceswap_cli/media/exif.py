"""Take the small preview out of EXIF data: it would still show the face that was replaced.

Everything else stays byte for byte, maker notes with their absolute offsets included.
"""

import struct

EXIF_PREFIX = b"Exif\0\0"
PREVIEW_OFFSET_TAG, PREVIEW_LENGTH_TAG = 0x0201, 0x0202  # EXIF 2.32, section 4.5.5
ENTRY_BYTES = 12


def without_preview(exif: bytes) -> bytes:
    """Blank the preview picture and unlink the directory (IFD1) that describes it."""
    prefix = EXIF_PREFIX if exif.startswith(EXIF_PREFIX) else b""
    content = bytearray(exif[len(prefix) :])
    try:
        _unlink(content)
    except struct.error:  # broken EXIF data: nothing in it can be followed
        return exif
    return prefix + bytes(content)


def _unlink(content: bytearray) -> None:
    order = {b"II": "<", b"MM": ">"}.get(bytes(content[:2]))
    if order is None:
        return
    (first,) = struct.unpack_from(f"{order}I", content, 4)
    link = first + 2 + ENTRY_BYTES * _entries(content, order, first)
    (second,) = struct.unpack_from(f"{order}I", content, link)
    if not second:
        return
    values = _values(content, order, second)
    offset, length = values.get(PREVIEW_OFFSET_TAG, 0), values.get(PREVIEW_LENGTH_TAG, 0)
    if offset + length <= len(content):
        content[offset : offset + length] = bytes(length)
    struct.pack_into(f"{order}I", content, link, 0)


def _entries(content: bytearray, order: str, directory: int) -> int:
    (entries,) = struct.unpack_from(f"{order}H", content, directory)
    return int(entries)


def _values(content: bytearray, order: str, directory: int) -> dict[int, int]:
    """Read the tags of a directory whose value is one 32-bit number."""
    places = (directory + 2 + ENTRY_BYTES * number for number in range(_entries(content, order, directory)))
    records = (struct.unpack_from(f"{order}HHII", content, place) for place in places)
    return {tag: value for tag, kind, count, value in records if (kind, count) == (4, 1)}
