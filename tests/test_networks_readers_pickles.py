"""Tensors come out of any checkpoint torch writes; nothing in one is ever run."""

import builtins
import collections
import io
import os
import pickle
import struct
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from faceswap_cli.errors import WeightsError
from faceswap_cli.networks.readers.pickles import LEGACY_MAGIC, LEGACY_PROTOCOL, read_state

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


@pytest.fixture
def foreign() -> Iterator[types.ModuleType]:
    """The package official ArcFace pickles refer to, there only while a file is written."""
    module = types.ModuleType("models.arcface_models")

    class SEBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Sequential(nn.Linear(4, 2), nn.PReLU(), nn.Linear(2, 4), nn.Sigmoid())

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 4, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(4)
            self.layer1 = nn.Sequential(SEBlock(), SEBlock())
            self.prelu = nn.PReLU()

    for kind in (SEBlock, ResNet):
        kind.__module__, kind.__qualname__ = module.__name__, kind.__name__
        setattr(module, kind.__name__, kind)
    sys.modules["models"] = types.ModuleType("models")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules["models"], sys.modules[module.__name__]


def saved(thing: object, path: Path, zipped: bool) -> Path:
    torch.save(thing, path, _use_new_zipfile_serialization=zipped)
    return path


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


@FORMATS
def test_a_state_dict_comes_back_as_torch_reads_it(tmp_path: Path, zipped: bool) -> None:
    state = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).state_dict()
    assert_same(read_state(saved(state, tmp_path / "a.pth", zipped)), dict(state))


@FORMATS
def test_views_of_one_storage_keep_their_offsets_and_strides(tmp_path: Path, zipped: bool) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    state = {"all": base, "row": base[2], "column": base[:, 1], "turned": base.T, "half": base.half(), "none": base[:0]}
    assert_same(read_state(saved(state, tmp_path / "a.pth", zipped)), state)


@FORMATS
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_module_of_foreign_classes_gives_its_state_dict(
    tmp_path: Path, foreign: types.ModuleType, zipped: bool
) -> None:
    network = foreign.ResNet()
    assert_same(read_state(saved(network, tmp_path / "arcface_checkpoint.tar", zipped)), dict(network.state_dict()))


@FORMATS
@pytest.mark.filterwarnings("ignore")
def test_a_training_checkpoint_gives_its_network_without_the_parallel_prefix(
    tmp_path: Path, foreign: types.ModuleType, zipped: bool
) -> None:
    network = foreign.ResNet()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    checkpoint = {"epoch": 3, "model": nn.DataParallel(network), "optimizer": optimiser, "loss": 0.5}
    assert_same(read_state(saved(checkpoint, tmp_path / "old.tar", zipped)), dict(network.state_dict()))


@pytest.mark.parametrize("name", ["identity/mobilefacenet_foamliu.pt", "parse/faceparse_unet467k.pth"])
def test_real_files_of_strangers_are_read_as_torch_reads_them(data: Path, name: str) -> None:
    path = data / "weights" / name
    theirs = torch.load(path, weights_only=True, map_location="cpu")
    assert_same(read_state(path), {key.removeprefix("module."): tensor for key, tensor in theirs.items()})


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def hostile(marker: Path) -> dict[str, object]:
    """Payloads that make a marker file when a careless reader opens them."""
    command = f"touch {marker}"
    return {
        "os.system": Calls(os.system, command),
        "builtins.eval": Calls(eval, f"__import__('os').system({command!r})"),
        "builtins.exec": Calls(exec, f"import os; os.system({command!r})"),
        "nested getattr": Calls(Calls, Calls(builtins.getattr, Calls(builtins.__import__, "os"), "system"), command),
        "inside a state dict": {"weight": Calls(os.system, command)},
        "as an argument": Calls(collections.OrderedDict, [("a", Calls(os.system, command))]),
        "torch.hub": Calls(torch.hub.load_state_dict_from_url, "http://127.0.0.1:9/a"),
        "torch.load": Calls(torch.load, "a.pth"),
    }


@FORMATS
@pytest.mark.parametrize("name", hostile(Path()))
def test_a_pickle_that_calls_anything_is_refused_and_nothing_runs(tmp_path: Path, name: str, zipped: bool) -> None:
    path = saved(hostile(tmp_path / "marker")[name], tmp_path / "a.pth", zipped)
    with pytest.raises(WeightsError, match=r"refused: the pickle asks for|not a checkpoint"):
        read_state(path)
    assert not (tmp_path / "marker").exists()


def test_the_payload_of_these_tests_works_in_a_careless_reader(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(hostile(tmp_path / "marker")["os.system"]))
    assert (tmp_path / "marker").exists()


def raw_zip(path: Path, body: bytes, storages: dict[str, bytes] | None = None, compress: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", body)
        for key, raw in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", raw)
    return path


@pytest.mark.parametrize(
    "body",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x05torch\x8c\x09os.system\x93\x8c\x04true\x85R.",  # a dotted name inside an allowed module
        b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
        b"ctorch.nn.modules.module\n_global_forward_hooks\n.",
        b"(S'true'\nios\nsystem\n.",  # INST, the oldest way to call
        b"ctorch.storage\n_load_from_bytes\n(S'x'\ntR.",
    ],
)
def test_every_way_to_name_a_function_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(WeightsError, match="refused"):
        read_state(raw_zip(tmp_path / "a.pth", body))


