"""Lay nothing where something lies before a target's face: a mask, a band, a headset, a hand.

The warped portrait is compared with the target in light and colour, so a bright mask would whiten the skin beside it.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import disc
from ...stages.visible import covered
from ..protocols import FaceStep, Phase
from ..records import FaceState


@dataclass(frozen=True, slots=True)
class Settings:
    """Shares of the side."""

    rim: float = 0.02  # by which covers count as larger: their edges are blurred in the picture too
    soft: float = 0.012  # over which the portrait ends there


@dataclass(frozen=True)
class Covers(FaceStep):
    """What is not seen of the face, left uncovered."""

    name: ClassVar[str] = "covers"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("crop.image", "crop.face", "crop.to_crop", "crop.class_probs", "coverage")
    writes: ClassVar[tuple[str, ...]] = ("coverage",)
    settings: Settings = Settings()

    def apply(self, face: FaceState) -> FaceState:
        """Uncover it, where the crop was parsed."""
        if face.crop.class_probs is None:
            return face
        return replace(face, coverage=face.coverage * (1 - self.around(covered(face.crop), len(face.coverage))))

    def around(self, cover: np.ndarray, size: int) -> np.ndarray:
        """Return (size, size) float32 in [0, 1]: covers (P, P) with their rim."""
        side = len(cover)
        wider = cv2.dilate(cover, disc(self.settings.rim * side))
        return cv2.resize(cv2.GaussianBlur(wider, (0, 0), self.settings.soft * side), (size, size))
