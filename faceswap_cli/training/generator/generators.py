"""The generators a training makes, goes on from or is taught by: built from settings, read from their files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...engines.metadata import read_metadata
from ...engines.torch import GONE, load_module
from ...errors import UsageError, WeightsError
from ...networks.layers import load_strictly
from ...networks.painter import Painter, PainterConfig
from ...networks.simswap import SimSwap, SimSwapConfig, UnitRange
from ...store import models
from ..core.checkpoint import LAST, load
from ..core.settings import SwapSettings, make_record
from ..teachers.spaces import OURS, Space

Teacher = UnitRange | Painter  # a painter learns from triplets (painter.py), and can be taught from like a SimSwap


ITS_OWN = ("smoothness", "closed_gate")  # settings of the generator before the painter alone


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A generator that was read from a file, and what a training has to know of it."""

    path: Path
    generator: Teacher
    space: str  # name of the identity space it understands
    size: int  # side of the crops it was made for


def build_generator(settings: SwapSettings) -> UnitRange:
    """Return the network of the settings' shape, untrained; images in [0, 1] both ways."""
    return UnitRange(SimSwap(make_record(SimSwapConfig, settings.shape, "shape")))


def configuration(generator: UnitRange) -> dict[str, Any]:
    """Return the shape of a generator as its file's metadata keeps it."""
    return asdict(generator.generator.config)


def settings_kept(state: Mapping[str, Any], where: object) -> SwapSettings:
    """Return the settings in a run's checkpoint; raise WeightsError where it is of the generator before the painter.

    What only that one was set by may stand in any checkpoint of its time, and says nothing of a SimSwap.
    """
    kept = {name: value for name, value in state["settings"].items() if name not in ITS_OWN}
    if kept.get("network") == GONE:
        raise WeightsError(
            f"{where} is of a SimSwap-lite, which the painter has replaced: nothing goes on with it, `faceswap train` "
            "makes a painter"
        )
    return make_record(SwapSettings, kept, "the checkpoint")


def read_generator(given: Path) -> Origin:
    """Read a generator from an exported or imported ONNX file, a run or its checkpoint, or by its name.

    Of a run the moving average is meant. Raises WeightsError for a file that holds none, in one line.
    """
    path = given / LAST if given.is_dir() else models.file_of(given)
    if not path.is_file():
        raise WeightsError(f"no generator at {path}: give its ONNX file, a checkpoint or the name of an installed one")
    try:
        return _read_onnx(path) if path.suffix.lower() == ".onnx" else _read_checkpoint(path)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:  # weights and a shape that do not belong together
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path} holds no generator that can be read ({reason})") from error


def settings_from(origin: Origin, settings: SwapSettings) -> SwapSettings:
    """Return the settings of a run that starts from `origin`: its shape, where none is set.

    Raises UsageError for a painter.
    """
    if isinstance(origin.generator, Painter):
        raise UsageError(f"{origin.path} holds a painter, which learns from triplets: say --network painter")
    return replace(settings, shape=configuration(origin.generator) | settings.shape)


def settings_in(space: Space, settings: SwapSettings) -> SwapSettings:
    """Return the settings with the length of a space's identities; raise UsageError where they ask for another."""
    latent = settings.shape.get("latent", space.dimension)
    if latent != space.dimension:
        raise UsageError(
            f"the generator takes identities of {latent} numbers, those of {space.name} have {space.dimension}: "
            f"leave latent out, or give its own encoder as --teacher (`faceswap models list` shows them)"
        )
    return replace(settings, shape=settings.shape | {"latent": latent})


def copy_weights(origin: Origin, generator: UnitRange) -> None:
    """Begin a generator with the weights of another; raise WeightsError where they do not fit."""
    try:
        load_strictly(generator, origin.generator.state_dict())
    except WeightsError as error:
        raise WeightsError(f"{origin.path}: {error}") from error


def _read_onnx(path: Path) -> Origin:
    metadata = read_metadata(path)
    module = load_module(path, metadata)
    if not isinstance(module, Teacher):
        raise WeightsError(f"{path} holds no generator to train (it holds a {metadata['network']})")
    return Origin(path, module, metadata.get("space", ""), int(metadata.get("size", 0)))


def _read_checkpoint(path: Path) -> Origin:
    state = load(path)
    kind = state.get("kind")
    if kind not in ("generator", "painter"):
        raise WeightsError(f"{path} holds no generator (it holds {kind or 'something else'})")
    generator: Teacher
    if kind == "painter":
        generator = Painter(PainterConfig(**state["configuration"]))
    else:
        generator = build_generator(settings_kept(state, path))
    generator.load_state_dict(state["average"])
    return Origin(path, generator.eval(), state.get("space", OURS.name), state.get("size", 0))
