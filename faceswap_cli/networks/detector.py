"""The face detector: boxes and five landmarks at three strides (step: detect).

Output convention of SCRFD (Guo et al. 2021) as insightface serves it: strides 8, 16 and 32, two anchors a cell that
share the centre (column * stride, row * stride), scores after sigmoid, distances in units of the stride. RGB in as
(x - 127.5) / 128, height and width multiples of 32. Each anchor stands for one size of face; what the network learns is
relative to that size.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap_cli.networks.layers import conv_norm_act

STRIDES = (8, 16, 32)
ANCHORS = 2  # per cell
ANCHOR_SIZES = (2.0, 4.0)  # side of the face an anchor stands for, in strides: 16 and 32 px at stride 8
OUTPUTS = tuple(f"{kind}_{stride}" for kind in ("score", "box", "points") for stride in STRIDES)
_VALUES = (1, 4, 10)  # numbers per anchor: score, box, points
_LARGEST = 3.0  # logarithm of the largest box side over the anchor's: keeps exp finite


@dataclass(frozen=True, slots=True)
class FaceDetectorConfig:
    """Widths and depths of FaceDetector."""

    widths: tuple[int, int, int, int, int] = (16, 32, 48, 64, 96)  # channels at 1/2, 1/4, 1/8, 1/16 and 1/32
    blocks: tuple[int, int, int] = (1, 1, 2)  # residual blocks at 1/8, 1/16 and 1/32
    neck: int = 48  # channels of the maps the heads see
    face_share: float = 0.005  # what an untrained net scores everywhere (Lin et al. 2017, section 4.1)


class FaceDetector(nn.Module):
    """A few dense convolutions down to 1/32, back up to 1/8 by additions, a light head at each stride."""

    def __init__(self, config: FaceDetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config or FaceDetectorConfig()
        half, quarter, *deep = self.config.widths
        self.stem = nn.Sequential(conv_norm_act(3, half, stride=2), conv_norm_act(half, quarter, stride=2))
        incoming = (quarter, *deep[:-1])
        self.stages = nn.ModuleList(map(_stage, incoming, deep, self.config.blocks))
        self.lateral = nn.ModuleList(nn.Conv2d(width, self.config.neck, 1) for width in deep)
        self.heads = nn.ModuleList(_Head(self.config.neck, self.config.face_share) for _ in STRIDES)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the nine tensors of `OUTPUTS`, each (cells * 2, 1 or 4 or 10), for one image (1, 3, H, W)."""
        scores, boxes, points = self._rows(image)
        return tuple(rows[0] for rows in (*(score.sigmoid() for score in scores), *boxes, *points))

    def predictions(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (N, A), boxes (N, A, 4) and points (N, A, 10) over all strides, distances as in `forward`."""
        logits, boxes, points = (torch.cat(rows, 1) for rows in self._rows(image))
        return logits[..., 0], boxes, points

    def _rows(self, image: Tensor) -> list[list[Tensor]]:
        """Return logits, boxes and points, of each one tensor a stride with a row per anchor (N, cells * 2, values)."""
        levels = self.maps(image)
        return [[_per_anchor(level[kind], values) for level in levels] for kind, values in enumerate(_VALUES)]

    def maps(self, image: Tensor) -> list[tuple[Tensor, ...]]:
        """Return, for each stride, maps of logits, boxes and points (N, 2 * values, H / stride, W / stride)."""
        features, levels = self.stem(image), []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        fine, middle, coarse = (lateral(level) for lateral, level in zip(self.lateral, levels, strict=True))
        middle = middle + functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        fine = fine + functional.interpolate(middle, scale_factor=2.0, mode="nearest")
        return [head(level) for head, level in zip(self.heads, (fine, middle, coarse), strict=True)]


class _Residual(nn.Module):
    """One 3x3 convolution around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.norm(self.conv(features)))


class _Head(nn.Module):
    """Look at a neighbourhood, then say logit, distances to the box and offsets of the points, in strides."""

    box_unit: Tensor
    point_unit: Tensor

    def __init__(self, width: int, face_share: float) -> None:
        super().__init__()
        self.look = conv_norm_act(width, width)
        self.deepen = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False), conv_norm_act(width, width, kernel=1)
        )
        layers = [nn.Conv2d(width, ANCHORS * values, 1) for values in _VALUES]
        for layer, start in zip(layers, (-math.log(1 / face_share - 1), 0, 0), strict=True):
            assert layer.bias is not None
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, start)
        self.say = nn.ModuleList(layers)
        sizes = torch.tensor(ANCHOR_SIZES)
        self.register_buffer("box_unit", (sizes / 2).repeat_interleave(4).reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("point_unit", sizes.repeat_interleave(10).reshape(1, -1, 1, 1), persistent=False)

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        features = self.deepen(self.look(features))
        logits, boxes, points = (layer(features).float() for layer in self.say)
        return logits, boxes.clamp(max=_LARGEST).exp() * self.box_unit, points * self.point_unit


def _stage(incoming: int, outgoing: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(conv_norm_act(incoming, outgoing, stride=2), *(_Residual(outgoing) for _ in range(blocks)))


def _per_anchor(level: Tensor, values: int) -> Tensor:
    """Turn a map (N, 2 * values, h, w) into one row per anchor (N, h * w * 2, values), the two of a cell adjacent."""
    return level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, values)
