"""Keep a target of one tone (black and white, sepia, a tinted print) of one tone, after the generator.

In such a picture colour is a linear function of brightness: lips have the colour of skin that is as bright, while in a
colour photo they are redder. That line is fitted to the skin, and every pixel of the swap gets the line's colour at its
own brightness.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import LIPS, SKIN, class_share
from ...stages.soft import HISTORY, SURE
from ...types import Crop
from ..history import History
from ..protocols import FrameStep, Phase
from ..records import FaceState
from ..regions import FEWEST

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601
# Levels of 255: skin from its line, and lips from that, together; a face of one tone has less colour. Told by a level.
APART = 5.0

Line = tuple[np.ndarray, np.ndarray]  # colours (3,) at brightness 0, and by how much they change with it


@dataclass(frozen=True)
class OneTone(FrameStep):
    """The swap in its target's tone, where that has one alone."""

    name: ClassVar[str] = "one_tone"
    phase: ClassVar[Phase] = Phase.FINISH
    reads: ClassVar[tuple[str, ...]] = ("image", "crop.image", "crop.class_probs", "crop.face")
    writes: ClassVar[tuple[str, ...]] = ("image",)
    history: ClassVar[int] = HISTORY  # frames over which it is told whether a face is of one tone

    def over(self, faces: list[FaceState], history: History | None) -> list[FaceState]:
        """Write it, by how surely each face is of one tone."""
        told = [self.told(face.crop) for face in faces]
        shares = [share for share, _ in told]
        if history is not None:
            seen = dict(zip([face.crop.face.track for face in faces], shares, strict=True))
            shares = list(history.running_mean(self.name, self.history, seen).values())
        return [
            face if line is None or share == 0 else replace(face, image=toned(face.image, line, share))
            for face, share, (_, line) in zip(faces, shares, told, strict=True)
        ]

    def told(self, crop: Crop) -> tuple[float, Line | None]:
        """Return how surely a crop's face is of one tone, 0..1, and the line of its skin if enough of it is seen."""
        return (0.0, None) if crop.class_probs is None else self.tone(crop.image, crop.class_probs)

    def tone(self, image: np.ndarray, class_probs: np.ndarray) -> tuple[float, Line | None]:
        """Return the same of a picture (S, S, 3) uint8 and its class probabilities (19, P, P)."""
        small = cv2.resize(image, class_probs.shape[:0:-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        skin, lips = (small[class_share(class_probs, part) > SURE] for part in (SKIN, LIPS))
        if len(skin) < FEWEST:
            return 0.0, None
        line = line_of(skin)
        if len(lips) < FEWEST:
            return 0.0, line
        apart = _away(skin, line) + _away(lips.mean(axis=0, keepdims=True), line)
        return float(np.clip(APART - apart + 0.5, 0, 1)), line


def line_of(colours: np.ndarray) -> Line:
    """Return the line of colour over brightness through colours (N, 3), by least squares."""
    brightness = colours @ LUMA
    middle, change = colours.mean(axis=0), brightness - brightness.mean()
    slope = (change[:, None] * (colours - middle)).mean(axis=0) / max(float(np.square(change).mean()), 1e-6)
    return middle - slope * brightness.mean(), slope


def _away(colours: np.ndarray, line: Line) -> float:
    """Return how far colours (N, 3) are from a line, on average."""
    base, slope = line
    return float(np.linalg.norm(colours - base - slope * (colours @ LUMA)[:, None], axis=1).mean())


def toned(image: np.ndarray, line: Line, share: float) -> np.ndarray:
    """Return a picture (S, S, 3) uint8 with so much of its colours, 0..1, put on a line."""
    base, slope = line
    wanted = base + slope * (image @ LUMA)[..., None]
    return np.clip(np.rint(image + np.float32(share) * (wanted - image)), 0, 255).astype(np.uint8)
