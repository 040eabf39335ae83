"""Turn a run's last checkpoint into the ONNX file the swapper opens (`faceswap export`)."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..errors import OutputError, WeightsError
from ..networks.export import Signature, write_onnx
from ..networks.mobile_painter import MobilePainter, MobilePainterConfig
from ..networks.mobilefacenet import FaceEncoder, MobileFaceNet
from ..networks.painter import Painter, PainterConfig
from .core.checkpoint import LAST, load
from .core.settings import DistillSettings, make_record
from .data.aligner import TEMPLATE
from .distil.train import SIZE as MOBILE_SIZE
from .distil.train import build_student
from .generator.generators import build_generator, configuration, settings_kept
from .generator.plan import SIZE
from .supporting.detector import build_detector, write_detector
from .supporting.parser import build_parser, write_parser
from .supporting.points import build_points, write_points
from .teachers.spaces import OURS, described, space_called


def export(run: Path, output: Path | None = None) -> Path:
    """Write a run's network (its folder or a checkpoint) as ONNX, beside the checkpoint by default; return where."""
    checkpoint = run / LAST if run.is_dir() else run
    state = load(checkpoint)
    kind = state.get("kind")
    if kind not in WRITERS:
        raise WeightsError(f"{checkpoint} holds no network that can be exported (kind {kind!r})")
    path = output or checkpoint.parent / f"{kind}.onnx"
    if not path.parent.is_dir():
        raise OutputError(f"{path.parent} is not a folder: make it first or choose another --output")
    WRITERS[kind](state, path)
    return path


def _write_generator(state: dict[str, Any], path: Path) -> None:
    """Write a SimSwap's moving average, for crops of the size it was trained at."""
    generator = build_generator(settings_kept(state, "the checkpoint"))
    generator.load_state_dict(state["average"])
    shape, size = configuration(generator), state.get("size", SIZE)
    examples = {"target": torch.rand(1, 3, size, size), "identity": torch.randn(1, shape["latent"])}
    metadata = {"network": "simswap", "configuration": json.dumps(shape), "size": str(size)}
    write_onnx(generator, examples, path, metadata | _crop_metadata(state), Signature(("image",)))


def _write_painter(state: dict[str, Any], path: Path) -> None:
    """Write a painter's moving average; it takes crops of its full size, whatever it was trained at."""
    _write_painting(Painter(PainterConfig(**state["configuration"])), state, path, Signature(("image",)))


def _write_mobile_painter(state: dict[str, Any], path: Path) -> None:
    """Write the moving average of a painter's student: a file that serves one source at a time."""
    student = MobilePainter(MobilePainterConfig(**state["configuration"]))
    _write_painting(student, state, path, Signature(("image",), single=("identity",)))


def _write_painting(painter: Painter | MobilePainter, state: dict[str, Any], path: Path, signature: Signature) -> None:
    painter.load_state_dict(state["average"])
    size = painter.config.size
    examples = {
        "target": torch.rand(1, 3, size, size),
        "identity": torch.randn(1, painter.config.latent),
        "portrait": torch.rand(1, 4, size, size),
    }
    metadata = {"network": state["kind"], "configuration": json.dumps(asdict(painter.config)), "size": str(size)}
    metadata |= {"points": "points", **_crop_metadata(state)}
    write_onnx(painter, examples, path, metadata, signature)


def _write_mobile(state: dict[str, Any], path: Path) -> None:
    """Write the moving average: both networks in one file that serves one source at a time."""
    student = build_student(make_record(DistillSettings, state["settings"], "the checkpoint"))
    student.load_state_dict(state["average"])
    config = student.config
    size = state.get("size", MOBILE_SIZE)
    space = space_called(state.get("space", OURS.name))
    examples = {"target": torch.rand(1, 3, size, size), "identity": torch.randn(1, space.dimension)}
    metadata = {"network": "mobilefaceswap", "configuration": json.dumps(asdict(config)), "size": str(size)}
    signature = Signature(("image",), single=("identity",))
    write_onnx(student, examples, path, metadata | _crop_metadata(state), signature)


def _write_encoder(state: dict[str, Any], path: Path) -> None:
    network = MobileFaceNet()
    network.load_state_dict(state["average"])
    metadata = {
        "network": "mobilefacenet",
        "configuration": json.dumps({"embedding_dim": network.conv3.out_channels}),
        "size": "112",
        "template": "arcface",
        "input_range": "-1..1",
        "space": OURS.name,
    }
    write_onnx(FaceEncoder(network), {"image": torch.rand(1, 3, 112, 112)}, path, metadata, Signature(("embedding",)))


def _write_parser(state: dict[str, Any], path: Path) -> None:
    write_parser(build_parser(state["configuration"], state["average"]), path)


def _write_detector(state: dict[str, Any], path: Path) -> None:
    write_detector(build_detector(state["configuration"], state["average"]), path)


def _write_points(state: dict[str, Any], path: Path) -> None:
    write_points(build_points(state["configuration"], state["average"]), path)


def _crop_metadata(state: dict[str, Any]) -> dict[str, str]:
    space = space_called(state.get("space", OURS.name))
    return {"template": TEMPLATE, "input_range": "0..1", **described(space)}


WRITERS = {
    "generator": _write_generator,
    "painter": _write_painter,
    "mobile": _write_mobile,
    "mobile_painter": _write_mobile_painter,
    "encoder": _write_encoder,
    "detector": _write_detector,
    "parser": _write_parser,
    "points": _write_points,
}
