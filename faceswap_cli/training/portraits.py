"""Portraits for a generator's training: what `stages/fit.py` does for one face, for a batch on the device that trains.

Points and usable parts come once from the embedded networks; a batch then costs one small linear system a face.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .. import models
from ..engines import open_network
from ..stages.parse import Parser
from ..stages.points import PointFinder, replaced, with_forehead
from ..stages.portrait import Portraitist
from ..stages.shape import likened
from ..stages.spline import GRID, STIFFNESS
from .data import FaceSet


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """What is known of every face of a set, beside its picture."""

    points: np.ndarray  # (N, 66, 2) float32, shares of the side
    usable: np.ndarray  # (N, S, S) uint8: which pixels may be laid over another face, 0..255
    replaced: np.ndarray  # (N, S, S) uint8: which pixels a portrait may cover, 0..255


def take_portraits(faces: FaceSet, threads: int | None = None) -> Portraits:
    """Look at every face with the embedded points and parser; raise WeightsError where one is missing."""
    finder = PointFinder(open_network(models.locate("points"), "cpu", threads), models.entry("points"))
    parser = Parser(open_network(models.locate("parser"), "cpu", threads), models.entry("parser"))
    portraitist = Portraitist(finder, parser, faces.size)
    points, usable = [], []
    for image in faces.images:
        portrait = portraitist.of_crop(image)
        points.append(portrait.points)
        usable.append(_bytes(portrait.usable))
    covered = [_bytes(replaced(each, faces.size)) for each in points]
    return Portraits(np.stack(points), np.stack(usable), np.stack(covered))


def lay(layers: Tensor, origins: Tensor, points: Tensor, size: int) -> Tensor:
    """Move portraits (N, C, H, W) so that their points `origins` (N, 66, 2) come to `points`; return them at `size`.

    The batch's twin of `stages.shape.likened` and `stages.spline.spline`, shares of the side in and out.
    """
    points = likened_batch(points, origins)
    centres, theirs = (with_forehead_batch(each).double() for each in (points, origins))
    batch, count, _ = centres.shape
    system = torch.zeros(batch, count + 3, count + 3, dtype=torch.float64, device=centres.device)
    system[:, :count, :count] = _bend(centres, centres) + STIFFNESS * torch.eye(count, device=centres.device)
    system[:, :count, count:] = torch.cat([torch.ones_like(centres[..., :1]), centres], dim=2)
    system[:, count:, :count] = system[:, :count, count:].mT
    moves = torch.cat([theirs - centres, centres.new_zeros(batch, 3, 2)], dim=1)
    weights = torch.linalg.solve(system, moves).float()
    side = (torch.arange(GRID, device=centres.device) + 0.5) / GRID
    cells = torch.stack(torch.meshgrid(side, side, indexing="xy"), dim=-1).reshape(1, -1, 2)
    straight = torch.cat([torch.ones_like(cells[..., :1]), cells], dim=2) @ weights[:, count:]
    place = cells + straight + _bend(cells.expand(batch, -1, -1), centres.float()) @ weights[:, :count]
    grid = (2 * place - 1).mT.reshape(batch, 2, GRID, GRID)
    grid = functional.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    return functional.grid_sample(layers, grid, padding_mode="reflection", align_corners=False)


def likened_batch(points: Tensor, origins: Tensor) -> Tensor:
    """Return `stages.shape.likened` of points and origins (N, 66, 2) on their own device."""
    pairs = zip(points.cpu().numpy(), origins.cpu().numpy(), strict=True)
    return torch.from_numpy(np.stack([likened(*pair) for pair in pairs])).to(points.device)


def with_forehead_batch(points: Tensor) -> Tensor:
    """Return `stages.points.with_forehead` of points (N, 66, 2) on their own device."""
    return torch.from_numpy(with_forehead(points.cpu().numpy())).to(points.device)


def _bend(places: Tensor, centres: Tensor) -> Tensor:
    """Return r^2 log r between (N, P, 2) and (N, C, 2)."""
    square = (places[:, :, None] - centres[:, None]).square().sum(dim=3)
    return 0.5 * square * square.clamp(min=1e-12).log()


def _bytes(share: np.ndarray) -> np.ndarray:
    return np.rint(255 * share).astype(np.uint8)
