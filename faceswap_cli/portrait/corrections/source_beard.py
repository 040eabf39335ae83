"""Leave a source's beard out, once per source: like hair, a beard is not swapped.

A beard ends where the portrait does, in the midst of cheeks and throat, and on a smooth face it looks glued on. Of the
lower face of somebody who wears one only the lips are valid; around them the target's own skin shows.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from ...stages.soft import soft_step
from ..protocols import Phase, SourceStep
from ..records import Portrait
from .beard import Beard


@dataclass(frozen=True, slots=True)
class Settings:
    """When a source counts as bearded."""

    sure: float = 0.55  # probability from which a source is bearded


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
        bearded = soft_step(portrait.beard_prob, self.settings.sure)
        if bearded <= 0:
            return portrait
        smooth = 1 - bearded * Beard().grown(portrait.landmarks, len(portrait.valid_mask))
        return replace(portrait, valid_mask=portrait.valid_mask * smooth)
