"""Take a source's glasses off, once per source: rims, tinted lenses and reflections are no part of a face.

The parser's class for glasses covers what is seen through clear lenses too: eyes, brows and skin, which are the
source's. Rims lie along its outline; they are repainted with the skin on either side of them. Of a lens that hides what
is behind it nothing is valid.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import GLASSES, SKIN, class_share, disc
from ..landmarks import BROWS, EYES
from ..protocols import Phase, SourceStep
from ..records import Portrait
from ..regions import polygon

_HALVES = (slice(BROWS.start, BROWS.start + 5), slice(BROWS.start + 5, BROWS.stop))  # one brow, the other


@dataclass(frozen=True, slots=True)
class Settings:
    """Lengths are shares of the side, brightness is in shares of that of the skin around."""

    outside: float = 0.012  # how far outside the outline of the class a rim may lie,
    inside: float = 0.024  # and how far inside
    thick: float = 0.05  # the same inside for what is dark and touches a rim: heavy frames, bridges, temples
    line: float = 0.025  # lines up to twice as broad stand out from what is on both sides of them
    faint: float = 22.0  # grey levels from which one does
    dark: float = 0.5  # brightness up to which what touches a rim is one
    margin: float = 0.006  # by which a rim is larger than what was found of it
    lids: float = 0.004  # by which eyes are larger than their landmarks: no rim is looked for there
    reach: float = 0.016  # from how far skin is taken
    around: float = 0.1  # over which the brightness of skin is averaged
    seen: tuple[float, float] = (0.6, 1.35)  # brightness of what is seen through a lens
    speck: float = 0.012  # what is not seen and smaller than that is grain
    brow: float = 0.03  # brows are dark: so far around their landmarks no lens is
    soft: float = 0.006  # over which a lens ends


@dataclass(frozen=True)
class Glasses(SourceStep):
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
        size = portrait.image.shape[0]
        worn = _filled(_sized(class_share(portrait.class_probs, (GLASSES,)), size) > 0.5)
        if not worn.any():
            return portrait
        brightness = self.brightness(portrait.image, portrait.class_probs)
        rims = self.rims(portrait.image, brightness, worn, portrait.landmarks)
        image = cv2.inpaint(portrait.image, rims, self.settings.reach * size, cv2.INPAINT_TELEA)
        opaque = self.opaque(brightness, worn, portrait.landmarks)
        return replace(portrait, image=image, valid_mask=portrait.valid_mask * (1 - opaque))

    def brightness(self, image: np.ndarray, class_probs: np.ndarray) -> np.ndarray:
        """Return (S, S) float32: how bright each pixel of a crop (S, S, 3) uint8 is beside the skin around it."""
        size, reach = image.shape[0], self.settings.around * image.shape[0]
        grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.003 * size)
        surely = np.maximum(2 * _sized(class_share(class_probs, SKIN), size) - 1, 0)
        skin = cv2.erode(surely, disc(self.settings.inside * size))
        around = cv2.GaussianBlur(skin * grey, (0, 0), reach) / (cv2.GaussianBlur(skin, (0, 0), reach) + 1e-3)
        return grey / (around + 1)

    def rims(self, image: np.ndarray, brightness: np.ndarray, worn: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Return (S, S) uint8, 1 on the rims of glasses whose class covers `worn` (S, S) uint8."""
        size, settings = len(worn), self.settings
        wide, narrow, thick = (
            disc(settings_of * size) for settings_of in (settings.outside, settings.inside, settings.thick)
        )
        near = cv2.dilate(worn, wide)
        lines = _lines(image, disc(settings.line * size)) > settings.faint
        found = near & (1 - cv2.erode(worn, narrow)) & lines
        heavy = (
            cv2.dilate(near, disc(settings.margin * size)) & (1 - cv2.erode(worn, thick)) & (brightness < settings.dark)
        )
        kept = _drawn(landmarks, EYES, size, settings.lids)
        touching = _connected((found | heavy) & (1 - kept), found)
        return cv2.dilate(touching, disc(settings.margin * size)) & (1 - kept)

    def opaque(self, brightness: np.ndarray, worn: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Return (S, S) float32 in [0, 1]: which pixels of glasses hide what is behind them, their rims included."""
        size, settings = len(worn), self.settings
        low, high = settings.seen
        lens = cv2.erode(worn, disc(settings.thick * size))
        known = np.maximum(
            _drawn(landmarks, EYES, size, settings.lids), _drawn(landmarks, _HALVES, size, settings.brow)
        )
        hidden = lens & ((brightness < low) | (brightness > high)) & (1 - known)
        hidden = cv2.morphologyEx(hidden, cv2.MORPH_OPEN, disc(settings.speck * size))
        whole = cv2.dilate(hidden, disc((settings.thick + settings.outside) * size)) & cv2.dilate(
            worn, disc(settings.outside * size)
        )
        return cv2.GaussianBlur(whole.astype(np.float32), (0, 0), settings.soft * size)


def _sized(share: np.ndarray, size: int) -> np.ndarray:
    return cv2.resize(share, (size, size), interpolation=cv2.INTER_LINEAR)


def _filled(mask: np.ndarray) -> np.ndarray:
    """Return (S, S) uint8: a mask with its holes, eyes behind lenses, filled."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED)


def _lines(image: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Return (S, S): by how many levels a pixel is darker or lighter than what lies on both sides of it."""
    darker, lighter = (cv2.morphologyEx(image, way, around) for way in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT))
    return np.maximum(darker.max(axis=2), lighter.min(axis=2))


def _drawn(landmarks: np.ndarray, parts: tuple[slice, ...], size: int, larger: float) -> np.ndarray:
    """Return (S, S) uint8: 1 on parts of a face, enlarged by a share of the side."""
    drawn = np.max([polygon(landmarks[part], size) for part in parts], axis=0)
    return cv2.dilate(drawn, disc(larger * size)).astype(np.uint8)


def _connected(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return (S, S) uint8: the parts of a mask that hold a seed."""
    _, labels = cv2.connectedComponents(mask)
    return np.isin(labels, np.setdiff1d(labels[seeds > 0], [0])).astype(np.uint8)
