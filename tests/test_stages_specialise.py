"""A generator whose weights depend on the source becomes a plain network, once per source."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="writing the file needs the [train] extra")

from faceswap_cli.engines.select import Network, open_network  # noqa: E402
from faceswap_cli.errors import WeightsError  # noqa: E402
from faceswap_cli.networks.export import Signature, write_onnx  # noqa: E402
from faceswap_cli.networks.mobile_painter import MobilePainter, MobilePainterConfig  # noqa: E402
from faceswap_cli.networks.mobilefaceswap import MobileConfig, MobileFaceSwap  # noqa: E402
from faceswap_cli.options import Options  # noqa: E402
from faceswap_cli.stages import specialise  # noqa: E402
from faceswap_cli.stages.bundle import Part, _part_of  # noqa: E402
from faceswap_cli.stages.generate import NetworkGenerator  # noqa: E402
from faceswap_cli.types import Crop, Face, Identity  # noqa: E402

SIZE, LATENT, SPACE = 64, 16, "test-16"
OPTIONS = Options(device="cpu", threads=1)


SpecialisedNetwork = MobileFaceSwap | MobilePainter


@pytest.fixture(scope="module", params=["vector alone", "painter"])
def network(request: pytest.FixtureRequest) -> SpecialisedNetwork:
    torch.manual_seed(0)
    if request.param == "painter":
        painter = MobilePainter(MobilePainterConfig(size=SIZE, working=32, latent=LATENT, hidden=8)).eval()
        torch.nn.init.normal_(painter.paint.weight, std=0.3)
        return painter
    network = MobileFaceSwap(MobileConfig(latent=LATENT, hidden=8)).eval()
    torch.nn.init.normal_(network.final[-1].weight, std=5.0)  # as if it had learnt to change what it is shown
    return network


def sees_portrait(network: SpecialisedNetwork) -> bool:
    return isinstance(network, MobilePainter)


@pytest.fixture(scope="module")
def part(network: SpecialisedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Part:
    path = tmp_path_factory.mktemp("mobile") / "mobile.onnx"
    examples = {"target": torch.rand(1, 3, SIZE, SIZE), "identity": torch.randn(1, LATENT)}
    configuration = json.dumps(asdict(network.config))
    name = "mobilefaceswap" if isinstance(network, MobileFaceSwap) else "mobile_painter"
    metadata = {"network": name, "configuration": configuration, "size": str(SIZE), "space": SPACE}
    if sees_portrait(network):
        examples["portrait"] = torch.rand(1, 4, SIZE, SIZE)
        metadata["points"] = "points"
    write_onnx(network, examples, path, metadata, Signature(("image",), single=("identity",)))
    return _part_of(path, "generator")


def who(seed: int, space: str = SPACE) -> Identity:
    vector = np.random.default_rng(seed).standard_normal(LATENT).astype(np.float32)
    return Identity(vector / np.linalg.norm(vector), space)


def crops(count: int) -> list[Crop]:
    images = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    return [Crop(image, np.eye(2, 3), Face(np.zeros(4), np.zeros((5, 2)), 1.0)) for image in images]


def warped(network: SpecialisedNetwork, count: int) -> list[np.ndarray]:
    """Portraits over the crops, for a network that is shown some."""
    layers = np.random.default_rng(1).integers(0, 256, (count, SIZE, SIZE, 4), dtype=np.uint8)
    return list(layers) if sees_portrait(network) else []


def swapped(network: SpecialisedNetwork, identity: Identity, count: int) -> np.ndarray:
    """What PyTorch makes of the crops, in grey levels."""
    layers = [[crop.image for crop in crops(count)], warped(network, count)]
    tensors = [torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2) / 255 for each in layers if each]
    with torch.no_grad():
        image = network(tensors[0], torch.from_numpy(identity.embedding)[None], *tensors[1:])
    return image.permute(0, 2, 3, 1).numpy() * 255


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "torch"])
def test_every_engine_computes_what_torch_does(
    part: Part, network: SpecialisedNetwork, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    monkeypatch.setenv("FACESWAP_ENGINE", engine)
    opened = specialise.open_generator(part, who(1), OPTIONS)
    assert opened.engine == engine
    images = NetworkGenerator(opened, part.contract, who(1)).generate(crops(2), warped(network, 2))
    expected = swapped(network, who(1), 2)
    assert np.abs(np.stack(images) - expected).max() <= 1  # a grey level: float16 weights, rounding


def test_what_runs_for_each_frame_is_plain_and_small(
    part: Part, network: SpecialisedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[onnx.ModelProto] = []

    def remember(path: Path, *rest: object) -> Network:
        seen.append(onnx.load(path))
        return open_network(path, "cpu", 1)

    monkeypatch.setattr(specialise, "open_network", remember)
    opened = specialise.open_generator(part, who(1), OPTIONS)
    assert opened.inputs == ("target", "portrait")[: 1 + sees_portrait(network)]
    frame = specialise._dependent(seen[-1].graph, *opened.inputs)
    assert not [node for node in seen[-1].graph.node if node.op_type == "Conv" and node.input[1] in frame]
    products = [node for node in seen[-1].graph.node if node.op_type in ("MatMul", "Gemm")]
    assert not [node for node in products if frame.issuperset(node.input)]  # each has a constant: fields are enlarged
    numbers = sum(int(np.prod(one.dims)) for one in seen[-1].graph.initializer)
    assert numbers < 500_000


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which inputs each run of a network was given."""
    seen: list[str] = []

    class Watched:
        def __init__(self, inner: Network) -> None:
            self.inner = inner
            self.inputs, self.engine, self.device = inner.inputs, inner.engine, inner.device

        def run(self, **arrays: np.ndarray) -> list[np.ndarray]:
            seen.append(" ".join(sorted(arrays)))
            return self.inner.run(**arrays)

    monkeypatch.setattr(specialise, "open_network", lambda *words: Watched(open_network(*words)))
    yield seen


