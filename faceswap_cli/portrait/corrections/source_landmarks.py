"""Move the lids and open lips of a source's photo to where the parser sees them, once per source.

The rules are those for the target: a portrait is laid lid on lid and lip on lip.
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ..protocols import Phase, SourceStep
from ..records import Portrait
from .eyelids import Eyelids
from .open_lips import OpenLips


@dataclass(frozen=True)
class SourceEyelids(SourceStep):
    """The source's lids."""

    name: ClassVar[str] = Eyelids.name
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("landmarks", "class_probs")
    writes: ClassVar[tuple[str, ...]] = ("landmarks",)
    rule: Eyelids = field(default_factory=Eyelids)

    @property
    def settings(self) -> Any:
        """Those of the rule."""
        return self.rule.settings

    def apply(self, portrait: Portrait) -> Portrait:
        """Move them."""
        if portrait.class_probs is None:
            return portrait
        return replace(portrait, landmarks=self.rule.moved(portrait.landmarks, portrait.class_probs))


@dataclass(frozen=True)
class SourceOpenLips(SourceStep):
    """The source's open lips."""

    name: ClassVar[str] = OpenLips.name
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("landmarks", "class_probs")
    writes: ClassVar[tuple[str, ...]] = ("landmarks",)
    rule: OpenLips = field(default_factory=OpenLips)

    @property
    def settings(self) -> Any:
        """Those of the rule."""
        return self.rule.settings

    def apply(self, portrait: Portrait) -> Portrait:
        """Move them."""
        if portrait.class_probs is None:
            return portrait
        return replace(portrait, landmarks=self.rule.moved(portrait.landmarks, portrait.class_probs))
