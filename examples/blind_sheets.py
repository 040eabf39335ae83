"""Lay a row's pictures side by side: faces enlarged alike, numbers and no names.

Target and swaps are cut by the target's face, so that what differs is the picture. A photo's row runs from left to
right: source, target, swaps. A clip has two sheets of its own, of three moments each: the target above its swaps.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from blind_pairs import THRESHOLD, Wanted
from PIL import Image

from faceswap_cli import Options
from faceswap_cli.errors import NoFaceError, OutputError
from faceswap_cli.evaluation.clips import PHOTO_VIEWS, read, thumbnail
from faceswap_cli.evaluation.options import Span
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.types import Face

MOST_ROWS = 6
MOMENTS = 6  # of a clip
FACE_PX, SHARE = 320, 1.45  # longer side of a face on a sheet, and of the picture around it in such sides
TILE = round(FACE_PX * SHARE)
LABEL = 34  # pixels that words and numbers take

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Row:
    """A source, a target, and its swaps by name in the order they are numbered; None where no face was found."""

    number: int
    wanted: Wanted
    results: dict[str, Path | None]
    seconds: Fraction = Fraction(2)  # of a clip


def photo_sheet(rows: list[Row]) -> np.ndarray:
    """Return the sheet (H, W, 3) of some photo pairs."""
    detector = _portraits()
    return np.vstack([_photo_band(row, detector) for row in rows])


def clip_sheets(row: Row) -> list[np.ndarray]:
    """Return the two sheets (H, W, 3) of one clip: the source beside the target's moments, below them each swap's."""
    detector, span = open_detector(None, Options(threads=1)), Span(end=row.seconds)
    pictures = moments(row.wanted.target, span)
    faces = _followed(row.wanted.target, pictures, detector)
    source, blank = _source(row, _portraits()), np.full((TILE, TILE, 3), 255, np.uint8)
    lines = [_cut(pictures, faces)]
    for result in row.results.values():
        shown = moments(result, Span()) if result else [None] * len(pictures)
        lines.append(_cut(shown, faces))
    words = [f"row {row.number}: source | target", *map(str, range(1, len(lines)))]
    half = (len(pictures) + 1) // 2
    return [
        np.vstack(
            [
                _labelled(word, np.hstack([source if line is lines[0] else blank, *line[part]]))
                for word, line in zip(words, lines, strict=True)
            ]
        )
        for part in (slice(half), slice(len(pictures) - half, None))
    ]


def moments(path: Path, span: Span) -> list[np.ndarray]:
    """Return pictures evenly spread over a clip, the first and the last among them."""
    count = sum(1 for _ in read(path, span))
    chosen = np.unique(np.linspace(0, count - 1, MOMENTS).round().astype(int)).tolist()
    return [frame.rgb for number, frame in enumerate(read(path, span)) if number in chosen]


def save(sheet: np.ndarray, path: Path) -> None:
    """Write a sheet as PNG."""
    try:
        Image.fromarray(sheet).save(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error


def _photo_band(row: Row, detector: Detect) -> np.ndarray:
    target = next(read(row.wanted.target, Span())).rgb
    face = _largest(target, detector, row.wanted.target)
    pictures = [target, *(next(read(result, Span())).rgb if result else None for result in row.results.values())]
    tiles = [_source(row, detector), *_cut(pictures, [face] * len(pictures))]
    words = [f"row {row.number}: source", "target", *map(str, range(1, len(tiles) - 1))]
    return np.hstack([_labelled(word, tile) for word, tile in zip(words, tiles, strict=True)])


def _source(row: Row, detector: Detect) -> np.ndarray:
    rgb = next(read(row.wanted.source, Span())).rgb
    return thumbnail(rgb, _largest(rgb, detector, row.wanted.source), TILE, SHARE)


def _cut(pictures: list[np.ndarray | None], faces: list[Face]) -> list[np.ndarray]:
    """Cut each picture by its face; a grey square stands for none."""
    grey = np.full((TILE, TILE, 3), 128, np.uint8)
    return [
        grey if rgb is None else thumbnail(rgb, face, TILE, SHARE) for rgb, face in zip(pictures, faces, strict=True)
    ]


def _followed(clip: Path, pictures: list[np.ndarray], detector: Detect) -> list[Face]:
    """Return the largest face of each moment, where there is none that of the moment before, or the first one."""
    found = [next(iter(detector.detect(rgb)), None) for rgb in pictures]
    known = [face for face in found if face is not None]
    if not known:
        raise NoFaceError(f"no face found in {clip.name}: there is nothing to show")
    faces, last = [], known[0]
    for face in found:
        last = face or last
        faces.append(last)
    return faces


def _largest(rgb: np.ndarray, detector: Detect, path: Path) -> Face:
    faces = detector.detect(rgb, PHOTO_VIEWS)
    if not faces:
        raise NoFaceError(f"no face found in {path.name}: there is nothing to show")
    return faces[0]


def _labelled(words: str, picture: np.ndarray) -> np.ndarray:
    """Put words above a picture."""
    band = np.full((LABEL, picture.shape[1], 3), _WHITE, np.uint8)
    cv2.putText(band, words, (8, LABEL - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.8, _BLACK, 2, cv2.LINE_AA)
    edge = np.full((4, picture.shape[1], 3), _WHITE, np.uint8)
    return np.vstack([band, picture, edge])


def _portraits() -> Detect:
    """Open the detector for portraits; clips are searched with its own threshold, above which few finds are false."""
    return open_detector(None, Options(det_threshold=THRESHOLD, threads=1))
