"""Leave a source's beard behind, once per source: like hair it stays what it is on the target.

A beard ends where the portrait does, in the midst of cheeks and throat, and on a smooth face it looks glued on. Of the
lower face of somebody who wears one only the lips are valid; around them the target's own skin shows.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from ..protocols import Phase, SourceStep
from ..records import Portrait
from ..regions import ramp
from .beard import Beard


@dataclass(frozen=True, slots=True)
class Settings:
    """When a source counts as bearded."""

    sure: tuple[float, float] = (0.5, 0.6)  # probabilities: up to the first smooth, from the second on bearded


@dataclass(frozen=True)
class SourceBeard(SourceStep):
    """Where the source's beard grows is not valid."""

    name: ClassVar[str] = "source_beard"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("beard_prob", "landmarks", "valid_mask")
    writes: ClassVar[tuple[str, ...]] = ("valid_mask",)
    settings: Settings = Settings()

    def apply(self, portrait: Portrait) -> Portrait:
        """Take the beard out of the valid mask."""
        bearded = ramp(portrait.beard_prob, self.settings.sure)
        if bearded <= 0:
            return portrait
        smooth = 1 - bearded * Beard().grown(portrait.landmarks, len(portrait.valid_mask))
        return replace(portrait, valid_mask=portrait.valid_mask * smooth)
