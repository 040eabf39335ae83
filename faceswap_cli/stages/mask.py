"""Say which pixels of a crop are the face, from what its pixels are.

Hair, hats and hands are none of the face's classes and so stay in front (`visible.py`). Without a parser the mask is an
oval placed by the five points. Either mask has soft edges, in proportion to the crop, and is zero on the crop's border,
so that no square can show. In a clip a parsed mask is averaged with those of the frames just before it.
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
from .glasses import find_glasses
from .parse import GLASSES, class_share, disc
from .soft import BAND, DRAWN, FEATHER, HISTORY
from .visible import HALF, MIDDLE, classes_of, visible_face

MASKS_BACK = 4  # frames that masks are steadied by

WORN = 0.03  # share of a crop taken for glasses up to which none are worn; twice that is a pair (0.06 in clips)
_BORDER = 2 * FEATHER  # share of the crop's side over which the mask falls to zero at its border
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
        self.history = MASKS_BACK + (HISTORY if keeps_glasses else 0)

    def mask(self, crops: list[Crop], history: Remember | None = None) -> list[np.ndarray]:
        """Return the softened weights, one array per crop a parser has looked at; steadied where there is a history."""
        faces = [visible_face(crop) for crop in crops]
        if self._keeps_glasses:
            worn, fronts = _worn(crops, history), _fronts(crops, history)
            faces = [face * (1 - sure * front) for face, sure, front in zip(faces, worn, fronts, strict=True)]
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


def _glasses(crop: Crop) -> np.ndarray:
    """Return (P, P) float32 in [0, 1]: what of the target's glasses is in front of the face; clear lenses are not."""
    classes = classes_of(crop)
    if classes[GLASSES].max() <= 0.5:
        return np.zeros(classes.shape[1:], np.float32)  # as of most faces, without a look
    image = cv2.resize(crop.image, (DRAWN, DRAWN), interpolation=cv2.INTER_AREA)
    eyes = (transform(crop.face.points[:2].astype(np.float64), crop.to_crop) + 0.5) / crop.image.shape[0]
    glasses = find_glasses(image, classes, eyes)
    if glasses is None:
        return np.zeros(classes.shape[1:], np.float32)
    front = cv2.dilate((glasses.rims | glasses.opaque).astype(np.float32), disc(1))
    return cv2.resize(front, classes.shape[:0:-1], interpolation=cv2.INTER_AREA)


def _fronts(crops: list[Crop], history: Remember | None) -> list[np.ndarray]:
    """Return (P, P) float32 in [0, 1] for each face: what of its glasses is in front, in a clip the mean of its frames.

    A clear rim hardly stands out from skin: it is found in one frame and not in the next. In the template it stays
    where it is, so the frames before say how much of it is seen, and nothing comes or goes at once.
    """
    fronts = [_glasses(crop) for crop in crops]
    if history is None:
        return fronts
    frames = history.frames("rims", HISTORY)
    tracks = [crop.face.track for crop in crops]
    frames.append(dict(zip(tracks, fronts, strict=True)))
    return [np.mean([seen[track] for seen in frames if track in seen], axis=0) for track in tracks]


def _worn(crops: list[Crop], history: Remember | None) -> list[float]:
    """Return how surely each face wears glasses, in [0, 1]: by the mean share of them now and in the frames before.

    Dark sockets of a blurred face are taken for glasses in single frames, and rims that come and go would be seen.
    """
    shares = [float(class_share(classes_of(crop), (GLASSES,)).mean()) for crop in crops]
    if history is not None:
        seen = dict(zip([crop.face.track for crop in crops], shares, strict=True))
        shares = list(history.running_mean("glasses", HISTORY, seen).values())
    return [float(np.clip((share - WORN) / WORN, 0, 1)) for share in shares]


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
    return cv2.threshold(weights, np.nextafter(_INVISIBLE, 0), 0, cv2.THRESH_TOZERO)[1]


def _steadied(now: _Seen, before: Iterable[_Seen]) -> np.ndarray:
    """Return the mean of a face's mask and of those of the frames before, each aligned to it in the frame.

    A parser's edges tremble where the picture hardly changes. Where two masks differ much, the face has moved or
    something has come before it, so a mask counts the less the more it differs (a bilateral filter over time with
    Tukey's weights). No weight is changed by more than 0.38.
    """
    total, weights = now.face.copy(), np.ones_like(now.face)
    for each in before:
        moved = _follow(inverse(each.to_seen), now.to_seen)
        face = cv2.warpAffine(each.face, moved, now.face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        weight = np.maximum(1 - (face - now.face) ** 2, 0) ** 2
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


def _oval(crop: Crop) -> np.ndarray:
    """Draw the oval in the face's own frame: the line between the eyes, and the way from them to the mouth."""
    points = transform(crop.face.points.astype(np.float64), crop.to_crop)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    down = mouth - eyes
    length = max(float(np.linalg.norm(down)), 1.0)
    # An oval from above the brows to the chin, which in SimSwap's frontal template lies just above the crop's border:
    # what lies within it for certain (`visible.HALF`), and the band along its outline.
    centre, (half_height, half_width) = eyes + MIDDLE * down, np.array(HALF) * length / (1 - BAND)
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
