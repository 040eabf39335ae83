"""Distil the face points: FacePoints learns from aligned crops what OpenSeeFace's landmark network sees in them.

The teacher labels each crop once; every step moves crops and labels alike, and damages half of the pictures. What is
kept is a moving average of the weights. Source of the loss: Wing loss (Feng et al. 2018), which heeds small errors.
"""

import json
import math
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ...errors import UsageError
from ...networks.export import Signature, read_metadata, read_state_dict, write_onnx
from ...networks.points import FacePoints, FacePointsConfig
from ...types import POINTS
from ..core.averaged import Averaged, begin, fields_of
from ..core.checkpoint import load
from ..core.options import TrainOptions
from ..core.run import Run, autocast, start_torch
from ..core.sheets import in_rows, write_sheet
from ..data.aligner import TEMPLATE
from ..data.augment import degrade_batch, draw_moves, move_points, moved
from ..data.face_set import FaceSet, in_parts, load_packs, to_bytes
from ..data.prepare import packed
from ..teachers.openseeface import PointsTeacher
from .loop import Task, Usual, teach, write_scores

USUAL = Usual(steps=6000, batch=64, rate=2e-3)
PICTURE_SIZE = 144  # side of the crops that are read
AVERAGE_DECAY = 0.998
WING = 0.02  # share of the crop's side from which the loss is linear
CURVE = 0.004  # the same, and the smaller the steeper the loss is at nothing
OUTER_CORNERS = (36, 45)  # of the eyes: errors are told as shares of their distance
WEIGHTS = {(17, 36): 2.0, (36, 48): 6.0, (48, 58): 2.0, (58, 66): 4.0}  # against the jaw, whose points slide along it


def train(options: TrainOptions) -> dict[str, float]:
    """Train until the steps or the minutes are used up, then measure on people never trained on."""
    if options.teacher is None:
        raise UsageError("the points need --teacher FILE: OpenSeeFace's lm_model in ONNX, to imitate")
    run = Run(options)
    device = start_torch(options)
    faces = load_packs(tuple(packed(folder, options) for folder in options.data), PICTURE_SIZE)
    labels = label(faces, PointsTeacher(options.teacher, options.threads))
    return teach(PointsTask(_start(options, device), faces, labels, options.seed), run, options)


@dataclass(slots=True, eq=False)
class PointsTask(Task[tuple[Tensor, Tensor], dict[str, float]]):
    """Find the points the teacher finds."""

    state: Averaged[FacePoints]
    faces: FaceSet  # those held out among them
    labels: np.ndarray  # (N, 66, 2) float32, shares of the crop's side
    seed: int
    kind: str = "points"
    usual: Usual = USUAL

    def draw(self, count: int, step: int) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Yield images and points, see `draw`."""
        learn, device = np.flatnonzero(~self.faces.held_out), next(self.state.network.parameters()).device
        while True:
            torch.manual_seed(self.seed + step)
            rows = learn[torch.randint(len(learn), (count,), device=device).cpu().numpy()]
            wanted = torch.from_numpy(self.labels[rows]).to(device)
            yield draw(to_bytes(self.faces.images[rows]).to(device), wanted, self.state.network.config.size)
            step += 1

    def loss(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the wing loss."""
        network, (images, points) = self.state.network, batch
        network.train()
        with autocast(images.device):
            features = network.seen(images)[-1]
        return {"wing": wing_loss(network.places(features.float()), points)}  # bfloat16 has too few digits for places

    def measure(self, folder: Path, sheet: Path) -> dict[str, float]:
        """Measure against the teacher."""
        scores = measure(self.state.average, self.faces, self.labels, sheet)
        write_scores(folder, scores)
        return scores


def label(faces: FaceSet, teacher: PointsTeacher) -> np.ndarray:
    """Return the teacher's points (N, 66, 2) float32 of every face, shares of the crop's side."""
    return np.stack([teacher.points(image) for image in faces.images])


