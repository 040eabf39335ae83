"""Published files of every form come in under their own names, and come out as networks of our contract."""

import io
import os
import pickle
import sys
import types
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from faceswap_cli.engines.select import open_network
from faceswap_cli.errors import UsageError, WeightsError
from faceswap_cli.networks.injection import join_identity
from faceswap_cli.networks.readers.pickles import read_state
from faceswap_cli.networks.readers.published import PUBLISHED, recognise
from faceswap_cli.options import Options
from faceswap_cli.portrait.open_bundle import OpenBundle
from faceswap_cli.stages.bundle import Part, find_bundle
from faceswap_cli.stages.specialise import open_generator
from faceswap_cli.store import importing, models
from faceswap_cli.types import Identity

from .golden import functional, recipes

SURPLUS = {f"BottleNeck.{number}.conv3.1.weight": torch.empty(512, 512, 3, 3, device="meta") for number in range(9)}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def published_state(keys: str) -> dict[str, torch.Tensor]:
    """Return tensors without memory, named and shaped as in a published file."""
    return {key: torch.empty(shape, device="meta") for key, (shape, _) in recipes.published_keys(keys).items()}


@pytest.mark.parametrize(
    "keys, name",
    [
        ("224", "simswap-224"),
        ("512", "simswap-512"),
        ("train_deep", "simswap-train-deep"),
        ("arcface", "simswap-arcface"),
        ("bisenet", "bisenet"),
    ],
)
def test_a_published_state_dict_is_recognised_by_its_tensors(keys: str, name: str) -> None:
    assert recognise(published_state(keys)) == name


def test_the_published_mobile_file_becomes_a_generator_that_paints_the_recorded_picture(tmp_path: Path) -> None:
    """Mean and spread are those the official modules gave for these weights (tests/golden/recipes.py, recipe B)."""
    arrays: dict[str, object] = {**recipes.paddle_arrays("B"), "StructuredToParameterName@@": {"a": "b"}}
    (tmp_path / "MobileFaceSwap_224.pdparams").write_bytes(pickle.dumps(arrays, 2))
    entry = importing.import_file(tmp_path / "MobileFaceSwap_224.pdparams")
    assert (entry.name, entry.kind, entry.encoder) == ("mobilefaceswap-224", "generator", "mobilefaceswap-arcface")
    joint = join_identity(recipes.latent(), recipes.source_map())[0].numpy()
    who = Identity(joint / np.linalg.norm(joint), entry.space)
    network = open_generator(Part(models.locate(entry.name), entry), who, Options(device="cpu", threads=1))
    assert network.inputs == ("target",)
    image = network.run(target=recipes.image(224).numpy())[0]
    assert image.mean() == pytest.approx(0.552946, abs=1e-6)
    assert image.std() == pytest.approx(0.202969, abs=1e-6)


@pytest.mark.parametrize("framework, name", [("torch", "simswap-arcface"), ("paddle", "mobilefaceswap-arcface")])
def test_an_encoder_both_frameworks_hold_is_told_by_its_file(framework: str, name: str) -> None:
    assert recognise(published_state("arcface"), framework) == name


def test_surplus_tensors_of_the_512_file_do_not_hide_it() -> None:
    assert recognise(published_state("512") | SURPLUS) == "simswap-512"


@pytest.mark.parametrize("zipped", [True, False], ids=["2023", "2021"])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_the_published_arcface_file_of_either_year_is_read_and_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    """Not a tar but a pickled module: of `models.arcface_models` since 2023, inside a checkpoint of `models` before."""
    package = "models.arcface_models" if zipped else "models"
    module = types.ModuleType(package)
    monkeypatch.setitem(sys.modules, "models", types.ModuleType("models"))
    monkeypatch.setitem(sys.modules, package, module)
    for name in ("ResNet", "IRBlock", "SEBlock"):
        setattr(module, name, type(name, (nn.Module,), {"__module__": package}))
    network = module_tree(recipes.published_keys("arcface"), module)
    saved = network if zipped else {"epoch": 20, "model": nn.DataParallel(network)}
    torch.save(saved, tmp_path / "arcface_checkpoint.tar", _use_new_zipfile_serialization=zipped)
    monkeypatch.delitem(sys.modules, package)
    assert recognise(read_state(tmp_path / "arcface_checkpoint.tar")) == "simswap-arcface"


