"""Run a network with OpenVINO, at a stated precision.

Left alone OpenVINO picks bfloat16 silently where the processor has it; the hint is always given, so that a
result can be told from another machine's.
"""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..errors import UsageError, WeightsError
from .metadata import read_metadata


class OpenVinoNetwork:
    """One compiled OpenVINO model on the CPU."""

    engine = "openvino"
    device = "cpu"

    def __init__(self, path: Path, precision: str = "f32", threads: int | None = None) -> None:
        self.precision = {"f32": "float32", "bf16": "bfloat16"}[precision]
        self._turn = Lock()  # a second thread's call would write over the first one's inputs
        self._model = _compile(path, precision, threads)
        self.inputs = tuple(port.get_any_name() for port in self._model.inputs)
        self.metadata: Mapping[str, str] = read_metadata(path)

    def run(self, **arrays: np.ndarray) -> list[np.ndarray]:
        """Compute all outputs from one array per input name; of several threads one after another."""
        with self._turn:
            results = self._model(arrays)
        return [results[port] for port in self._model.outputs]


def _compile(path: Path, precision: str, threads: int | None) -> Any:
    try:
        import openvino
    except ImportError as error:
        raise UsageError("FACESWAP_ENGINE asks for openvino, which is not installed: pip install openvino") from error
    hints: dict[str, object] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        hints["INFERENCE_NUM_THREADS"] = threads
    try:
        return openvino.Core().compile_model(str(path), "CPU", hints)
    except RuntimeError as error:
        raise WeightsError(f"{path.name} is no network OpenVINO can open") from error
