"""What a SimSwap's training can vary, as a record; `--config FILE.toml` overrides its fields.

The defaults are SimSwap's losses on our identities, with a smaller discriminator; examples/simswap.toml has the paper's
numbers, examples/simswap.md compares.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ...errors import UsageError

Maps = Literal["weak", "all", "none"]
Record = TypeVar("Record")
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", dict: "a table", list: "a list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapSettings:
    """Network, losses and schedule of a SimSwap's training."""

    network: Literal["simswap"] = "simswap"  # says of a file whose settings these are, where --network does not
    shape: dict[str, Any] = field(default_factory=dict)  # fields of SimSwapConfig
    same_every: int = 2  # every so many batches source and target are the same person; the paper alternates: 2
    balance: float = 0.5  # a person with n pictures is drawn n^balance times as often as one with one; published: 0

    identity: float = 10.0  # 1 - cosine to the source; paper: 10
    same_identity: float = 1.0  # factor of the identity loss where source and target are the same person; paper: 1
    contrast: float = 0.0  # cosine to the target above 0.2, different people only; not in the paper
    reconstruction: float = 10.0  # L1 to the target, same person only; paper: 10
    adversarial: float = 1.0  # hinge, generator's side; paper: 1
    feature_matching: float = 10.0  # L1 of the discriminator's maps to the target's; paper: 10
    matched_maps: Maps = "weak"  # which maps of 0..4: the paper's weak matching takes 3 and 4
    outside: float = 0.0  # L1 to the target outside the face, where class maps exist; not in the paper
    light: float = 0.0  # L1 to the target after strong averaging; not in the paper
    expression: float = 70.0  # landmarks of the swap against the target's, where --landmarks is given; not in the paper
    gradient_penalty: float = 0.0  # weight of the penalty that keeps the discriminator smooth; paper: 1e-5
    penalty: Literal["r1", "blends"] = "r1"  # R1 on real images, or, the paper's, WGAN-GP on blends of real and made

    reconstruction_only: int = 2000  # first steps with reconstruction alone: who paints whole faces copies first
    identity_ramp: int = 300  # steps over which the identity loss rises after that
    adversarial_from: int = 400  # step at which the adversary sets in; it trains alone for the 100 steps before
    discriminator_width: int = 32  # channels after its first convolution; published: 64
    discriminator_max_width: int = 256  # where their doubling ends; published: 512
    discriminator_norm: Literal["spectral", "batch"] = "spectral"  # published: batch
    generator_rate: float = 1e-3  # step size of Adam, where --learning-rate gives none; published: 2e-4, later 4e-4
    discriminator_rate: float = 2e-4
    schedule: Literal["cosine", "constant"] = "cosine"  # of both step sizes; the paper's is constant
    beta1: float = 0.0  # of Adam; paper: 0
    beta2: float = 0.999
    average: float = 0.995  # decay of the exponential moving average that is exported; 0, the paper: none

    def __post_init__(self) -> None:
        _check_schedule(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillSettings:
    """Network, losses and schedule of a distillation into MobileFaceSwap; 30, 5, 10 and 1 are the paper's weights."""

    shape: dict[str, Any] = field(default_factory=dict)  # further fields of MobileConfig
    same_every: int = 4  # every so many batches source and target are the same person
    balance: float = 0.5  # a person with n pictures is drawn n^balance times as often as one with one

    reconstruction: float = 30.0  # L1 to the teacher's picture
    perceptual: float = 5.0  # distance to the teacher's picture in an encoder's early maps; paper: VGG's
    reweighted: bool = True  # both weighted, picture by picture, by how well the teacher did
    identity: float = 3.0  # 1 - cosine to the source; the paper does not say
    mask: float = 10.0  # L1 of the fusion mask to the class maps' face, where there are class maps
    adversarial: float = 1.0  # hinge, generator's side

    adversarial_from: int = 2000  # step at which the adversary sets in; it trains alone for the 100 steps before
    discriminator_width: int = 32
    discriminator_rate: float = 2e-4
    beta1: float = 0.5  # of Adam
    average: float = 0.995  # decay of the exponential moving average that is exported

    def __post_init__(self) -> None:
        _check_schedule(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeardSettings:
    """Which pictures show a beard, by their paths in the folder that was prepared; all others show none."""

    bearded: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)  # stubble, shadow: nothing is learnt from them


def read_settings(path: Path | None) -> SwapSettings:
    """Return a SimSwap's settings; a TOML file overrides the defaults. See `read_record` for errors."""
    return read_record(path, SwapSettings)


def read_record(path: Path | None, record: type[Record]) -> Record:
    """Return the settings a TOML file overrides; raise UsageError for a name or value that does not fit."""
    return record() if path is None else make_record(record, read_toml(path), str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file sets; raise UsageError for one that cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not a readable TOML file ({error})") from error


def make_record(record: type[Record], values: Mapping[str, Any], where: str) -> Record:
    """Make a record of values whose names and types fit it, tuples of lists; raise UsageError, saying where, else."""
    kinds = get_type_hints(record)
    known = {entry.name: kinds[entry.name] for entry in fields(record)}  # type: ignore[arg-type]  # a record's class
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"{where} sets {', '.join(unknown)}: known are {', '.join(sorted(known))}")
    for name, value in values.items():
        if not _fits(value, known[name]):
            raise UsageError(f"{where} sets {name} to {value!r}: give {_described(known[name])}")
    made = {name: tuple(value) if get_origin(known[name]) is tuple else value for name, value in values.items()}
    try:
        return record(**made)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _fits(value: Any, kind: Any) -> bool:
    """Tell whether a value may stand for a kind: whole numbers are numbers, but true and false are not."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return value in inner
    if origin in (list, tuple):
        wanted = inner[:1] * len(value) if origin is list and isinstance(value, list) else inner
        return isinstance(value, list | tuple) and len(value) == len(wanted) and all(map(_fits, value, wanted))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or kind)


def _described(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(repr, get_args(kind)))}"
    if get_origin(kind) is tuple:
        return f"a list of {len(get_args(kind))}"
    return KINDS[get_origin(kind) or kind]


def _check_schedule(settings: SwapSettings | DistillSettings) -> None:
    """Raise UsageError for a number that training cannot mean."""
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if isinstance(value, int | float) and value < 0:
            raise UsageError(f"{entry.name} is {value}: give 0 or more")
    for name in ("beta1", "beta2", "average"):
        if getattr(settings, name, 0) >= 1:
            raise UsageError(f"{name} is {getattr(settings, name)}: give less than 1")
    if settings.discriminator_width < 1 or getattr(settings, "discriminator_max_width", 1) < 1:
        raise UsageError("a discriminator needs channels: give its widths as 1 or more")
    if settings.balance > 1:
        raise UsageError(f"balance is {settings.balance}: give 0 (people alike) to 1 (pictures alike)")
    if settings.same_every < 2:
        raise UsageError(
            f"same_every is {settings.same_every}: give 2 or more, so that different people are swapped too"
        )
