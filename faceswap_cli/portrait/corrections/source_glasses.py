"""Take a source's glasses off, once per source: eyes, brows and skin behind clear lenses are the source's own.

Rims are repainted with the skin on either side of them. Of a lens that hides what is behind it nothing is valid.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.glasses import find_glasses
from ..landmarks import EYES
from ..protocols import Phase, SourceStep
from ..records import Portrait


@dataclass(frozen=True, slots=True)
class Settings:
    """Shares of the side."""

    reach: float = 0.016  # from how far skin is taken
    soft: float = 0.006  # over which a lens ends


@dataclass(frozen=True)
class TakeOffGlasses(SourceStep):
    """The face without its glasses."""

    name: ClassVar[str] = "glasses"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("image", "class_probs", "landmarks", "valid_mask")
    writes: ClassVar[tuple[str, ...]] = ("image", "valid_mask")
    settings: Settings = Settings()

    def apply(self, portrait: Portrait) -> Portrait:
        """Repaint rims, and take lenses that hide something out of the valid mask."""
        if portrait.class_probs is None:
            return portrait
        eyes = np.array([portrait.landmarks[eye].mean(axis=0) for eye in EYES])
        glasses = find_glasses(portrait.image, portrait.class_probs, eyes)
        if glasses is None:
            return portrait
        size = portrait.image.shape[0]
        image = cv2.inpaint(portrait.image, glasses.rims, self.settings.reach * size, cv2.INPAINT_TELEA)
        hidden = cv2.GaussianBlur(glasses.opaque.astype(np.float32), (0, 0), self.settings.soft * size)
        return replace(portrait, image=image, valid_mask=portrait.valid_mask * (1 - hidden))
