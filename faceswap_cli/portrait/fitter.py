"""Lay the source's portrait over the target's face, eyes on eyes and lips on lips: the fifth step of a frame's way.

The portrait is moved by a spline through the points of both faces. What comes out is not a swap yet:
light, seams and what must stay the target's are the generator's part.
"""

import cv2
import numpy as np

from ..stages.align import inverse, transform
from ..stages.parse import MOUTH, class_share
from ..stages.past import Past
from ..types import Crop, Portrait
from .corrections.beard import bearded, grown
from .corrections.brow_shape import likened
from .corrections.close_mouth import line
from .corrections.erase_brow import without_brows
from .corrections.eyelids import set_lids
from .corrections.iris_colour import with_eye_colour
from .corrections.open_lips import set_lips
from .corrections.own_lips import with_own_lips
from .corrections.sharpness import Sharpness, blurred
from .landmarks import EYES, PointFinder, ahead, replaced
from .mirror import areas, joined, mirrored
from .variants import Looks
from .warp import GRID, moved_by, spline

_AHEAD = 0.6  # of `points.ahead`, below which a portrait hides enough of a face to be mirrored
_FOLDED, _SQUEEZED = (0.05, 0.3), (4.0, 2.0)  # areas, over a face's median, that are covered by nothing, and wholly
_LIP = 0.006  # share of the side over which the portrait ends at an open mouth
_MOVED = 0.08  # of the distance of the eyes: a point that is so far from where it was has moved and does not tremble


class Fit:
    """Lays one portrait over any number of faces."""

    def __init__(self, portrait: Portrait, points: PointFinder) -> None:
        self._points, self._eyes, self._lips = points, portrait.eyes, portrait.lips
        self._portraits = [portrait] if ahead(portrait.points) > _AHEAD else [portrait, mirrored(portrait)]
        self._looks = [Looks(each) for each in self._portraits]
        self._sharpness = Sharpness(portrait)

    def lay(self, crops: list[Crop], past: Past | None = None) -> list[np.ndarray]:
        """Return (S, S, 4) uint8 for each crop of a frame: the portrait laid over it, and where it may be used.

        Where there is a past, the points are steadied by it.
        """
        seen = [self._points.look(crop.image) for crop in crops]
        points = [_set(crop, found) for crop, (found, _) in zip(crops, seen, strict=True)]
        beards = bearded(crops, [beard for _, beard in seen], past)
        if past is not None:
            points = steady(crops, points, past)
        return [self._lay(*each) for each in zip(crops, points, beards, strict=True)]

    def readied(self, crop: Crop, laid: np.ndarray) -> Crop:
        """Return a crop as a generator is to see it beside what is laid over it.

        It has no brows of its own beside the portrait's, and its eyes have the source's colour.
        """
        crop = without_brows(crop, laid)
        return crop if self._eyes is None else with_eye_colour(crop, self._eyes)

    def _lay(self, crop: Crop, points: np.ndarray, beard: float) -> np.ndarray:
        look = self._looks[0]
        closed, unlike = look.closed(points, crop.classes), look.unlike(points, crop.classes)
        laid = self._moved(points, closed, unlike, crop.image.shape[0])
        covered = _covered(crop, points, closed * (1 - unlike))
        if beard > 0:
            covered *= 1 - beard * grown(points, crop.image.shape[0])
        laid[..., 3] = np.rint(laid[..., 3] * covered)
        softness = self._sharpness.like(crop.image, points)
        if softness > 0:
            laid[..., :3] = blurred(laid[..., :3], softness)
        return laid if self._lips is None or unlike == 0 else with_own_lips(laid, crop, self._lips, unlike)

    def _moved(self, points: np.ndarray, closed: float, unlike: float, size: int) -> np.ndarray:
        """Return the portrait (S, S, 4) uint8 moved onto points (66, 2); its mirror image where that shows more."""
        places = [spline(likened(points, each.points), each.points, GRID) for each in self._portraits]
        shown = [each.over(points, closed, unlike) for each in self._looks]
        moved = [moved_by(*each, size) for each in zip(shown, places, strict=True)]
        for layers, each in zip(moved, places, strict=True):
            kept = unfolded(each, points)
            if kept.min() < 1:
                layers[..., 3] = np.rint(layers[..., 3] * cv2.resize(kept, (size, size)))
        return moved[0] if len(moved) == 1 else joined(*moved, *places)


