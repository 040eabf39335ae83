"""Engines: the same file gives the same numbers whatever runs it, and what really runs is told."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceswap_cli.engines import cuda
from faceswap_cli.engines.metadata import read_metadata
from faceswap_cli.engines.select import open_network
from faceswap_cli.errors import UsageError, WeightsError
from faceswap_cli.store import models

SIZE = 64


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "target": rng.random((2, 3, SIZE, SIZE), dtype=np.float32),
        "identity": rng.standard_normal((2, 256)).astype(np.float32) / 16,
    }


def test_the_contract_of_a_file_can_be_read(tinting_generator: Path) -> None:
    network = open_network(tinting_generator, "cpu", 1)
    assert set(network.inputs) == {"target", "identity"}
    assert (network.engine, network.device, network.precision) == ("onnxruntime", "cpu", "float32")
    assert dict(network.metadata) == read_metadata(tinting_generator)
    assert network.metadata["size"] == str(SIZE)


def test_metadata_that_is_no_text_is_a_weights_error(tmp_path: Path, tinting_generator: Path) -> None:
    content = tinting_generator.read_bytes()
    path = tmp_path / "a.onnx"
    path.write_bytes(content.replace(b"simswap-frontal", b"simswap-front\xff\xfe"))
    with pytest.raises(WeightsError):
        open_network(path, "cpu", 1)


def test_a_damaged_network_prints_nothing(
    tmp_path: Path, tinting_generator: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.onnx"
    for old, new in ((b"MatMul", b"MatM\xff\xfe"), (b"identity", b"\xff\xfeentity")):
        path.write_bytes(tinting_generator.read_bytes().replace(old, new))
        with pytest.raises(WeightsError):
            open_network(path, "cpu", 1)
    assert capfd.readouterr().out == ""


def test_any_batch_size_is_taken(tinting_generator: Path, arrays: dict[str, np.ndarray]) -> None:
    network = open_network(tinting_generator, "cpu", 1)
    (both,) = network.run(**arrays)
    (first,) = network.run(**{name: array[:1] for name, array in arrays.items()})
    np.testing.assert_array_equal(both[:1], first)


@pytest.mark.parametrize(
    ("engine", "precision", "tolerance"), [("openvino", "float32", 1e-5), ("openvino-bf16", "bfloat16", 2e-2)]
)
def test_another_engine_gives_the_same_picture(
    tinting_generator: Path,
    arrays: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    precision: str,
    tolerance: float,
) -> None:
    pytest.importorskip("openvino")
    expected = open_network(tinting_generator, "cpu", 1).run(**arrays)[0]
    monkeypatch.setenv("FACESWAP_ENGINE", engine)
    network = open_network(tinting_generator, "cpu", 1)
    assert (network.engine, network.precision) == ("openvino", precision)
    np.testing.assert_allclose(network.run(**arrays)[0], expected, atol=tolerance)


def test_torch_runs_the_file_of_a_network_of_ours_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from faceswap_cli.networks.export import Signature, write_onnx
    from faceswap_cli.networks.simswap import SimSwap, SimSwapConfig, UnitRange

    torch.manual_seed(0)
    config = SimSwapConfig(width=4, max_width=8, blocks=1, latent=16)
    examples = {"target": torch.rand(1, 3, SIZE, SIZE), "identity": torch.randn(1, 16)}
    metadata = {"network": "simswap", "configuration": json.dumps(asdict(config))}
    path = tmp_path / "small.onnx"
    write_onnx(UnitRange(SimSwap(config)).eval(), examples, path, metadata, Signature(("image",)))
    arrays = {name: tensor.numpy() for name, tensor in examples.items()}
    expected = open_network(path, "cpu", 1).run(**arrays)[0]
    monkeypatch.setenv("FACESWAP_ENGINE", "torch")
    network = open_network(path, "cpu", 1)
    assert network.engine == "torch"
    np.testing.assert_allclose(network.run(**arrays)[0], expected, atol=1e-4)


EMBEDDED = [each.name for each in models.catalogue().values() if each.embedded and models.is_present(each)]
FREE = 96  # pixels, for a side that a network leaves open


def inputs_of(name: str) -> dict[str, np.ndarray]:
    """Random pictures in the range the network expects, an identity of length 1; the same on every machine."""
    rng = np.random.default_rng(0)
    arrays = {}
    for key, shape in open_network(models.locate(name), "cpu", 1).shapes.items():
        size = [1 if side == "batch" else FREE if isinstance(side, str) else side for side in shape]
        values = rng.random(size, dtype=np.float32)
        low = -1 if models.entry(name).input_range == "-1..1" or name == "detector" else 0
        arrays[key] = values * (1 - low) + low
        if key == "identity":
            vector = rng.standard_normal(size).astype(np.float32)
            arrays[key] = vector / np.linalg.norm(vector)
    return arrays


@pytest.mark.parametrize("engine", ["openvino", "torch"])
@pytest.mark.parametrize("name", EMBEDDED)
def test_every_embedded_network_computes_on_every_engine_what_onnx_runtime_does(
    name: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(engine)
    arrays = inputs_of(name)
    expected = open_network(models.locate(name), "cpu", 1).run(**arrays)
    monkeypatch.setenv("FACESWAP_ENGINE", engine)
    network = open_network(models.locate(name), "cpu", 1)
    found = network.run(**arrays)
    assert (network.engine, network.device, network.precision) == (engine, "cpu", "float32")
    assert set(network.inputs) == set(arrays)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4 * max(1, np.abs(theirs).max()))


@pytest.mark.parametrize(
    ("major", "forbidden", "told"), [(7, "", False), (8, "", True), (9, "", True), (9, "0", False)]
)
def test_tf32_is_told_from_ampere_on_unless_it_is_forbidden(
    major: int, forbidden: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Driver:
        def cuDeviceGetAttribute(self, place: Any, attribute: int, device: int) -> int:  # noqa: N802 (CUDA's name)
            assert (attribute, device) == (75, 0)
            place._obj.value = major
            return 0

    monkeypatch.setattr(cuda, "_cuda_driver", Driver)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", forbidden)
    assert cuda.rounds_to_tf32() == told


def test_without_a_driver_nothing_is_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_cuda_driver", lambda: None)
    assert not cuda.rounds_to_tf32()


def test_two_threads_get_their_own_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip is located with the parser in one thread while it is swapped with it in another.

    Without turns OpenVINO gave 2 of 24 answers to the other thread's picture.
    """
    pytest.importorskip("openvino")
    asked = [inputs_of("parser"), {name: 1 - array for name, array in inputs_of("parser").items()}]
    monkeypatch.setenv("FACESWAP_ENGINE", "openvino")
    network = open_network(models.locate("parser"), "cpu", 1)
    expected = [network.run(**arrays)[0].copy() for arrays in asked]
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(lambda turn: network.run(**asked[turn % 2])[0], range(48)))
    assert all(np.array_equal(each, expected[turn % 2]) for turn, each in enumerate(made))


