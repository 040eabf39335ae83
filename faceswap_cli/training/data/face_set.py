"""Packs in memory: crops decoded once, split by person, drawn with augmentation.

Crops lie in SimSwap's frontal template. What the identity encoder sees is cut from the same crop: the encoder's own
template is smaller than SimSwap's, so nothing is missing.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from ...evaluation.splits import is_held_out
from ...stages.align import similarity
from .pack import Row, read_crop, read_label, read_rows

ENCODER_SIZE = 112
OUTSIDE_SIZE = 64
FACE_CLASSES = (1, 2, 3, 4, 5, 6, 10, 11, 12, 13)  # skin, brows, eyes, glasses, nose, mouth, lips


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """All crops of some packs, in memory."""

    images: np.ndarray  # (N, S, S, 3) uint8 RGB
    points: np.ndarray  # (N, 5, 2) float32, pixels of the S x S crop
    people: np.ndarray  # (N,) int64, number of the person
    grey: np.ndarray  # (N,) bool
    scale: np.ndarray  # (N,) float32, crop pixels per picture pixel at size S: above 1 means enlarged
    held_out: np.ndarray  # (N,) bool: never trained on, split by person
    outside: np.ndarray  # (N, 64, 64) uint8: 1 where a class map says neither face nor its rim; 0 without a class map

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of a crop in pixels."""
        return self.images.shape[1]

    def chosen(self, rows: np.ndarray) -> "FaceSet":
        """Return the set of some rows (indices or a mask)."""
        return FaceSet(*(getattr(self, name)[rows] for name in self.__slots__))


def load_packs(folders: tuple[Path, ...], size: int) -> FaceSet:
    """Decode every crop of the packs at `size` pixels; raise UsageError when there are fewer than two."""
    rows: list[tuple[Path, Row]] = [(folder, row) for folder in folders for row in read_rows(folder)]
    if len(rows) < 2:
        raise UsageError(f"{len(rows)} usable faces in {', '.join(map(str, folders))}: training needs at least 2")
    images = np.empty((len(rows), size, size, 3), np.uint8)
    outside = np.zeros((len(rows), OUTSIDE_SIZE, OUTSIDE_SIZE), np.uint8)
    points = np.empty((len(rows), 5, 2), np.float32)
    scale = np.empty(len(rows), np.float32)
    for index, (folder, row) in enumerate(rows):
        crop = read_crop(folder, row)
        ratio = size / crop.shape[0]
        images[index] = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
        points[index] = np.asarray(row.points, np.float32) * ratio
        scale[index] = row.scale * ratio
        label = read_label(folder, row)
        if label is not None:
            outside[index] = _outside(label)
    names = [row.person for _, row in rows]
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    held_out = np.array([is_held_out(name) for name in names])
    if held_out.all() or len(numbers) < 10:
        held_out[:] = False
    people = np.array([numbers[name] for name in names], np.int64)
    grey = np.array([row.grey for _, row in rows])
    return FaceSet(images, points, people, grey, scale, held_out, outside)


def _outside(label: np.ndarray) -> np.ndarray:
    """Return where a class map (S, S) has neither face nor the rim around it."""
    small = cv2.resize(label, (OUTSIDE_SIZE, OUTSIDE_SIZE), interpolation=cv2.INTER_NEAREST)
    face = np.isin(small, FACE_CLASSES).astype(np.uint8)
    return 1 - cv2.dilate(face, np.ones((5, 5), np.uint8))


def encoder_crop(
    image: np.ndarray, points: np.ndarray, jitter: np.ndarray | None = None, template: str = "arcface"
) -> np.ndarray:
    """Cut the encoder's aligned crop, (112, 112, 3) uint8.

    `jitter` is (rotation in radians, log of the scale, shift x, shift y in crop pixels) around the crop's centre.
    """
    to_crop = similarity(points, template, ENCODER_SIZE)
    if jitter is not None:
        to_crop = _moved(to_crop, jitter, ENCODER_SIZE)
    return _warp(image, to_crop, ENCODER_SIZE)


def moved_crop(image: np.ndarray, jitter: np.ndarray, size: int) -> np.ndarray:
    """Return a crop turned, scaled and shifted around its centre, (size, size, 3) uint8, its border reflected."""
    to_crop = np.array([[1.0, 0, 0], [0, 1, 0]]) * (size / image.shape[0])
    return _warp(image, _moved(to_crop, jitter, size), size)


def draw_jitter(generator: np.random.Generator, degrees: float, scale: float, shift: float) -> np.ndarray:
    """Draw (rotation, log scale, shift x, shift y) with the given deviations: degrees, a share, pixels."""
    spread = np.array([np.radians(degrees), scale, shift, shift])
    return generator.standard_normal(4) * spread


def to_tensor(images: np.ndarray | list[np.ndarray]) -> Tensor:
    """Turn (N, S, S, 3) uint8 into (N, 3, S, S) float32 in [0, 1], channels last in memory."""
    stacked = torch.from_numpy(np.ascontiguousarray(images))
    return stacked.permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)


def _moved(to_crop: np.ndarray, jitter: np.ndarray, size: int) -> np.ndarray:
    angle, log_scale, shift_x, shift_y = jitter
    cosine, sine = np.cos(angle) * np.exp(log_scale), np.sin(angle) * np.exp(log_scale)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array([size / 2, size / 2])
    offset = turn @ (to_crop[:, 2] - centre) + centre + (shift_x, shift_y)
    return np.column_stack([turn @ to_crop[:, :2], offset])


def _warp(image: np.ndarray, to_crop: np.ndarray, size: int) -> np.ndarray:
    return cv2.warpAffine(image, to_crop, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
