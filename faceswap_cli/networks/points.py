"""Where a face's brows, eyes, nose, lips and jaw are: 66 points of an aligned crop (step: fit).

The order is iBUG 300-W's (Sagonas et al. 2013) without the outer corners of the mouth, as OpenSeeFace has it: jaw
0-16, brows 17-26, nose 27-35, eyes 36-47, the lips' outer edge 48-57 (five above, five below), their inner edge 58-65
(corner, three above, corner, three below), each edge clockwise from the picture's left. A head of its own may tell from
the same features whether the face has a beard.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..types import POINTS
from .layers import conv_norm_act

CELLS = 16  # the crop's side over the last map's
UPPER, BESIDE = 0.43, 0.14  # shares of the side above and on either side of the lower face, in SimSwap's template
MOST = 0.16  # share of the lower face that a goatee covers


@dataclass(frozen=True, slots=True)
class FacePointsConfig:
    """Widths and depths of FacePoints."""

    size: int = 112  # side of the crop it takes
    widths: tuple[int, int, int, int] = (16, 32, 64, 96)  # channels at 1/2, 1/4, 1/8 and 1/16
    blocks: tuple[int, int, int] = (1, 2, 3)  # residual blocks at 1/4, 1/8 and 1/16
    summary: int = 48  # channels of the map the points are read from
    beard: int = 0  # channels of the head that tells a beard; 0 for none


class FacePoints(nn.Module):
    """Map crops (N, 3, S, S), RGB in [0, 1], to points (N, 66, 2), x and y as shares of the crop's side.

    With a head for it, also to how surely each has a beard, (N, 1) in [0, 1].
    """

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
        self.quarter, self.eighth = 1 + config.blocks[0], 2 + sum(config.blocks[:2])  # last modules at these scales
        self.beard = BeardHead(*config.widths[1:3], config.beard) if config.beard else None

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the points and, with a head for it, the beards."""
        features = self.seen(image)
        points = self.places(features[-1])
        return points if self.beard is None else (points, torch.sigmoid(self.beard(*features[:2])))

    def seen(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features at a quarter and an eighth of the crop's side, and those the points are read from."""
        quarter = self.features[: self.quarter + 1](2 * image - 1)
        eighth = self.features[self.quarter + 1 : self.eighth + 1](quarter)
        return quarter, eighth, self.features[self.eighth + 1 :](eighth)

    def places(self, features: Tensor) -> Tensor:
        """Return the points (N, 66, 2) read from the last of the features."""
        found: Tensor = self.read(features.flatten(1))
        return found.reshape(-1, POINTS, 2)


class BeardHead(nn.Module):
    """Tell a beard from two maps: the mean of where the lower face looks most like one, a logit (N, 1)."""

    def __init__(self, quarter: int, eighth: int, width: int) -> None:
        super().__init__()
        self.texture = nn.Sequential(nn.Conv2d(quarter, width, 3, stride=2, padding=1), nn.ReLU())
        self.read = nn.Sequential(
            nn.Conv2d(eighth + width, 3 * width // 2, 3, padding=1),
            nn.ReLU(),
            nn.Dropout2d(0.1),
            nn.Conv2d(3 * width // 2, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 1, 1),
        )

    def forward(self, quarter: Tensor, eighth: Tensor) -> Tensor:
        """Return how surely each face has a beard."""
        maps = self.read(torch.cat([self.texture(quarter), eighth], dim=1))
        side = maps.shape[-1]
        lower = maps[:, 0, round(UPPER * side) :, round(BESIDE * side) : side - round(BESIDE * side)].flatten(1)
        return lower.topk(max(1, round(MOST * lower.shape[1])), dim=1).values.mean(dim=1, keepdim=True)


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv_norm_act(width, width)
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.norm(self.conv(self.first(features))))
