"""Open a network file with the engine that suits the machine.

ONNX Runtime runs everywhere. On a GPU it is kept only where its session really reports CUDA, else PyTorch runs the same
file; without either the CPU does the work and `device` says so. FACESWAP_ENGINE forces one engine for experiments:
onnxruntime, openvino (float32), openvino-bf16 or torch.
"""

import ctypes
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import UsageError, WeightsError
from ..options import Device

if TYPE_CHECKING:
    import onnx

ENGINES = ("onnxruntime", "openvino", "openvino-bf16", "torch")
COMPUTE_CAPABILITY_MAJOR, AMPERE = 75, 8  # the driver's number for the attribute, and the first value with TF32


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


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file without opening it in an engine; raise WeightsError where it is none."""
    return {entry.key: entry.value for entry in _read(path).metadata_props}


def count_outputs(path: Path) -> int:
    """Count the outputs of an ONNX file without opening it in an engine; raise WeightsError where it is none."""
    return len(_read(path).graph.output)


def _read(path: Path) -> "onnx.ModelProto":
    import onnx

    try:
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError shares no base with the file errors
        raise WeightsError(f"{path} is no ONNX file: {error}") from error


def gpu_count() -> int:
    """Count the CUDA devices the driver shows, without importing anything heavy."""
    count = ctypes.c_int(0)
    driver = _cuda_driver()
    return count.value if driver is not None and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def rounds_to_tf32() -> bool:
    """Tell whether CUDA's convolutions round float32 to TF32 here: they do from Ampere on, unless it is forbidden."""
    driver = _cuda_driver()
    if driver is None or os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
        return False
    major = ctypes.c_int(0)
    known = driver.cuDeviceGetAttribute(ctypes.byref(major), COMPUTE_CAPABILITY_MAJOR, 0) == 0
    return known and major.value >= AMPERE


def _cuda_driver() -> ctypes.CDLL | None:
    """Return CUDA's driver where it is installed and works."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        if driver.cuInit(0) == 0:
            return driver
    return None


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
