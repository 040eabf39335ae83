"""Leave uncovered what hides a target's face: a mask, a band, a headset, a hand.

The generator takes light and colour from the target beneath the warped portrait, so a white mask would whiten the skin
beside it.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import disc
from ...stages.soft import FEATHER, PART_FEATHER, feathered
from ...stages.visible import covered
from ..protocols import FaceStep, Phase
from ..records import FaceState


@dataclass(frozen=True)
class Covers(FaceStep):
    """What is not seen of the face, left uncovered."""

    name: ClassVar[str] = "covers"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("crop.image", "crop.face", "crop.to_crop", "crop.class_probs", "coverage")
    writes: ClassVar[tuple[str, ...]] = ("coverage",)

    def apply(self, face: FaceState) -> FaceState:
        """Uncover it, where the crop was parsed."""
        if face.crop.class_probs is None:
            return face
        return replace(face, coverage=face.coverage * (1 - self.around(covered(face.crop), len(face.coverage))))

    def around(self, cover: np.ndarray, size: int) -> np.ndarray:
        """Return (size, size) float32 in [0, 1]: covers (P, P) with a rim: a picture blurs their edges too."""
        wider = cv2.dilate(cover, disc(FEATHER * len(cover)))
        return cv2.resize(feathered(wider, PART_FEATHER), (size, size))
