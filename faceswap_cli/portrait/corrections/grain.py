"""Match the grain of swapped skin (pores, a camera's noise) to the target's, after the generator.

A portrait that was enlarged, or blurred to the target's sharpness, has no grain: beside the target's neck it looks
airbrushed. One with too much looks sandy in a smooth film, or blotched. Grain is told octave by octave, from a pixel to
a pore of a close-up. What is missing is taken from the target's own skin, so that it fits in size, in strength and over
time; what is too strong is scaled down. Strong edges (wrinkles, brows) are clipped to the grain's strength.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import SKIN, class_share
from ...stages.soft import SURE
from ...types import Crop
from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..regions import FEWEST

Band = tuple[np.ndarray, np.ndarray]  # a picture's brightness (h, w) uint8 in an octave, and the same blurred
_MEAN = float(np.sqrt(np.pi / 2))  # of a normal distribution: standard over mean absolute deviation
_BROAD = 4.0  # pixels: deviation from which a blur is made at half the size


@dataclass(frozen=True, slots=True)
class Settings:
    """Levels are of 255."""

    broad: float = 0.011  # share of the side: the coarsest octave of grain; others are half as coarse, down to a pixel
    strongest: float = 1.3  # deviations to which grain is held


@dataclass(frozen=True)
class Grain(FaceStep):
    """The swap with the target's grain."""

    name: ClassVar[str] = "grain"
    phase: ClassVar[Phase] = Phase.FINISH
    reads: ClassVar[tuple[str, ...]] = ("image", "crop.image", "crop.class_probs", "warped")
    writes: ClassVar[tuple[str, ...]] = ("image",)
    settings: Settings = Settings()

    def apply(self, face: FaceState) -> FaceState:
        """Write it."""
        return replace(face, image=self.grained(face.image, face.crop, face.warped))

    def grained(self, image: np.ndarray, crop: Crop, warped: np.ndarray) -> np.ndarray:
        """Return a swapped picture (S, S, 3) uint8 with its crop's grain where a warped portrait (S, S, 4) covers it.

        One whose crop was not parsed comes back as it is.
        """
        if crop.class_probs is None:
            return image
        left, top, width, height = cv2.boundingRect(warped[..., 3])
        part = slice(top, top + height), slice(left, left + width)
        skin = cv2.resize(class_share(crop.class_probs, SKIN), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)[part]
        skin = skin * (warped[part][..., 3] / np.float32(255))
        sure = np.uint8(255) * (skin > SURE)
        if cv2.countNonZero(sure) < FEWEST * (image.shape[0] / crop.class_probs.shape[1]) ** 2:
            return image
        target, swapped = (cv2.cvtColor(each[part], cv2.COLOR_RGB2GRAY) for each in (crop.image, image))
        octaves = self._octaves(target, swapped, sure, image.shape[0])
        change = sum(octaves, np.zeros(skin.shape, np.float32))
        if not change.any():
            return image
        result = image.copy()
        result[part] = cv2.add(image[part], cv2.merge([change * skin] * 3), dtype=cv2.CV_8U)
        return result

    def _octaves(self, target: np.ndarray, swapped: np.ndarray, sure: np.ndarray, side: int) -> Iterator[np.ndarray]:
        """Yield what to add to a swap in each octave, (h, w) float32, by the brightness (h, w) uint8 of both.

        `sure` (h, w) uint8 is 255 on the skin to measure, 0 elsewhere, `side` is the crop's.
        """
        coarsest = self.settings.broad * side
        count = int(np.log2(coarsest)) + 1 if coarsest >= 1 else 0
        for deviation in (coarsest / 2**halvings for halvings in range(count - 1, -1, -1)):
            coarser = [_blurred(each, deviation) for each in (target, swapped)]
            if (change := self._change((target, coarser[0]), (swapped, coarser[1]), sure)) is not None:
                yield change
            target, swapped = coarser

    def _change(self, target: Band, swapped: Band, sure: np.ndarray) -> np.ndarray | None:
        """Return what to add to a swap in one octave, (h, w) float32; None where both have as much grain."""
        wanted, own = _strength(*target, sure), _strength(*swapped, sure)
        if wanted > own:
            return np.float32(np.sqrt(wanted * wanted - own * own) / wanted) * self._grain(*target, wanted)
        return np.float32(wanted / own - 1) * self._grain(*swapped, own) if own > wanted else None

    def _grain(self, grey: np.ndarray, blurred: np.ndarray, strength: float) -> np.ndarray:
        """Return (h, w) float32: a picture's high pass, clipped to a multiple of the grain's strength."""
        fine, most = cv2.subtract(grey, blurred, dtype=cv2.CV_32F), self.settings.strongest * strength
        held: np.ndarray = np.clip(fine, -most, most)
        return held


def _strength(grey: np.ndarray, blurred: np.ndarray, where: np.ndarray) -> float:
    """Return the grain's standard deviation, levels of 255, where a mask (h, w) uint8 is 255 and not 0."""
    return _MEAN * cv2.sumElems(cv2.bitwise_and(cv2.absdiff(grey, blurred), where))[0] / cv2.countNonZero(where)


def _blurred(grey: np.ndarray, deviation: float) -> np.ndarray:
    """Return a picture (h, w) uint8 blurred; a broad blur is made at half the size, which shows no difference.

    Halving and doubling blur by themselves, by a variance of 1/4 and 2/3 of a pixel's.
    """
    if deviation < _BROAD or min(grey.shape) < 2:
        return cv2.GaussianBlur(grey, (0, 0), deviation)
    small = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), np.sqrt(deviation**2 - 11 / 12) / 2)
    return cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
