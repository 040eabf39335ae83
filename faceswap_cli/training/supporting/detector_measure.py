"""How well a detector finds faces: against a teacher's labels in training, against any judge afterwards."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from ...networks.detector import FaceDetector
from ..data.face_set import to_tensor
from .detector_data import overlaps
from .detector_loss import decode_boxes, make_anchors
from .detector_tiles import Tile

THRESHOLD, SAME_FACE = 0.5, 0.4  # score to be found; overlap from which the weaker of two finds is dropped
HIT = 0.5  # overlap (IoU) with an expected face from which it counts as found
SMALL = 32.0  # pixels, shorter side of the box

Find = Callable[[np.ndarray], np.ndarray]  # RGB (H, W, 3) uint8 -> (F, 15): box, five points, score; best first


@dataclass(frozen=True, slots=True)
class DetectorScores:
    """What a detector found among what was expected."""

    faces: int  # expected, of at least SMALL pixels
    recall: float  # share of them that is found
    small_faces: int
    small_recall: float
    landmark_error: float  # mean distance of the five points over the distance of the eyes, of all faces found
    false_faces: float  # finds that touch no face, per picture
    false_on_empty: float  # the same, of pictures in which no face is expected

    def table(self) -> str:
        """Return one line per measure."""
        return "\n".join(f"{name:<16} {getattr(self, name):.4g}" for name in self.__slots__)


def measure(find: Find, tiles: Iterable[Tile]) -> DetectorScores:
    """Look at every tile and count."""
    hits: dict[bool, list[bool]] = {True: [], False: []}
    errors: list[float] = []
    wrong, wrong_on_empty = [], []
    for tile in tiles:
        found = find(tile.image)
        touch = overlaps(found[:, :4], tile.boxes)
        wrong.append(int((touch.max(1, initial=0) < 0.3).sum()))
        if not len(tile.boxes):
            wrong_on_empty.append(wrong[-1])
        for number in np.flatnonzero(tile.certain):
            box = tile.boxes[number]
            best = int(touch[:, number].argmax()) if len(found) else -1
            hit = best >= 0 and bool(touch[best, number] >= HIT)
            hits[bool(min(box[2:] - box[:2]) < SMALL)].append(hit)
            if hit:
                errors.append(landmark_error(found[best, 4:14].reshape(5, 2), tile.points[number]))
    mean = [float(np.mean(values)) if values else float("nan") for values in (hits[False], hits[True], errors)]
    false_faces, false_on_empty = (float(np.mean(values)) if values else 0.0 for values in (wrong, wrong_on_empty))
    return DetectorScores(len(hits[False]), mean[0], len(hits[True]), mean[1], mean[2], false_faces, false_on_empty)


def landmark_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the mean distance of five points (5, 2) over the distance between the expected eyes."""
    eyes = max(float(np.linalg.norm(expected[1] - expected[0])), 1.0)
    return float(np.linalg.norm(found - expected, axis=1).mean()) / eyes


@torch.inference_mode()
def find_faces(network: FaceDetector, rgb: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Return (F, 15) float32, best first: box, five points, score; the picture's sides are multiples of 32."""
    network.eval()
    image = (to_tensor(rgb[None]) * 255 - 127.5) / 128
    logits, distances, offsets = (
        part[0].cpu() for part in network.predictions(image.to(next(network.parameters()).device))
    )
    anchors, scores = make_anchors(*rgb.shape[:2]), logits.sigmoid()
    boxes = decode_boxes(distances * anchors.strides[:, None], anchors.centres)
    points = offsets * anchors.strides[:, None] + anchors.centres.repeat(1, 5)
    found = torch.cat([boxes, points, scores[:, None]], 1)[scores >= threshold].numpy()
    return suppress(found[np.argsort(-found[:, 14], kind="stable")])


def suppress(found: np.ndarray) -> np.ndarray:
    """Keep the best of the finds (F, 15), sorted best first, that lie on one another."""
    overlap = overlaps(found[:, :4], found[:, :4])
    kept: list[int] = []
    for number in range(len(found)):
        if not kept or overlap[number, kept].max() <= SAME_FACE:
            kept.append(number)
    return found[kept]
