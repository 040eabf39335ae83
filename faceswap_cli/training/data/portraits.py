"""Portraits for a generator's training: what `portrait/` does for one face, for a batch on the device that trains.

Points, usable parts and lit pictures are found once with the embedded networks and kept as columns of the pack; a batch
then costs one small linear system a face.
"""

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..._version import __version__
from ...engines.select import open_network
from ...errors import MediaError
from ...portrait.corrections.coverage import Coverage
from ...portrait.landmarks import BRIDGE, CHIN, LIFTED, LandmarkFinder
from ...portrait.recipe import RECIPE
from ...portrait.source import Portraitist
from ...portrait.warp import SPLINE
from ...stages.parse import Parser
from ...store import models
from ...types import POINTS
from ..core.digests import digest
from .array_like import ArrayLike, Kept, Lazy
from .columns import Columns, Filling, Found, Layout, fill_missing, rows_of
from .face_set import HELD_BYTES, ColumnReader, crop_at
from .pack import encode
from .packs import Packs
from .table import Table

PICTURES = ("laid", "usable", "replaced")  # columns on disk: evenly lit picture, valid mask, coverage mask
FULL_COLOUR = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """What is known of every face of a set, beside its picture."""

    images: ArrayLike  # (N, S, S, 3) uint8 RGB: as they are warped to another face, evenly lit
    points: ArrayLike  # (N, 66, 2) float32, shares of the side
    valid_masks: ArrayLike  # (N, S, S) uint8: which pixels may be warped to another face, 0..255
    coverage_masks: ArrayLike  # (N, S, S) uint8: which pixels a portrait may cover, 0..255


def load_portraits(packs: Packs, size: int, filling: Filling, held_bytes: int = HELD_BYTES) -> Portraits:
    """Return the portraits of the faces of packs at `size` pixels; those not looked at yet are, once and for all.

    Looking at a face takes 30 ms of a core. Raises WeightsError where the embedded points or parser are missing.
    """
    networks = [models.entry(name).sha256 for name in ("points", "parser")]
    kind = f"portraits-{size}-{digest((__version__, networks, RECIPE.digest), [])[:12]}"
    columns = []
    for table in packs.tables:
        found = Columns(filling.folder(table, kind), table, Layout({"points": (POINTS, 2)}, PICTURES))
        fill_missing(found, filling, partial(PortraitTaker, table, size))
        columns.append(found)
    side, colour = (len(packs), size, size), cv2.IMREAD_COLOR
    return Portraits(
        images=Lazy((*side, 3), Kept(_Decoder(packs, columns, "laid", colour), held_bytes // 2)),
        points=Lazy((len(packs), POINTS, 2), ColumnReader(packs, columns, "points")),
        valid_masks=Lazy(side, Kept(_Decoder(packs, columns, "usable", cv2.IMREAD_GRAYSCALE), held_bytes // 4)),
        coverage_masks=Lazy(side, Kept(_Decoder(packs, columns, "replaced", cv2.IMREAD_GRAYSCALE), held_bytes // 4)),
    )


class PortraitTaker:
    """Looks at the faces of a pack with the embedded points and parser, chunk by chunk."""

    def __init__(self, table: Table, size: int) -> None:
        finder = LandmarkFinder(open_network(models.locate("points"), "cpu", 1), models.entry("points"))
        parser = Parser(open_network(models.locate("parser"), "cpu", 1), models.entry("parser"))
        self._table, self._size = table, size
        self._portraitist = Portraitist(finder, parser, size)
        self._coverage = Coverage()

    def __call__(self, chunk: int) -> Found:
        """Return what is seen in the faces of a chunk."""
        numbers = range(len(self._table))[rows_of(chunk)]
        seen = [self._seen(crop_at(self._table, number, self._size)) for number in numbers]
        points = np.stack([landmarks for landmarks, _ in seen])
        return {"points": points}, {name: [kept[name] for _, kept in seen] for name in PICTURES}

    def _seen(self, image: np.ndarray) -> tuple[np.ndarray, dict[str, bytes]]:
        """Return the points (66, 2) of a crop and its encoded pictures."""
        portrait = self._portraitist.observe(image)
        points, valid = portrait.landmarks, _bytes(portrait.valid_mask)
        coverage = _bytes(self._coverage.mask(points, self._size))
        jpeg = cv2.imencode(".jpg", portrait.image[..., ::-1], FULL_COLOUR)[1].tobytes()
        return points, {"laid": jpeg, "usable": encode(valid, ".png"), "replaced": encode(coverage, ".png")}


@dataclass(frozen=True, slots=True)
class _Decoder:
    """Decodes one of the pictures that columns keep."""

    packs: Packs
    columns: list[Columns]
    name: str
    mode: int

    def __call__(self, row: int) -> np.ndarray:
        pack, number = self.packs.place(row)
        image = cv2.imdecode(np.frombuffer(self.columns[pack].picture(self.name, number), np.uint8), self.mode)
        if image is None:
            raise MediaError(f"{self.columns[pack].folder} is damaged at row {number}: remove it to have it made anew")
        return image if image.ndim == 2 else image[..., ::-1]


def warp(layers: Tensor, origins: Tensor, points: Tensor, size: int) -> Tensor:
    """Move portraits (N, C, H, W) so that their points `origins` (N, 66, 2) come to `points`; return them at `size`.

    The batch's twin of `ThinPlateSpline.sampling_grid`, shares of the side in and out.
    """
    centres, theirs = (with_forehead_batch(each).double() for each in (points, origins))
    batch, count, _ = centres.shape
    system = torch.zeros(batch, count + 3, count + 3, dtype=torch.float64, device=centres.device)
    system[:, :count, :count] = _bend(centres, centres) + SPLINE.stiffness * torch.eye(count, device=centres.device)
    system[:, :count, count:] = torch.cat([torch.ones_like(centres[..., :1]), centres], dim=2)
    system[:, count:, :count] = system[:, :count, count:].mT
    moves = torch.cat([theirs - centres, centres.new_zeros(batch, 3, 2)], dim=1)
    weights = torch.linalg.solve(system, moves).float()
    side = (torch.arange(SPLINE.cells, device=centres.device) + 0.5) / SPLINE.cells
    cells = torch.stack(torch.meshgrid(side, side, indexing="xy"), dim=-1).reshape(1, -1, 2)
    straight = torch.cat([torch.ones_like(cells[..., :1]), cells], dim=2) @ weights[:, count:]
    place = cells + straight + _bend(cells.expand(batch, -1, -1), centres.float()) @ weights[:, :count]
    grid = (2 * place - 1).mT.reshape(batch, 2, SPLINE.cells, SPLINE.cells)
    grid = functional.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    return functional.grid_sample(layers, grid, padding_mode="reflection", align_corners=False)


def with_forehead_batch(points: Tensor) -> Tensor:
    """Return `portrait.landmarks.with_forehead` of points (N, 66, 2)."""
    up = points[:, [BRIDGE]] - points[:, [CHIN]]
    rows, heights = LIFTED
    return torch.cat([points, points[:, rows] + points.new_tensor(heights)[:, None] * up], dim=1)


def _bend(places: Tensor, centres: Tensor) -> Tensor:
    """Return r^2 log r between (N, P, 2) and (N, C, 2)."""
    square = (places[:, :, None] - centres[:, None]).square().sum(dim=3)
    return 0.5 * square * square.clamp(min=1e-12).log()


def _bytes(share: np.ndarray) -> np.ndarray:
    return np.rint(255 * share).astype(np.uint8)
