"""Networks that label each pixel of a face crop with one of 19 classes (step: mask).

ParseNet is ours, small enough for every frame on a CPU: RGB in [0, 1] in, logits (N, 19, S, S) out.
Classes, in CelebAMask-HQ's order as the published parsers use it, are `CLASSES`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap_cli.networks.layers import conv_norm_act

CLASSES = (
    "background",
    "skin",
    "left_brow",
    "right_brow",
    "left_eye",
    "right_eye",
    "glasses",
    "left_ear",
    "right_ear",
    "earring",
    "nose",
    "mouth",
    "upper_lip",
    "lower_lip",
    "neck",
    "necklace",
    "cloth",
    "hair",
    "hat",
)


@dataclass(frozen=True, slots=True)
class ParseNetConfig:
    """Size and shape of ParseNet."""

    size: int = 160  # side of the input and of the logits, a multiple of 16
    widths: tuple[int, int, int, int] = (16, 32, 64, 96)  # channels at 1/2, 1/4, 1/8 and 1/16
    blocks: tuple[int, int, int] = (1, 2, 2)  # residual blocks at 1/4, 1/8 and 1/16
    head_width: int = 32  # channels of the last feature map, at 1/2


class ParseNet(nn.Module):
    """Label a face crop: a U of four resolutions, every map of the way down added on the way up."""

    def __init__(self, config: ParseNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or ParseNetConfig()
        half, quarter, eighth, sixteenth = self.config.widths
        at_quarter, at_eighth, at_sixteenth = self.config.blocks
        self.stem = conv_norm_act(3, half, stride=2)
        self.down4 = _stage(half, quarter, at_quarter)
        self.down8 = _stage(quarter, eighth, at_eighth)
        self.down16 = _stage(eighth, sixteenth, at_sixteenth)
        self.context = nn.Conv2d(sixteenth, sixteenth, 1)
        self.up8 = _Up(sixteenth, eighth, eighth)
        self.up4 = _Up(eighth, quarter, quarter)
        self.up2 = _Up(quarter, half, self.config.head_width)
        self.head = nn.Conv2d(self.config.head_width, len(CLASSES), 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (N, 19, S, S) for an RGB image (N, 3, S, S) in [0, 1]."""
        half = self.stem(image * 2 - 1)
        quarter = self.down4(half)
        eighth = self.down8(quarter)
        coarse = self.down16(eighth)
        coarse = coarse + self.context(coarse.mean((2, 3), keepdim=True))
        fine = self.up2(self.up4(self.up8(coarse, eighth), quarter), half)
        return functional.interpolate(self.head(fine), scale_factor=2.0, mode="bilinear", align_corners=False)


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = conv_norm_act(width, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.norm2(self.conv2(self.conv1(features))))


class _Up(nn.Module):
    """Bring a coarse map to twice its size, add the finer map of the way down, mix."""

    def __init__(self, coarse: int, fine: int, outgoing: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(coarse, outgoing, 1)
        self.skip = nn.Conv2d(fine, outgoing, 1)
        self.mix = conv_norm_act(outgoing, outgoing)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        grown = functional.interpolate(self.narrow(coarse), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.mix(grown + self.skip(fine))


def _stage(incoming: int, outgoing: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(conv_norm_act(incoming, outgoing, stride=2), *(_Residual(outgoing) for _ in range(blocks)))
