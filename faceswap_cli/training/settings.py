"""What a generator's training can vary, as a record; `--config FILE.toml` overrides its fields.

The defaults are the recipe of the embedded SimSwap-lite. Settings with network = "simswap" and the
paper's numbers give SimSwap as published; README lists them.
"""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..errors import UsageError

Maps = Literal["weak", "all", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapSettings:
    """Network, losses and schedule of a generator's training."""

    network: Literal["lite", "simswap"] = "lite"
    shape: dict[str, Any] = field(default_factory=dict)  # fields of LiteConfig or SimSwapConfig
    same_every: int = 4  # every so many batches source and target are the same person; the paper alternates: 2

    identity: float = 8.0  # 1 - cosine to the source; paper: 10
    same_identity: float = 0.25  # factor of the identity loss where source and target are the same person; paper: 1
    contrast: float = 1.0  # cosine to the target above 0.2, different people only; not in the paper
    reconstruction: float = 30.0  # L1 to the target, same person only; paper: 10
    adversarial: float = 1.5  # hinge, generator's side; paper: 1
    feature_matching: float = 4.0  # L1 of the discriminator's maps to the target's; paper: 10
    matched_maps: Maps = "weak"  # which maps of 0..4: the paper's weak matching takes 3 and 4
    outside: float = 30.0  # L1 to the target outside the face, where class maps exist
    light: float = 15.0  # L1 to the target after strong averaging; not in the paper
    expression: float = 70.0  # landmarks of the swap against the target's, where --landmarks is given; not in the paper
    smoothness: float = 80.0  # variation and size of the lite network's residual, on smooth skin above all
    shut: float = 2.0  # how far its gate is shut where the portrait may be used
    gradient_penalty: float = 0.0  # R1 on real images

    reconstruction_only: int = 0  # first steps with reconstruction alone: needed by networks that paint the whole face
    identity_ramp: int = 300  # steps over which the identity loss rises after that
    adversarial_from: int = 400  # step at which the adversary sets in; it trains alone for the 100 steps before
    discriminator_width: int = 32
    discriminator_rate: float = 2e-4
    beta1: float = 0.5  # of Adam; paper: 0
    average: float = 0.995  # decay of the exponential moving average that is exported

    def __post_init__(self) -> None:
        if self.network not in ("lite", "simswap"):
            raise UsageError(f"network is {self.network!r}: choose lite or simswap")
        if self.matched_maps not in ("weak", "all", "none"):
            raise UsageError(f"matched_maps is {self.matched_maps!r}: choose weak, all or none")
        if self.same_every < 2:
            raise UsageError(
                f"same_every is {self.same_every}: give 2 or more, so that different people are swapped too"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillSettings:
    """Network, losses and schedule of a distillation into MobileFaceSwap; 30, 5, 10 and 1 are the paper's weights."""

    portrait: bool = True  # the student is shown the source's portrait; false, the paper: an identity vector alone
    shape: dict[str, Any] = field(default_factory=dict)  # further fields of MobileConfig
    same_every: int = 4  # every so many batches source and target are the same person

    reconstruction: float = 30.0  # L1 to the teacher's picture
    perceptual: float = 5.0  # distance to the teacher's picture in an encoder's early maps; paper: VGG's
    reweighted: bool = True  # both weighted, picture by picture, by how well the teacher did
    identity: float = 3.0  # 1 - cosine to the source; the paper does not say
    smoothness: float = 0.0  # what it shades otherwise than the teacher, on smooth skin above all; not in the paper
    mask: float = 10.0  # L1 of the fusion mask to the class maps' face, where there are class maps
    adversarial: float = 1.0  # hinge, generator's side

    adversarial_from: int = 2000  # step at which the adversary sets in; it trains alone for the 100 steps before
    discriminator_width: int = 32
    discriminator_rate: float = 2e-4
    beta1: float = 0.5  # of Adam
    average: float = 0.995  # decay of the exponential moving average that is exported

    def __post_init__(self) -> None:
        if self.same_every < 2:
            raise UsageError(
                f"same_every is {self.same_every}: give 2 or more, so that different people are swapped too"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BeardSettings:
    """Which pictures show a beard, by their paths in the folder that was prepared; all others show none."""

    bearded: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)  # stubble, shadow: nothing is learnt from them


Record = TypeVar("Record")


def read_settings(path: Path | None) -> SwapSettings:
    """Return a generator's settings; a TOML file overrides the defaults. See `read_record` for errors."""
    return read_record(path, SwapSettings)


def read_record(path: Path | None, record: type[Record]) -> Record:
    """Return the settings a TOML file overrides; raise UsageError for a name or value that does not fit."""
    if path is None:
        return record()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not a readable TOML file ({error})") from error
    names = {entry.name for entry in fields(record)}  # type: ignore[arg-type]  # a record of settings is a dataclass
    unknown = sorted(set(values) - names)
    if unknown:
        raise UsageError(f"{path} sets {', '.join(unknown)}: known are {', '.join(sorted(names))}")
    return record(**values)
