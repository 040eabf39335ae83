"""How steady a mask's edge is in a film: where it lies in the frame, along rays from the middle of the face.

The rays turn and move with the face, but evenly: their origin and direction are means over many frames, so that what
trembles is the edge and not the ray.
"""

import numpy as np

from ..stages.align import transform
from ..types import Crop, Face
from .measures import tremble

RAYS = 32
REACH = 7  # frames on each side over which the rays' origin is averaged
LEVEL = 0.5  # weight of the swapped pixel at which the edge lies
_STEPS = 400  # samples along a ray; between two the weight is taken as linear
_LONGEST = 3.0  # of a ray, in distances of the eyes: beyond the crop of every template


def edge_tremble(crops: list[Crop], masks: list[np.ndarray]) -> float:
    """Return how much the edge of one face's masks (S, S) trembles, in thousandths of the distance of its eyes."""
    points = points_of([crop.face for crop in crops])
    middles = evenly(points.mean(axis=1))
    ups = evenly(points[:, :2].mean(axis=1) - points[:, 3:].mean(axis=1))
    eyes = eye_distances(points)
    rays = zip(crops, masks, middles, ups, evenly(eyes), strict=True)
    return tremble(np.stack([radii(*ray) for ray in rays]), eyes)


def points_tremble(faces: list[Face]) -> float:
    """Return how much the five points tremble, in the same unit."""
    points = points_of(faces)
    return tremble(points.reshape(len(points), -1), eye_distances(points))


def radii(crop: Crop, mask: np.ndarray, middle: np.ndarray, up: np.ndarray, eyes: float) -> np.ndarray:
    """Return (RAYS,) how far the mask's edge lies from `middle` in pixels of the frame; NaN where a ray meets none.

    The first ray goes `up`, the others follow clockwise.
    """
    angles = np.arctan2(up[1], up[0]) + 2 * np.pi * np.arange(RAYS) / RAYS
    lengths = np.linspace(_LONGEST * eyes, 0, _STEPS)  # from outside: the outermost edge is the one that is seen
    rays = middle + lengths[None, :, None] * np.stack([np.cos(angles), np.sin(angles)], 1)[:, None]
    weights = _sample(mask, transform(rays.reshape(-1, 2), crop.to_crop)).reshape(RAYS, _STEPS)
    inside = weights >= LEVEL
    first = inside.argmax(axis=1)
    after, before = (weights[np.arange(RAYS), np.maximum(first - back, 0)] for back in (0, 1))
    share = (LEVEL - before) / np.maximum(after - before, 1e-9)
    found = lengths[first] + (1 - share) * (lengths[0] - lengths[1])
    return np.where(inside.any(axis=1) & (first > 0), found, np.nan)


def evenly(values: np.ndarray) -> np.ndarray:
    """Return running means (F, ...) over up to REACH frames on each side, as many on both: even motion is kept."""
    last = len(values) - 1
    reaches = [min(REACH, number, last - number) for number in range(len(values))]
    return np.stack([values[n - reach : n + reach + 1].mean(axis=0) for n, reach in enumerate(reaches)])


def points_of(faces: list[Face]) -> np.ndarray:
    """Stack the points (F, 5, 2) float64."""
    return np.stack([face.points for face in faces]).astype(np.float64)


def eye_distances(points: np.ndarray) -> np.ndarray:
    """Return the eyes' distances (F,) in pixels."""
    return np.linalg.norm(points[:, 1] - points[:, 0], axis=1)


def _sample(mask: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the mask's weights at (N, 2) places, linear between pixels, 0 outside."""
    padded = np.pad(mask, 1)
    x, y = np.clip(places + 1, 0, np.array(padded.shape[::-1]) - 1.001).T
    column, row = x.astype(int), y.astype(int)
    right, down = x - column, y - row
    above = padded[row, column] * (1 - right) + padded[row, column + 1] * right
    below = padded[row + 1, column] * (1 - right) + padded[row + 1, column + 1] * right
    return above * (1 - down) + below * down
