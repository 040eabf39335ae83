"""Open a network file with the engine that suits the machine.

ONNX Runtime runs everywhere. On a GPU it is kept only where its session really reports CUDA, else PyTorch runs the same
file; without either the CPU does the work and `device` says so. FACESWAP_ENGINE forces one engine for experiments:
onnxruntime, openvino (float32), openvino-bf16 or torch.
"""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import UsageError
from ..options import Device
from .cuda import gpu_count

ENGINES = ("onnxruntime", "openvino", "openvino-bf16", "torch")


class Network(Protocol):
    """A network ready to run, whatever runs it."""

    engine: str  # "onnxruntime", "openvino" or "torch"
    device: str  # "cpu" or "cuda": where it really runs
    precision: str  # "float32", "tf32" (float32 whose products keep 10 bits of mantissa), "bfloat16"
    inputs: tuple[str, ...]
    metadata: Mapping[str, str]  # the file's metadata_props

    def run(self, **arrays: np.ndarray) -> list[np.ndarray]:
        """Compute the outputs, in the file's order, from one array per input name."""
        ...


def open_network(path: Path, device: Device = "auto", threads: int | None = None) -> Network:
    """Open an ONNX file; raise WeightsError where it is none."""
    forced = os.environ.get("FACESWAP_ENGINE")
    if forced:
        return _open_forced(forced, path, device, threads)
    if device == "cpu" or gpu_count() == 0:
        return _open_onnx(path, "cpu", threads)
    network = _open_onnx(path, "cuda", threads)
    if network.device == "cuda" or not _torch_serves(network.metadata):
        return network
    from .torch import TorchNetwork

    return TorchNetwork(path, "cuda", threads)


def _open_onnx(path: Path, device: str, threads: int | None) -> Network:
    from .onnx import OnnxNetwork

    return OnnxNetwork(path, device, threads)


def _open_forced(engine: str, path: Path, device: str, threads: int | None) -> Network:
    if engine not in ENGINES:
        raise UsageError(f"FACESWAP_ENGINE is {engine!r}: choose one of {', '.join(ENGINES)}")
    if engine == "onnxruntime":
        return _open_onnx(path, "cuda" if device != "cpu" and gpu_count() else "cpu", threads)
    if engine == "torch":
        from .torch import TorchNetwork

        return TorchNetwork(path, "cuda" if device != "cpu" and gpu_count() else "cpu", threads)
    from .openvino import OpenVinoNetwork

    return OpenVinoNetwork(path, "bf16" if engine.endswith("bf16") else "f32", threads)


def _torch_serves(metadata: Mapping[str, str]) -> bool:
    """Tell whether PyTorch is installed and knows the network the file names."""
    if importlib.util.find_spec("torch") is None:
        return False
    from .torch import SERVED

    return metadata.get("network") in SERVED
