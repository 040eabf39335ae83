"""Say which pixels of a crop are the face, from what its pixels are.

Hair, hats and hands lie outside the face's classes and so stay in front; what a parser half takes for a thing, beside
one that it is sure of, is that thing (a hand is half skin to it). Without a parser an oval through the
template's place for the face serves. Either edge is softened in proportion to the crop and is zero on the crop's
border, so that no square can show. In a clip a parsed mask is steadied by those of the frames just before it.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import cv2
import numpy as np

from ..types import Crop
from .align import inverse, transform
from .parse import FACE_CLASSES, GLASSES, class_share, disc, main_part

FOREIGN_CLASSES = (0, 16)  # background, under which parsers put hands and things, and cloth
COVER_CLASSES = (*FOREIGN_CLASSES, 18)  # and hats

MASKS_BACK = 4  # frames that masks are steadied by
GLASSES_BACK = 12  # frames over which it is told whether glasses are worn

_TWO_THINGS = 1.0  # difference of two frames' weights from which they show two things and not one that trembles

_GLINT = 0.03  # share of a crop taken for glasses up to which none are worn; twice that is a pair (0.06 in clips)
_BORDER = 0.04  # share of the crop's side over which the mask falls to zero at its border
_EYE = 0.38  # radius of an eye with its brow, as a share of the way from the eyes to the mouth
_BROW = 0.15  # how far above the eye their middle lies, the same way
_SURE = 0.9  # share of the foreign classes from which an eye may be taken as covered
_ALONE, _SURROUNDED = (0.2, 0.3), (0.4, 0.55)  # shares of face around an eye: what is less is no eye, what is more one
_COVER = 0.5  # share of the cover's classes from which something is surely there,
_DOUBT = (0.15, 0.45)  # and from which what joins it begins to be that too, and is it
_BESIDE = 2  # pixels of the parser's
_INVISIBLE = 1 / 512  # weights below this change no 8-bit sample


class Remember(Protocol):
    """Whatever keeps what the last frames of a clip showed, by track: `portrait/history.py`."""

    def frames(self, name: str, count: int) -> deque[dict[int, Any]]:
        """Return what was noted under a name in the last frames; append what is seen now."""
        ...

    def running_mean(self, name: str, count: int, now: dict[int, float]) -> dict[int, float]:
        """Note what is seen of each track; return the mean of that and of the frames before."""
        ...


class Mask(Protocol):
    """Whatever tells the face from the rest."""

    history: int  # frames before one that its mask depends on

    def mask(self, crops: list[Crop], history: Remember | None = None) -> list[np.ndarray]:
        """Return the weights (S, S) float32 in [0, 1] of the swapped pixels, one array per crop.

        `history` belongs to one run through a clip, whose frames are given one after another.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A face as the parser saw it."""

    face: np.ndarray  # (P, P) float32 in [0, 1]
    to_seen: np.ndarray  # (2, 3) float64, frame pixels -> the parser's pixels


class ParsedMask:
    """The face as a parser sees it in the target's crop."""

    def __init__(self, blur: float, *, keeps_glasses: bool = False) -> None:
        self._blur, self._keeps_glasses = blur, keeps_glasses
        self.history = MASKS_BACK + (GLASSES_BACK if keeps_glasses else 0)

    def mask(self, crops: list[Crop], history: Remember | None = None) -> list[np.ndarray]:
        """Return the softened weights, one array per crop a parser has looked at; steadied where there is a history."""
        faces = [_see(crop) for crop in crops]
        if self._keeps_glasses:
            faces = [
                face * (1 - worn * _glasses(crop))
                for crop, face, worn in zip(crops, faces, _worn(crops, history), strict=True)
            ]
        if history is not None:
            frames = history.frames("masks", MASKS_BACK)
            seen = {crop.face.track: _Seen(face, _to_seen(crop, face)) for crop, face in zip(crops, faces, strict=True)}
            faces = [
                _steadied(now, [before[track] for before in frames if track in before]) for track, now in seen.items()
            ]
            frames.append(seen)
        return [
            soften(cv2.resize(face, crop.image.shape[1::-1], interpolation=cv2.INTER_LINEAR), self._blur)
            for crop, face in zip(crops, faces, strict=True)
        ]


