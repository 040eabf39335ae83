"""Take a source's glasses off, once per source: eyes, brows and skin behind clear lenses are the source's own.

Rims are repainted with the skin on either side of them. Of a lens that hides what is behind it nothing is valid.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.glasses import find_glasses
from ...stages.parse import FACE_CLASSES, class_share, disc
from ...stages.soft import FEATHER, LINE_FEATHER, feathered
from ..landmarks import EYES
from ..protocols import Phase, SourceStep
from ..records import Portrait


@dataclass(frozen=True)
class TakeOffGlasses(SourceStep):
    """The face without its glasses."""

    name: ClassVar[str] = "glasses"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("image", "class_probs", "landmarks", "valid_mask")
    writes: ClassVar[tuple[str, ...]] = ("image", "valid_mask")

    def apply(self, portrait: Portrait) -> Portrait:
        """Repaint rims, and take lenses that hide something out of the valid mask."""
        if portrait.class_probs is None:
            return portrait
        eyes = np.array([portrait.landmarks[eye].mean(axis=0) for eye in EYES])
        glasses = find_glasses(portrait.image, portrait.class_probs, eyes)
        if glasses is None:
            return portrait
        image = self._repainted(portrait.image, glasses.rims, portrait.class_probs)
        hidden = feathered(glasses.opaque.astype(np.float32), LINE_FEATHER)
        return replace(portrait, image=image, valid_mask=portrait.valid_mask * (1 - hidden))

    def _repainted(self, image: np.ndarray, rims: np.ndarray, class_probs: np.ndarray) -> np.ndarray:
        """Return a picture (S, S, 3) uint8 whose rims show the face around them; hair beside a temple lends nothing."""
        size, reach = len(image), FEATHER * len(image)
        face = cv2.resize(class_share(class_probs, FACE_CLASSES), (size, size), interpolation=cv2.INTER_LINEAR)
        beside = cv2.bitwise_and((face < 0.5).astype(np.uint8), cv2.dilate(rims, disc(2 * reach)))
        filled = cv2.inpaint(image, cv2.bitwise_or(rims, beside), reach, cv2.INPAINT_TELEA)
        repainted: np.ndarray = np.where(rims[..., None] > 0, filled, image)
        return repainted
