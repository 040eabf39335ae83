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
from ..landmarks import LIPS as LIP_LANDMARKS
from ..mouth import MouthGauge, over_eyes
from ..protocols import Phase, SourceStep
from ..records import Lips, Portrait, Variant
from ..regions import DRAWN, inpainted, polygon
from .source_mirror import variant_of


@dataclass(frozen=True, slots=True)
class ClosedSettings:
    """Shares of the side."""

    least: float = 2e-4  # of the picture: of a smaller opening it is not worth it
    rim: float = 0.006  # around teeth that is filled too: their edge is as pale
    soft: float = 0.005  # over which the filling begins
    reach: float = 0.02  # from which its colours are taken


@dataclass(frozen=True, slots=True)
class LipsSettings:
    """When lips have a colour."""

    least: float = 1e-4  # share of the picture: lips of fewer pixels have none


@dataclass(frozen=True, slots=True)
class MouthlessSettings:
    """Shares of the side."""

    rim: float = 0.012  # around a mouth that is skin no more
    soft: float = 0.005  # how soft the edge of the filled skin is
    reach: float = 0.02  # from which its colours are taken


@dataclass(frozen=True)
class SourceLips(SourceStep):
    """The colour of the source's lips, and what they do."""

    name: ClassVar[str] = "own_lips"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("image", "landmarks", "class_probs")
    writes: ClassVar[tuple[str, ...]] = ("lips",)
    settings: LipsSettings = LipsSettings()
    gauge: MouthGauge = field(default_factory=MouthGauge)

    def apply(self, portrait: Portrait) -> Portrait:
        """Write them, where they are seen."""
        return portrait if portrait.class_probs is None else replace(portrait, lips=self.seen(portrait))

    def seen(self, portrait: Portrait) -> Lips | None:
        """Return the lips of a portrait that was parsed, None where they are not seen."""
        assert portrait.class_probs is not None
        lips = class_share(portrait.class_probs, LIPS)
        inside = np.clip(2 * lips - 1, 0, 1)
        if inside.mean() < self.settings.least:
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
    settings: ClosedSettings = ClosedSettings()

    def apply(self, portrait: Portrait) -> Portrait:
        """Add it to each view."""
        views = tuple(replace(view, closed=self.closed(view.portrait)) for view in portrait.views)
        return replace(portrait, views=views)

    def closed(self, portrait: Portrait) -> Variant | None:
        """Return the portrait with lips where its mouth is open; None for one whose mouth is shut."""
        size, settings = portrait.image.shape[0], self.settings
        mouth = polygon(cv2.convexHull(portrait.landmarks[LIP_LANDMARKS]), size)
        gap = mouth * np.clip(2 * (1 - portrait.valid_mask), 0, 1)
        if gap.mean() < settings.least:
            return None
        filled = (cv2.dilate(gap, disc(settings.rim * size)) * mouth > 0.1).astype(np.uint8)
        small = cv2.resize(filled, (DRAWN, DRAWN), interpolation=cv2.INTER_NEAREST)
        lips = inpainted(portrait.image, small, settings.reach)
        share = cv2.GaussianBlur(filled.astype(np.float32), (0, 0), settings.soft * size)
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
    settings: MouthlessSettings = MouthlessSettings()

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
        mouth = cv2.dilate(hull, disc(self.settings.rim * size))
        small = cv2.resize(mouth, (DRAWN, DRAWN), interpolation=cv2.INTER_LINEAR)
        skin = inpainted(portrait.image, (small > 0).astype(np.uint8), self.settings.reach)
        share = cv2.GaussianBlur(mouth, (0, 0), self.settings.soft * size)
        image = portrait.image + share[..., None] * (skin.astype(np.float32) - portrait.image)
        return variant_of(np.rint(image).astype(np.uint8), np.maximum(portrait.valid_mask, share))
