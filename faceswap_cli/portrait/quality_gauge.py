"""Measure what tells how well a photo does as a source, once for each photo.

It is what ISO/IEC 29794-5 calls the quality of a face image: how the head is turned, how large and sharp the face is,
what covers it, what eyes and mouth do, and the light.
"""

from dataclasses import replace

import cv2
import numpy as np

from ..stages.glasses import find_glasses
from ..stages.mask import WORN
from ..stages.parse import EYES as EYE_CLASSES
from ..stages.parse import GLASSES, SKIN, class_share, disc
from ..stages.soft import SURE, UNSURE
from ..stages.visible import visible_share
from ..types import Crop
from .geometry import fit_pose
from .landmarks import BRIDGE, CHIN, EYES, frontality
from .mouth import MouthGauge
from .quality import Quality
from .regions import FEWEST
from .softness import SharpnessGauge

_AROUND_EYE = 0.2  # radius of what of an eye lenses may hide, in distances of the eyes


def quality_of(crop: Crop, landmarks: np.ndarray) -> Quality:
    """Measure a face in its crop, in the generator's template, of landmarks (66, 2); more of one a parser looked at."""
    yaw, pitch, _ = np.degrees(fit_pose(landmarks).angles)
    quality = Quality(
        yaw=-float(yaw),
        pitch=-float(pitch),
        size=float(min(crop.face.box[2:] - crop.face.box[:2])),
        frontality=frontality(landmarks),
        sharpness=float(SharpnessGauge().sharpness(crop.image, landmarks).max()),
    )
    if crop.class_probs is None:
        return quality
    return replace(
        quality,
        visible=visible_share(crop),
        lenses=_lenses(crop.image, crop.class_probs, landmarks),
        eyes=_eyes(crop.class_probs, landmarks),
        mouth=MouthGauge().aspect_ratio(landmarks, crop.class_probs),
        colours=_colours(crop.image, crop.class_probs, landmarks),
    )


def _lenses(image: np.ndarray, class_probs: np.ndarray, landmarks: np.ndarray) -> float:
    """Return which share of the eyes lies behind lenses that cannot be seen through."""
    eyes, apart = _centres(landmarks)
    glasses = find_glasses(image, class_probs, eyes)
    if glasses is None:
        return 0.0
    size, around = image.shape[0], np.zeros(image.shape[:2], np.uint8)
    for x, y in np.rint(eyes * size - 0.5).astype(int):
        cv2.circle(around, (int(x), int(y)), round(_AROUND_EYE * apart * size), 1, cv2.FILLED)
    return float((around * glasses.opaque).sum() / max(int(around.sum()), 1))


def _eyes(class_probs: np.ndarray, landmarks: np.ndarray) -> float | None:
    """Return the area of the larger eye over the squared distance of both; None where glasses are worn."""
    if class_share(class_probs, (GLASSES,)).mean() > WORN:
        return None
    areas = class_probs[list(EYE_CLASSES)].mean(axis=(1, 2))
    return float(areas.max()) / _centres(landmarks)[1] ** 2


def _colours(image: np.ndarray, class_probs: np.ndarray, landmarks: np.ndarray) -> float:
    """Return how far the colours of the skin left and right of the nose lie apart, in a and b of CIELAB."""
    side = class_probs.shape[1]
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    colours = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 1:]
    face = cv2.convexHull(np.rint(landmarks * side - 0.5).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros((side, side), np.uint8), face, 1)
    surely = (class_share(class_probs, SKIN) > SURE) & (inside > 0)
    skin = cv2.erode(surely.astype(np.uint8), disc(UNSURE)) > 0
    (left, top), (across, down) = landmarks[BRIDGE], landmarks[CHIN] - landmarks[BRIDGE]
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side
    is_right = (columns - left) * down - (rows - top) * across > 0
    halves = [colours[skin & half] for half in (is_right, ~is_right)]
    if min(map(len, halves)) < FEWEST:
        return 0.0
    one, other = (np.median(half, axis=0) for half in halves)
    return float(np.linalg.norm(one - other))


def _centres(landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the places of both eyes (2, 2), shares of the side, and how far they lie apart."""
    eyes = np.array([landmarks[eye].mean(axis=0) for eye in EYES])
    return eyes, max(float(np.linalg.norm(eyes[1] - eyes[0])), 1e-6)
