"""What a step of the recipe is: a name, a phase, what it reads and writes, how many earlier frames it needs.

A correction is one name with one or more steps, each a frozen dataclass with a `Settings` record of its numbers. A
step that runs once per source and one that runs for every frame never share a class, nor a file.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Protocol

from .history import History
from .records import FaceState, Portrait


class Phase(Enum):
    """Where in the way of a source or of a frame a step stands; the recipe is ordered by it."""

    OBSERVE = "source: what its photo shows"
    REPAIR = "source: its photo, repainted"
    VARIANTS = "source: what it looks like otherwise"
    GEOMETRY = "target geometry"  # before any landmark is used: crop, class probabilities and landmarks warped alike
    LANDMARKS = "landmarks"
    EXPRESSION = "expression"
    WARP = "warp"
    COVER = "cover"
    COLOUR = "colour"
    TARGET = "target"
    FINISH = "finish"  # after the generator

    @property
    def once_per_source(self) -> bool:
        """Tell whether its steps run before the first frame."""
        return self in (Phase.OBSERVE, Phase.REPAIR, Phase.VARIANTS)


@dataclass(frozen=True, slots=True)
class NoSettings:
    """The settings of a step that has no numbers of its own."""


class Step(Protocol):
    """What every step declares.

    `reads` and `writes` name fields of `FaceState` for the phases of a frame ("crop.image", "source.lips" one level
    deeper), fields of the source's portrait for the others ("source.image").
    """

    name: ClassVar[str]  # of the correction it belongs to
    phase: ClassVar[Phase]
    reads: ClassVar[tuple[str, ...]]
    writes: ClassVar[tuple[str, ...]]
    history: ClassVar[int] = 0  # earlier frames it looks at
    switchable: ClassVar[bool] = True  # False: without it nothing can be warped
    settings: Any = NoSettings()  # its numbers, a frozen dataclass


class SourceStep(Step, Protocol):
    """A step that runs once per source."""

    def apply(self, portrait: Portrait) -> Portrait:
        """Return the portrait with what this step writes."""


class FrameStep(Step, Protocol):
    """A step that runs for every frame, over all its faces: one that needs earlier frames."""

    def over(self, faces: list[FaceState], history: History | None) -> list[FaceState]:
        """Return the faces with what this step writes; `history` is that of a clip, None in a photo."""


class FaceStep(FrameStep, Protocol):
    """A step that runs for every face by itself."""

    def over(self, faces: list[FaceState], history: History | None) -> list[FaceState]:
        """Apply it to each."""
        return [self.apply(face) for face in faces]

    def apply(self, face: FaceState) -> FaceState:
        """Return the face with what this step writes."""
