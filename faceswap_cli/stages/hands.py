"""Tell a hand that comes before a face in a clip where a parser takes it for skin (between parsing and fitting).

What reaches into a face from outside is surely a thing in part; skin that joins it and does not look as it did in the
frames before is the same thing. It counts as background then, for all later steps. A hand that rests on a face for as
long as half of those frames looks usual, and is what the parser says.
"""

from dataclasses import replace

import cv2
import numpy as np

from ..types import Crop
from .mask import Remember
from .parse import LIPS, MOUTH, class_share, disc
from .visible import COVER_CLASSES, classes_of, within_face

HANDS_BACK = 24  # frames that tell what a face usually looks like,
_EVERY, _FEWEST = 3, 2  # of which so many are looked at, and from how many looks on

_HIDDEN = (1, MOUTH, *LIPS)  # classes that a hand is taken for; noses and eyes change by themselves
_SHARE = 0.5  # of those, and of things, from which a pixel is one
_CHANGED, _TIMES = 12.0, 2.5  # difference in CIELAB, lightness by half, and over the face's median: at least both
_GRAIN, _SPECK = 0.75, 2  # pixels: of half the parser's side over which colours are averaged; of it, what is a speck


def told_hands(crops: list[Crop], history: Remember | None) -> list[Crop]:
    """Return crops a parser has looked at with hands as background; in a photo, without a history, as they are."""
    if history is None or any(crop.class_probs is None for crop in crops):
        return crops
    frames, now = history.frames("hands", HANDS_BACK), {crop.face.track: _colours(crop) for crop in crops}
    told = [
        _told(crop, now[crop.face.track], [each[crop.face.track] for each in frames if crop.face.track in each])
        for crop in crops
    ]
    frames.append(now)
    return told


def _told(crop: Crop, now: np.ndarray, before: list[np.ndarray]) -> Crop:
    """Return a crop with its hands told, by its colours and those of the frames before, the last one last."""
    class_probs, looks = classes_of(crop), before[-_EVERY::-_EVERY]
    if len(looks) < _FEWEST:
        return crop
    within = within_face(crop, class_probs.shape[1])
    things = _things(class_probs, within)
    if not things.any():
        return crop
    change = np.abs(now.astype(np.float32) - np.median(looks, axis=0)) @ np.array([0.5, 1, 1], np.float32)
    change = cv2.resize(change.astype(np.float32), within.shape[::-1], interpolation=cv2.INTER_LINEAR)
    skin = class_share(class_probs, _HIDDEN) > _SHARE
    usual = float(np.median(change[skin])) if skin.any() else 0.0
    changed = skin & (change > max(_CHANGED, _TIMES * usual)) & (within > 0)
    hand = _joined(changed.astype(np.uint8), things)
    return replace(crop, class_probs=_as_background(class_probs, hand)) if hand.any() else crop


def _things(class_probs: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Return (P, P) uint8: 1 on what surely is no face and reaches into it from outside; a nostril does not."""
    sure = (class_share(class_probs, COVER_CLASSES) > _SHARE).astype(np.uint8)
    _, parts = cv2.connectedComponents(sure, connectivity=4)
    reaching = np.intersect1d(parts[(within > 0) & (sure > 0)], parts[(within == 0) & (sure > 0)])
    return np.isin(parts, reaching).astype(np.uint8) * (within > 0)


def _joined(changed: np.ndarray, things: np.ndarray) -> np.ndarray:
    """Return (P, P) bool: what changed, without specks and gaps, where it joins a thing."""
    whole = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, disc(_SPECK))
    whole = cv2.morphologyEx(whole, cv2.MORPH_OPEN, disc(_SPECK))
    _, parts = cv2.connectedComponents(whole | things, connectivity=4)
    return np.isin(parts, np.setdiff1d(parts[things > 0], [0])) & (whole > 0)


def _as_background(class_probs: np.ndarray, hand: np.ndarray) -> np.ndarray:
    result = np.where(hand, np.float32(0), class_probs)
    result[0][hand] = 1
    return result


def _colours(crop: Crop) -> np.ndarray:
    """Return (P/2, P/2, 3) uint8: a crop's picture in CIELAB, without its grain."""
    side = classes_of(crop).shape[1] // 2
    small = cv2.resize(crop.image, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), _GRAIN), cv2.COLOR_RGB2LAB)
