"""Run a network with PyTorch: the same ONNX file, read back by parameter name into the module its metadata names.

For GPUs where ONNX Runtime has no CUDA session. Only this engine imports torch.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from ..errors import WeightsError
from ..networks.export import read_state_dict, wrapped
from ..networks.lite import LiteConfig, SimSwapLite
from ..networks.mobilefaceswap import MobileConfig, MobileFaceSwap
from ..networks.painter import Painter, PainterConfig
from ..networks.parsing import ParseNet, ParseNetConfig
from ..networks.points import FacePoints, FacePointsConfig
from ..networks.simswap import SimSwap, SimSwapConfig, UnitRange
from . import read_metadata

SERVED = (
    "simswap",
    "lite",
    "painter",
    "mobilefaceswap",
    "parsenet",
    "facepoints",
)  # the networks of every frame; the encoder runs once and may stay on the CPU


class TorchNetwork:
    """One torch module in eval mode."""

    engine = "torch"
    precision = "float32"

    def __init__(self, path: Path, device: str = "cpu", threads: int | None = None) -> None:
        self.metadata: Mapping[str, str] = read_metadata(path)
        self.device = device if device == "cpu" or torch.cuda.is_available() else "cpu"
        if threads and self.device == "cpu":
            torch.set_num_threads(threads)
        graph = onnx.load(str(path), load_external_data=False).graph
        weights = {tensor.name for tensor in graph.initializer}
        self.inputs = tuple(entry.name for entry in graph.input if entry.name not in weights)
        self._module = load_module(path, self.metadata).to(self.device)

    @torch.inference_mode()
    def run(self, **arrays: np.ndarray) -> list[np.ndarray]:
        """Compute the output from one array per input name."""
        tensors = [torch.from_numpy(arrays[name]).to(self.device) for name in self.inputs]
        return [self._module(*tensors).cpu().numpy()]


def load_module(path: Path, metadata: Mapping[str, str]) -> nn.Module:
    """Return the network of a file in eval mode; raise WeightsError for one whose metadata names none we can build."""
    name = metadata.get("network", "")
    if name not in SERVED or "configuration" not in metadata:
        raise WeightsError(
            f"{path.name} holds {name or 'no network that says its name'}; torch runs {', '.join(SERVED)}"
        )
    module = _build(name, json.loads(metadata["configuration"]))
    inner, _ = wrapped(module)
    inner.load_state_dict(read_state_dict(path))
    return module.eval()


def _build(name: str, configuration: dict[str, Any]) -> nn.Module:
    shape: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in configuration.items()
    }
    if name == "lite":
        return SimSwapLite(LiteConfig(**shape))
    if name == "painter":
        return Painter(PainterConfig(**shape))
    if name == "mobilefaceswap":
        return MobileFaceSwap(MobileConfig(**shape))
    if name == "parsenet":
        return ParseNet(ParseNetConfig(**shape))
    if name == "facepoints":
        return FacePoints(FacePointsConfig(**shape))
    return UnitRange(SimSwap(SimSwapConfig(**shape)))