def _set(crop: Crop, points: np.ndarray) -> np.ndarray:
    """Return points (66, 2) with lids and lips where the crop's classes, if any, show them."""
    return points if crop.classes is None else set_lips(set_lids(points, crop.classes), crop.classes)


def _covered(crop: Crop, points: np.ndarray, closed: float) -> np.ndarray:
    """Return (S, S) float32 in [0, 1]: where a face may be covered; `closed` is how far a portrait's mouth is shut."""
    size = crop.image.shape[0]
    covered = replaced(points, size) * (1 - _between_lips(crop))
    return covered * (1 - closed * line(points, size)) if closed > 0 else covered


def _between_lips(crop: Crop) -> np.ndarray:
    """Return (S, S) float32 in [0, 1]: teeth as the parser sees them, which reach beyond the points' lips."""
    size = crop.image.shape[0]
    if crop.classes is None:
        return np.zeros((size, size), np.float32)
    share = class_share(crop.classes, (MOUTH,))
    return cv2.resize(cv2.GaussianBlur(share, (0, 0), _LIP * share.shape[0]), (size, size))


def unfolded(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return (C, C) float32 in [0, 1]: where a face with these points (66, 2) may be covered as `places` (C, C, 2) say.

    On a face turned far aside the spline folds, or squeezes a whole cheek into a few columns: there the
    target's own pixels are better.
    """
    cells = len(places)
    shown = areas(places)
    of_face = shown[replaced(points, cells) > 0.5]
    if of_face.size == 0:  # points in a heap, which are no face and are covered by nothing
        return np.ones((cells, cells), np.float32)
    stretch = shown / max(float(np.median(of_face)), 1e-3)
    fold, squeeze = ((stretch - low) / (high - low) for low, high in (_FOLDED, _SQUEEZED))
    covered: np.ndarray = np.clip(np.minimum(fold, squeeze), 0, 1).astype(np.float32)
    if covered.min() == 1:
        return covered
    return cv2.GaussianBlur(cv2.erode(covered, np.ones((3, 3), np.uint8)), (0, 0), 0.02 * cells)


def steady(crops: list[Crop], points: list[np.ndarray], past: Past) -> list[np.ndarray]:
    """Return the points (66, 2) of a frame's crops, each the mean of itself and of where it was, and note them.

    Compared are shapes in the frame, so that a head that moves as a whole leaves nothing behind. Points that moved by
    themselves (a blink, a word) keep their place (a bilateral filter over time with Tukey's weights).
    """
    now = {
        crop.face.track: transform(each * crop.image.shape[0] - 0.5, inverse(crop.to_crop))
        for crop, each in zip(crops, points, strict=True)
    }
    steadied = [
        _mean_shape(shape, [before[track] for before in past.points if track in before]) for track, shape in now.items()
    ]
    past.points.append(now)
    return [
        ((transform(each, crop.to_crop) + 0.5) / crop.image.shape[0]).astype(np.float32)
        for crop, each in zip(crops, steadied, strict=True)
    ]


def _mean_shape(now: np.ndarray, before: list[np.ndarray]) -> np.ndarray:
    """Return the mean of points (66, 2) and of those before, moved onto them as a whole."""
    reach = _MOVED * float(np.linalg.norm(now[EYES[0]].mean(axis=0) - now[EYES[1]].mean(axis=0)))
    total, weights = now.copy(), np.ones((len(now), 1))
    for each in before:
        moved = each - each.mean(axis=0) + now.mean(axis=0)
        distance = np.linalg.norm(moved - now, axis=1, keepdims=True) / max(reach, 1e-6)
        weight = np.maximum(1 - distance**2, 0) ** 2
        total, weights = total + weight * moved, weights + weight
    return total / weights
