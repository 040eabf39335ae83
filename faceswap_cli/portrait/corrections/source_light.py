"""Even out one-sided light in a portrait, once per source.

A shaded cheek looks like dirt on a face that is lit from elsewhere. Faces are nearly symmetric, so a pixel that is
darker than its mirror image is in shadow: it is brightened to match, and pores and moles are kept. A guided filter (He
et al. 2010) estimates how deep a shadow is, and lets it end at an edge of the picture. A very deep one holds little but
noise and a red cast: there the mirror image is taken instead.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import disc
from ..landmarks import frontality
from ..protocols import Phase, SourceStep
from ..records import Portrait
from ..warp import mirrored_onto


@dataclass(frozen=True, slots=True)
class Settings:
    """Lengths are shares of the side; depths of shades are logs of a ratio of brightness."""

    shade: float = 0.025  # length: what is finer than this is no shade but skin
    tone: float = 0.05  # length over which colours are averaged
    edge: float = 0.02  # variance of the log of brightness around a pixel, from which a shade ends where it does
    frontality: tuple[float, float] = (0.3, 0.5)  # up to the first nothing is done, from the second on all of it
    share: float = 0.9  # of a shade that is taken away
    certain: float = 0.1  # depth: a lesser shade is taken away in part
    toned: float = 0.5  # depth of a shade that gets the lit side's cast wholly
    deep: tuple[float, float] = (0.5, 0.9)  # depths: where deep shades begin, those taken wholly from the mirror image
    wider: float = 0.012  # length by which that reaches beyond them,
    fades: float = 0.008  # and over which it fades
    rim: float = 0.01  # length: how far within its valid part a portrait is changed,
    soft: float = 0.015  # and how softly
    dark: float = 8.0  # levels of 255 added to brightness, so that black has no shades


@dataclass(frozen=True)
class Light(SourceStep):
    """The portrait with its shaded side as bright as the other; a face turned far aside stays as it is."""

    name: ClassVar[str] = "light"
    phase: ClassVar[Phase] = Phase.REPAIR
    reads: ClassVar[tuple[str, ...]] = ("image", "valid_mask", "landmarks")
    writes: ClassVar[tuple[str, ...]] = ("image",)
    settings: Settings = Settings()

    def apply(self, portrait: Portrait) -> Portrait:
        """Even its light."""
        turned, ahead = self.settings.frontality
        strength = (frontality(portrait.landmarks) - turned) / (ahead - turned)
        if strength <= 0:
            return portrait
        image = self._evened(portrait, mirrored_onto(portrait), strength)
        return replace(portrait, image=np.rint(np.clip(image, 0, 255)).astype(np.uint8))

    def _evened(self, portrait: Portrait, other: Portrait, strength: float) -> np.ndarray:
        """Return the evened picture (S, S, 3) float; at a `strength` of 1 the face is frontal enough for all of it."""
        settings, size = self.settings, portrait.image.shape[0]
        both = portrait.valid_mask * other.valid_mask
        ours, theirs = self._brightness(portrait.image), self._brightness(other.image)
        log = np.log(ours)
        shade = self._shade(log, np.log(theirs), both)
        inside = cv2.GaussianBlur(cv2.erode(both, disc(settings.rim * size)), (0, 0), settings.soft * size)
        inside = inside * np.minimum(2 * both, 1)
        share = settings.share * min(strength, 1.0) * inside * np.clip(shade / settings.certain, 0, 1)
        lift = np.maximum(share * shade, 0).astype(np.float32)
        tone = portrait.image / ours[..., None]
        lit_tone = _averaged(other.image / theirs[..., None], both, settings.tone)
        part = np.minimum(lift / settings.toned, 1)[..., None]
        toned = tone + part * (lit_tone - _averaged(tone, both, settings.tone))
        image = np.where(lift[..., None] > 0, np.exp(log + lift)[..., None] * toned, portrait.image)
        image += self._deep(lift, both, strength)[..., None] * (other.image - image)
        return image

    def _deep(self, lift: np.ndarray, both: np.ndarray, strength: float) -> np.ndarray:
        """Return (S, S) in [0, 1]: the mirror image's share, by how far each pixel's shadow was lifted."""
        size, (low, high) = len(both), self.settings.deep
        deep = np.clip((lift / min(strength, 1.0) - low) / (high - low), 0, min(strength, 1.0))
        wider = cv2.dilate(deep, disc(self.settings.wider * size))
        soft: np.ndarray = cv2.GaussianBlur(wider, (0, 0), self.settings.fades * size) * np.minimum(2 * both, 1)
        return soft

    def _shade(self, ours: np.ndarray, theirs: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Return (S, S): by how much the log of a portrait's brightness is below its mirror image's, smoothed.

        `ours` and `theirs` are logs of brightness (S, S). Around each pixel the depth is a linear function of the
        portrait's own brightness, so that it ends where the shadow does. It is limited to twice the mean difference:
        more would leave a bright fringe.
        """
        length = self.settings.shade
        around = _averaged(ours, valid, length)
        darker = _averaged(theirs, valid, length) - around
        mean = _averaged(darker, valid, length)
        together = _averaged(ours * darker, valid, length) - around * mean
        variance = _averaged(ours * ours, valid, length) - around * around
        slope = np.clip(together / (variance + self.settings.edge), -1, 0)
        found = _averaged(slope, valid, length) * ours + _averaged(mean - slope * around, valid, length)
        shade: np.ndarray = np.minimum(found, 2 * np.maximum(darker, 0))
        return shade

    def _brightness(self, image: np.ndarray) -> np.ndarray:
        """Return (S, S) float32, no less than `dark`, of a picture (S, S, 3) uint8."""
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) + np.float32(self.settings.dark)


def _averaged(values: np.ndarray, valid: np.ndarray, deviation: float) -> np.ndarray:
    """Return values (S, S) or (S, S, C) averaged around each pixel, over a share of the side, where valid."""
    weights = valid.reshape(valid.shape + (1,) * (values.ndim - valid.ndim))
    deviation *= valid.shape[0]
    total = cv2.GaussianBlur((weights * values).astype(np.float32), (0, 0), deviation)
    share = cv2.GaussianBlur(valid, (0, 0), deviation) + np.float32(1e-3)
    around: np.ndarray = total / share.reshape(weights.shape)
    return around
