"""Say where a target's face may be covered, by its landmarks, and cover it there.

That is the face without its eyeballs and without what shows between open lips: gaze, blinks and teeth stay the
target's. Edges are soft, in proportion to the side.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import disc
from ...stages.soft import DRAWN, FEATHER, LINE_FEATHER, RIM, feathered
from ..landmarks import EYES, OPENING, with_forehead
from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..regions import polygon


@dataclass(frozen=True, slots=True)
class Settings:
    """What is left out."""

    lashes: float = 0.013  # share of the side by which an eye is larger than its landmarks, for lids, lashes, a blink


@dataclass(frozen=True)
class Coverage(FaceStep):
    """The coverage mask; later steps take out what must stay the target's."""

    name: ClassVar[str] = "coverage"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("crop.image", "landmarks")
    writes: ClassVar[tuple[str, ...]] = ("coverage",)
    switchable: ClassVar[bool] = False
    settings: Settings = Settings()

    def apply(self, face: FaceState) -> FaceState:
        """Write it."""
        return replace(face, coverage=self.mask(face.landmarks, face.crop.image.shape[0]))

    def mask(self, landmarks: np.ndarray, size: int) -> np.ndarray:
        """Return (size, size) float32 in [0, 1]: where a portrait may cover a face with these landmarks (66, 2)."""
        small = min(size, DRAWN)
        face = polygon(cv2.convexHull(with_forehead(landmarks)), small)
        face = cv2.erode(face, disc(RIM * small), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        kept = polygon(landmarks[OPENING], small)
        for eye in EYES:
            kept = np.maximum(kept, cv2.dilate(polygon(landmarks[eye], small), disc(self.settings.lashes * small)))
        face = feathered(face, FEATHER) * (1 - feathered(kept, LINE_FEATHER))
        return cv2.resize(face, (size, size), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Cover(FaceStep):
    """The warped portrait, only where the target may be covered."""

    name: ClassVar[str] = "cover"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("coverage", "warped")
    writes: ClassVar[tuple[str, ...]] = ("warped",)
    switchable: ClassVar[bool] = False

    def apply(self, face: FaceState) -> FaceState:
        """Apply the coverage mask."""
        return replace(face, warped=faded(face.warped, face.coverage))


def faded(layers: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return layers (S, S, 4) uint8 that may be used only so far, (S, S) float32 in [0, 1]."""
    result = layers.copy()
    result[..., 3] = np.rint(layers[..., 3] * share)
    return result
