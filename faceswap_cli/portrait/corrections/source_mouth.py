"""What a source's lips look like, and its portrait with the mouth shut, and without one: once per source.

Between the open lips of a portrait there is nothing to warp. Over a shut mouth the target's own lips would look out
there, pale or of another red; what is between is filled from the lips around it instead. Lips that cannot follow the
target's at all are replaced by skin, and the target's own are painted there (see `own_lips.py`).
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import LIPS, class_share, disc
from ...stages.soft import DRAWN, FEATHER, LINE_FEATHER, PART_FEATHER, feathered
from ..landmarks import LIPS as LIP_LANDMARKS
from ..mouth import MouthGauge, over_eyes
from ..protocols import Phase, SourceStep
from ..records import Lips, Portrait, Variant
from ..regions import LEAST, inpainted, polygon
from .source_mirror import variant_of


@dataclass(frozen=True)
class SourceLips(SourceStep):
    """The colour of the source's lips, and what they do."""

    name: ClassVar[str] = "own_lips"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("image", "landmarks", "class_probs")
    writes: ClassVar[tuple[str, ...]] = ("lips",)
    gauge: MouthGauge = field(default_factory=MouthGauge)

    def apply(self, portrait: Portrait) -> Portrait:
        """Write them, where they are seen."""
        return portrait if portrait.class_probs is None else replace(portrait, lips=self.seen(portrait))

    def seen(self, portrait: Portrait) -> Lips | None:
        """Return the lips of a portrait that was parsed, None where they are not seen."""
        assert portrait.class_probs is not None
        lips = class_share(portrait.class_probs, LIPS)
        inside = np.clip(2 * lips - 1, 0, 1)
        if inside.mean() < LEAST:
            return None
        small = cv2.resize(portrait.image, lips.shape[::-1], interpolation=cv2.INTER_AREA)
        colour = (inside[..., None] * small).sum(axis=(0, 1)) / inside.sum()
        mouth = self.gauge.measure(portrait.landmarks, portrait.class_probs)
        return Lips(colour.astype(np.float32), over_eyes(mouth.width, portrait.landmarks), mouth.aspect_ratio)


@dataclass(frozen=True)
class ClosedMouth(SourceStep):
    """The portrait with its open mouth shut."""

    name: ClassVar[str] = "close_mouth"
    phase: ClassVar[Phase] = Phase.VARIANTS
    reads: ClassVar[tuple[str, ...]] = ("views",)
    writes: ClassVar[tuple[str, ...]] = ("views",)

    def apply(self, portrait: Portrait) -> Portrait:
        """Add it to each view."""
        views = tuple(replace(view, closed=self.closed(view.portrait)) for view in portrait.views)
        return replace(portrait, views=views)

    def closed(self, portrait: Portrait) -> Variant | None:
        """Return the portrait with lips where its mouth is open; None for one whose mouth is shut."""
        size = portrait.image.shape[0]
        mouth = polygon(cv2.convexHull(portrait.landmarks[LIP_LANDMARKS]), size)
        gap = mouth * np.clip(2 * (1 - portrait.valid_mask), 0, 1)
        if gap.mean() < LEAST:
            return None
        # around teeth too: their edge is as pale
        filled = (cv2.dilate(gap, disc(LINE_FEATHER * size)) * mouth > 0.1).astype(np.uint8)
        small = cv2.resize(filled, (DRAWN, DRAWN), interpolation=cv2.INTER_NEAREST)
        lips = inpainted(portrait.image, small, FEATHER)
        share = feathered(filled.astype(np.float32), LINE_FEATHER)
        image = portrait.image + share[..., None] * (lips.astype(np.float32) - portrait.image)
        valid = np.maximum(portrait.valid_mask, np.maximum(share * mouth, gap))
        return variant_of(np.rint(image).astype(np.uint8), valid)


@dataclass(frozen=True)
class Mouthless(SourceStep):
    """The portrait with skin where its mouth is."""

    name: ClassVar[str] = "own_lips"
    phase: ClassVar[Phase] = Phase.VARIANTS
    reads: ClassVar[tuple[str, ...]] = ("lips", "views")
    writes: ClassVar[tuple[str, ...]] = ("views",)

    def apply(self, portrait: Portrait) -> Portrait:
        """Add it to each view, where the source's lips are seen."""
        if portrait.lips is None:
            return portrait
        views = tuple(replace(view, mouthless=self.mouthless(view.portrait)) for view in portrait.views)
        return replace(portrait, views=views)

    def mouthless(self, portrait: Portrait) -> Variant:
        """Return the portrait without its mouth."""
        size = portrait.image.shape[0]
        hull = polygon(cv2.convexHull(portrait.landmarks[LIP_LANDMARKS]), size)
        mouth = cv2.dilate(hull, disc(PART_FEATHER * size))
        small = cv2.resize(mouth, (DRAWN, DRAWN), interpolation=cv2.INTER_LINEAR)
        skin = inpainted(portrait.image, (small > 0).astype(np.uint8), FEATHER)
        share = feathered(mouth, LINE_FEATHER)
        image = portrait.image + share[..., None] * (skin.astype(np.float32) - portrait.image)
        return variant_of(np.rint(image).astype(np.uint8), np.maximum(portrait.valid_mask, share))
