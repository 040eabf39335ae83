"""The faces of some packs as one set: split by person, cut, jittered; pictures are decoded when they are asked for.

Crops lie in SimSwap's frontal template. What the identity encoder sees is cut from the same crop: the encoder's own
template is smaller than SimSwap's, so nothing is missing. Of a row 6 bytes lie in memory, and of the pictures those
that were read first, up to a bound.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from ...evaluation.splits import is_held_out, part_of
from ...stages.align import similarity
from ...stages.parse import FACE_CLASSES
from .array_like import ArrayLike, Kept, Lazy
from .columns import Columns
from .pack import read_crop, read_label
from .packs import Packs
from .table import Table

ENCODER_SIZE = 112
OUTSIDE_SIZE = 64
HELD_BYTES = 2**30  # of decoded pictures that are kept in memory
AT_ONCE = 64  # rows of a part
FEWEST_PEOPLE = 10  # with whom some are held out


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """All faces of some packs."""

    images: ArrayLike  # (N, S, S, 3) uint8 RGB
    points: ArrayLike  # (N, 5, 2) float32, pixels of the S x S crop
    people: np.ndarray  # (N,) int32, number of the person
    grey: np.ndarray  # (N,) bool
    held_out: np.ndarray  # (N,) bool: never trained on, split by person
    watched: np.ndarray  # (N,) bool: of those, the people a run is measured on; the others are kept for reports
    outside: ArrayLike  # (N, 64, 64) uint8: 1 where a class map says neither face nor its rim; 0 without a class map

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of a crop in pixels."""
        return self.images.shape[1]

    def chosen(self, rows: np.ndarray) -> "FaceSet":
        """Return the set of some rows (indices or a mask)."""
        columns = [getattr(self, name) for name in self.__slots__]
        some: list[Any] = [each.chosen(rows) if isinstance(each, Lazy) else each[rows] for each in columns]
        return FaceSet(*some)


@dataclass(frozen=True, slots=True)
class ColumnReader:
    """Reads one of the arrays that columns of packs keep."""

    packs: Packs
    columns: list[Columns]
    name: str

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return it for rows (K,): (K, ...) float32."""
        found = np.empty((len(rows), *self.columns[0].array(self.name).shape[1:]), np.float32)
        for pack, which, numbers in self.packs.parts(rows):
            found[which] = self.columns[pack].array(self.name)[numbers]
        return found


@dataclass(frozen=True, slots=True)
class _Crops:
    """Reads the crops of packs at one size."""

    packs: Packs
    size: int

    def __call__(self, row: int) -> np.ndarray:
        pack, number = self.packs.place(row)
        return crop_at(self.packs.tables[pack], number, self.size)


@dataclass(frozen=True, slots=True)
class _Outsides:
    """Reads where the class maps of packs have no face."""

    packs: Packs

    def __call__(self, row: int) -> np.ndarray:
        pack, number = self.packs.place(row)
        table = self.packs.tables[pack]
        label = read_label(table.folder, table.row(number))
        return np.zeros((OUTSIDE_SIZE, OUTSIDE_SIZE), np.uint8) if label is None else _outside(label)


@dataclass(frozen=True, slots=True)
class _Points:
    """Reads the points of packs, in pixels of crops of one size."""

    packs: Packs
    size: int

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        points = np.empty((len(rows), 5, 2), np.float32)
        for pack, which, numbers in self.packs.parts(rows):
            points[which] = points_at(self.packs.tables[pack], numbers, self.size)
        return points


def load_packs(folders: tuple[Path, ...], size: int, held_bytes: int = HELD_BYTES) -> FaceSet:
    """Return the faces of packs, at `size` pixels; raise UsageError when there are fewer than two."""
    return as_faces(Packs(folders), size, held_bytes)


def as_faces(packs: Packs, size: int, held_bytes: int = HELD_BYTES) -> FaceSet:
    """Return the faces of packs as a set. See `load_packs`."""
    count = len(packs)
    if count < 2:
        folders = ", ".join(str(table.folder) for table in packs.tables)
        raise UsageError(f"{count} usable faces in {folders}: training needs at least 2")
    names = packs.names()
    people = packs.people(names)
    held_out = np.array([is_held_out(name) for name in names])[people]
    if held_out.all() or len(names) < FEWEST_PEOPLE:
        held_out[:] = False
    watched = held_out & np.array([part_of(name) == "tuning" for name in names])[people]
    side = (OUTSIDE_SIZE, OUTSIDE_SIZE)
    return FaceSet(
        images=Lazy((count, size, size, 3), Kept(_Crops(packs, size), held_bytes)),
        points=Lazy((count, 5, 2), _Points(packs, size)),
        people=people,
        grey=packs.column("grey"),
        held_out=held_out,
        watched=watched if watched.any() else held_out,
        outside=Lazy((count, *side), Kept(_Outsides(packs), held_bytes // 16)),
    )


def crop_at(table: Table, number: int, size: int) -> np.ndarray:
    """Return the crop of a row, (size, size, 3) uint8 RGB."""
    crop = read_crop(table.folder, table.row(number))
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if size < len(crop) else cv2.INTER_LINEAR)


def points_at(table: Table, numbers: np.ndarray, size: int) -> np.ndarray:
    """Return the points of rows (K,), (K, 5, 2) float32, in pixels of crops of `size`."""
    ratio = size / table.rows["size"][numbers].astype(np.float32)
    return table.rows["points"][numbers] * ratio[:, None, None]


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


def in_parts(rows: np.ndarray) -> list[np.ndarray]:
    """Return rows (N,) in parts that are few enough to have their pictures in memory at once."""
    return [rows[first : first + AT_ONCE] for first in range(0, max(1, len(rows)), AT_ONCE)]


def to_bytes(images: np.ndarray) -> Tensor:
    """Turn (N, S, S, 3) uint8 into (N, 3, S, S) uint8."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)


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
