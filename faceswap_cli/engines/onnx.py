"""Run a network with ONNX Runtime, on the CPU or where its CUDA provider really works."""

import ctypes
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from ..errors import WeightsError
from .cuda import rounds_to_tf32

_CUDA_LIBRARIES = ("libcublasLt.so.13", "libcublasLt.so.12", "cublasLt64_13.dll", "cublasLt64_12.dll")
_ERRORS_ONLY = 3


class OnnxNetwork:
    """One ONNX Runtime session; `device` is what the session reports, not what was asked."""

    engine = "onnxruntime"

    def __init__(self, path: Path, device: str = "cpu", threads: int | None = None) -> None:
        self._session = _open_session(path, device, threads)
        try:
            self._describe()
        except UnicodeDecodeError as error:
            raise WeightsError(f"{path.name} is a damaged network: its names are no text") from error

    def _describe(self) -> None:
        self.device = "cuda" if "CUDAExecutionProvider" in self._session.get_providers() else "cpu"
        self.precision = "tf32" if self.device == "cuda" and rounds_to_tf32() else "float32"
        self.inputs = tuple(entry.name for entry in self._session.get_inputs())
        self.shapes = {entry.name: entry.shape for entry in self._session.get_inputs()}
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map

    def run(self, **arrays: np.ndarray) -> list[np.ndarray]:
        """Compute all outputs from one array per input name."""
        outputs: list[np.ndarray] = self._session.run(None, arrays)
        return outputs


def session_options(threads: int | None) -> onnxruntime.SessionOptions:
    """Return quiet options for a session of so many CPU threads; None means all cores."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    # Threads that spin while they wait take the cores away from the decoder and the encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def providers_for(device: str) -> list[str]:
    """Ask for CUDA only where its libraries load: the runtime lists the provider even where it cannot work."""
    if device == "cpu" or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return ["CPUExecutionProvider"]
    if not any(_loads(name) for name in _CUDA_LIBRARIES):
        return ["CPUExecutionProvider"]
    return ["CUDAExecutionProvider", "CPUExecutionProvider"]


def _open_session(path: Path, device: str, threads: int | None) -> onnxruntime.InferenceSession:
    providers = providers_for(device)
    try:  # with nothing to fall back to, the runtime would print that it does
        return onnxruntime.InferenceSession(
            str(path), session_options(threads), providers=providers, enable_fallback=int(len(providers) > 1)
        )
    except Exception as error:  # the runtime's own exception classes share no base but this
        raise WeightsError(f"{path.name} is no network ONNX Runtime can open: {_first_line(error)}") from error


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