def draw(pictures: Tensor, points: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Move pictures (N, 3, H, W) uint8 and points (N, 66, 2) alike; return (N, 3, size, size) in [0, 1] and the points.

    Every second picture is damaged on top.
    """
    moves = draw_moves(len(pictures), pictures.device, degrees=10, scale=0.1, shift=0.04)
    images = moved(pictures.float() / 255, moves, size)
    images[::2] = degrade_batch(images[::2])
    return images.contiguous(memory_format=torch.channels_last), move_points(points, moves)


def wing_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the wing loss of points (N, 66, 2), in units of `WING`; what opens and closes counts most."""
    error = (found - wanted).abs()
    offset = WING - WING * math.log(1 + WING / CURVE)
    loss = torch.where(error < WING, WING * torch.log1p(error / CURVE), error - offset) / WING
    weights = torch.ones(POINTS, device=found.device)
    for (first, last), weight in WEIGHTS.items():
        weights[first:last] = weight
    return (loss.mean(dim=2) * weights).mean()


@torch.no_grad()
def measure(network: FacePoints, faces: FaceSet, labels: np.ndarray, sheet: Path) -> dict[str, float]:
    """Return the mean error against the teacher on held-out people, as shares of the distance of the eyes' corners.

    The sheet shows some of them with the points found.
    """
    rows = np.flatnonzero(faces.held_out) if faces.held_out.any() else np.arange(len(faces))
    found = np.concatenate([_found(network, faces.images[part]) for part in in_parts(rows)])
    errors = np.linalg.norm(found - labels[rows], axis=2)
    span = np.linalg.norm(np.subtract(*(labels[rows][:, corner] for corner in OUTER_CORNERS)), axis=1, keepdims=True)
    shown = [
        _drawn(faces.images[row], points)
        for row, points in zip(rows[:: max(1, len(rows) // 24)], found[:: max(1, len(rows) // 24)], strict=True)
    ]
    write_sheet(sheet, in_rows(shown, 8))
    parts = {
        "jaw": slice(0, 17),
        "brows": slice(17, 27),
        "nose": slice(27, 36),
        "eyes": slice(36, 48),
        "mouth": slice(48, POINTS),
    }
    shares = errors / span
    return {"all": float(shares.mean()), **{name: float(shares[:, part].mean()) for name, part in parts.items()}}


def _found(network: FacePoints, images: np.ndarray) -> np.ndarray:
    """Return the points (N, 66, 2) of pictures (N, H, W, 3) uint8."""
    side = (network.config.size, network.config.size)
    small = nn.functional.interpolate(to_bytes(images).float() / 255, size=side, mode="bilinear", antialias=True)
    points: np.ndarray = network.places(network.seen(small.to(next(network.parameters()).device))[-1]).cpu().numpy()
    return points


def write_points(network: FacePoints, path: Path) -> None:
    """Write the ONNX the swapper uses: `image` (N, 3, S, S) in, `points` (N, 66, 2) and any `beard` (N, 1) out."""
    size = network.config.size
    metadata = {
        "network": "facepoints",
        "configuration": json.dumps(asdict(network.config)),
        "size": str(size),
        "template": TEMPLATE,
        "input_range": "0..1",
    }
    outputs = ("points",) if network.beard is None else ("points", "beard")
    write_onnx(network, {"image": torch.rand(1, 3, size, size)}, path, metadata, Signature(outputs))


def read_points(path: Path) -> FacePoints:
    """Return the network of a file made by `write_points`, or the average of a run's checkpoint, in eval mode."""
    if path.suffix == ".onnx":
        return build_points(json.loads(read_metadata(path)["configuration"]), read_state_dict(path))
    kept = load(path)
    return build_points(kept["configuration"], kept["average"])


def build_points(configuration: dict[str, Any], weights: dict[str, Tensor]) -> FacePoints:
    """Return the network of a configuration with its weights, in eval mode."""
    network = FacePoints(FacePointsConfig(**fields_of(configuration)))
    network.load_state_dict(weights)
    return network.eval()


def _start(options: TrainOptions, device: torch.device) -> Averaged[FacePoints]:
    network = FacePoints() if options.init_from is None else read_points(options.init_from)
    return begin(network, device, AVERAGE_DECAY)


def _drawn(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    picture = cv2.resize(image, None, fx=2, fy=2)
    for x, y in points * picture.shape[0]:
        cv2.circle(picture, (round(float(x)), round(float(y))), 1, (0, 255, 0), cv2.FILLED)
    return picture