def test_source_text_in_an_old_file_is_never_looked_at(tmp_path: Path) -> None:
    """Old files carry the source of each class; with a hostile text in its place a file reads like any other."""
    told = set()

    class Forger(pickle.Pickler):
        def persistent_id(self, thing: object) -> object:
            if not isinstance(thing, type) or not issubclass(thing, nn.Module) or thing in told:
                return None
            told.add(thing)
            return ("module", thing, "evil.py", f"import os; os.system('touch {tmp_path / 'marker'}')")

    body = io.BytesIO()
    for part in (LEGACY_MAGIC, LEGACY_PROTOCOL, {"little_endian": True}):
        pickle.dump(part, body, 2)
    Forger(body, 2).dump(nn.Sequential(nn.ReLU()))
    pickle.dump([], body, 2)
    (tmp_path / "a.pth").write_bytes(body.getvalue())
    with pytest.raises(WeightsError, match="holds no tensors"):
        read_state(tmp_path / "a.pth")
    assert len(told) == 2
    assert not (tmp_path / "marker").exists()


def tensor_pickle(shape: tuple[int, ...], stride: tuple[int, ...], length: int, key: str = "0") -> bytes:
    """Write the pickle of one float tensor by hand, honest or not."""

    class Hand(pickle.Pickler):
        def persistent_id(self, thing: object) -> object:
            return ("storage", torch.FloatStorage, key, "cpu", length) if thing is Ellipsis else None

    body = io.BytesIO()
    Hand(body, 2).dump({"a": Calls(torch._utils._rebuild_tensor_v2, ..., 0, shape, stride, False, None)})
    return body.getvalue()


def test_the_pickle_written_by_hand_is_a_real_one(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "a.pth", tensor_pickle((2, 2), (2, 1), 4), {"0": struct.pack("<4f", 1, 2, 3, 4)})
    assert read_state(path)["a"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "shape, stride, length",
    [((1 << 40,), (0,), 4), ((4,), (1 << 30,), 4), ((2,), (-1,), 4), ((2, 2), (2, 1), 5), ((-1,), (1,), 4)],
    ids=["huge view", "far stride", "negative stride", "wrong length", "negative shape"],
)
def test_a_tensor_that_does_not_fit_its_storage_is_refused(
    tmp_path: Path, shape: tuple[int, ...], stride: tuple[int, ...], length: int
) -> None:
    path = raw_zip(tmp_path / "a.pth", tensor_pickle(shape, stride, length), {"0": bytes(16)})
    with pytest.raises(WeightsError):
        read_state(path)


def legacy(path: Path, keys: list[object], written: list[object], length: int) -> Path:
    """Write an old file by hand: one tensor for each key, of which only some are said to be written."""

    class Hand(pickle.Pickler):
        def persistent_id(self, thing: object) -> object:
            return ("storage", torch.FloatStorage, thing[0], "cpu", length, None) if isinstance(thing, list) else None

    body = io.BytesIO()
    for part in (LEGACY_MAGIC, LEGACY_PROTOCOL, {"little_endian": True}):
        pickle.dump(part, body, 2)
    rebuild = torch._utils._rebuild_tensor_v2
    tensors = {str(key): Calls(rebuild, [key], 0, (length,), (1,), False, None) for key in keys}
    Hand(body, 2).dump(tensors)
    pickle.dump(written, body, 2)
    for _ in written:
        body.write(struct.pack(f"<q{length}f", length, *range(length)))
    path.write_bytes(body.getvalue())
    return path


def test_the_old_file_written_by_hand_is_a_real_one(tmp_path: Path) -> None:
    assert read_state(legacy(tmp_path / "a.pth", ["a", "b"], ["a", "b"], 3))["b"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("keys", "written", "length", "words"),
    [
        (["a", "b"], ["a"], 3, "different names"),
        ([str(each) for each in range(99)], ["0"], 500, "more bytes are announced"),
        ([("a", "a")], [("a", "a")], 3, "without class, name or length"),
    ],
    ids=["a storage that never comes", "storages larger than the file", "a storage named by a tuple"],
)
def test_an_old_file_that_lies_about_its_storages_is_refused(
    tmp_path: Path, keys: list[object], written: list[object], length: int, words: str
) -> None:
    with pytest.raises(WeightsError, match=words):
        read_state(legacy(tmp_path / "a.pth", keys, written, length))


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "a.pth", tensor_pickle((4,), (1,), 4), {"0": bytes(16)}, compress=True)
    with pytest.raises(WeightsError, match="compressed"):
        read_state(path)


def test_a_module_that_contains_itself_ends(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Sequential())
    network._modules["again"] = network
    network._modules["and again"] = network
    with pytest.raises(WeightsError, match="without end"):
        read_state(saved(network, tmp_path / "a.pth", True))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"PK\x03\x04 half a zip", bytes(1000)])
def test_what_is_no_checkpoint_is_a_weights_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.pth"):
        read_state(tmp_path / "a.pth")


@FORMATS
def test_a_file_that_breaks_off_is_a_weights_error(tmp_path: Path, zipped: bool) -> None:
    path = saved({"a": torch.ones(1000)}, tmp_path / "a.pth", zipped)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeightsError):
        read_state(path)


def test_a_checkpoint_without_tensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no tensors"):
        read_state(saved({"epoch": 3}, tmp_path / "a.pth", True))
