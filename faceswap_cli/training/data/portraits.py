"""Portraits for a generator's training: what `portrait/` does for one face, for a batch on the device that trains.

Points and usable parts come once from the embedded networks; a batch then costs one small linear system a face.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..._version import __version__
from ...engines.select import open_network
from ...portrait.corrections.brow_shape import STEADY, BrowShape
from ...portrait.corrections.coverage import Coverage
from ...portrait.corrections.source_light import Light
from ...portrait.landmarks import BRIDGE, BROWS, CHIN, LIFTED, LandmarkFinder
from ...portrait.recipe import RECIPE
from ...portrait.records import Portrait
from ...portrait.source import Portraitist
from ...portrait.warp import SPLINE
from ...stages.parse import Parser
from ...store import models
from ..core.cached_arrays import digest, remembered
from .face_set import FaceSet


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """What is known of every face of a set, beside its picture."""

    images: np.ndarray  # (N, S, S, 3) uint8 RGB: as they are laid over another face, evenly lit
    points: np.ndarray  # (N, 66, 2) float32, shares of the side
    usable: np.ndarray  # (N, S, S) uint8: which pixels may be laid over another face, 0..255
    replaced: np.ndarray  # (N, S, S) uint8: which pixels a portrait may cover, 0..255


def load_portraits(faces: FaceSet, cache: Path, threads: int | None = None) -> Portraits:
    """Return the portraits of a set, from `cache` (.npz) where it was made of just these pictures by these networks.

    Looking at a face takes 30 ms of a core, so a run on lent hardware brings the cache of one that was made elsewhere.
    """
    networks = [models.entry(name).sha256 for name in ("points", "parser")]
    made_of = digest((__version__, networks, RECIPE.digest), [faces.images])
    seen = remembered(
        cache, made_of, lambda: dict(zip(("points", "usable"), take_portraits(faces, threads), strict=True))
    )
    return _made(faces, seen["points"], seen["usable"])


def take_portraits(faces: FaceSet, threads: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Look at every face with the embedded points and parser; raise WeightsError where one is missing.

    Returned are the points (N, 66, 2) and the usable parts (N, S, S) of `Portraits`.
    """
    finder = LandmarkFinder(open_network(models.locate("points"), "cpu", threads), models.entry("points"))
    parser = Parser(open_network(models.locate("parser"), "cpu", threads), models.entry("parser"))
    portraitist = Portraitist(finder, parser, faces.size)
    points, usable = [], []
    for image in faces.images:
        portrait = portraitist.observe(image)
        points.append(portrait.landmarks)
        usable.append(_bytes(portrait.valid_mask))
    return np.stack(points), np.stack(usable)


def _made(faces: FaceSet, points: np.ndarray, usable: np.ndarray) -> Portraits:
    """Return the portraits of faces from what was seen in them."""
    light, coverage = Light(), Coverage()
    seen = zip(faces.images, usable, points, strict=True)
    images = np.stack(
        [light.apply(Portrait(image, share / np.float32(255), each)).image for image, share, each in seen]
    )
    covered = np.stack([_bytes(coverage.mask(each, usable.shape[-1])) for each in points])
    return Portraits(images, points, usable, covered)


def lay(layers: Tensor, origins: Tensor, points: Tensor, size: int) -> Tensor:
    """Move portraits (N, C, H, W) so that their points `origins` (N, 66, 2) come to `points`; return them at `size`.

    The batch's twin of `BrowShape.moved` and `ThinPlateSpline.sampling_grid`, shares of the side in and out.
    """
    points = moved_brows(points, origins)
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


def moved_brows(points: Tensor, origins: Tensor) -> Tensor:
    """Return `BrowShape.moved` of points and origins (N, 66, 2)."""
    own = torch.cat([origins, torch.ones_like(origins[..., :1])], dim=2).double()
    # by the normal equations: torch's least squares differ in the last digit from call to call, and runs must not
    still, there = own[:, STEADY], points[:, STEADY].double()
    turn = torch.linalg.solve(still.mT @ still, still.mT @ there)
    moved = points.clone()
    moved[:, BROWS] += BrowShape().settings.share * ((own @ turn)[:, BROWS] - points[:, BROWS]).float()
    return moved


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
