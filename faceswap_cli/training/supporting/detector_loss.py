"""Which anchors answer for which face, and how wrong they are.

A face is the matter of the anchors whose size is near its own, in the cells around its middle. Scores learn by quality
focal loss (Li et al. 2020, equation 2), boxes by distance-IoU (Zheng et al. 2020), points by smooth L1 relative to the
face. All boxes here are in pixels of the tile.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...networks.detector import ANCHOR_SIZES, ANCHORS, STRIDES
from .detector_tiles import Tile

SIZE_REACH = 0.8  # an anchor answers for faces at most so far from its size, in octaves
MIDDLE = 0.28  # and in cells nearer to the middle than this share of the face's side
NEAREST = 0.75  # or than so many strides, so that no face is left without a cell
NEUTRAL = 0.5  # around a face left alone no cell within this share of its side is called background
POINT_BETA = 0.02  # share of the face's side at which the points' loss turns from square to straight
BOX_WEIGHT, POINT_WEIGHT = 1.5, 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """All anchors of a tile, in the order of the network's rows."""

    centres: Tensor  # (A, 2) x y in pixels
    strides: Tensor  # (A,) pixels
    sizes: Tensor  # (A,) side in pixels of the face it stands for


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """The faces of a batch, padded to one number per tile."""

    boxes: Tensor  # (N, F, 4); zeros where there is none
    points: Tensor  # (N, F, 10)
    certain: Tensor  # (N, F) bool: to be found
    doubtful: Tensor  # (N, F) bool: left alone


def make_anchors(height: int, width: int) -> Anchors:
    """Lay out the anchors of a picture whose sides are multiples of 32."""
    centres, strides, sizes = [], [], []
    for stride in STRIDES:
        rows, columns = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        cells = torch.stack([columns, rows], -1).reshape(-1, 2).float() * stride
        centres.append(cells.repeat_interleave(ANCHORS, 0))
        strides.append(torch.full((len(cells) * ANCHORS,), float(stride)))
        sizes.append(torch.tensor(ANCHOR_SIZES).mul(stride).repeat(len(cells)))
    return Anchors(torch.cat(centres), torch.cat(strides), torch.cat(sizes))


def gather(tiles: list[Tile]) -> Wanted:
    """Stack the faces of some tiles."""
    most = max(1, *(len(tile.boxes) for tile in tiles))
    boxes, points = np.zeros((len(tiles), most, 4), np.float32), np.zeros((len(tiles), most, 10), np.float32)
    flags = np.zeros((2, len(tiles), most), bool)
    for row, tile in enumerate(tiles):
        count = len(tile.boxes)
        boxes[row, :count], points[row, :count] = tile.boxes, tile.points.reshape(-1, 10)
        flags[:, row, :count] = tile.certain, ~tile.certain
    return Wanted(*map(torch.from_numpy, (boxes, points, *flags)))


def assign(wanted: Wanted, anchors: Anchors) -> tuple[Tensor, Tensor]:
    """Return for each anchor (N, A) the number of its face, -1 for background, and whether it is to be left alone."""
    middles = (wanted.boxes[..., :2] + wanted.boxes[..., 2:]) / 2
    sides = (wanted.boxes[..., 2:] - wanted.boxes[..., :2]).clamp(min=1e-3).prod(-1).sqrt()
    apart = (middles[:, :, None] - anchors.centres).norm(dim=-1)  # (N, F, A)
    octaves = (sides[..., None] / anchors.sizes).log2()
    # the smallest and the largest anchors also answer for what lies beyond them
    smallest, largest = anchors.sizes.min(), anchors.sizes.max()
    beyond = ((octaves < 0) & (anchors.sizes == smallest)) | ((octaves > 0) & (anchors.sizes == largest))
    octaves = octaves.masked_fill(beyond, 0).abs()
    reach = torch.maximum(MIDDLE * sides[..., None], NEAREST * anchors.strides)
    fits = (apart <= reach) & (octaves <= SIZE_REACH) & wanted.certain[..., None]
    cost = (apart / sides[..., None] + 0.3 * octaves).masked_fill(~fits, math.inf)
    least, face = cost.min(1)
    assigned = torch.where(least < math.inf, face, -1)
    near_doubt = (
        (apart <= torch.maximum(NEUTRAL * sides[..., None], anchors.strides)) & wanted.doubtful[..., None]
    ).any(1)
    return assigned, near_doubt & (assigned < 0)


def detector_loss(predictions: tuple[Tensor, Tensor, Tensor], wanted: Wanted, anchors: Anchors) -> dict[str, Tensor]:
    """Return the losses of scores, boxes and points, each already weighted, from `FaceDetector.predictions`."""
    logits, distances, offsets = predictions
    assigned, alone = assign(wanted, anchors)
    tile, anchor = torch.nonzero(assigned >= 0, as_tuple=True)
    face = assigned[tile, anchor]
    stride, centre = anchors.strides[anchor][:, None], anchors.centres[anchor]
    found = decode_boxes(distances[tile, anchor] * stride, centre)
    true = wanted.boxes[tile, face]
    side = (true[:, 2:] - true[:, :2]).prod(1).sqrt()[:, None]
    overlap, distance_overlap = overlap_of(found, true)
    points = (offsets[tile, anchor] * stride + centre.repeat(1, 5) - wanted.points[tile, face]) / side
    quality = torch.zeros_like(logits)
    # the root keeps a face that is a little off above the usual threshold of 0.5
    quality[tile, anchor] = overlap.detach().clamp(0, 1).sqrt()
    count = max(1, len(face))
    return {
        "score": (quality_focal(logits, quality) * ~alone).sum() / count,
        "box": BOX_WEIGHT * (1 - distance_overlap).sum() / count,
        "points": POINT_WEIGHT
        * functional.smooth_l1_loss(points, torch.zeros_like(points), reduction="sum", beta=POINT_BETA)
        / (count * 5),
    }


def quality_focal(logits: Tensor, quality: Tensor) -> Tensor:
    """Return |quality - score|^2 times the cross entropy, per anchor."""
    entropy = functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return (quality - logits.sigmoid()).square() * entropy


def decode_boxes(distances: Tensor, centres: Tensor) -> Tensor:
    """Turn distances to left, top, right, bottom (..., 4) in pixels into boxes."""
    return torch.cat([centres - distances[..., :2], centres + distances[..., 2:]], -1)


def overlap_of(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Return the IoU and the distance-IoU of boxes (N, 4) with boxes (N, 4)."""
    low, high = torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(1) for box in (one, other)]
    overlap = shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)
    hull = torch.maximum(one[:, 2:], other[:, 2:]) - torch.minimum(one[:, :2], other[:, :2])
    apart = ((one[:, :2] + one[:, 2:]) - (other[:, :2] + other[:, 2:])) / 2
    return overlap, overlap - apart.square().sum(1) / hull.square().sum(1).clamp(min=1e-6)
