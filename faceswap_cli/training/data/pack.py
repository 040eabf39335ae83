"""Aligned faces in few large files: what `prepare` writes and every training reads.

A pack is a folder with `crops-00000.bin`, `crops-00001.bin` ... (concatenated JPEGs, PNGs for label maps),
`index.jsonl` (one row per crop) and `seen.jsonl` (one row per picture looked at, with the reason where it was dropped).
Rows are appended after the bytes they point to, so a pack cut off at any moment is whole up to its last row.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np

from ...errors import MediaError, UsageError

INDEX, SEEN = "index.jsonl", "seen.jsonl"
SHARD_BYTES = 512 * 2**20
JPEG_QUALITY = 95
LAST_BYTES = 65_536  # of a file of lines, the last ones among them


@dataclass(frozen=True, slots=True)
class Row:
    """One crop of a pack."""

    source: str  # path of the picture, relative to the folder that was prepared
    person: str
    shard: int
    offset: int
    length: int
    points: list[list[float]]  # (5, 2) in crop pixels
    scale: float  # crop pixels per picture pixel: above 1 the crop is enlarged, hence soft
    grey: bool
    label_offset: int = -1  # PNG of a class map in the same shard, -1 where there is none
    label_length: int = 0
    size: int = 0  # side of the crop; 0 in packs that did not say it yet


class PackWriter:
    """Append crops to a pack; safe to stop at any moment and to go on later."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._shard = max((int(path.stem[-5:]) for path in folder.glob("crops-*.bin")), default=0)
        self._bytes = self._open_shard()
        self._index, self._seen = open_lines(folder / INDEX), open_lines(folder / SEEN)

    def __enter__(self) -> "PackWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        for file in (self._bytes, self._index, self._seen):
            file.close()

    def add(self, image: np.ndarray, label: np.ndarray | None, about: dict[str, Any]) -> None:
        """Store a crop (S, S, 3) uint8 RGB with its class map (S, S) uint8 and the fields of `Row` that describe it."""
        png = None if label is None else encode(label, ".png")
        self.add_encoded(encode(image[..., ::-1], ".jpg"), png, {"size": len(image)} | about)

    def add_encoded(self, crop: bytes, label: bytes | None, about: dict[str, Any]) -> None:
        """Store the same as a JPEG and a PNG, whose side is among the fields."""
        if self._bytes.tell() > SHARD_BYTES:
            self._bytes.close()
            self._shard += 1
            self._bytes = self._open_shard()
        place: dict[str, Any] = {"shard": self._shard}
        place["offset"], place["length"] = self._append(crop)
        if label is not None:
            place["label_offset"], place["label_length"] = self._append(label)
        self._bytes.flush()
        _write_row(self._index, asdict(Row(**about, **place)))

    def seen(self, source: str, outcome: str) -> None:
        """Note that a picture was looked at, so that a later run skips it."""
        _write_row(self._seen, {"source": source, "outcome": outcome})

    def _open_shard(self) -> Any:
        return (self._folder / f"crops-{self._shard:05d}.bin").open("ab")

    def _append(self, data: bytes) -> tuple[int, int]:
        offset = self._bytes.tell()
        self._bytes.write(data)
        return offset, len(data)


def is_pack(folder: Path) -> bool:
    """Tell whether a folder is a pack."""
    return (folder / INDEX).is_file()


def read_rows(folder: Path) -> list[Row]:
    """Return the rows of a pack; a last row cut off by a crash is left out."""
    if not is_pack(folder):
        raise UsageError(f"{folder} is not a prepared pack (no {INDEX}): make one with `faceswap prepare`")
    return [Row(**fields) for fields in read_lines(folder / INDEX)]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole JSON lines of a file, none where it does not exist."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                return


def last_line(path: Path) -> dict[str, Any] | None:
    """Return the last whole JSON line of a file, None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
        for line in reversed(file.read().split(b"\n")):
            try:
                last: dict[str, Any] = json.loads(line)
                return last
            except ValueError:
                continue
    return None


def open_lines(path: Path) -> TextIO:
    """Open JSON lines to append to; a last line that was cut off is taken away, or the next would be lost with it."""
    if path.is_file():
        with path.open("rb") as file:
            first = max(0, file.seek(0, os.SEEK_END) - LAST_BYTES)
            file.seek(first)
            end = file.read()
        if not end.endswith(b"\n"):
            os.truncate(path, first + end.rfind(b"\n") + 1)
    return path.open("a", encoding="utf-8")


def read_crop(folder: Path, row: Row) -> np.ndarray:
    """Return the crop of a row, (S, S, 3) uint8 RGB."""
    return _decode(folder, row.shard, row.offset, row.length, cv2.IMREAD_COLOR)[..., ::-1]


def read_label(folder: Path, row: Row) -> np.ndarray | None:
    """Return the class map of a row, (S, S) uint8, or None."""
    if row.label_offset < 0:
        return None
    return _decode(folder, row.shard, row.label_offset, row.label_length, cv2.IMREAD_GRAYSCALE)


def _decode(folder: Path, shard: int, offset: int, length: int, mode: int) -> np.ndarray:
    path = folder / f"crops-{shard:05d}.bin"
    with path.open("rb") as file:
        file.seek(offset)
        image = cv2.imdecode(np.frombuffer(file.read(length), np.uint8), mode)
    if image is None:
        raise MediaError(f"{path} is damaged at byte {offset}: prepare the pack again")
    return image


def encode(image: np.ndarray, extension: str) -> bytes:
    """Return a picture as OpenCV takes it, BGR or one channel, as the bytes of a file: ".jpg" or ".png"."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if extension == ".jpg" else []
    return cv2.imencode(extension, image, settings)[1].tobytes()


def _write_row(file: Any, row: dict[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")
    file.flush()
