"""Train the face detector on what YuNet sees in pictures and clips, from nothing.

Every step composes its own tiles from a seed, so a run goes on exactly; every LARGE_EVERY-th has larger ones, for faces
that fill a picture. What is kept is a moving average of the weights. `options.teacher` is the YuNet; its labels are
made once, with `options.landmarks` put right by OpenSeeFace's network, and kept in the run's folder.
"""

import json
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from ...networks.detector import OUTPUTS, FaceDetector, FaceDetectorConfig
from ...networks.export import Signature, read_metadata, read_state_dict, write_onnx
from ...stream import prefetch
from ..core.averaged import Averaged, begin, fields_of
from ..core.checkpoint import load
from ..core.options import TrainOptions
from ..core.run import Run, autocast, start_torch
from ..core.sheets import in_rows, write_sheet
from ..data.face_set import to_tensor
from ..data.occluders import face_free_pictures
from .detector_data import Pictures, load_pictures
from .detector_loss import Wanted, detector_loss, gather, make_anchors
from .detector_measure import DetectorScores, find_faces, measure
from .detector_tiles import Tile, cuts_beside_faces, training_tile
from .loop import Task, Usual, teach, write_scores
from .parser_data import split_people

USUAL, SIZE = Usual(steps=10000, batch=16, rate=2e-3), 256
LARGE, LARGE_EVERY = 1.75, 4
AVERAGE_DECAY = 0.998
MEASURED_TILES = 400
COLUMNS = 6  # of a sample sheet
TEXTURE = 400  # pixels, shorter side of a background


def train(options: TrainOptions) -> DetectorScores:
    """Train until the steps or the minutes are used up, then measure on tiles of people never trained on."""
    if options.teacher is None:
        raise UsageError("the detector needs --teacher FILE: a YuNet that says where the faces are")
    run = Run(options)
    device = start_torch(options)
    pictures = load_pictures(options.data, options.teacher, options.output / "pictures.npz", options.landmarks)
    learn, held_out = split_people(pictures.people)
    tiles = measured_tiles(pictures.take(held_out), options)
    network = FaceDetector() if options.init_from is None else read_detector(options.init_from)
    state = begin(network, device, AVERAGE_DECAY)
    return teach(DetectorTask(state, pictures.take(learn), tiles, options), run, options)


@dataclass(slots=True, eq=False)
class DetectorTask(Task[tuple[Tensor, Wanted], DetectorScores]):
    """Find faces in tiles as the teacher does."""

    state: Averaged[FaceDetector]
    pictures: Pictures
    tiles: list[Tile]  # it is measured on
    options: TrainOptions
    kind: str = "detector"
    usual: Usual = USUAL

    def draw(self, count: int, step: int) -> Generator[tuple[Tensor, Wanted], None, None]:
        """Yield images and their faces, composed ahead in a thread."""
        return prefetch(_batches(self.pictures, self.options, count, step), depth=2)

    def loss(self, batch: tuple[Tensor, Wanted]) -> dict[str, Tensor]:
        """Return the losses of scores, boxes and points."""
        network, (images, wanted) = self.state.network, batch
        images = images.to(next(network.parameters()).device)
        network.train()
        with autocast(images.device):
            predictions = network.predictions(images)
        logits, boxes, points = (part.cpu() for part in predictions)
        return detector_loss((logits, boxes, points), wanted, make_anchors(*images.shape[2:]))

    def write(self, sheet: Path) -> None:
        """Show held-out tiles: what is expected in green (grey where left alone), what is found in red."""
        cells = [drawn(tile, find_faces(self.state.average, tile.image)) for tile in self.tiles[: COLUMNS * 4]]
        write_sheet(sheet, in_rows(cells, COLUMNS))

    def measure(self, folder: Path, sheet: Path) -> DetectorScores:
        """Measure on the tiles; leave `detector.onnx`."""
        write_detector(self.state.average, folder / "detector.onnx")
        scores = measure(lambda rgb: find_faces(self.state.average, rgb), self.tiles)
        write_scores(folder, asdict(scores))
        return scores


