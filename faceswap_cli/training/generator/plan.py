"""What a generator's run makes, settled before its data are loaded: from settings, a checkpoint or a generator."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from ...errors import UsageError, WeightsError
from ..core.checkpoint import LAST, load
from ..core.options import TrainOptions
from ..core.settings import SwapSettings, read_settings
from ..teachers.encoders import names_of
from ..teachers.spaces import Space, space_of
from .adversarial import RunPlan
from .generators import (
    Origin,
    build_generator,
    configuration,
    read_generator,
    settings_from,
    settings_in,
    settings_kept,
)

SIZE = 112  # pixels, of a training crop where nothing says another
SMALLEST, SIDE_STEP = 64, 16


@dataclass(frozen=True, slots=True, eq=False)
class Plan(RunPlan[SwapSettings]):
    """Networks, losses and crops of a run; the settings hold the length of its identities, too."""

    origin: Origin | None = None  # the generator it starts from


def make_plan(options: TrainOptions, encoders: Sequence[nn.Module]) -> Plan:
    """Return the plan of a run judged by some encoders; raise UsageError for what does not belong together."""
    settings, space = read_settings(options.config), space_of(encoders[0])
    if options.resume:
        return _resumed(options, settings, space, names_of(encoders))
    if options.init_from is None:
        return Plan(settings_in(space, settings), checked_size(options.size or SIZE), space, names_of(encoders))
    origin = read_generator(options.init_from)
    if origin.space != space.name:
        raise UsageError(
            f"{origin.path} understands identities of {origin.space!r}, the encoder gives {space.name!r}: "
            f"give the encoder of that space as --teacher"
        )
    settings = settings_in(space, settings_from(origin, settings))
    size = checked_size(options.size or origin.size or SIZE)
    return Plan(settings, size, space, names_of(encoders), origin=origin)


def checked_size(size: int) -> int:
    """Return the side of a training crop; raise UsageError for one that the networks cannot take."""
    if size % SIDE_STEP or size < SMALLEST:
        raise UsageError(f"size is {size}: give a multiple of {SIDE_STEP} from {SMALLEST} on")
    return size


def _resumed(options: TrainOptions, settings: SwapSettings, space: Space, encoders: list[str]) -> Plan:
    """Return the plan of the run that is there; --config may change its losses, but neither its networks nor crops."""
    kept = load(options.output / LAST)
    if kept.get("kind") != "generator":
        raise WeightsError(f"{options.output} holds no generator's run (it holds {kept.get('kind', 'something else')})")
    began = settings_kept(kept, options.output)
    settings = began if options.config is None else settings_in(space, settings)
    size = kept.get("size") or options.size or SIZE
    same = {
        "shape": tuple(configuration(build_generator(each)) for each in (began, settings)),
        "size": (size, options.size or size),
        "encoders (--teacher)": (kept.get("encoders", encoders), encoders),
    }
    for name, (before, now) in same.items():
        if before != now:
            raise UsageError(f"{options.output} was begun with {name} {before}, not {now}: --resume keeps it")
    return Plan(settings, size, space, encoders, kept=kept)
