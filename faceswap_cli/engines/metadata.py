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


def shapes_of(path: Path) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Return the shapes of an ONNX file's inputs and of its outputs, without the batch; 0 for what may be any length.

    Raises WeightsError where it is no ONNX file.
    """
    graph = _read(path).graph
    inputs, outputs = (
        [tuple(side.dim_value for side in each.type.tensor_type.shape.dim)[1:] for each in entries]
        for entries in (_without_weights(graph), graph.output)
    )
    return inputs, outputs


def first_nodes(path: Path, count: int = 8) -> list[str]:
    """Return the names of an ONNX file's first nodes; raise WeightsError where it is none."""
    return [node.name for node in _read(path).graph.node[:count]]


def _without_weights(graph: "onnx.GraphProto") -> "list[onnx.ValueInfoProto]":
    """Return what is put in: files of old exporters list their weights among it."""
    weights = {each.name for each in graph.initializer}
    return [each for each in graph.input if each.name not in weights]


def _read(path: Path) -> "onnx.ModelProto":
    import onnx

    try:
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError shares no base with the file errors
        raise WeightsError(f"{path} is no ONNX file: {error}") from error