def module_tree(keys: dict[str, tuple[tuple[int, ...], str]], classes: types.ModuleType) -> nn.Module:
    """Build a module whose state dict has these keys, of zeros, from the classes the official pickle names."""
    root: nn.Module = classes.ResNet()
    for key, (shape, kind) in keys.items():
        *path, name = key.split(".")
        node = root
        for depth, part in enumerate(path):
            if part not in node._modules:
                made = classes.SEBlock if part == "se" else classes.IRBlock if depth == 1 else nn.Sequential
                node.add_module(part, made())
            node = node._modules[part]
        node.register_buffer(name, torch.zeros(shape, dtype=getattr(torch, kind)))
    return root


def test_every_published_network_has_a_catalogue_entry_of_its_contract() -> None:
    for name, published in PUBLISHED.items():
        entry = models.entry(name)
        assert entry.official
        assert next(iter(published.inputs.values()))[2:] == (entry.size, entry.size)


def test_tensors_of_an_unknown_network_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(3)}, tmp_path / "mine.pth")
    with pytest.raises(WeightsError, match="no published network we know"):
        importing.import_file(tmp_path / "mine.pth")


def test_a_file_named_as_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(3)}, tmp_path / "mine.pth")
    with pytest.raises(WeightsError, match="do not fit SimSwap"):
        importing.import_file(tmp_path / "mine.pth", "simswap-224")


WHOLE = pytest.mark.skipif(
    not os.environ.get("FACESWAP_SLOW"), reason="takes a minute a network: set FACESWAP_SLOW to run it"
)


def imported(name: str, folder: Path, *, half: bool = False) -> tuple[models.Entry, nn.Module]:
    """Write a published checkpoint of recorded weights (recipe B), import it; return the entry and the network."""
    network = recipes.fill(PUBLISHED[name].build(), "B")
    official = models.entry(name).official if " " not in models.entry(name).official else "100_net_G.pth"
    torch.save(network.state_dict(), folder / official)
    entry = importing.import_file(folder / official, name if name == "simswap-train" else None, half=half)
    (folder / official).unlink()
    assert entry.name == name
    return entry, network


def computed(name: str, **inputs: torch.Tensor) -> np.ndarray:
    network = open_network(models.locate(name), "cpu", 1)
    return network.run(**{key: value.numpy() for key, value in inputs.items()})[0]


def test_the_imported_simswap_paints_the_official_picture(tmp_path: Path) -> None:
    imported("simswap-224", tmp_path)
    found = computed("simswap-224", target=recipes.image(224), identity=recipes.latent())
    recipes.assert_close(found, recipes.arrays("224")["out_B"])


def test_the_imported_arcface_gives_the_official_embedding(tmp_path: Path) -> None:
    imported("simswap-arcface", tmp_path)
    found = computed("simswap-arcface", image=recipes.imagenet_image(112))
    recipes.assert_close(found, recipes.arrays("arcface")["emb_B"])


def test_the_imported_parser_gives_the_official_logits_and_half_of_it_nearly(tmp_path: Path) -> None:
    golden = recipes.arrays("misc")["bisenet_out0_grid64_B"]
    sizes = []
    for half in (False, True):
        entry, _ = imported("bisenet", tmp_path, half=half)
        assert entry.kind == "parser" and entry.published is False
        assert ("float16" in entry.note) == half
        sizes.append(models.locate("bisenet").stat().st_size)
        found = computed("bisenet", image=recipes.imagenet_image(512))[0, :, ::64, ::64]
        recipes.assert_close(found, golden, 2e-3 if half else 1e-4)
        error = np.abs(found - golden).max() / np.abs(golden).max()
        assert (error > 1e-4) == half
    assert sizes[1] < 0.55 * sizes[0]


@WHOLE
@pytest.mark.slow
@pytest.mark.parametrize("name", ["simswap-512", "simswap-train", "simswap-train-deep"])
def test_every_imported_generator_paints_what_the_published_code_would(name: str, tmp_path: Path) -> None:
    """Their official pictures are not kept: the reference, which paints the official 224 picture, stands for them."""
    _, network = imported(name, tmp_path)
    size = models.entry(name).size
    found = computed(name, target=recipes.image(size), identity=recipes.latent())
    if name == "simswap-512":
        assert (found.mean(), found.std()) == pytest.approx((0.6299317, 0.2335077), abs=1e-5)  # the official ones'
        wanted = functional.simswap(network.state_dict(), recipes.image(size), recipes.latent(), tanh=True)
    else:
        inner = functional.simswap(network.state_dict(), recipes.imagenet_image(size), recipes.latent(), tanh=False)
        wanted = (inner.double().numpy() * recipes.IMAGENET_STD + recipes.IMAGENET_MEAN).clip(0, 1)
    recipes.assert_close(found, wanted)


