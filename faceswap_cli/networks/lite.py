"""SimSwap-lite: SimSwap's identity injection at a fraction of its cost (step: generate).

Encoder, identity blocks and decoder are SimSwap's, at an eighth to a quarter of the crop's resolution, with skips there
alone. Two things differ. Crops are aligned, so the identity vector is also unfolded into a coarse map of the source's
face, which joins the target's features before the identity blocks: styles alone can say what, but not where. And the
decoder does not paint the face anew but says how the target's own pixels move (a smooth flow) and how their colour
changes (a smooth residual): skin, sharpness, light and grain stay the target's at any crop size, nothing is ever torn,
and a network this small learns it on a CPU.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .simswap import IdentityBlock, IdentityStyle


@dataclass(frozen=True, slots=True)
class LiteConfig:
    """Shape of a SimSwap-lite."""

    size: int = 448  # side of the crop it takes and returns: a multiple of `working`
    working: int = 112  # side at which it thinks; the crop is averaged down to it
    width: int = 40  # channels at half the working size; doubled at a quarter and again at an eighth
    blocks: int = 5  # identity blocks at an eighth of the working size
    latent: int = 128  # length of the identity vector
    portrait: int = 32  # channels of the map the identity vector is unfolded into
    reach: float = 0.08  # largest movement, as a share of the crop's half side
    change: float = 0.7  # largest change of a colour channel


class SimSwapLite(nn.Module):
    """Generator: (N, 3, S, S) in [0, 1] and (N, latent) of L2 norm 1 -> (N, 3, S, S) in [0, 1]."""

    def __init__(self, config: LiteConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LiteConfig()
        fine, middle, coarse = config.width, 2 * config.width, 4 * config.width
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, fine, 3, padding=1), nn.LeakyReLU(0.2))
        self.down1 = _convolution(fine, middle, stride=2)
        self.down2 = _convolution(middle, coarse, stride=2)
        self.portrait = nn.Linear(config.latent, config.portrait * (config.working // 8) ** 2)
        self.deepen = _convolution(coarse + config.portrait, coarse)
        self.BottleNeck = nn.ModuleList(IdentityBlock(coarse, config.latent) for _ in range(config.blocks))
        self.up2 = _convolution(coarse, middle)
        self.skip = nn.Conv2d(middle, middle, 1)
        self.detail2 = nn.ModuleList(IdentityBlock(middle, config.latent) for _ in range(2))
        self.up1 = nn.Conv2d(middle, fine, 3, padding=1)
        self.style1 = IdentityStyle(fine, config.latent)
        self.flow = _silent(nn.Conv2d(middle, 2, 3, padding=1))
        self.residual = _silent(nn.Conv2d(fine, 3, 3, padding=1))
        self.register_buffer("window", _window(64), persistent=False)

    def forward(self, target: Tensor, identity: Tensor) -> Tensor:
        """Return the target's crop with another identity."""
        flow, residual = self.changes(target, identity)
        return apply_changes(target, flow, residual)

    def changes(self, target: Tensor, identity: Tensor) -> tuple[Tensor, Tensor]:
        """Return the flow (N, 2, w/4, w/4), in half sides of the crop, and the residual (N, 3, w/2, w/2), w = working.

        Both fade to nothing towards the crop's border.
        """
        shrink = target.shape[-1] // self.config.working
        small = functional.avg_pool2d(target, shrink) if shrink > 1 else target
        identity = identity * self.config.latent**0.5  # unit variance: the styles learn as fast as the convolutions
        fine = self.stem(2 * small - 1)
        middle = self.down1(fine)
        features = self.down2(middle)
        portrait = self.portrait(identity).reshape(len(identity), -1, *features.shape[-2:])
        features = self.deepen(torch.cat([features, portrait.expand(len(features), -1, -1, -1)], dim=1))
        for block in self.BottleNeck:
            features = block(features, identity)
        features = self.up2(_doubled(features)) + self.skip(middle)
        for block in self.detail2:
            features = block(features, identity)
        detail = functional.leaky_relu(self.style1(self.up1(_doubled(features)), identity), 0.2)
        flow = torch.tanh(self.flow(features)) * self.config.reach
        residual = torch.tanh(self.residual(detail)) * self.config.change
        return flow * _resized(self.window, flow), residual * _resized(self.window, residual)


def apply_changes(target: Tensor, flow: Tensor, residual: Tensor) -> Tensor:
    """Move the target's pixels (N, 3, S, S) by the flow, then add the residual; both are enlarged to S.

    The flow is a backward one: the pixel at p is taken from p + flow(p).
    """
    flow, residual = (_resized(field.float(), target) for field in (flow, residual))
    side = torch.linspace(-1 + 1 / target.shape[-1], 1 - 1 / target.shape[-1], target.shape[-1], device=target.device)
    place = torch.stack([side[None, :] + flow[:, 0], side[:, None] + flow[:, 1]], dim=-1)
    moved = functional.grid_sample(target.float(), place, padding_mode="border", align_corners=False)
    return (moved + residual).clamp(0, 1)


def _convolution(incoming: int, outgoing: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(incoming, outgoing, 3, stride, 1), nn.LeakyReLU(0.2))


def _silent(convolution: nn.Conv2d) -> nn.Conv2d:
    """Start a head near zero, so that an untrained network returns its target."""
    nn.init.normal_(convolution.weight, std=1e-4)
    nn.init.zeros_(convolution.bias)
    return convolution


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)


def _resized(field: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(field, size=like.shape[-2:], mode="bilinear", align_corners=False)


def _window(size: int) -> Tensor:
    """Return (1, 1, size, size): 1 inside, falling to 0 over the outer eighth of each side as a raised cosine."""
    place = (torch.arange(size) + 0.5) / size
    edge = torch.minimum(place, 1 - place).mul(8).clamp(0, 1)
    ramp = 0.5 - 0.5 * torch.cos(torch.pi * edge)
    return (ramp[:, None] * ramp[None, :])[None, None]
