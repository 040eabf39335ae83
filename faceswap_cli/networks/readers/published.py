"""The checkpoints others published: which network a state dict is, and our ONNX file of it.

Names are those of the catalogue. A state dict is told by the names and shapes of its tensors; the shallow generator of
SimSwap's own train.py has those of the official one, so it must be asked for by name.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ...errors import WeightsError
from ..arcface import ArcFace, ArcFaceWithMap, load_arcface
from ..export import Signature, write_onnx
from ..injection import IDENTITY
from ..layers import load_strictly
from ..mobilefaceswap import PUBLISHED as MOBILE
from ..mobilefaceswap import MobileFaceSwap
from ..parsing import BiSeNet, load_bisenet, main_head
from ..simswap import (
    OFFICIAL_224,
    OFFICIAL_512,
    TRAIN_DEEP,
    TRAIN_SHALLOW,
    SimSwap,
    SimSwapConfig,
    UnitRange,
    load_simswap,
)
from .paddle import SUFFIX, read_paddle
from .pickles import read_state

State = Mapping[str, Tensor]
Framework = Literal["torch", "paddle"]


@dataclass(frozen=True, slots=True)
class Published:
    """One published network: how to build it, and how its ONNX file is called and fed."""

    network: str  # as our files' metadata names it
    build: Callable[[], nn.Module]  # without weights, for its tensors' names and shapes
    load: Callable[[State], nn.Module]  # the module that is exported
    inputs: dict[str, tuple[int, ...]]
    output: str
    configuration: Mapping[str, object]
    framework: Framework = "torch"  # whose file it is; told by the file's name, since ArcFace exists in both
    single: tuple[str, ...] = ()  # inputs without a batch


def read_published(path: Path) -> tuple[State, Framework]:
    """Return the tensors of a checkpoint, as torch names them, and who wrote it; WeightsError for anything else."""
    return (read_paddle(path), "paddle") if path.suffix.lower() == SUFFIX else (read_state(path), "torch")


def _generator(config: SimSwapConfig, size: int) -> Published:
    return Published(
        network="simswap",
        build=lambda: SimSwap(config),
        load=lambda state: UnitRange(load_simswap(state, config)),
        inputs={"target": (1, 3, size, size), "identity": (1, config.latent)},
        output="image",
        configuration=asdict(config),
    )


def _load_main_head(state: State) -> nn.Module:
    return main_head(load_bisenet(state))


def _load_mobile(state: State) -> nn.Module:
    network = MobileFaceSwap(MOBILE)
    load_strictly(network, state)
    return network.eval()


PUBLISHED = {
    "simswap-224": _generator(OFFICIAL_224, 224),
    "simswap-512": _generator(OFFICIAL_512, 512),
    "simswap-train": _generator(TRAIN_SHALLOW, 224),
    "simswap-train-deep": _generator(TRAIN_DEEP, 512),
    "simswap-arcface": Published("arcface", ArcFace, load_arcface, {"image": (1, 3, 112, 112)}, "embedding", {}),
    "bisenet": Published("bisenet-main-head", BiSeNet, _load_main_head, {"image": (1, 3, 512, 512)}, "logits", {}),
    "mobilefaceswap-224": Published(
        network="mobilefaceswap",
        build=lambda: MobileFaceSwap(MOBILE),
        load=_load_mobile,
        inputs={"target": (1, 3, 224, 224), "identity": (1, IDENTITY)},
        output="image",
        configuration=asdict(MOBILE),
        framework="paddle",
        single=("identity",),
    ),
    "mobilefaceswap-arcface": Published(
        network="arcface-with-map",
        build=ArcFace,
        load=lambda state: ArcFaceWithMap(load_arcface(state)),
        inputs={"image": (1, 3, 112, 112)},
        output="embedding",
        configuration={},
        framework="paddle",
    ),
}


def recognise(state: State, framework: Framework = "torch") -> str:
    """Return the name of the network whose tensors these are; raise WeightsError when it is none we know.

    Where several fit, the one with the most tensors is meant: a deep generator has all those of a shallow one.
    """
    shapes = {name: wanted for name, wanted in _shapes().items() if PUBLISHED[name].framework == framework}
    fitting = {name: len(wanted) for name, wanted in shapes.items() if wanted.items() <= _shapes_of(state).items()}
    if fitting:
        return max(fitting, key=lambda name: fitting[name])
    raise WeightsError(
        f"its {len(state)} tensors are those of no published network we know ({', '.join(PUBLISHED)}); "
        f"a network you trained here comes in with `faceswap export`"
    )


def _shapes() -> dict[str, dict[str, torch.Size]]:
    with torch.device("meta"):
        return {name: _shapes_of(published.build().state_dict()) for name, published in PUBLISHED.items()}


def _shapes_of(state: State) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in state.items()}


def write_published(name: str, state: State, path: Path, metadata: Mapping[str, str], *, half: bool) -> None:
    """Write the ONNX file of a published network, its weights as published or, for half the size, as float16.

    Raises WeightsError when the state dict is another network's.
    """
    published = PUBLISHED[name]
    head = {"network": published.network, "configuration": json.dumps(published.configuration)}
    examples = {key: torch.rand(shape) for key, shape in published.inputs.items()}
    signature = Signature((published.output,), single=published.single, half=half)
    write_onnx(published.load(state), examples, path, {**head, **metadata}, signature)
