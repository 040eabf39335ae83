"""What faces wear and what comes before them: drawn glasses, a borrowed beard, hair, hands and things.

On a source's photo they teach a painter that none of it belongs to the face; on a target and its answer alike, that all
of it stays. Crops are uint8 RGB (S, S, 3); all chance comes from the numpy Generator that is given.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator

from ...portrait.corrections.beard import Beard
from ...portrait.landmarks import NOSE
from ...portrait.regions import polygon
from ...portrait.warp import SPLINE, warped
from ...stages.soft import DRAWN
from .eyewear import wear_glasses
from .occluders import face_free_pictures, occlude
from .relight import strands

GLASSES, BEARD, COVERED = 0.2, 0.12, 0.06  # chances that a source's photo shows them
ALIKE = (("glasses", 0.12), ("strands", 0.06), ("cover", 0.08))  # chances that a target and its answer do
GAINS = (0.4, 2.5)  # by which a borrowed beard's colours may be multiplied


def with_glasses(image: np.ndarray, class_probs: np.ndarray, draw: Generator) -> np.ndarray:
    """Return the crop with drawn glasses on, shown the shares of its classes (19, P, P)."""
    label = class_probs.argmax(axis=0).astype(np.uint8)
    return wear_glasses(image, cv2.resize(label, image.shape[1::-1], interpolation=cv2.INTER_NEAREST), draw)[0]


def with_cover(image: np.ndarray, draw: Generator) -> np.ndarray:
    """Return the crop with a hand or a thing before the face."""
    return occlude(image, draw, None, face_free_pictures())[0]


def with_beard(
    image: np.ndarray, landmarks: np.ndarray, lender: np.ndarray, lender_landmarks: np.ndarray
) -> np.ndarray:
    """Return the crop, its face at landmarks (66, 2), with the beard of another crop, brought to its skin's colour."""
    size = image.shape[0]
    beard = warped(lender, SPLINE.sampling_grid(landmarks, lender_landmarks), size).astype(np.float32)
    nose = cv2.resize(polygon(cv2.convexHull(landmarks[NOSE]), DRAWN), (size, size)) > 0.5
    if not nose.any():
        return image
    gains = (image[nose].mean(axis=0) + 1) / (beard[nose].mean(axis=0) + 1)
    weight = Beard().grown(landmarks, size)[..., None]
    grown = image + weight * (beard * gains.clip(*GAINS).astype(np.float32) - image)
    return np.rint(grown).clip(0, 255).astype(np.uint8)


def worn_alike(
    target: np.ndarray, answer: np.ndarray, points: np.ndarray, class_probs: np.ndarray, draw: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a target and its answer, both with the same thing on or before the face, or, mostly, as they are.

    `points` (5, 2) in pixels are the face's, `class_probs` (19, P, P) the answer's classes.
    """
    put_on: dict[str, Callable[[np.ndarray, Generator], np.ndarray]] = {
        "glasses": lambda image, same: with_glasses(image, class_probs, same),
        "strands": lambda image, same: strands(image, points, same),
        "cover": with_cover,
    }
    chance, seed = draw.random(), int(draw.integers(1 << 31))
    for name, share in ALIKE:
        if chance < share:
            worn = [put_on[name](image, np.random.default_rng(seed)) for image in (target, answer)]
            both = all((now != before).any() for now, before in zip(worn, (target, answer), strict=True))
            return (worn[0], worn[1]) if both else (target, answer)
        chance -= share
    return target, answer
