"""Where a face's brows, eyes, nose, lips and jaw are: 66 points of an aligned crop (step: fit).

The order is iBUG 300-W's (Sagonas et al. 2013) without the outer corners of the mouth, as OpenSeeFace has it: jaw
0-16, brows 17-26, nose 27-35, eyes 36-47, the lips' outer edge 48-57 (five above, five below), their inner edge 58-65
(corner, three above, corner, three below), each edge clockwise from the picture's left.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layers import conv_norm_act

POINTS = 66
CELLS = 16  # the crop's side over the last map's


@dataclass(frozen=True, slots=True)
class FacePointsConfig:
    """Widths and depths of FacePoints."""

    size: int = 112  # side of the crop it takes
    widths: tuple[int, int, int, int] = (16, 32, 64, 96)  # channels at 1/2, 1/4, 1/8 and 1/16
    blocks: tuple[int, int, int] = (1, 2, 3)  # residual blocks at 1/4, 1/8 and 1/16
    summary: int = 48  # channels of the map the points are read from


class FacePoints(nn.Module):
    """Map crops (N, 3, S, S), RGB in [0, 1], to points (N, 66, 2), x and y as shares of the crop's side."""

    def __init__(self, config: FacePointsConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FacePointsConfig()
        half, *deep = config.widths
        stages: list[nn.Module] = [conv_norm_act(3, half, stride=2)]
        incoming = half
        for width, blocks in zip(deep, config.blocks, strict=True):
            stages += [conv_norm_act(incoming, width, stride=2), *(_Residual(width) for _ in range(blocks))]
            incoming = width
        self.features = nn.Sequential(*stages, conv_norm_act(incoming, config.summary, kernel=1))
        self.read = nn.Linear(config.summary * (config.size // CELLS) ** 2, 2 * POINTS)
        nn.init.normal_(self.read.weight, std=1e-3)
        nn.init.constant_(self.read.bias, 0.5)

    def forward(self, image: Tensor) -> Tensor:
        """Return the points."""
        features = self.features(2 * image - 1).flatten(1)
        return self.read(features).reshape(-1, POINTS, 2)


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv_norm_act(width, width)
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.norm(self.conv(self.first(features))))