class OvalMask:
    """An oval from above the brows to the chin, placed by the five points; for use where no parser is."""

    history = 0

    def __init__(self, blur: float) -> None:
        self._blur = blur

    def mask(self, crops: list[Crop], history: Remember | None = None) -> list[np.ndarray]:
        """Return the softened oval, one array per crop; it is as steady as the points, whatever was before."""
        return [soften(_oval(crop), self._blur) for crop in crops]


def face_probability(shares: np.ndarray) -> np.ndarray:
    """Return (S, S) float32: the share of the face's classes, of (19, S, S)."""
    return class_share(shares, FACE_CLASSES)


def _see(crop: Crop) -> np.ndarray:
    """Return (P, P) float32: the share of each pixel that is face."""
    face = face_probability(_classes(crop))
    eyes = _eyes(crop, _classes(crop), face)
    return main_part(np.maximum(face, eyes)) * (1 - _covers(_classes(crop), eyes))


def covered(crop: Crop) -> np.ndarray:
    """Return (P, P) float32 in [0, 1]: where something lies before or beside the face of a crop a parser looked at."""
    shares = _classes(crop)
    return _covers(shares, _eyes(crop, shares, face_probability(shares)))


def visible_share(crop: Crop) -> float:
    """Return how much of what lies between eyes and mouth is face, and not covered, in a crop a parser looked at."""
    seen = _see(crop)
    corners = (transform(crop.face.points.astype(np.float64), crop.to_crop) + 0.5) * (len(seen) / len(crop.image)) - 0.5
    between = np.zeros_like(seen)
    cv2.fillConvexPoly(between, cv2.convexHull(np.rint(corners).astype(np.int32)), 1.0)
    return float((between * seen).sum() / max(float(between.sum()), 1.0))


