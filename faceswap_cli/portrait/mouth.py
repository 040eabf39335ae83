"""Measure a mouth in the parser's class probabilities, near where its landmarks lie."""

from dataclasses import dataclass

import numpy as np

from ..stages.parse import LIPS, MOUTH, class_share
from ..stages.soft import UNSURE, soft_step
from .landmarks import EYES, INNER_LIPS, MOUTH_CORNERS
from .records import Mouth
from .regions import REACH, column

SHUT = 0.05  # aspect ratio of a mouth, or an eye, below which it is shut
OPEN = 0.125  # aspect ratio of a mouth from which it is open
SMILE = 0.075  # by which a mouth must be wider than another, in distances of the eyes, to smile where that does not
SEEN = 0.5  # share of the width between its corners: a mouth of which less is seen is covered


@dataclass(frozen=True, slots=True)
class MouthGauge:
    """Measures mouths."""

    def measure(self, landmarks: np.ndarray, class_probs: np.ndarray) -> Mouth:
        """Return width and aspect ratio of a mouth, by landmarks (66, 2) and class probabilities (19, P, P)."""
        return Mouth(self.width(landmarks, class_probs), self.aspect_ratio(landmarks, class_probs))

    def aspect_ratio(self, landmarks: np.ndarray, class_probs: np.ndarray) -> float:
        """Return how high the opening of a mouth is by its class, over the width between the corners."""
        width, opening = corner_distance(landmarks), class_share(class_probs, (MOUTH,))
        pairs = INNER_LIPS[1:-1]
        gap = max(column(opening, landmarks[list(pair)].mean(axis=0), REACH * width)[0] for pair in pairs)
        return gap / max(width, 1e-6)

    def width(self, landmarks: np.ndarray, class_probs: np.ndarray) -> float:
        """Return how wide a mouth is by its classes, in shares of the side; 0 where none is seen near its landmarks."""
        return float(self.present(landmarks, class_share(class_probs, (MOUTH, *LIPS)))[1].mean())

    def present(self, landmarks: np.ndarray, lips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where lips (P, P) are looked for, (P, P) bool, and which columns show them, (P,) in [0, 1]."""
        size, width = len(lips), corner_distance(landmarks)
        places = (np.arange(size) + 0.5) / size
        middle = landmarks[list(MOUTH_CORNERS)].mean(axis=0)
        around = np.abs(places - middle[1])[:, None] <= REACH * width
        around = around & (np.abs(places - middle[0]) <= REACH * width)
        return around, np.clip((lips * around).sum(axis=0) / UNSURE, 0, 1)


def shut_share(aspect_ratio: float) -> float:
    """Return how far, in [0, 1], a mouth of such an opening is shut."""
    return 1 - soft_step(aspect_ratio, SHUT)


def corner_distance(landmarks: np.ndarray) -> float:
    """Return how far the corners of the mouth of landmarks (66, 2) lie apart."""
    return float(np.linalg.norm(landmarks[MOUTH_CORNERS[0]] - landmarks[MOUTH_CORNERS[1]]))


def over_eyes(width: float, landmarks: np.ndarray) -> float:
    """Return a width, as a share of the side, over the distance of the eyes of landmarks (66, 2)."""
    eyes = [landmarks[eye].mean(axis=0) for eye in EYES]
    return width / max(float(np.linalg.norm(eyes[0] - eyes[1])), 1e-6)
