"""Show the half of a face that a turned portrait hides: the other half, mirrored.

Laid over a face that looks ahead, the far half of a turned portrait is a few columns of pixels drawn wide. Faces are
nearly alike on both sides, so there the mirrored portrait serves, which has many pixels for it.
"""

from dataclasses import replace

import cv2
import numpy as np

from ..types import Portrait
from .landmarks import mirrored_points
from .warp import GRID, moved_by, spline

_BETTER = 2.0  # times as many pixels from which the mirrored portrait is taken by half: sides are not quite alike
_SHARPNESS = 3  # power of that ratio: from one portrait to the other over a part of the face, not along a line
_SOFT = 0.03  # share of the side over which the choice is smoothed


def mirrored(portrait: Portrait) -> Portrait:
    """Return the portrait's mirror image."""
    return replace(
        portrait,
        image=np.ascontiguousarray(portrait.image[:, ::-1]),
        usable=np.ascontiguousarray(portrait.usable[:, ::-1]),
        points=mirrored_points(portrait.points),
    )


def mirrored_onto(portrait: Portrait) -> Portrait:
    """Return the portrait's mirror image moved so that its points lie on the portrait's own."""
    other = mirrored(portrait)
    places = spline(portrait.points, other.points, GRID)
    image, usable = (moved_by(each, places, each.shape[0]) for each in (other.image, other.usable))
    return replace(portrait, image=image, usable=usable)


def joined(laid: np.ndarray, other: np.ndarray, places: np.ndarray, other_places: np.ndarray) -> np.ndarray:
    """Return (S, S, 4) uint8: a portrait laid over a face, and its mirror image where that has far more to show.

    Both are (S, S, 4) uint8 with their usable part, the places (C, C, 2) are where `spline.spline` takes them from.
    """
    pixels, others = _density(places), _density(other_places)
    share: np.ndarray = pixels**_SHARPNESS / (pixels**_SHARPNESS + (others / _BETTER) ** _SHARPNESS)
    share = cv2.GaussianBlur(share, (0, 0), _SOFT * len(places))
    share = cv2.resize(share, laid.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    own, theirs = share * laid[..., 3], (1 - share) * other[..., 3]
    usable = own + theirs
    part = (own / np.maximum(usable, 1e-3))[..., None]
    colours = part * laid[..., :3] + (1 - part) * other[..., :3]
    return np.rint(np.dstack([colours, usable])).astype(np.uint8)


def areas(places: np.ndarray) -> np.ndarray:
    """Return (C, C): how much of the portrait a cell of the face shows, 1 where it is as large there, 0 at a fold."""
    down, across = np.gradient(places, axis=(0, 1))
    found: np.ndarray = (across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]) * len(places) ** 2
    return found


def _density(places: np.ndarray) -> np.ndarray:
    """Return (C, C) float32: the same without a sign, nowhere nothing."""
    return np.maximum(np.abs(areas(places)), 1e-3).astype(np.float32)
