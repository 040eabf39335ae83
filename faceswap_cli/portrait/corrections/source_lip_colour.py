"""Give the lips of a grey or sepia source a colour, once per source: nobody can tell which was theirs.

In a photo of one tone lips differ from skin in brightness alone. In the light of a target in colour they would be skin,
as of somebody who is ill; what a target of one tone is swapped to stays in its own (`one_tone.py`).
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import LIPS, class_share
from ..protocols import Phase, SourceStep
from ..records import Portrait
from .one_tone import LUMA, OneTone


@dataclass(frozen=True, slots=True)
class Settings:
    """What lips are painted with."""

    # what is added to R and G, as shares of the brightness, which stays as it is by what is added to B
    tint: tuple[float, float] = (0.1, -0.06)


@dataclass(frozen=True)
class LipColour(SourceStep):
    """The source's lips in a colour where its photo has none."""

    name: ClassVar[str] = "lip_colour"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("image", "class_probs")
    writes: ClassVar[tuple[str, ...]] = ("image",)
    settings: Settings = Settings()

    def apply(self, portrait: Portrait) -> Portrait:
        """Tint them, by how surely the photo is of one tone."""
        if portrait.class_probs is None:
            return portrait
        share, _ = OneTone().tone(portrait.image, portrait.class_probs)
        if share == 0:
            return portrait
        lips = share * class_share(portrait.class_probs, LIPS)
        return replace(portrait, image=self.tinted(portrait.image, lips))

    def tinted(self, image: np.ndarray, lips: np.ndarray) -> np.ndarray:
        """Return a picture (S, S, 3) uint8 with the tint, as far as lips (P, P) in [0, 1] say."""
        weight = cv2.resize(lips, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        tint = np.array(self.settings.tint, np.float32)
        added = (weight * (image @ LUMA))[..., None] * np.append(tint, -(LUMA[:2] @ tint) / LUMA[2])
        return np.clip(np.rint(image + added), 0, 255).astype(np.uint8)