@WHOLE
@pytest.mark.slow
def test_the_imported_mobile_encoder_gives_the_official_embedding(tmp_path: Path) -> None:
    """MobileFaceSwap's file holds the same network in Paddle's form: its linear weights lie transposed."""
    paddle = {".running_mean": "._mean", ".running_var": "._variance"}
    arrays = {}
    state = recipes.fill(PUBLISHED["simswap-arcface"].build(), "B").state_dict()
    for key, value in state.items():
        owner, dot, part = key.rpartition(".")
        if part != "num_batches_tracked":
            turned = value.numpy().T if value.ndim == 2 else value.numpy()
            arrays[owner + paddle.get(dot + part, dot + part)] = turned
    (tmp_path / "arcface.pdparams").write_bytes(pickle.dumps(arrays, 2))
    assert importing.import_file(tmp_path / "arcface.pdparams").name == "mobilefaceswap-arcface"
    found = computed("mobilefaceswap-arcface", image=recipes.imagenet_image(112))
    golden = recipes.arrays("arcface")["emb_B"]
    recipes.assert_close(found[:, :512], golden / np.linalg.norm(golden))


def test_only_a_checkpoint_can_be_halved(tmp_path: Path) -> None:
    for path in (tmp_path, foreign_generator(tmp_path / "a.onnx")):
        with pytest.raises(UsageError, match="is no checkpoint"):
            importing.import_file(path, "simswap-224", half=True)


def test_a_published_file_is_told_from_another_by_its_digest(tmp_path: Path) -> None:
    known = models.entry("simswap-224")
    assert [replace(known, imported=digest).published for digest in (known.sha256, *known.also, "0" * 64, "")] == [
        True, True, False, None,
    ]  # fmt: skip
    assert replace(models.entry("simswap-train"), imported="0" * 64).published is None  # nobody knows its digest


def foreign_generator(path: Path) -> Path:
    """Write a generator with another publisher's names: the picture plus the identity's first number."""
    picture = ["N", 3, 8, 8]
    nodes = [
        helper.make_node("MatMul", ["onnx::Gemm_1", "first"], ["number"]),
        helper.make_node("Unsqueeze", ["number", "axes"], ["plane"]),
        helper.make_node("Add", ["input", "plane"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [
            helper.make_tensor_value_info("input", TensorProto.FLOAT, picture),
            helper.make_tensor_value_info("onnx::Gemm_1", TensorProto.FLOAT, ["N", 512]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, picture)],
        [
            numpy_helper.from_array(np.eye(512, 1, dtype=np.float32), "first"),
            numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, path)
    return path


def test_a_foreign_generator_gets_our_input_names_and_the_entry_it_is_given(tmp_path: Path) -> None:
    entry = importing.import_file(foreign_generator(tmp_path / "a.onnx"), "simswap-224")
    assert (entry.name, entry.encoder, entry.template) == ("simswap-224", "simswap-arcface", "simswap-five")
    network = open_network(models.locate("simswap-224"), "cpu", 1)
    assert set(network.inputs) == {"target", "identity"}
    target, identity = np.zeros((1, 3, 8, 8), np.float32), np.full((1, 512), 0.25, np.float32)
    assert network.run(target=target, identity=identity)[0].max() == 0.25


def foreign_parser(path: Path) -> Path:
    """Write a parser of 512 pixels with another publisher's names and heads: class 1 is what is red, 17 what is not."""
    logits = np.zeros((19, 3, 1, 1), np.float32)
    logits[1, 0], logits[17, 0] = 9, -9
    nodes = [helper.make_node("Conv", ["input", "weight"], ["output"]), helper.make_node("Neg", ["output"], ["other"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 19, 512, 512]) for name in ("output", "other")]
    begin = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 512, 512])
    graph = helper.make_graph(nodes, "foreign", [begin], ends, [numpy_helper.from_array(logits, "weight")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, path)
    return path


def test_an_imported_parser_is_what_a_swap_looks_through(tmp_path: Path) -> None:
    chosen = Options(parser="face-parsing-18", device="cpu", threads=1)
    with pytest.raises(WeightsError, match="face-parsing-18 is not installed: run `faceswap models fetch"):
        find_bundle(chosen)
    importing.import_file(foreign_parser(tmp_path / "resnet18.onnx"), "face-parsing-18")
    image = np.zeros((96, 96, 3), np.uint8)
    image[:, 48:, 0] = 255
    for paste, side in (("soft", 160), ("simswap", 512)):  # SimSwap's own mask is made of all that a parser sees
        options = replace(chosen, paste=paste)
        bundle = find_bundle(options)
        assert bundle.parts["parser"].contract.name == "face-parsing-18"
        parser = OpenBundle(bundle, options).parser
        assert parser is not None
        shares = parser.parse(image)
        assert shares.shape == (19, side, side)
        np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
        assert shares[17, :, : side // 3].min() > 0.99 < shares[1, :, -side // 3 :].min()


def test_a_parser_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="'encoder' is of the kind encoder, not parser: choose one of parser, bisenet"):
        find_bundle(Options(parser="encoder"))


def test_a_foreign_onnx_file_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="say which it is with --as"):
        importing.import_file(foreign_generator(tmp_path / "a.onnx"))


def test_our_own_generator_comes_in_under_its_files_name(copying_generator: Path) -> None:
    entry = importing.import_file(copying_generator)
    assert (entry.name, entry.kind, entry.size, entry.template) == ("copy", "generator", 64, "simswap-frontal")
    assert entry.encoder == "encoder"
    assert models.locate("copy").is_file()


def test_a_file_can_be_given_a_name_of_the_users_own(copying_generator: Path) -> None:
    importing.import_file(copying_generator, "mine")
    assert models.entry("mine").kind == "generator"


def test_an_onnx_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"not a graph")
    with pytest.raises(WeightsError, match="is no ONNX file"):
        importing.import_file(tmp_path / "a.onnx")


