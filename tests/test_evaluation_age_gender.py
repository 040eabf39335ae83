"""Age and gender as a face pack's network guesses them, shown faces as insightface shows them to its own."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from insightface.app.common import Face as InsightFace
from insightface.model_zoo.attribute import Attribute
from onnx import TensorProto, helper
from onnxruntime import InferenceSession

from faceswap_cli.evaluation.age_gender import Guess, open_age_gender
from faceswap_cli.media.photo import read_photo
from faceswap_cli.options import Options
from faceswap_cli.types import Face
from tests.warm import faceswap

SIDE = 96


def write_network(path: Path, *, normalises: bool, side: int = SIDE) -> Path:
    """Write a network that tells the mean of each channel, less 127.5 and over 128 by itself or by who shows it."""
    nodes = [helper.make_node("ReduceMean", ["mean_in"], ["told"], axes=[2, 3], keepdims=0, name="mean")]
    if normalises:
        before = ["data", "centred"], ["centre", "scale"], ["centred", "mean_in"], ["Sub", "Mul"], ["_minus0", "_mul0"]
        rows = zip(*before, strict=True)
        nodes = [helper.make_node(kind, [a, by], [out], name=name) for a, by, out, kind, name in rows] + nodes
    else:
        nodes = [helper.make_node("Identity", ["data"], ["mean_in"], name="same"), *nodes]
    graph = helper.make_graph(
        nodes,
        "genderage",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [None, 3, side, side])],
        [helper.make_tensor_value_info("told", TensorProto.FLOAT, [1, 3])],
        [
            helper.make_tensor(name, TensorProto.FLOAT, [1], [value])
            for name, value in (("centre", 127.5), ("scale", 1 / 128))
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def guess(folder: Path, rgb: np.ndarray, box: tuple[float, float, float, float]) -> Guess:
    guesser = open_age_gender(Options(face_pack=folder, threads=1, device="cpu"))
    assert guesser is not None
    return guesser.guess(rgb, Face(np.float32(box), np.zeros((5, 2), np.float32), 1.0))


@pytest.mark.parametrize("normalises", [True, False])
@pytest.mark.parametrize(
    ("colour", "expected"), [((90, 200, 178), Guess(39, "male")), ((200, 90, 153), Guess(20, "female"))]
)
def test_scores_and_centuries_are_read(
    tmp_path: Path, normalises: bool, colour: tuple[int, int, int], expected: Guess
) -> None:
    """(178 - 127.5) / 128 is 0.39 of a century, 153 is 0.20."""
    write_network(tmp_path / "genderage.onnx", normalises=normalises)
    rgb = np.full((200, 200, 3), colour, np.uint8)
    assert guess(tmp_path, rgb, (60, 60, 120, 140)) == expected


def test_a_square_around_the_face_is_seen_that_is_half_as_large_again(tmp_path: Path) -> None:
    """Of a box of 40 x 80 pixels 120 x 120 around its middle: a band of 30 within it is a quarter, outside nothing."""
    write_network(tmp_path / "genderage.onnx", normalises=False)
    for left, share in ((40, 0.25), (160, 0.0)):
        rgb = np.full((240, 240, 3), 128, np.uint8)
        rgb[:, left : left + 30, 2] = 228
        # what is seen goes from 40 to 160
        assert guess(tmp_path, rgb, (80, 60, 120, 140)).age == pytest.approx(100 * (0.5 + 100 * share) / 128, abs=1)


@pytest.mark.parametrize("normalises", [True, False])
def test_insightface_shown_the_same_network_guesses_the_same(normalises: bool, portrait: Path, tmp_path: Path) -> None:
    """Of boxes small and large, square and not, over the picture's edge too; its own class opens and reads the file."""
    path, rgb = write_network(tmp_path / "genderage.onnx", normalises=normalises), read_photo(portrait).frame.rgb
    reference = Attribute(str(path), InferenceSession(str(path), providers=["CPUExecutionProvider"]))
    assert reference.taskname == "genderage"
    bgr, boxes = np.ascontiguousarray(rgb[..., ::-1]), np.random.default_rng(2).uniform(-20, 260, (8, 4))
    for x, y, width, height in boxes:
        box = x, y, x + abs(width) + 20, y + abs(height) + 20
        gender, age = reference.get(bgr, InsightFace(bbox=np.float32(box)))
        assert guess(tmp_path, rgb, box) == Guess(age, ("female", "male")[gender])


def test_the_embedded_pack_and_one_without_such_a_network_guess_nothing(tmp_path: Path) -> None:
    assert open_age_gender(Options()) is None
    write_network(tmp_path / "other.onnx", normalises=False, side=112)
    assert open_age_gender(Options(face_pack=tmp_path)) is None


def test_a_list_of_faces_tells_both_where_the_pack_does(whole_pack: Path, portrait: Path, tmp_path: Path) -> None:
    pack = shutil.copytree(whole_pack, tmp_path / "pack")
    write_network(pack / "genderage.onnx", normalises=True)
    shown = faceswap("faces", portrait, "--face-pack", pack, "--threads", 1)
    assert shown.returncode == 0
    head, line = shown.stdout.splitlines()
    assert head.split()[-6:-3] == ["frames", "age", "gender"]
    assert "male" in line
    record = json.loads(faceswap("faces", portrait, "--json", "--face-pack", pack, "--threads", 1).stdout)["faces"][0]
    assert record["gender"] in ("female", "male")
    assert f" {record['age']} {record['gender']:>6s}  " in line
