"""The detector's network: SCRFD's convention, and insightface's own class serving the exported file."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from insightface.model_zoo import model_zoo

from faceswap_cli.networks.detector import ANCHOR_SIZES, OUTPUTS, STRIDES, FaceDetector, FaceDetectorConfig
from faceswap_cli.training.supporting.detector import read_detector, write_detector
from faceswap_cli.training.supporting.detector_measure import find_faces

SMALL = FaceDetectorConfig(widths=(8, 8, 16, 16, 16), blocks=(1, 1, 1), neck=16)


@pytest.fixture(scope="module")
def network() -> FaceDetector:
    """A random network whose weights half precision holds exactly, and which finds a little everywhere."""
    torch.manual_seed(0)
    made = FaceDetector(SMALL)
    for value in made.state_dict().values():
        if value.ndim >= 2:
            value.copy_(value.half().float())
    with torch.no_grad():
        for head in made.heads:
            head.say[0].weight.normal_(std=0.5).copy_(head.say[0].weight.half().float())
            head.say[0].bias.zero_()
    return made.eval()


@pytest.fixture(scope="module")
def exported(network: FaceDetector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces") / "detector.onnx"
    write_detector(network, path)
    return path


def normalised(rgb: np.ndarray) -> np.ndarray:
    return ((rgb.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def test_nine_outputs_come_in_the_order_of_the_convention(exported: Path, network: FaceDetector):
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    assert tuple(output.name for output in session.get_outputs()) == OUTPUTS
    assert OUTPUTS[0] == "score_8" and OUTPUTS[4] == "box_16" and OUTPUTS[8] == "points_32"
    for height, width in ((64, 96), (160, 32), (224, 224)):
        outputs = session.run(None, {"image": normalised(picture(height, width))})
        rows = [height // stride * (width // stride) * 2 for stride in STRIDES]
        assert [output.shape for output in outputs] == [(count, size) for size in (1, 4, 10) for count in rows]
        with torch.inference_mode():
            expected = network(torch.from_numpy(normalised(picture(height, width))))
        for ours, theirs in zip(outputs, expected, strict=True):
            assert np.abs(ours - theirs.numpy()).max() < 1e-4


def test_anchors_of_a_cell_are_adjacent_and_cells_go_row_by_row():
    network = FaceDetector(SMALL).eval()
    maps = network.maps(torch.rand(1, 3, 64, 96))
    outputs = network(torch.rand(1, 3, 64, 96))
    with torch.no_grad():
        for head in network.heads:
            head.say[1].weight.zero_()
            head.say[1].bias.copy_(torch.arange(8) / 10)
        outputs = network(torch.rand(1, 3, 64, 96))
    for box in outputs[3:6]:
        first, second = (torch.arange(4) / 10).exp() * ANCHOR_SIZES[0] / 2, (torch.arange(4, 8) / 10).exp()
        assert torch.allclose(box[0::2], first.expand(len(box) // 2, -1))
        assert torch.allclose(box[1::2], (second * ANCHOR_SIZES[1] / 2).expand(len(box) // 2, -1))
    assert [tuple(level[0].shape[2:]) for level in maps] == [(8, 12), (4, 6), (2, 3)]


def test_insightface_serves_the_file_and_finds_what_we_find(exported: Path, network: FaceDetector):
    rgb = picture(64, 96)
    detector = model_zoo.get_model(str(exported), providers=["CPUExecutionProvider"])
    assert type(detector).__name__ == "SCRFD" and detector.use_kps
    with torch.inference_mode():
        scores = torch.cat(network(torch.from_numpy(normalised(rgb)))[:3]).flatten().sort(descending=True).values
    threshold = float(scores[3] + scores[4]) / 2
    boxes, points = (np.concatenate(part) for part in detector.forward(rgb[..., ::-1], threshold)[1:])
    ours = find_faces(network, rgb, threshold)
    assert len(boxes) == 4 and 1 <= len(ours) <= 4
    for face in ours:
        same = np.abs(boxes - face[:4]).max(1).argmin()
        assert np.abs(boxes[same] - face[:4]).max() < 0.01
        assert np.abs(points[same].ravel() - face[4:14]).max() < 0.01


def test_the_file_gives_the_network_back(exported: Path, network: FaceDetector):
    again = read_detector(exported)
    assert again.config == network.config
    image = torch.rand(1, 3, 64, 64)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(again(image), network(image), strict=True))


def test_batch_norms_fold_into_the_convolutions_when_the_file_is_opened(exported: Path, tmp_path: Path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    kinds = {node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node}
    assert "Conv" in kinds and not kinds & {"BatchNormalization", "Expand", "CastLike"}


def test_an_untrained_network_claims_few_faces_and_is_small():
    network = FaceDetector().eval()
    with torch.inference_mode():
        scores = torch.cat(network(torch.randn(1, 3, 96, 96))[:3])
    assert 0.001 < scores.mean() < 0.02
    assert sum(value.numel() for value in network.state_dict().values()) * 2 < 2_000_000
