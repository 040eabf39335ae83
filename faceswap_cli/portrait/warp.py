"""A thin-plate spline (Bookstein 1989) through the points of two faces: where pixels of one lie in the other."""

import cv2
import numpy as np

from .landmarks import with_forehead

GRID = 48  # cells a side for which it is computed; between them it is all but straight
STIFFNESS = 1e-4  # how far the spline may pass a point by: points have errors of their own


def spline(points: np.ndarray, origins: np.ndarray, cells: int) -> np.ndarray:
    """Return (cells, cells, 2) float32: where the pixel at each cell's centre comes from, as shares of the side.

    `points` (66, 2) go to `origins` (66, 2); what lies around them follows.
    """
    side = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    centres = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    return bent(centres, points, origins).reshape(cells, cells, 2)


def moved_by(picture: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """Return a picture (P, P) or (P, P, C) moved to where a face has it, (size, size), by places (cells, cells, 2)."""
    place = cv2.resize(places, (size, size)) * picture.shape[0] - 0.5
    return cv2.remap(picture, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def bent(places: np.ndarray, points: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """Return where places (P, 2) come from, (P, 2) float32, by the thin-plate spline from `points` to `origins`."""
    points, origins = with_forehead(points).astype(np.float64), with_forehead(origins).astype(np.float64)
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bend(points, points) + STIFFNESS * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), points])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.vstack([origins - points, np.zeros((3, 2))])).astype(np.float32)
    places = places.astype(np.float32)
    straight = np.column_stack([np.ones(len(places), np.float32), places]) @ weights[count:]
    moved: np.ndarray = places + straight + _bend(places, points.astype(np.float32)) @ weights[:count]
    return moved


def _bend(places: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return r^2 log r between (P, 2) and (C, 2)."""
    square = (places**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * places @ centres.T
    square = np.maximum(square, 1e-12)
    bend: np.ndarray = 0.5 * square * np.log(square)
    return bend
