"""Triplets in few large files: a folder with `rows.bin` (concatenated pictures) and `rows.jsonl` (one line a number).

A line is appended after the bytes it points to, so a pack cut off at any moment is whole up to its last line. A row's
pictures are one JPEG of target, portrait and answer side by side, a PNG of coverage and mask, and a JPEG of the two
faces that an encoder is shown.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import MediaError, UsageError
from .pack import open_lines, read_lines

BYTES, ROWS = "rows.bin", "rows.jsonl"
JPEG_QUALITY = 95
MARKS = np.dtype([("place", "<u8"), ("answered", "?"), ("held_out", "?")])  # of a row, in memory; place of its line


@dataclass(frozen=True, slots=True, eq=False)
class Triplet:
    """One row; pictures are uint8 RGB of one size S."""

    target: np.ndarray  # (S, S, 3): what a generator is shown as target
    warped: np.ndarray  # (S, S, 4): the source's portrait warped to it, and how far each pixel may be used, 0..255
    answer: np.ndarray | None  # (S, S, 3): what it is to return; None where nobody knows
    mask: np.ndarray  # (S, S): where a swap is pasted, 0..255
    identity: np.ndarray  # (D,) float32, L2 norm 1: what is injected
    faces: np.ndarray  # (112, 224, 3): as an identity encoder is shown them, whom to look like and whom not
    person: str  # whose crop the target is
    held_out: bool
    landmarks: np.ndarray | None = None  # (66, 2) float32 of the target, shares of S; None in packs of older versions


class TripletPack:
    """Append rows to a pack; safe to stop at any moment and to go on later."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._rows = open_lines(folder / ROWS)
        self._made, self._outcomes = bytearray(), Counter[str]()  # a byte for each number; lines stay on disk
        for line in read_lines(folder / ROWS):
            self._count(line)
        self._bytes = (folder / BYTES).open("ab")

    def __enter__(self) -> "TripletPack":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bytes.close()
        self._rows.close()

    def __contains__(self, number: int) -> bool:
        return number < len(self._made) and bool(self._made[number])

    def add(self, number: int, made: Triplet | str) -> None:
        """Store a row, or why there is none."""
        line: dict[str, Any] = {"number": number}
        line |= {"dropped": made} if isinstance(made, str) else self._stored(made)
        self._rows.write(json.dumps(line) + "\n")
        self._rows.flush()
        self._count(line)

    def outcomes(self) -> dict[str, int]:
        """Return how many rows are triplets, how many are pairs, and how many are neither, by reason."""
        return dict(self._outcomes)

    def _count(self, line: dict[str, Any]) -> None:
        number = line["number"]
        self._made.extend(bytes(max(0, number + 1 - len(self._made))))
        self._made[number] = 1
        self._outcomes[line.get("dropped") or ("triplets" if line["answered"] else "pairs")] += 1

    def _stored(self, triplet: Triplet) -> dict[str, Any]:
        pictures = [triplet.target, triplet.warped[..., :3], *([] if triplet.answer is None else [triplet.answer])]
        parts = [
            _encoded(np.concatenate(pictures, axis=1)[..., ::-1], ".jpg"),
            _encoded(np.concatenate([triplet.warped[..., 3], triplet.mask], axis=1), ".png"),
            _encoded(triplet.faces[..., ::-1], ".jpg"),
        ]
        offset = self._bytes.tell()
        self._bytes.write(b"".join(parts))
        self._bytes.flush()
        return {
            "offset": offset,
            "lengths": [len(part) for part in parts],
            "answered": triplet.answer is not None,
            "person": triplet.person,
            "held_out": triplet.held_out,
            "identity": [round(float(value), 5) for value in triplet.identity],
            "landmarks": None if triplet.landmarks is None else triplet.landmarks.round(4).tolist(),
        }


def are_triplets(folders: tuple[Path, ...]) -> bool:
    """Tell whether folders hold triplets; raise UsageError where only some of them do."""
    with_rows = [folder for folder in folders if (folder / ROWS).is_file()]
    if with_rows and len(with_rows) < len(folders):
        others = next(folder for folder in folders if folder not in with_rows)
        raise UsageError(f"{with_rows[0]} holds triplets, {others} does not: give one kind of data")
    return bool(with_rows)


class TripletReader:
    """The rows of a pack, read from disk when they are asked for: ten bytes of each lie in memory."""

    def __init__(self, folder: Path) -> None:
        if not (folder / ROWS).is_file():
            raise UsageError(f"{folder} holds no triplets (no {ROWS}): make them with `faceswap triplets`")
        self._lines, self._path = folder / ROWS, folder / BYTES
        marks = ((place, line["answered"], line["held_out"]) for place, line in _placed(self._lines))
        self._marks = np.fromiter(marks, MARKS)
        self.answered, self.held_out = self._marks["answered"], self._marks["held_out"]  # (N,) bool each

    def __len__(self) -> int:
        return len(self._marks)

    def line(self, index: int) -> dict[str, Any]:
        """Return what is written of one row."""
        with self._lines.open("rb") as file:
            file.seek(int(self._marks["place"][index]))
            found: dict[str, Any] = json.loads(file.readline())
            return found

    def read(self, index: int) -> Triplet:
        """Return one row; raise MediaError where the pack is damaged."""
        row = self.line(index)
        with self._path.open("rb") as file:
            file.seek(row["offset"])
            parts = [np.frombuffer(file.read(length), np.uint8) for length in row["lengths"]]
        pictures = self._decoded(parts[0], cv2.IMREAD_COLOR, row)[..., ::-1]
        grey = self._decoded(parts[1], cv2.IMREAD_GRAYSCALE, row)
        size = len(grey)
        target, portrait, *answer = (
            pictures[:, size * place : size * (place + 1)] for place in range(2 + row["answered"])
        )
        return Triplet(
            target=target,
            warped=np.dstack([portrait, grey[:, :size]]),
            answer=answer[0] if answer else None,
            mask=grey[:, size:],
            identity=np.array(row["identity"], np.float32),
            faces=self._decoded(parts[2], cv2.IMREAD_COLOR, row)[..., ::-1],
            person=row["person"],
            held_out=row["held_out"],
            landmarks=None if row.get("landmarks") is None else np.array(row["landmarks"], np.float32),
        )

    def _decoded(self, data: np.ndarray, mode: int, row: dict[str, Any]) -> np.ndarray:
        picture = cv2.imdecode(data, mode)
        if picture is None:
            raise MediaError(f"{self._path} is damaged at byte {row['offset']}: make the triplets again")
        return picture


def _placed(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield where the line of each row that was made begins, in bytes, and what it says; as far as lines are whole."""
    place = 0
    with path.open("rb") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                return
            if "dropped" not in line:
                yield place, line
            place += len(text)


def _encoded(picture: np.ndarray, extension: str) -> bytes:
    return cv2.imencode(extension, picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if extension == ".jpg" else [])[
        1
    ].tobytes()
