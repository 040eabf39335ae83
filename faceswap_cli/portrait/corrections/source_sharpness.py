"""Learn how sharp a portrait is, and how soft each blur makes it: once per source."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ..protocols import Phase, SourceStep
from ..records import Portrait
from ..softness import SharpnessGauge, blurred


@dataclass(frozen=True)
class Softness(SourceStep):
    """How sharp each of the blurs that are tried leaves the portrait."""

    name: ClassVar[str] = "sharpness"
    phase: ClassVar[Phase] = Phase.VARIANTS
    reads: ClassVar[tuple[str, ...]] = ("image", "landmarks")
    writes: ClassVar[tuple[str, ...]] = ("softness",)
    settings: SharpnessGauge = field(default_factory=SharpnessGauge)

    def apply(self, portrait: Portrait) -> Portrait:
        """Write it, falling."""
        gauge = self.settings
        seen = [gauge.sharpness(blurred(portrait.image, each, each), portrait.landmarks) for each in gauge.blurs]
        return replace(portrait, softness=np.minimum.accumulate(seen).T)
