"""Patch discriminators of SimSwap's training: real or fake, judged patch by patch on two scales.

The published ones (pix2pixHD's with padding 1) carry batch norms and 64 channels; ours use spectral norm and fewer. All
maps are returned, since weak feature matching compares some of them (paper, section 3.3).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


@dataclass(frozen=True, slots=True)
class DiscriminatorConfig:
    """Shape of one patch discriminator."""

    width: int = 32  # channels after the first convolution; each halving doubles them
    max_width: int = 256  # where the doubling ends
    halvings: int = 4  # convolutions of stride 2; the image needs 3 * 2 ** halvings pixels or more
    norm: Literal["batch", "spectral"] = "spectral"

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels after each halving."""
        return tuple(min(self.width << stage, self.max_width) for stage in range(self.halvings))


OFFICIAL = DiscriminatorConfig(width=64, max_width=512, norm="batch")


class PatchDiscriminator(nn.Module):
    """4x4 convolutions: `halvings` of stride 2, one of stride 1, and one that gives a logit per patch."""

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or DiscriminatorConfig()
        norm, widths = self.config.norm, self.config.widths
        self.down1 = nn.Sequential(_convolution(norm, 3, widths[0], stride=2), nn.LeakyReLU(0.2))
        for number, (incoming, outgoing) in enumerate(pairwise(widths), start=2):
            self.add_module(f"down{number}", _block(norm, incoming, outgoing, stride=2))
        self.conv1 = _block(norm, widths[-1], widths[-1], stride=1)
        self.conv2 = nn.Sequential(_convolution(norm, widths[-1], 1, stride=1))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the hidden maps, finest first, and at the end the logits (N, 1, h, w), for an image (N, 3, S, S)."""
        maps = [image]
        for part in self.children():
            maps.append(part(maps[-1]))
        return maps[1:]


class TwoScaleDiscriminator(nn.Module):
    """One discriminator for the image and one, with its own weights, for the image at half the size."""

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.fine = PatchDiscriminator(config)
        self.coarse = PatchDiscriminator(config)
        self.halve = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        """Return the maps of the fine and of the coarse discriminator, each ending with its logits."""
        return [self.fine(image), self.coarse(self.halve(image))]


def _block(norm: str, incoming: int, outgoing: int, stride: int) -> nn.Sequential:
    norms = [nn.BatchNorm2d(outgoing)] if norm == "batch" else []
    return nn.Sequential(_convolution(norm, incoming, outgoing, stride), *norms, nn.LeakyReLU(0.2))


def _convolution(norm: str, incoming: int, outgoing: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(incoming, outgoing, 4, stride, padding=1)
    return spectral_norm(convolution) if norm == "spectral" else convolution