def measured_tiles(pictures: Pictures, options: TrainOptions) -> list[Tile]:
    """Compose the tiles a run is measured on: always the same ones for one set of pictures and one size."""
    size, textures = options.size or SIZE, backgrounds(pictures)
    return [training_tile(pictures, size, np.random.default_rng(seed), textures) for seed in range(MEASURED_TILES)]


def backgrounds(pictures: Pictures) -> list[np.ndarray]:
    """Return what is no face: face-free pictures, shrunk so that cutting tiles is cheap, and cuts from beside faces."""
    textures = []
    for picture in face_free_pictures():
        scale = min(1.0, TEXTURE / min(picture.shape[:2]))
        textures.append(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return textures + cuts_beside_faces(pictures)


def write_detector(network: FaceDetector, path: Path) -> None:
    """Write the ONNX that insightface serves: `image` (1, 3, H, W) in, the nine tensors of `OUTPUTS` out."""
    metadata = {
        "network": "detector",
        "configuration": json.dumps(asdict(network.config)),
        "input_range": "(x - 127.5) / 128, RGB",
        "strides": "8,16,32",
        "anchors": "2",
    }
    write_onnx(network, {"image": torch.rand(1, 3, 64, 96)}, path, metadata, Signature(OUTPUTS, free_axes=(2, 3)))


def read_detector(path: Path) -> FaceDetector:
    """Return the network of a file made by `write_detector`, or the average of a run's checkpoint, in eval mode."""
    if path.suffix == ".onnx":
        return build_detector(json.loads(read_metadata(path)["configuration"]), read_state_dict(path))
    kept = load(path)
    return build_detector(kept["configuration"], kept["average"])


def build_detector(configuration: dict[str, Any], weights: dict[str, Tensor]) -> FaceDetector:
    """Return the network of a configuration with its weights, in eval mode."""
    network = FaceDetector(FaceDetectorConfig(**fields_of(configuration)))
    network.load_state_dict(weights)
    return network.eval()


def _batches(pictures: Pictures, options: TrainOptions, count: int, step: int) -> Iterator[tuple[Tensor, Wanted]]:
    """Yield images (B, 3, S, S) as the network takes them and their faces, from `step` on."""
    textures = backgrounds(pictures)

    def draw(seed: tuple[int, int, int], size: int) -> Tile:
        return training_tile(pictures, size, np.random.default_rng(seed), textures)

    with opencv_single_threaded(), ThreadPoolExecutor(max(1, torch.get_num_threads() - 1)) as pool:
        while True:
            batch, size = _shape(step, count, options.size or SIZE)
            seeds = [(options.seed, step, place) for place in range(batch)]
            tiles = list(pool.map(draw, seeds, [size] * batch))
            yield (to_tensor(np.stack([tile.image for tile in tiles])) * 255 - 127.5) / 128, gather(tiles)
            step += 1


@contextmanager
def opencv_single_threaded() -> Iterator[None]:
    """Keep OpenCV, in the whole process, from threads of its own beside a pool that uses the cores already."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _shape(step: int, batch: int, size: int) -> tuple[int, int]:
    """Return batch and tile size of a step; a larger tile has fewer of them, for about the same work."""
    if step % LARGE_EVERY != LARGE_EVERY - 1:
        return batch, size
    large = round(size * LARGE / 32) * 32
    return max(2, round(batch * (size / large) ** 2)), large


def drawn(tile: Tile, found: np.ndarray) -> np.ndarray:
    """Draw expected and found boxes and points into a copy of the tile."""
    image = tile.image.copy()
    for box, points, certain in zip(tile.boxes, tile.points, tile.certain, strict=True):
        _draw(image, box, points, (0, 255, 0) if certain else (160, 160, 160))
    for face in found:
        _draw(image, face[:4], face[4:14].reshape(5, 2), (255, 40, 40))
    return image


def _draw(image: np.ndarray, box: np.ndarray, points: np.ndarray, colour: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = box.round().astype(int).tolist()
    cv2.rectangle(image, (x0, y0), (x1, y1), colour, 1)
    for x, y in points.round().astype(int).tolist():
        cv2.circle(image, (x, y), 1, colour, -1)
