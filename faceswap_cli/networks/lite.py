"""SimSwap-lite: SimSwap's identity injection at a fraction of its cost (step: generate).

Encoder, identity blocks and decoder are SimSwap's, at an eighth to a half of a small copy of the crop, with skips.
Two things differ. Beside the target and the identity vector it is shown the source's own portrait, warped to the
target (`portrait/`): a vector of 128 numbers from an encoder of a few megabytes does not hold what a face looks like,
the photo does. And the decoder does not paint the face anew but says how portrait and target become one picture: where
the portrait counts (a gate) and how the shading changes (a smooth residual). Skin, pores and brows are then real ones
at any crop size, and a network this small learns it on a CPU. The portrait is first brought to the target's light and
contrast (light.py).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import doubled, resized, shrunk, silent
from .light import Light, LightMatch, lit, shaded
from .simswap import IdentityBlock, IdentityStyle

OPEN = 4.0  # logit of an untrained gate: the portrait counts
QUIET = 1e-4  # deviation of an untrained head's weights


@dataclass(frozen=True, slots=True)
class LiteConfig:
    """Shape of a SimSwap-lite."""

    size: int = 448  # side of the crop it takes and returns: a multiple of `working`
    working: int = 112  # side at which it thinks; crops are averaged down to it
    width: int = 32  # channels at half the working size; doubled at a quarter and again at an eighth
    blocks: int = 4  # identity blocks at an eighth of the working size
    latent: int = 128  # length of the identity vector
    change: float = 0.06  # largest change of brightness


class Changes(NamedTuple):
    """How portrait and target become one picture; w is the working size. The first two fade at the border."""

    gate: Tensor  # (N, 1, w/2, w/2) in [0, 1]: how far the portrait counts where it may be used
    residual: Tensor  # (N, 1, w/2, w/2) in [-change, change]: brightness added at last, where a portrait lies
    light: Light  # what brings the portrait to the target's light


class SimSwapLite(nn.Module):
    """Generator: target (N, 3, S, S), identity (N, latent), portrait (N, 4, S, S) -> (N, 3, S, S).

    Pictures are in [0, 1]; the portrait's fourth channel says how far each of its pixels may be used.
    """

    window: Tensor

    def __init__(self, config: LiteConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LiteConfig()
        fine, middle, coarse = config.width, 2 * config.width, 4 * config.width
        self.light = LightMatch()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(28, fine, 3, padding=1), nn.LeakyReLU(0.2))
        self.down1 = _convolution(fine, middle, stride=2)
        self.down2 = _convolution(middle, coarse, stride=2)
        self.BottleNeck = nn.ModuleList(IdentityBlock(coarse, config.latent) for _ in range(config.blocks))
        self.up2 = _convolution(coarse, middle)
        self.skip = nn.Conv2d(middle, middle, 1)
        self.detail2 = nn.ModuleList(IdentityBlock(middle, config.latent) for _ in range(2))
        self.up1 = nn.Conv2d(middle, fine, 3, padding=1)
        self.skip1 = nn.Conv2d(fine, fine, 1)
        self.style1 = IdentityStyle(fine, config.latent)
        self.gate = silent(nn.Conv2d(fine, 1, 3, padding=1), QUIET, OPEN)
        self.residual = silent(nn.Conv2d(fine, 1, 3, padding=1), QUIET)
        self.register_buffer("window", _window(config.working // 2), persistent=False)

    def forward(self, target: Tensor, identity: Tensor, portrait: Tensor) -> Tensor:
        """Return the target's crop with the source's face."""
        return apply_changes(target, portrait, self.changes(target, identity, portrait))

    def changes(self, target: Tensor, identity: Tensor, portrait: Tensor) -> Changes:
        """Return what to do with target and portrait."""
        target, portrait = (shrunk(each, min(self.config.working, each.shape[-1])) for each in (target, portrait))
        face, valid_mask = portrait[:, :3], portrait[:, 3:]
        light = self.light(target, face, valid_mask)
        face = lit(face, light)
        identity = identity * self.config.latent**0.5  # unit variance: the styles learn as fast as the convolutions
        fine = self.stem(torch.cat([2 * target - 1, 2 * face - 1, valid_mask], dim=1))
        middle = self.down1(fine)
        features = self.down2(middle)
        for block in self.BottleNeck:
            features = block(features, identity)
        features = self.up2(doubled(features)) + self.skip(middle)
        for block in self.detail2:
            features = block(features, identity)
        detail = functional.leaky_relu(self.style1(self.up1(doubled(features)) + self.skip1(fine), identity), 0.2)
        residual = torch.tanh(self.residual(detail)) * self.config.change
        residual = residual * functional.avg_pool2d(valid_mask, 2)  # eyes, teeth and hair keep the target's shades
        gate = torch.sigmoid(self.gate(detail))
        return Changes(gate * resized(self.window, gate), residual * resized(self.window, residual), light)


def apply_changes(target: Tensor, portrait: Tensor, changes: Changes) -> Tensor:
    """Bring the portrait (N, 4, S, S) to the target's light, let it in through the gate, shade the two."""
    gate, residual = resized(changes.gate.float(), target), changes.residual.float()
    face = lit(portrait[:, :3].float(), Light(*(field.float() for field in changes.light)))
    return shaded(target + portrait[:, 3:] * gate * (face - target), residual)


def _convolution(incoming: int, outgoing: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(incoming, outgoing, 3, stride, 1), nn.LeakyReLU(0.2))


def _window(size: int) -> Tensor:
    """Return (1, 1, size, size): 1 inside, falling to 0 over the outer sixteenth of each side as a raised cosine."""
    place = (torch.arange(size) + 0.5) / size
    edge = torch.minimum(place, 1 - place).mul(16).clamp(0, 1)
    ramp = 0.5 - 0.5 * torch.cos(torch.pi * edge)
    return (ramp[:, None] * ramp[None, :])[None, None]
