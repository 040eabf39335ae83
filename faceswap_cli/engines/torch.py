"""Run a network with PyTorch: the same ONNX file, read back by parameter name into the module its metadata names.

For GPUs where ONNX Runtime has no CUDA session. Only this engine imports torch.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from ..errors import WeightsError
from ..networks.arcface import ArcFace, ArcFaceWithMap
from ..networks.detector import FaceDetector, FaceDetectorConfig
from ..networks.export import read_state_dict, wrapped
from ..networks.mobile_painter import MobilePainter, MobilePainterConfig
from ..networks.mobilefacenet import FaceEncoder, MobileFaceNet
from ..networks.mobilefaceswap import MobileConfig, MobileFaceSwap
from ..networks.painter import Painter, PainterConfig
from ..networks.parsing import ParseNet, ParseNetConfig, main_head
from ..networks.points import FacePoints, FacePointsConfig
from ..networks.simswap import SimSwap, SimSwapConfig, UnitRange
from .cuda import rounds_to_tf32
from .metadata import read_metadata

SERVED: dict[str, Callable[..., nn.Module]] = {  # what a file calls its network -> the module of its configuration
    "simswap": lambda **shape: UnitRange(SimSwap(SimSwapConfig(**shape))),
    "painter": lambda **shape: Painter(PainterConfig(**shape)),
    "mobile_painter": lambda **shape: MobilePainter(MobilePainterConfig(**shape)),
    "mobilefaceswap": lambda **shape: MobileFaceSwap(MobileConfig(**shape)),
    "parsenet": lambda **shape: ParseNet(ParseNetConfig(**shape)),
    "facepoints": lambda **shape: FacePoints(FacePointsConfig(**shape)),
    "mobilefacenet": lambda **shape: FaceEncoder(MobileFaceNet(**shape)),
    "detector": lambda **shape: FaceDetector(FaceDetectorConfig(**shape)),
    "arcface": ArcFace,
    "arcface-with-map": lambda: ArcFaceWithMap(ArcFace()),
    "bisenet-main-head": main_head,
}
GONE = "lite"  # what files of the generator before the painter call their network


class TorchNetwork:
    """One torch module in eval mode."""

    engine = "torch"

    def __init__(self, path: Path, device: str = "cpu", threads: int | None = None) -> None:
        self.metadata: Mapping[str, str] = read_metadata(path)
        self.device = device if device == "cpu" or torch.cuda.is_available() else "cpu"
        tensor_cores = self.device == "cuda" and torch.backends.cudnn.allow_tf32 and rounds_to_tf32()
        self.precision = "tf32" if tensor_cores else "float32"
        if threads and self.device == "cpu":
            torch.set_num_threads(threads)
        graph = onnx.load(str(path), load_external_data=False).graph
        weights = {tensor.name for tensor in graph.initializer}
        self.inputs = tuple(entry.name for entry in graph.input if entry.name not in weights)
        self._module = load_module(path, self.metadata).to(self.device)

    @torch.inference_mode()
    def run(self, **arrays: np.ndarray) -> list[np.ndarray]:
        """Compute all outputs from one array per input name."""
        tensors = [torch.from_numpy(arrays[name]).to(self.device) for name in self.inputs]
        outputs = self._module(*tensors)
        every = (outputs,) if isinstance(outputs, Tensor) else outputs
        return [output.cpu().numpy() for output in every]


def load_module(path: Path, metadata: Mapping[str, str]) -> nn.Module:
    """Return the network of a file in eval mode; raise WeightsError for one whose metadata names none we can build."""
    name = metadata.get("network", "")
    if name == GONE:
        raise WeightsError(
            f"{path.name} holds a SimSwap-lite, which the painter has replaced: ONNX Runtime and OpenVINO still swap "
            "with it, PyTorch and trainings do not; `faceswap train` makes a painter"
        )
    if name not in SERVED or "configuration" not in metadata:
        raise WeightsError(
            f"{path.name} holds {name or 'no network that says its name'}; torch runs {', '.join(SERVED)}"
        )
    module = SERVED[name](**_shape(json.loads(metadata["configuration"])))
    inner, _ = wrapped(module)
    inner.load_state_dict(read_state_dict(path))
    return module.eval()


def _shape(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as its record takes it: with tuples where JSON has lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in configuration.items()}
