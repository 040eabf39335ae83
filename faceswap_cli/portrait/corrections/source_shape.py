"""Learn the shape of the source's face, once, from its landmarks."""

from dataclasses import dataclass, replace
from typing import ClassVar

from ..geometry import shape_of
from ..protocols import Phase, SourceStep
from ..records import Portrait


@dataclass(frozen=True)
class SourceShape(SourceStep):
    """The source's shape."""

    name: ClassVar[str] = "shape"
    phase: ClassVar[Phase] = Phase.OBSERVE
    reads: ClassVar[tuple[str, ...]] = ("landmarks",)
    writes: ClassVar[tuple[str, ...]] = ("shape",)

    def apply(self, portrait: Portrait) -> Portrait:
        """Return the portrait with its shape."""
        return replace(portrait, shape=shape_of(portrait.landmarks))
