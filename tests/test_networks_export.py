import json
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from faceswap_cli.networks.export import Signature, read_metadata, read_state_dict, wrapped, write_onnx
from faceswap_cli.networks.layers import load_strictly
from faceswap_cli.networks.mobilefacenet import FaceEncoder, MobileFaceNet
from faceswap_cli.networks.parsing import ParseNet, ParseNetConfig
from faceswap_cli.networks.simswap import SimSwap, SimSwapConfig, UnitRange

from .golden import recipes

SHAPE = {"width": 8, "max_width": 24, "stages": 2, "blocks": 2, "latent": 16}
SWAP_INPUTS = {"target": torch.rand(1, 3, 32, 32), "identity": torch.randn(1, 16)}
NETWORKS = {
    "published shape": (lambda: UnitRange(SimSwap(SimSwapConfig(**SHAPE))), SWAP_INPUTS),
    "train.py range": (lambda: UnitRange(SimSwap(SimSwapConfig(**SHAPE, convention="imagenet"))), SWAP_INPUTS),
    "ours": (lambda: SimSwap(SimSwapConfig(**SHAPE, norm="instance", skip_scale=2)), SWAP_INPUTS),
    "parser": (lambda: ParseNet(ParseNetConfig(size=32)), {"image": torch.rand(1, 3, 32, 32)}),
    "encoder": (lambda: FaceEncoder(MobileFaceNet()), {"image": torch.rand(1, 3, 112, 112)}),
}


class WrongNames(nn.Module):
    """Its parameter has the name that torch gives to the sum in forward."""

    def __init__(self):
        super().__init__()
        self.add = nn.Parameter(torch.rand(1, 3))

    def forward(self, image):
        return (image + self.add) * 2


class Idle(nn.Module):
    """Owns a layer that forward never calls."""

    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, image):
        return self.used(image)


def randomise(network):
    """Give every parameter and running statistic a value no initialiser would, so that no folding can hide."""
    inner, _ = wrapped(network)
    recipes.fill(inner, "B")
    return network.eval()


def run(path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]


@pytest.fixture(scope="module", params=NETWORKS)
def written(request, tmp_path_factory):
    make, inputs = NETWORKS[request.param]
    network = randomise(make())
    path = tmp_path_factory.mktemp("export") / "network.onnx"
    write_onnx(network, inputs, path, {"network": request.param}, Signature(("out",)))
    return path, network, make, inputs


def test_the_file_loads_back_by_name_and_gives_the_same_output_at_any_batch(written):
    path, _, make, inputs = written
    fresh = make().eval()
    load_strictly(wrapped(fresh)[0], read_state_dict(path))
    for batch in (1, 3):
        several = {name: torch.rand(batch, *value.shape[1:]) for name, value in inputs.items()}
        with torch.no_grad():
            recipes.assert_close(run(path, several), fresh(*several.values()))


def test_half_precision_weights_stay_near_the_trained_ones(written):
    path, network, _, inputs = written
    trained, stored = wrapped(network)[0].state_dict(), read_state_dict(path)
    for name, value in trained.items():
        if name.endswith("num_batches_tracked"):
            continue
        if value.ndim < 2:
            assert torch.equal(stored[name], value)
        torch.testing.assert_close(stored[name], value, rtol=1e-3, atol=1e-6)
    with torch.no_grad():
        recipes.assert_close(run(path, inputs), network(*inputs.values()), 5e-3)


def test_the_file_says_what_it_is_and_nothing_of_where_it_was_made(written):
    path, network, *_ = written
    assert set(read_metadata(path)) == {"network"}
    assert b"site-packages" not in path.read_bytes()
    kinds = {tensor.name: tensor.data_type for tensor in onnx.load(path).graph.initializer}
    for name, value in wrapped(network)[0].state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert kinds[name] == (onnx.TensorProto.FLOAT16 if value.ndim >= 2 else onnx.TensorProto.FLOAT)


def test_a_fresh_network_comes_back_from_its_metadata_alone(tmp_path):
    path = tmp_path / "swap.onnx"
    config = SimSwapConfig(**SHAPE, norm="instance")
    network = SimSwap(config)
    write_onnx(network, SWAP_INPUTS, path, {"configuration": json.dumps(asdict(config))}, Signature(("image",)))
    again = SimSwap(SimSwapConfig(**json.loads(read_metadata(path)["configuration"]))).eval()
    load_strictly(again, read_state_dict(path))
    with torch.no_grad():
        recipes.assert_close(again(*SWAP_INPUTS.values()), run(path, SWAP_INPUTS))
    assert network.training


def test_a_convolution_without_bias_stays_without_and_folds_its_batch_norm(tmp_path):
    path, folded = tmp_path / "plain.onnx", tmp_path / "folded.onnx"
    network = randomise(nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)))
    write_onnx(network, NETWORKS["parser"][1], path, {}, Signature(("maps",)))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folded)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert [node.op_type for node in onnx.load(path).graph.node] == ["Cast", "Conv", "BatchNormalization"]
    assert [node.op_type for node in onnx.load(folded).graph.node] == ["Conv"]


def test_same_weights_give_the_same_bytes(tmp_path):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    for name in ("one.onnx", "two.onnx"):
        write_onnx(network, NETWORKS["parser"][1], tmp_path / name, {"b": "2", "a": "1"}, Signature(("maps",)))
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_height_and_width_can_be_free(tmp_path):
    path = tmp_path / "free.onnx"
    network = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    write_onnx(network, {"image": torch.rand(1, 3, 64, 32)}, path, {}, Signature(("maps",), free_axes=(2, 3)))
    assert run(path, {"image": torch.rand(1, 3, 96, 160)}).shape == (1, 4, 48, 80)


@pytest.mark.parametrize(
    "network, inputs, complaint",
    [
        (WrongNames(), {"image": torch.rand(1, 3)}, "both named add"),
        (Idle(), {"image": torch.rand(2, 2)}, "unused"),
    ],
)
def test_a_network_that_would_not_come_back_is_not_written(tmp_path, network, inputs, complaint):
    with pytest.raises(ValueError, match=complaint):
        write_onnx(network, inputs, tmp_path / "x.onnx", {}, Signature(("out",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [1e5, np.nan])
def test_a_weight_float16_cannot_hold_is_not_written(tmp_path, value):
    network = nn.Linear(2, 2)
    network.weight.data[0, 0] = value
    with pytest.raises(ValueError, match="float16"):
        write_onnx(network, {"image": torch.rand(2, 2)}, tmp_path / "x.onnx", {}, Signature(("out",)))


def test_the_encoder_is_fed_normalised_pictures_by_insightface(tmp_path):
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX

    path = tmp_path / "encoder.onnx"
    network = nn.Sequential(nn.Conv2d(3, 128, 112), nn.Flatten())
    write_onnx(FaceEncoder(network), NETWORKS["encoder"][1], path, {}, Signature(("embedding",)))
    model = ArcFaceONNX(str(path))
    assert (model.input_mean, model.input_std, model.input_size) == (127.5, 127.5, (112, 112))


def test_an_export_leaves_the_filters_of_warnings_to_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They belong to every thread: to change them for a while may leave them changed for good."""
    before, within = list(warnings.filters), []

    def look(*_arguments: object, **_named: object) -> None:
        within.extend(warnings.filters)
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.onnx, "export", look)
    with pytest.raises(KeyboardInterrupt):
        write_onnx(nn.Linear(2, 2), {"image": torch.rand(1, 2)}, tmp_path / "a.onnx", {}, Signature(("out",)))
    assert within == before
