"""Move the lids and open lips of a source's photo to where the parser sees them, once per source.

The rules are those for the target: a portrait is warped lid on lid and lip on lip.
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ..protocols import Phase, SourceStep
from ..records import Portrait
from .eyelids import Eyelids
from .open_lips import OpenLips


class _ByRule(SourceStep):
    """Moves a portrait's landmarks by the rule for a target's."""

    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("landmarks", "class_probs")
    writes: ClassVar[tuple[str, ...]] = ("landmarks",)
    rule: Eyelids | OpenLips

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
class SourceEyelids(_ByRule):
    """The source's lids."""

    name: ClassVar[str] = Eyelids.name
    rule: Eyelids = field(default_factory=Eyelids)


@dataclass(frozen=True)
class SourceOpenLips(_ByRule):
    """The source's open lips."""

    name: ClassVar[str] = OpenLips.name
    rule: OpenLips = field(default_factory=OpenLips)
