"""One file per network: ONNX for the engines, and the same file read back into torch by parameter name.

Initialisers carry the state-dict names. Weights of rank 2 and more of networks of ours are stored as float16 under
their own name with one Cast behind each, which halves the file; engines fold the cast when they load it.
"""

import copy
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

OPSET = 18
# Initialisers that are not parameters (constants of a wrapper) get this prefix; no state-dict name contains a slash.
CONSTANT = "constant/"
BATCH_COUNTER = "num_batches_tracked"


@dataclass(frozen=True, slots=True)
class Signature:
    """Names of a graph's outputs, and which axes of its inputs are free: the batch, or (2, 3) for a detector.

    Inputs named in `single` keep the shape of their example: one identity serves a whole batch. `half` stores large
    weights as float16: a trained network loses 2e-4 by it, a published one its exactness.
    """

    outputs: tuple[str, ...]
    free_axes: tuple[int, ...] = (0,)
    single: tuple[str, ...] = ()
    half: bool = True


def write_onnx(
    module: nn.Module,
    example_inputs: Mapping[str, Tensor],
    path: Path,
    metadata: Mapping[str, str],
    signature: Signature,
) -> None:
    """Write `module` in eval mode, with inputs named and shaped as in `example_inputs`, atomically to `path`.

    A module whose one child holds all its weights is a wrapper: names are the child's, so that the file loads into the
    bare network. Raises ValueError for a weight that the graph does not use or that float16 cannot hold.
    """
    frozen = copy.deepcopy(module).cpu().float().eval()
    model = _trace(frozen, example_inputs, signature)
    _forget_origin(model)
    _drop_made_biases(model.graph)
    _name_as_state(model.graph, frozen)
    if signature.half:
        _store_as_half(model.graph)
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(model.SerializeToString(deterministic=True))
    os.replace(unfinished, path)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Return the parameters and buffers in a file made by `write_onnx`, float32, fit for a strict load."""
    state = {}
    for tensor in onnx.load(path).graph.initializer:
        if not tensor.name.startswith(CONSTANT):
            state[tensor.name] = torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
    owners = [name.removesuffix("running_var") for name in state if name.endswith("running_var")]
    return state | {f"{owner}{BATCH_COUNTER}": torch.tensor(0) for owner in owners}


def read_metadata(path: Path) -> dict[str, str]:
    """Return what `write_onnx` was given as metadata."""
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def wrapped(module: nn.Module) -> tuple[nn.Module, str]:
    """Return the network that holds the weights, and the prefix its names have inside `module`."""
    owners = {key.partition(".")[0] for key in module.state_dict()}
    children = dict(module.named_children())
    if len(owners) != 1 or not owners <= children.keys() or len(children) != 1:
        return module, ""
    name = owners.pop()
    inner, prefix = wrapped(children[name])
    return inner, f"{name}.{prefix}"


def _trace(module: nn.Module, example_inputs: Mapping[str, Tensor], signature: Signature) -> onnx.ModelProto:
    """Export without the optimiser, which folds batch norms into weights that keep their names."""
    # A batch of one would be taken for a constant.
    copies = 2 if 0 in signature.free_axes else 1
    batched = {
        name: value if name in signature.single else torch.cat([value[:1]] * copies)
        for name, value in example_inputs.items()
    }
    # It logs that torchvision, which we do not use, is missing. Not put back: two threads would put back each other's.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        module,
        tuple(batched.values()),
        dynamo=True,
        optimize=False,
        verbose=False,
        opset_version=OPSET,
        input_names=list(batched),
        output_names=list(signature.outputs),
        dynamic_shapes=tuple(
            {} if name in signature.single else _free(value, signature) for name, value in batched.items()
        ),
    )
    assert program is not None, "torch.onnx.export gives the program where dynamo is asked for"
    return program.model_proto


def _free(value: Tensor, signature: Signature) -> dict[int, str]:
    names = ("batch", "channels", "height", "width")
    return {axis: names[axis] for axis in signature.free_axes if axis < value.ndim}


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes: they hold stack traces with paths of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")


def _drop_made_biases(graph: onnx.GraphProto) -> None:
    """Take away the zeros that the exporter computes as the bias of a convolution without one.

    They stand in the way of folding the batch norm behind it: the network then runs at half its speed.
    """
    zeros = {node.output[0] for node in graph.node if node.op_type == "Expand"}
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 3 and node.input[2] in zeros:
            del node.input[2]
    while True:
        needed = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
        idle = [node for node in graph.node if not needed.intersection(node.output)]
        if not idle:
            return
        for node in idle:
            graph.node.remove(node)


def _name_as_state(graph: onnx.GraphProto, module: nn.Module) -> None:
    """Give each initialiser its state-dict name in the bare network, or mark it as a constant."""
    inner, prefix = wrapped(module)
    needed = {key for key in inner.state_dict() if not key.endswith(BATCH_COUNTER)}
    computed = {name for node in graph.node for name in node.output}
    renamed = {}
    for tensor in graph.initializer:
        if tensor.name in computed:
            raise ValueError(
                f"A weight and a step of the graph are both named {tensor.name}: call the weight otherwise."
            )
        key = tensor.name.removeprefix(prefix)
        renamed[tensor.name] = key if key in needed else f"{CONSTANT}{tensor.name}"
        tensor.name = renamed[tensor.name]
    _rename_inputs(graph, renamed)
    unused = needed - set(renamed.values())
    if unused:
        raise ValueError(f"The graph does not use {len(unused)} weights of the network, such as {min(unused)}.")


def _store_as_half(graph: onnx.GraphProto) -> None:
    """Turn float32 weights of rank >= 2 into float16 with one Cast each."""
    casts, renamed = [], {}
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2 or tensor.name.startswith(CONSTANT):
            continue
        values = numpy_helper.to_array(tensor)
        if not np.abs(values).max() <= np.finfo(np.float16).max:
            raise ValueError(f"{tensor.name} holds {np.abs(values).max()}, more than float16 can.")
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
        renamed[tensor.name] = f"{tensor.name}/float32"
        casts.append(onnx.helper.make_node("Cast", [tensor.name], [renamed[tensor.name]], to=onnx.TensorProto.FLOAT))
    _rename_inputs(graph, renamed)
    nodes = [*casts, *graph.node]
    graph.ClearField("node")
    graph.node.extend(nodes)


def _rename_inputs(graph: onnx.GraphProto, renamed: Mapping[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