def test_a_pack_comes_in_from_a_folder_and_from_a_zip(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in ("det.onnx", "rec.onnx"):
        (folder / name).write_bytes(name.encode())
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(folder / "det.onnx", "packed/det.onnx")
        archive.write(folder / "rec.onnx", "../../rec.onnx")  # may not leave the store
    importing.import_file(folder)
    importing.import_file(tmp_path / "packed.zip")
    for name in ("faces", "packed"):
        found = sorted(path.name for path in models.locate(name).glob("*.onnx"))
        assert found == ["det.onnx", "rec.onnx"]
    assert not (tmp_path / "rec.onnx").exists()


@pytest.mark.parametrize("content", [{}, {"readme.txt": b"x"}])
def test_a_zip_without_networks_is_refused(tmp_path: Path, content: dict[str, bytes]) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, raw in content.items():
            archive.writestr(name, raw)
    (tmp_path / "a.zip").write_bytes(body.getvalue())
    with pytest.raises(WeightsError, match="neither a checkpoint nor a pack"):
        importing.import_file(tmp_path / "a.zip")


def test_a_damaged_zip_is_a_weights_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("det.onnx", b"x" * 100)
    content = (tmp_path / "a.zip").read_bytes()
    directory = content.index(b"PK\1\2")
    broken = [
        content[:directory] + b"\0" * 4 + content[directory + 4 :],  # no directory where one is announced
        content.replace(b"xxxx", b"xxyx", 1),  # a check sum that is wrong
        content[: directory + 8] + b"\1" + content[directory + 9 :],  # locked with a password
        content[: directory + 10] + b"\x63" + content[directory + 11 :],  # an unknown way to pack
    ]
    for number, one in enumerate(broken):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(one)
        with pytest.raises(WeightsError, match="damaged zip archive"):
            importing.import_file(path)


def test_metadata_that_is_no_text_or_no_number_is_a_weights_error(tmp_path: Path, copying_generator: Path) -> None:
    content = copying_generator.read_bytes()
    for old, new in ((b"simswap-frontal", b"simswap-front\xff\xfe"), (b"\x12\x0264", b"\x12\x02x4")):
        assert content.count(old) == 1
        path = tmp_path / "a.onnx"
        path.write_bytes(content.replace(old, new))
        with pytest.raises(WeightsError):
            importing.import_file(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(WeightsError, match="is no file"):
        importing.import_file(tmp_path / "pipe.pth")


def test_the_name_of_another_kind_of_network_cannot_be_given(tmp_path: Path) -> None:
    (tmp_path / "det.onnx").write_bytes(b"x")
    with pytest.raises(UsageError, match="is a generator in the catalogue"):
        importing.import_file(tmp_path, "simswap-224")


def test_a_file_that_is_not_there_is_a_weights_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        importing.import_file(tmp_path / "absent.pth")


def test_an_entry_without_an_address_cannot_be_fetched() -> None:
    with pytest.raises(WeightsError, match="faceswap models import latest_net_G"):
        importing.fetch(models.entry("simswap-224"))