def test_the_source_is_looked_at_once_whatever_the_number_of_frames(
    part: Part, network: SpecialisedNetwork, runs: list[str]
) -> None:
    opened = specialise.open_generator(part, who(1), OPTIONS)
    swap = NetworkGenerator(opened, part.contract, who(1))
    for _ in range(3):
        swap.generate(crops(2), warped(network, 2))
    assert runs == ["identity"] + [" ".join(sorted(opened.inputs))] * 6


def test_another_source_gives_another_picture(part: Part, network: SpecialisedNetwork) -> None:
    one, other = (
        NetworkGenerator(specialise.open_generator(part, who(seed), OPTIONS), part.contract, who(seed)).generate(
            crops(1), warped(network, 1)
        )
        for seed in (1, 2)
    )
    assert np.abs(one[0].astype(int) - other[0]).max() > 1


def test_nothing_is_left_behind(part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    specialise.open_generator(part, who(1), OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_identity_is_refused(part: Part) -> None:
    foreign = who(1, "arcface-512")
    with pytest.raises(WeightsError, match="arcface-512"):
        NetworkGenerator(specialise.open_generator(part, foreign, OPTIONS), part.contract, foreign)


def test_any_other_generator_is_opened_as_it_is(tinting_generator: Path) -> None:
    opened = specialise.open_generator(_part_of(tinting_generator, "generator"), who(1), OPTIONS)
    assert set(opened.inputs) == {"target", "identity"}


def test_a_file_that_names_the_network_falsely_is_a_weights_error(tmp_path: Path, tinting_generator: Path) -> None:
    model = onnx.load(tinting_generator)
    onnx.helper.set_model_props(model, {"network": "mobilefaceswap", "size": "64", "space": SPACE})
    for node in model.graph.node:
        node.input[:] = ["target" if name == "plane" else name for name in node.input]
    onnx.save(model, tmp_path / "false.onnx")
    with pytest.raises(WeightsError, match="export it again"):
        specialise.open_generator(_part_of(tmp_path / "false.onnx", "generator"), who(1), OPTIONS)