def test_torch_refuses_a_network_it_does_not_know(tinting_generator: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("FACESWAP_ENGINE", "torch")
    with pytest.raises(WeightsError, match="simswap"):
        open_network(tinting_generator)


def test_an_unknown_engine_is_refused(tinting_generator: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESWAP_ENGINE", "tensorrt")
    with pytest.raises(UsageError, match="tensorrt"):
        open_network(tinting_generator)


@pytest.mark.parametrize("content", [b"", b"not a network at all" * 50])
def test_a_file_that_is_no_network_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    with pytest.raises(WeightsError, match=r"broken\.onnx"):
        open_network(broken, "cpu")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.onnx"):
        open_network(tmp_path / "gone.onnx", "cpu")


def test_without_a_gpu_the_cpu_is_what_is_told(tinting_generator: Path) -> None:
    if cuda.gpu_count() > 0:
        pytest.skip("this machine has a GPU")
    assert open_network(tinting_generator, "cuda").device == "cpu"


@pytest.mark.gpu
def test_a_gpu_gives_the_cpus_picture(tinting_generator: Path, arrays: dict[str, np.ndarray]) -> None:
    if cuda.gpu_count() == 0:
        pytest.skip("no CUDA device")
    expected = open_network(tinting_generator, "cpu").run(**arrays)[0]
    np.testing.assert_allclose(open_network(tinting_generator, "cuda").run(**arrays)[0], expected, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("name", EMBEDDED)
def test_on_a_gpu_every_embedded_network_computes_what_the_cpu_does_and_tells_its_precision(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cuda.gpu_count() == 0:
        pytest.skip("no CUDA device")
    arrays = inputs_of(name)
    expected = open_network(models.locate(name), "cpu").run(**arrays)
    monkeypatch.setenv("FACESWAP_ENGINE", "torch")
    network = open_network(models.locate(name), "cuda")
    assert (network.device, network.precision) == ("cuda", "tf32" if cuda.rounds_to_tf32() else "float32")
    for ours, theirs in zip(network.run(**arrays), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-2 * max(1, np.abs(theirs).max()))
