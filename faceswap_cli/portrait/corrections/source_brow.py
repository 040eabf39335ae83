"""Draw the brow that hair hides from the other one, mirrored, once per source.

Half a pair of brows is the first thing seen in a swap. Only brows: cheeks and foreheads that hair covers are filled
well enough by the target's own.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import disc
from ...stages.soft import SURE, feathered
from ..landmarks import ASIDE, BROW_HALVES, frontality
from ..protocols import Phase, SourceStep
from ..records import Portrait
from ..regions import BROW_HEIGHT, LIGHT, strokes
from ..warp import mirrored_onto


@dataclass(frozen=True)
class Brow(SourceStep):
    """A hidden brow, drawn."""

    name: ClassVar[str] = "brow"
    phase: ClassVar[Phase] = Phase.REPAIR
    reads: ClassVar[tuple[str, ...]] = ("image", "valid_mask", "landmarks")
    writes: ClassVar[tuple[str, ...]] = ("image", "valid_mask")

    def apply(self, portrait: Portrait) -> Portrait:
        """Draw a brow that is hidden from its mirror image where that shows it."""
        if frontality(portrait.landmarks) < ASIDE:  # its far brow lies along the face's outline
            return portrait
        bands = [_band(portrait.landmarks[half], portrait.image.shape[0]) for half in BROW_HALVES]
        seen = [float((portrait.valid_mask * band).sum() / max(float(band.sum()), 1.0)) for band in bands]
        hidden = int(np.argmin(seen))
        if not seen[hidden] < SURE <= seen[1 - hidden]:
            return portrait
        return _drawn(portrait, bands[hidden])


def _band(brow: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: a brow, of landmarks (5, 2), and the skin around it."""
    return feathered(strokes([brow], 2 * BROW_HEIGHT, size), BROW_HEIGHT / 4)


def _drawn(portrait: Portrait, band: np.ndarray) -> Portrait:
    other = mirrored_onto(portrait)
    share = band * other.valid_mask * (1 - portrait.valid_mask)
    around = cv2.dilate(band, disc(2 * BROW_HEIGHT * band.shape[0]))
    lit = other.image * _gain(portrait, other.image, around * other.valid_mask)
    valid = portrait.valid_mask + share
    part = share / np.maximum(valid, 1e-3)  # by what is valid: the hair around the brow is not mixed in
    picture = portrait.image + part[..., None] * (np.clip(lit, 0, 255) - portrait.image)
    image, valid = np.rint(picture).astype(np.uint8), np.minimum(valid, 1).astype(np.float32)
    return replace(portrait, image=image, valid_mask=valid)


def _gain(portrait: Portrait, image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return (3,): what brings the mirror image to the portrait's colours, measured where both show skin."""
    weight = (where * portrait.valid_mask)[..., None]
    ours, theirs = ((weight * each).sum(axis=(0, 1)) for each in (portrait.image, image))
    gain: np.ndarray = np.clip((ours + 1) / (theirs + 1), 1 / LIGHT, LIGHT)
    return gain
