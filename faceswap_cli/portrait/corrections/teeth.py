"""Leave a target its teeth as the parser sees them: they reach beyond the landmarks of the lips."""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import MOUTH, class_share
from ..protocols import FaceStep, Phase
from ..records import FaceState


@dataclass(frozen=True, slots=True)
class Settings:
    """How soft the edge is."""

    soft: float = 0.006  # share of the side over which the portrait ends at an open mouth


@dataclass(frozen=True)
class Teeth(FaceStep):
    """What shows between the lips, left uncovered."""

    name: ClassVar[str] = "teeth"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("crop.class_probs", "coverage")
    writes: ClassVar[tuple[str, ...]] = ("coverage",)
    settings: Settings = Settings()

    def apply(self, face: FaceState) -> FaceState:
        """Uncover it, where the crop was parsed."""
        if face.crop.class_probs is None:
            return face
        between = self.between_lips(face.crop.class_probs, len(face.coverage))
        return replace(face, coverage=face.coverage * (1 - between))

    def between_lips(self, class_probs: np.ndarray, size: int) -> np.ndarray:
        """Return (size, size) float32 in [0, 1]: what shows between the lips."""
        share = class_share(class_probs, (MOUTH,))
        return cv2.resize(cv2.GaussianBlur(share, (0, 0), self.settings.soft * share.shape[0]), (size, size))
