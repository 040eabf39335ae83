"""Moving portraits over a plain wall: scenes whose truth is known, for tests of finding and following."""

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from faceswap_cli.media.photo import read_photo
from faceswap_cli.options import Options
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.stages.track import Located, Track
from faceswap_cli.stages.watch import Watch
from faceswap_cli.types import Frame

WIDTH, HEIGHT = 640, 360
Placed = tuple[np.ndarray, float, float]  # a picture with the place of its left and upper edge


def portrait(path: Path, height: int) -> np.ndarray:
    """Read a portrait and bring it to a height in pixels."""
    rgb = read_photo(path).frame.rgb
    width = round(rgb.shape[1] * height / rgb.shape[0])
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)


def blank(height: int) -> np.ndarray:
    """Return the back of a head, as it were."""
    return np.full((height, round(0.8 * height), 3), (95, 75, 60), np.uint8)


def scene(*placed: Placed, wall: tuple[int, int, int] = (70, 90, 110)) -> np.ndarray:
    """Lay pictures over a wall, the last one in front."""
    canvas = np.full((HEIGHT, WIDTH, 3), wall, np.uint8)
    for picture, left, top in placed:
        x, y = round(left), round(top)
        x0, y0, x1, y1 = max(0, x), max(0, y), min(WIDTH, x + picture.shape[1]), min(HEIGHT, y + picture.shape[0])
        if x1 > x0 and y1 > y0:
            canvas[y0:y1, x0:x1] = picture[y0 - y : y1 - y, x0 - x : x1 - x]
    return canvas


def followed(pictures: Iterable[np.ndarray], limit: int | None = 1, rate: int = 15) -> list[Located]:
    """Find and follow the faces of pictures shown one after another."""
    watch = Watch(_detector())
    frames = (Frame(rgb, index, index, Fraction(1, rate)) for index, rgb in enumerate(pictures))
    return list(Track(limit).follow((frame, watch.find(frame.rgb)) for frame in frames))


@cache
def _detector() -> Detect:
    return open_detector(None, Options(device="cpu", threads=1))


def middles(located: Iterable[Located]) -> list[int | None]:
    """Return how far from the left the swapped face lies in each frame, None where none is swapped."""
    return [round(float(each.faces[0].box[[0, 2]].mean())) if each.faces else None for each in located]


def left_frames(located: Iterable[Located]) -> list[int]:
    """Return the frames that show a face and in which none is swapped."""
    return [each.frame.index for each in located if each.faces_found and not each.faces]
