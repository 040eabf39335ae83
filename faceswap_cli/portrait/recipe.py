"""How a portrait is fitted to a target, as one ordered list: the only place where the order of corrections is decided.

Read it from top to bottom: what happens to the source's photo, once; then to every face of every frame, before the
generator and after it. To add a correction, write its steps (see protocols.py) and give each its line here.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..errors import UsageError
from ..stages.constants import constants_of
from ..store.models import sha256_of
from .corrections.beard import Beard, OwnBeard
from .corrections.brow_tone import BrowTone
from .corrections.close_mouth import CloseMouth, LipLine
from .corrections.coverage import Cover, Coverage
from .corrections.covers import Covers
from .corrections.erase_brow import EraseBrow
from .corrections.eyelids import Eyelids
from .corrections.fold_guard import FoldGuard
from .corrections.grain import Grain
from .corrections.head_shape import HeadShape
from .corrections.head_shape import Settings as ShapeSettings
from .corrections.iris_colour import IrisColour
from .corrections.join_views import JoinViews
from .corrections.max_turn import MaxTurn
from .corrections.max_turn import Settings as TurnSettings
from .corrections.measure_mouth import MeasureMouth
from .corrections.one_tone import OneTone
from .corrections.open_lips import OpenLips
from .corrections.own_lips import OwnLips, OwnLipsPainted
from .corrections.sharpness import Sharpness
from .corrections.smile_folds import SmileFolds
from .corrections.source_beard import SourceBeard
from .corrections.source_brow import Brow
from .corrections.source_eyes import SourceEyes
from .corrections.source_folds import SmoothFolds
from .corrections.source_glasses import TakeOffGlasses
from .corrections.source_landmarks import SourceEyelids, SourceOpenLips
from .corrections.source_lip_colour import LipColour
from .corrections.source_mask import ValidMask
from .corrections.source_mirror import Mirror, PlainView
from .corrections.source_mouth import ClosedMouth, Mouthless, SourceLips
from .corrections.source_shape import SourceShape
from .corrections.source_sharpness import Softness
from .corrections.steadying import Steadying
from .corrections.warp_views import WarpViews
from .protocols import FrameStep, Phase, SourceStep, Step

STEPS: tuple[Step, ...] = (
    # what the source's photo shows
    ValidMask(),
    TakeOffGlasses(),
    LipColour(),
    SourceBeard(),
    SourceShape(),
    SourceEyelids(),
    SourceOpenLips(),
    SourceEyes(),
    SourceLips(),
    # its photo, repainted
    Brow(),
    # what it looks like otherwise
    PlainView(),
    Mirror(),
    ClosedMouth(),
    Mouthless(),
    SmoothFolds(),
    Softness(),
    # from here on for every face of every frame. Target geometry: whatever moves the target itself stands first
    MaxTurn(),
    HeadShape(),
    # landmarks
    Eyelids(),
    OpenLips(),
    Steadying(),
    # expression
    MeasureMouth(),
    CloseMouth(),
    OwnLips(),
    SmileFolds(),
    # warp
    WarpViews(),
    # cover
    FoldGuard(),
    JoinViews(),
    Coverage(),
    Covers(),
    LipLine(),
    Beard(),
    Cover(),
    # colour
    Sharpness(),
    OwnLipsPainted(),
    # target
    EraseBrow(),
    IrisColour(),
    # after the generator
    OwnBeard(),
    BrowTone(),
    OneTone(),
    Grain(),
)


@dataclass(frozen=True)
class Recipe:
    """Steps in their order."""

    steps: tuple[Step, ...] = STEPS

    @property
    def corrections(self) -> tuple[str, ...]:
        """The names of what can be left out, in the order of their first steps."""
        return tuple(dict.fromkeys(step.name for step in self.steps if step.switchable))

    @property
    def digest(self) -> str:
        """What tells this recipe with all numbers of this room, learnt ones too, from any other (SHA-256)."""
        steps = [f"{step.name} {step.history} {step}" for step in self.steps]
        learnt = [sha256_of(path) for path in sorted(Path(__file__).parent.glob("*.npz"))]
        constants = constants_of(__name__.rpartition(".")[0])
        return hashlib.sha256("\n".join([*steps, *learnt, str(constants)]).encode()).hexdigest()

    def without(self, names: tuple[str, ...]) -> "Recipe":
        """Return the recipe without some corrections; raise UsageError for a name that is none of them."""
        unknown = [name for name in names if name not in self.corrections]
        if unknown:
            raise UsageError(f"no correction is called {unknown[0]!r}: choose of {', '.join(self.corrections)}")
        return Recipe(tuple(step for step in self.steps if step.name not in names))

    def shaped(self, strength: float) -> "Recipe":
        """Return the recipe with so much, 0..1, of the source's shape on the target's head; 0 leaves the step out."""
        if strength == 0:
            return Recipe(tuple(step for step in self.steps if step.name != HeadShape.name))
        shaped = HeadShape(ShapeSettings(strength))
        return Recipe(tuple(shaped if isinstance(step, HeadShape) else step for step in self.steps))

    def up_to(self, degrees: float) -> "Recipe":
        """Return the recipe that leaves faces whole which are turned aside by so many degrees; 90 leaves none."""
        if degrees >= 90:
            return Recipe(tuple(step for step in self.steps if step.name != MaxTurn.name))
        limited = MaxTurn(TurnSettings(degrees))
        return Recipe(tuple(limited if isinstance(step, MaxTurn) else step for step in self.steps))

    def of_source(self, phase: Phase) -> list[SourceStep]:
        """Return the steps of a phase that runs once per source."""
        assert phase.once_per_source
        return [cast(SourceStep, step) for step in self.steps if step.phase is phase]

    def of_frame(self, *, after_generator: bool) -> list[FrameStep]:
        """Return the steps that run for every frame, before the generator or after it."""
        return [
            cast(FrameStep, step)
            for step in self.steps
            if not step.phase.once_per_source and (step.phase is Phase.FINISH) == after_generator
        ]

    def reach(self, mask: int) -> int:
        """Return how many frames before one what is done with it can depend on; see `reach`."""
        return reach([step for step in self.steps if not step.phase.once_per_source], mask)


RECIPE = Recipe()


def reach(steps: Iterable[Step], mask: int) -> int:
    """Return how many frames before one what is done with it can depend on.

    A step depends on the frames it looks at, and on all that what it reads depends on; so does the mask, which looks at
    `mask` frames of the crops' class probabilities.
    """
    frames: dict[str, int] = {}
    for step in steps:
        needed = step.history + max((frames.get(name, 0) for name in step.reads), default=0)
        frames |= {name: max(needed, frames.get(name, 0)) for name in step.writes}
    return max([*frames.values(), mask + frames.get("crop.class_probs", 0)])