def _covers(shares: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Return (P, P) float32 in [0, 1]: what is no face (hair aside), of (19, P, P), but for eyes (P, P).

    A parser's doubt alone is none, half a face in shade is doubted: it counts where it joins what is surely something
    else (a hysteresis, as in Canny's edges). Nor is a hole beside an eye or glasses one: that is a shadow or a glint.
    """
    foreign, (low, high) = class_share(shares, COVER_CLASSES) * (1 - eyes), _DOUBT
    count, parts = cv2.connectedComponents((foreign > low).astype(np.uint8), connectivity=4)
    sockets = cv2.dilate(np.maximum(eyes, class_share(shares, (GLASSES,))), disc(_BESIDE)) > 0.5
    outside = np.concatenate([parts[[0, -1]].ravel(), parts[:, [0, -1]].ravel()])
    is_cover = np.zeros(count, bool)
    is_cover[parts[foreign > _COVER]] = True
    is_cover[np.setdiff1d(parts[sockets], outside)] = False
    is_cover[0] = False
    return (is_cover[parts] * np.clip((foreign - low) / (high - low), 0, 1)).astype(np.float32)


def _glasses(crop: Crop) -> np.ndarray:
    """Return (P, P) float32 in [0, 1]: the target's glasses with what is seen through them."""
    return cv2.dilate(class_share(_classes(crop), (GLASSES,)), disc(1))


def _worn(crops: list[Crop], history: Remember | None) -> list[float]:
    """Return how surely each face wears glasses, in [0, 1]: by how many the parser sees now and in the frames before.

    Dark sockets of a blurred face look like glasses for a moment, and what comes and goes is seen more than either.
    """
    shares = [float(class_share(_classes(crop), (GLASSES,)).mean()) for crop in crops]
    if history is not None:
        seen = dict(zip([crop.face.track for crop in crops], shares, strict=True))
        shares = list(history.running_mean("glasses", GLASSES_BACK, seen).values())
    return [float(np.clip((share - _GLINT) / _GLINT, 0, 1)) for share in shares]


def _classes(crop: Crop) -> np.ndarray:
    assert crop.class_probs is not None, "a parser looks at crops before they are masked"
    return crop.class_probs


def soften(mask: np.ndarray, blur: float) -> np.ndarray:
    """Blur a mask by a share of its side, inwards, and bring it to zero at the border.

    The edge is first drawn in by the blur's width: a blur that spilled outwards would paint the swapped crop's
    background and hair over the target's.
    """
    sigma = blur * mask.shape[0] / 2
    if sigma > 0.3:
        drawn_in = cv2.erode(mask, disc(sigma), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        mask = cv2.GaussianBlur(drawn_in, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    weights = mask * _border_ramp(mask.shape[0])
    return np.where(weights < _INVISIBLE, np.float32(0), weights).astype(np.float32)


def _steadied(now: _Seen, before: Iterable[_Seen]) -> np.ndarray:
    """Return the mean of a face and of what the frames before say of it, laid over it as it was in the frame.

    A parser's edge trembles where the picture hardly changes. Where two frames differ much the face has moved or
    something has come before it, and what is seen now stays (a bilateral filter over time with Tukey's weights): no
    weight is changed by more than 0.38.
    """
    total, weights = now.face.copy(), np.ones_like(now.face)
    for each in before:
        moved = _follow(inverse(each.to_seen), now.to_seen)
        face = cv2.warpAffine(each.face, moved, now.face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        weight = np.maximum(1 - ((face - now.face) / _TWO_THINGS) ** 2, 0) ** 2
        total, weights = total + weight * face, weights + weight
    return total / weights


def _to_seen(crop: Crop, face: np.ndarray) -> np.ndarray:
    """Return the matrix (2, 3) from frame pixels to the parser's; resizing keeps corners in place, not centres."""
    scale = face.shape[0] / crop.image.shape[0]
    to_seen = scale * crop.to_crop
    to_seen[:, 2] += (scale - 1) / 2
    return to_seen


def _follow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the matrix (2, 3) that does what one does and then the other."""
    return second[:, :2] @ first + np.array([[0, 0, second[0, 2]], [0, 0, second[1, 2]]])


def _eyes(crop: Crop, shares: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return (S, S) float32: how surely each pixel belongs to an eye or its brow and nothing covers it.

    A parser may take a shaded eye for hair or for a thing in one frame and not in the next, and a swap that comes and
    goes there is the first thing one sees. A hand over an eye covers what lies around it too, and what is left of its
    place beside a band is hair.
    """
    size = face.shape[0]
    points = transform(crop.face.points.astype(np.float64), crop.to_crop) * (size / crop.image.shape[0])
    up = points[:2].mean(axis=0) - points[3:].mean(axis=0)
    radius = _EYE * float(np.linalg.norm(up))
    doubtful = np.clip((_SURE - class_share(shares, FOREIGN_CLASSES)) / (1 - _SURE), 0, 1)
    rows, columns = np.mgrid[:size, :size]
    eyes = np.zeros_like(face)
    for x, y in points[:2] + _BROW * up:
        distance = np.hypot(columns - x, rows - y) / max(radius, 1)
        ring = face[(distance > 1) & (distance < 1.6)]
        around = float(ring.mean()) if ring.size else 0.0
        near, surrounded = (np.clip((around - low) / (high - low), 0, 1) for low, high in (_ALONE, _SURROUNDED))
        eyes = np.maximum(eyes, (distance <= 1) * np.maximum(near * doubtful, surrounded))
    return eyes.astype(np.float32)


def _oval(crop: Crop) -> np.ndarray:
    """Draw the oval in the face's own frame: the line between the eyes, and the way from them to the mouth."""
    points = transform(crop.face.points.astype(np.float64), crop.to_crop)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    down = mouth - eyes
    length = max(float(np.linalg.norm(down)), 1.0)
    # Shares of the way from the eyes to the mouth: an oval from above the brows to the chin, which in SimSwap's frontal
    # template lies just above the crop's border.
    centre, half_height, half_width = eyes + 0.45 * down, 1.22 * length, 0.95 * length
    angle = float(np.degrees(np.arctan2(-down[0], down[1])))
    mask = np.zeros(crop.image.shape[:2], np.float32)
    cv2.ellipse(mask, (tuple(map(float, centre)), (2 * half_width, 2 * half_height), angle), 1.0, cv2.FILLED)
    return mask


@cache
def _border_ramp(size: int) -> np.ndarray:
    """Return (size, size) float32: 0 on the border, 1 from a few per cent of the side inwards, smooth between."""
    distance = np.minimum(np.arange(size), np.arange(size)[::-1])
    share = np.clip(distance / max(_BORDER * size, 1), 0, 1)
    smooth = (share * share * (3 - 2 * share)).astype(np.float32)
    return smooth[:, None] * smooth[None, :]
