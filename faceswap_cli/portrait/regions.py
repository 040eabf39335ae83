"""Regions of a crop: polygons, what shows some of a class, columns of it, fillings."""

from collections.abc import Sequence

import cv2
import numpy as np

FRACTION = 4  # bits of a pixel that OpenCV draws to
NOTHING = 1 / 255  # a share of a pixel that changes it by less than a level
BROW_HEIGHT = 0.05  # share of a crop's side: what a brow is high with the skin around it, and more than its hairs are
REACH = 0.7  # of a part's width: how far above and below its landmarks a parser is asked for it
LEAST = 1e-4  # share of a picture: what shows of less of it has no colour, and is not worth a step
FEWEST = 40  # pixels of a parser: of fewer no colour and no light is told
LIGHT = 2.0  # times by which the light of two pictures, or of a face's halves, may differ: what is more is no light
BLACK = 4.0  # levels of 255 that are added to brightnesses which are divided by: black has no tone


def polygon(corners: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32: 1 within corners (K, 2), shares of the side."""
    mask = np.zeros((size, size), np.float32)
    places = fixed_point(corners.reshape(-1, 2) * size - 0.5)
    cv2.fillPoly(mask, [places], 1.0, lineType=cv2.LINE_8, shift=FRACTION)
    return mask


def strokes(lines: Sequence[np.ndarray], width: float, size: int) -> np.ndarray:
    """Return (size, size) float32: 1 along lines (K, 2) and as far beside them as `width` says; shares of the side."""
    mask = np.zeros((size, size), np.float32)
    places = [np.rint(line * size - 0.5).astype(np.int32) for line in lines]
    cv2.polylines(mask, places, isClosed=False, color=1.0, thickness=max(1, round(width * size)))
    return mask


def fixed_point(places: np.ndarray) -> np.ndarray:
    """Return places (K, 2) in pixels as OpenCV draws them to a part of one, int32 with `FRACTION` bits of it."""
    return np.rint(places * (1 << FRACTION)).astype(np.int32)


def around_share(share: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Return the rows and columns of (P, P) that show some of it, with a margin of so many; some must be shown."""
    bounds = []
    for axis in (1, 0):
        some = np.flatnonzero(share.max(axis=axis) > NOTHING)
        bounds.append(slice(max(int(some[0]) - margin, 0), min(int(some[-1]) + 1 + margin, len(share))))
    return bounds[0], bounds[1]


def column(share: np.ndarray, place: np.ndarray, reach: float) -> tuple[float, float]:
    """Return how much of the column through a place (2,), within `reach` of it, is shared (P, P), and its middle."""
    size = share.shape[0]
    x, y = map(float, place)
    across = float(np.clip(x * size - 0.5, 0, size - 1.001))
    left, part = int(across), across - int(across)
    rows = (np.arange(size) + 0.5) / size
    shares = ((1 - part) * share[:, left] + part * share[:, left + 1]) * (np.abs(rows - y) <= reach)
    total = float(shares.sum())
    return total / size, float((shares * rows).sum()) / total if total > 0 else y


def inpainted(image: np.ndarray, where: np.ndarray, reach: float) -> np.ndarray:
    """Return a picture (S, S, 3) uint8 with the pixels that `where` (P, P) uint8 marks by 1 filled from around them.

    `reach` is the share of the side from which colours are taken; all of the result is only as sharp as P pixels.
    """
    small = cv2.resize(image, where.shape[::-1], interpolation=cv2.INTER_AREA)
    filled = cv2.inpaint(small, where, reach * len(where), cv2.INPAINT_TELEA)
    return cv2.resize(filled, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
