"""Leave a source's glasses behind, once per source: rims, tinted lenses and reflections are no part of a face.

The parser's class for glasses covers what is seen through clear lenses too, so within it each pixel is compared with
the skin around: what looks like that skin comes along, what does not stays the target's.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import GLASSES, SKIN, class_share, disc
from ..protocols import Phase, SourceStep
from ..records import Portrait


@dataclass(frozen=True, slots=True)
class Settings:
    """Lengths are shares of the side."""

    around: float = 0.06  # over which skin is averaged
    strange: float = 2.2  # times the skin's spread from which a pixel is no skin
    least: float = 18.0  # grey levels that it differs by at least: skin of an even face spreads little
    rim: float = 0.04  # by which glasses may be larger than their class, and skin is kept off other classes
    grain: float = 0.003  # that pores and grain are large
    soft: float = 0.006  # over which they end


@dataclass(frozen=True)
class Glasses(SourceStep):
    """What is glasses is not valid."""

    name: ClassVar[str] = "glasses"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("image", "class_probs", "valid_mask")
    writes: ClassVar[tuple[str, ...]] = ("valid_mask",)
    settings: Settings = Settings()

    def apply(self, portrait: Portrait) -> Portrait:
        """Take the glasses out of the valid mask."""
        if portrait.class_probs is None:
            return portrait
        glasses = self.found(portrait.image, portrait.class_probs)
        return replace(portrait, valid_mask=portrait.valid_mask * (1 - glasses))

    def found(self, image: np.ndarray, class_probs: np.ndarray) -> np.ndarray:
        """Return (S, S) float32 in [0, 1]: which pixels of a crop (S, S, 3) uint8 are glasses."""
        size, settings = image.shape[0], self.settings
        worn, skin = (
            cv2.resize(class_share(class_probs, classes), (size, size), interpolation=cv2.INTER_LINEAR)
            for classes in ((GLASSES,), SKIN)
        )
        if worn.max() < 0.5:
            return np.zeros((size, size), np.float32)
        near = disc(settings.rim * size / 2)
        smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), settings.grain * size)
        surely = cv2.erode(np.maximum(2 * skin - 1, 0), near)
        strange = self._strangeness(smooth, surely, settings.around * size)
        found = ((strange > 1) & (cv2.dilate(worn, near) > 0.5)).astype(np.float32)
        return cv2.GaussianBlur(cv2.dilate(found, near), (0, 0), settings.soft * size)

    def _strangeness(self, image: np.ndarray, skin: np.ndarray, reach: float) -> np.ndarray:
        """Return (S, S): how far each pixel is from the skin (S, S) around it, 1 where it is no skin any more."""
        weight = cv2.GaussianBlur(skin, (0, 0), reach) + 1e-6
        around = cv2.GaussianBlur(skin[..., None] * image, (0, 0), reach) / weight[..., None]
        spread = float(np.sqrt((skin * np.square(image - around).mean(axis=2)).sum() / max(float(skin.sum()), 1.0)))
        distance: np.ndarray = np.abs(image - around).max(axis=2)
        return distance / max(self.settings.strange * spread, self.settings.least)
