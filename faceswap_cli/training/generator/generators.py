"""The generators a training makes, goes on from or is taught by: built from settings, read from their files."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ...engines.metadata import read_metadata
from ...engines.torch import load_module
from ...errors import UsageError, WeightsError
from ...networks.layers import load_strictly
from ...networks.lite import LiteConfig, SimSwapLite
from ...networks.painter import Painter, PainterConfig
from ...networks.simswap import SimSwap, SimSwapConfig, UnitRange
from ...store import models
from ..core.checkpoint import LAST, load
from ..core.settings import SwapSettings, make_record
from ..teachers.spaces import OURS, Space

Generator = SimSwapLite | UnitRange
Teacher = Generator | Painter  # a painter learns from triplets (painter.py), and can be taught from like the others


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A generator that was read from a file, and what a training has to know of it."""

    path: Path
    generator: Teacher
    space: str  # name of the identity space it understands
    size: int  # side of the crops it was made for


def build_generator(settings: SwapSettings) -> Generator:
    """Return the network the settings name, untrained; images in [0, 1] both ways."""
    if settings.network == "lite":
        return SimSwapLite(make_record(LiteConfig, settings.shape, "shape"))
    return UnitRange(SimSwap(make_record(SimSwapConfig, settings.shape, "shape")))


def configuration(generator: Generator) -> dict[str, Any]:
    """Return the shape of a generator as its file's metadata keeps it."""
    return asdict(generator.config if isinstance(generator, SimSwapLite) else generator.generator.config)


def network_of(generator: Generator) -> Literal["lite", "simswap"]:
    """Return what settings and metadata call a generator."""
    return "lite" if isinstance(generator, SimSwapLite) else "simswap"


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


def settings_from(origin: Origin, settings: SwapSettings, *, told: bool) -> SwapSettings:
    """Return the settings of a run that starts from `origin`: its network and, where none is set, its shape.

    `told` says that the settings were given, not defaults. Raises UsageError where they name another network.
    """
    if isinstance(origin.generator, Painter):
        raise UsageError(f"{origin.path} holds a painter, which learns from triplets: say --network painter")
    network = network_of(origin.generator)
    if told and settings.network != network:
        raise UsageError(
            f'{origin.path} holds a {network}, the settings ask for a {settings.network}: set network = "{network}"'
        )
    return replace(settings, network=network, shape=configuration(origin.generator) | settings.shape)


def settings_in(space: Space, settings: SwapSettings) -> SwapSettings:
    """Return the settings with the length of a space's identities; raise UsageError where they ask for another."""
    latent = settings.shape.get("latent", space.dimension)
    if latent != space.dimension:
        raise UsageError(
            f"the generator takes identities of {latent} numbers, those of {space.name} have {space.dimension}: "
            f"leave latent out, or give its own encoder as --teacher (`faceswap models list` shows them)"
        )
    return replace(settings, shape=settings.shape | {"latent": latent})


def copy_weights(origin: Origin, generator: Generator) -> None:
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
        generator = build_generator(make_record(SwapSettings, state["settings"], "the checkpoint"))
    generator.load_state_dict(state["average"])
    return Origin(path, generator.eval(), state.get("space", OURS.name), state.get("size", 0))
