"""Judge a detector by a list of faces that someone saw: recall, false finds and the error of the five points.

The list is a TOML file of `[[picture]]` tables; tests/faces_by_eye.toml tells what each key means.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import UsageError
from ..stages.doubles import overlap
from ..types import Face
from .clips import read
from .options import Span

HIT = 0.5  # overlap (IoU) from which a find shows a labelled face
FALSE = 0.3  # overlap with every labelled face below which a find shows none

Find = Callable[[np.ndarray], list[Face]]  # (H, W, 3) uint8 RGB -> faces


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A picture and every face that can be seen in it; a point that cannot is NaN."""

    name: str
    rgb: np.ndarray  # (H, W, 3) uint8
    faces: tuple[Face, ...]  # those to be found
    difficult: tuple[Face, ...]  # those that may be found or not


@dataclass(frozen=True, slots=True)
class Score:
    """What a detector made of the list."""

    pictures: int
    faces: int
    found: int
    false: int  # finds that show no face
    point_error: float  # mean over the faces found: distance of the visible points over that of the eyes
    missed: tuple[str, ...]  # picture by picture

    @property
    def recall(self) -> float:
        """Share of the faces that is found."""
        return self.found / self.faces


def labelled(listing: Path, data: Path) -> Iterator[Labelled]:
    """Yield the pictures of a list, whose files lie below `data`."""
    with listing.open("rb") as file:
        rows = tomllib.load(file)["picture"]
    for row in rows:
        number = row.get("frame")
        rgb, scale = _shown(_picture(data / row["file"], number or 0), row)
        faces = [(_face(face, scale), face.get("difficult", False)) for face in row["faces"]]
        yield Labelled(
            row["file"] if number is None else f"{row['file']} frame {number}",
            rgb,
            tuple(face for face, difficult in faces if not difficult),
            tuple(face for face, difficult in faces if difficult),
        )


def score(find: Find, pictures: Iterable[Labelled]) -> Score:
    """Look for the faces of every picture and count."""
    count, faces, false = 0, 0, 0
    errors: list[float] = []
    missed: list[str] = []
    for picture in pictures:
        finds = [_cut(each, picture.rgb.shape) for each in find(picture.rgb)]
        count, faces = count + 1, faces + len(picture.faces)
        false += sum(_touches_none(each, picture) for each in finds)
        for face in picture.faces:
            best = max(finds, key=lambda each: overlap(each, face), default=None)
            if best is None or overlap(best, face) < HIT:
                missed.append(picture.name)
            else:
                errors.append(point_error(best.points, face.points))
    known = [error for error in errors if np.isfinite(error)]
    return Score(count, faces, len(errors), false, float(np.mean(known)) if known else float("nan"), tuple(missed))


def point_error(points: np.ndarray, seen: np.ndarray) -> float:
    """Return the mean distance of the visible points (5, 2) over that of the eyes; NaN unless both eyes are seen."""
    eyes = float(np.linalg.norm(seen[1] - seen[0]))
    return float(np.nanmean(np.linalg.norm(points - seen, axis=1))) / eyes if np.isfinite(eyes) else float("nan")


def _picture(path: Path, number: int) -> np.ndarray:
    for frame in read(path, Span()):
        if frame.index == number:
            return frame.rgb
    raise UsageError(f"{path.name} has no frame {number}")


def _shown(rgb: np.ndarray, row: dict[str, Any]) -> tuple[np.ndarray, float]:
    """Return the picture as the row wants it shown, and by how much it was shrunk."""
    if "part" in row:
        x0, y0, x1, y1 = row["part"]
        return np.ascontiguousarray(rgb[y0:y1, x0:x1]), 1.0
    scale = row.get("longest", max(rgb.shape[:2])) / max(rgb.shape[:2])
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(rgb, alpha=row.get("light", 1.0)), scale


def _face(row: dict[str, Any], scale: float) -> Face:
    points = [point or (np.nan, np.nan) for point in row.get("points", [()] * 5)]
    return Face(np.array(row["box"], np.float32) * scale, np.array(points, np.float32) * scale, score=1.0)


def _cut(face: Face, shape: tuple[int, ...]) -> Face:
    """Cut a box at the picture's edge: labels end there, and some detectors guess on."""
    height, width = shape[:2]
    return replace(face, box=np.clip(face.box, 0, (width, height, width, height)).astype(np.float32))


def _touches_none(find: Face, picture: Labelled) -> bool:
    return all(overlap(find, face) < FALSE for face in (*picture.faces, *picture.difficult))
