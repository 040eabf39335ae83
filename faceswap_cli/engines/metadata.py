"""What an ONNX file says of itself, read without opening it in an engine."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError

if TYPE_CHECKING:
    import onnx


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
