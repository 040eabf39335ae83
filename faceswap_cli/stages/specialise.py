"""Make a generator for one source: the identity is fixed once, before the first frame, and folded into the file.

MobileFaceSwap's weights are themselves computed from the identity. The part of the graph that depends on the identity
alone is cut off and run once; what it gives takes its place among the other part's constants. What remains is a plain
network of crops and, where it is shown them, portraits, which any engine runs, and which is small. PyTorch runs the
file as it is: there the source's part costs a GPU next to nothing.
"""

import tempfile
from collections.abc import Hashable, Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..engines.metadata import read_metadata
from ..engines.select import Network, open_network
from ..errors import WeightsError
from ..options import Options
from ..types import Identity
from .bundle import Part

SPECIALISED = ("mobilefaceswap", "mobile_painter")  # networks whose weights depend on the source
FRAME = ("target", "portrait")  # inputs that are new with every frame


def generator_key(part: Part, identity: Identity, options: Options) -> Hashable:
    """Return all that an opened generator depends on: the identity, too, where it is folded in."""
    special = read_metadata(part.path).get("network") in SPECIALISED
    return ("generator", part.path, options.device, options.threads, identity.embedding.tobytes() if special else b"")


def open_generator(part: Part, identity: Identity, options: Options) -> Network:
    """Open a generator's file for one source; raise WeightsError where it is damaged or understands other identities.

    The result takes `target` and `identity`, or no identity where that is a constant of it.
    """
    if read_metadata(part.path).get("network") not in SPECIALISED:
        return open_network(part.path, options.device, options.threads)
    whole = open_network(part.path, options.device, options.threads)
    if identity.space != part.contract.space or whole.engine == "torch":
        return whole  # of a foreign space: refused by whoever uses it, as with any generator
    with tempfile.TemporaryDirectory(prefix="faceswap-", ignore_cleanup_errors=True) as folder:
        source_part, frame_part = Path(folder, "source.onnx"), Path(folder, part.path.name)
        model = onnx.load(part.path)
        names = _crossing(model.graph)
        onnx.save(_part(model, ["identity"], names), source_part)
        values = open_network(source_part, "cpu", options.threads).run(identity=identity.embedding[None])
        onnx.save(_filled(model, dict(zip(names, values, strict=True))), frame_part)
        return open_network(frame_part, options.device, options.threads)


def _crossing(graph: onnx.GraphProto) -> list[str]:
    """Return the tensors that depend on the identity alone and are used where the target matters."""
    source, frame = _dependent(graph, "identity"), _dependent(graph, *FRAME)
    used = {name for node in graph.node if frame.intersection(node.output) for name in node.input}
    crossing = sorted((source - frame) & used)
    if not crossing or "identity" in crossing:
        raise WeightsError("the generator has no part that depends on its identity alone: export it again")
    return crossing


def _dependent(graph: onnx.GraphProto, *names: str) -> set[str]:
    """Return every tensor computed from some inputs, and these."""
    found = set(names)
    for node in graph.node:
        if found.intersection(node.input):
            found.update(node.output)
    return found


def _part(model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    """Return the part of a model that leads from some inputs to some tensors."""
    nodes = _leading_to(model.graph, outputs, ())
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    return _model(model, nodes, [one for one in model.graph.input if one.name in inputs], shapes)


def _filled(model: onnx.ModelProto, constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Return the model with some tensors fixed, without what computed them."""
    outputs = [one.name for one in model.graph.output]
    nodes = _leading_to(model.graph, outputs, constants)
    inputs = [one for one in model.graph.input if one.name in FRAME]
    filled = _model(model, nodes, inputs, list(model.graph.output))
    filled.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return filled


def _leading_to(graph: onnx.GraphProto, outputs: list[str], known: Iterable[str]) -> list[onnx.NodeProto]:
    """Return the nodes that compute some tensors from the inputs and from what is known, in order."""
    wanted, known, nodes = set(outputs), set(known), []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted.update(set(node.input) - known)
    return nodes[::-1]


def _model(
    model: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
) -> onnx.ModelProto:
    used = {name for node in nodes for name in node.input}
    weights = [one for one in model.graph.initializer if one.name in used]
    graph = helper.make_graph(nodes, model.graph.name, inputs, outputs, weights)
    made = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    made.metadata_props.extend(model.metadata_props)
    return made
