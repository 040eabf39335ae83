"""Say which pixels of a source's photo are its face: the valid mask, once per source.

That is the face without its eyes and teeth, which stay the target's, and without hair.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import EYES, FACE_CLASSES, HAIR, MOUTH, class_share, disc, main_part
from ...stages.soft import LINE_FEATHER, PART_FEATHER, RIM, feathered
from ..protocols import Phase, SourceStep
from ..records import Portrait

_NEVER = (MOUTH, HAIR)  # not even in the midst of a face


@dataclass(frozen=True)
class ValidMask(SourceStep):
    """The mask of a photo that a parser looked at; without one all of it is valid."""

    name: ClassVar[str] = "valid_mask"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("class_probs", "image")
    writes: ClassVar[tuple[str, ...]] = ("valid_mask",)
    switchable: ClassVar[bool] = False

    def apply(self, portrait: Portrait) -> Portrait:
        """Write the mask."""
        if portrait.class_probs is None:
            return portrait
        return replace(portrait, valid_mask=self.valid(portrait.class_probs, portrait.image.shape[0]))

    def valid(self, class_probs: np.ndarray, size: int) -> np.ndarray:
        """Return (size, size) float32 in [0, 1]: which pixels of a crop with class probabilities are valid."""
        parsed = main_part(class_share(class_probs, FACE_CLASSES)) * (1 - class_share(class_probs, _NEVER))
        face, eyes = (
            cv2.resize(each, (size, size), interpolation=cv2.INTER_LINEAR)
            for each in (parsed, class_share(class_probs, EYES))
        )
        drawn_in = cv2.erode(face, disc(RIM / 2 * size))  # so that no hair or background comes along
        # lids come along, what they show does not
        return feathered(drawn_in, PART_FEATHER) * (1 - feathered(eyes, LINE_FEATHER))
