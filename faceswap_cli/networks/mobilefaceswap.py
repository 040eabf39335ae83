"""MobileFaceSwap: a swapping network of half a million weights, made anew for every source (step: generate).

The injection side (injection.py) runs once per source and gives the weights; the dynamic network, a U-Net of depthwise
and pointwise convolutions, then serves every frame. A small branch says where its picture replaces the target's (weakly
semantic fusion). Paper: MobileFaceSwap (Xu et al., AAAI 2022). `PUBLISHED` is the network that came with it; ours has
no batch norms and takes an identity vector alone. mobile_painter.py has its sibling, which paints over a portrait.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from .injection import (
    DECODER,
    EMBEDDING,
    ENCODER,
    SLOPE,
    Kernels,
    MapPredictor,
    Modulation,
    VectorPredictor,
    injected,
)

REDUCTION = 32  # the target's side is a multiple of it: five halvings
FUSION = (512, 128, 64, 32, 8, 2)  # channels of the fusion branch, from the coarsest map to full size
FILTER = 8  # channels of the last layers


@dataclass(frozen=True, slots=True)
class MobileConfig:
    """Which injection side, and the norm of the layers that no source changes."""

    injection: Literal["vector", "map"] = "vector"
    latent: int = 128  # length of the identity vector, for "vector"
    hidden: int = 128  # width of the layer all kernels are read from, for "vector"
    norm: Literal["none", "batch"] = "none"


PUBLISHED = MobileConfig(injection="map", norm="batch")


class MobileFaceSwap(nn.Module):
    """Generator: (N, 3, S, S) in [0, 1] and identities of L2 norm 1, one for all pictures or one each, to images."""

    def __init__(self, config: MobileConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MobileConfig()
        own = config.injection == "vector"
        latent = config.latent if own else EMBEDDING
        self.predictor: nn.Module = VectorPredictor(latent, config.hidden) if own else MapPredictor()
        self.EncoderModulation = nn.ModuleList(Modulation(*widths, latent) for widths in ENCODER)
        self.DecoderModulation = nn.ModuleList(Modulation(*widths, latent) for widths in DECODER)
        self.final = nn.Sequential(
            _Double(),
            nn.Conv2d(DECODER[-1][1], FILTER, 1),
            *_norm_act(config, FILTER),
            nn.Conv2d(FILTER, 3, 3, padding=1),
            *_norm_act(config, 3),
            nn.Conv2d(3, 3, 3, padding=1),
        )
        stages = [_fusion(config, *widths) for widths in pairwise(FUSION)]
        self.mask = nn.Sequential(*stages, nn.Conv2d(FUSION[-1], 1, 3, padding=1))

    def forward(self, target: Tensor, identity: Tensor) -> Tensor:
        """Return the target's crops (N, 3, S, S) with another identity."""
        return self.swap(target, self.inject(identity))[0]

    def inject(self, identity: Tensor) -> Kernels:
        """Return the weights that put these identities in: what is computed once per source."""
        return injected(self.predictor, (*self.EncoderModulation, *self.DecoderModulation), identity)

    def swap(self, target: Tensor, kernels: Kernels) -> tuple[Tensor, Tensor]:
        """Return the fused image (N, 3, S, S) and where it is the network's own: (N, 1, S, S) in [0, 1]."""
        painted, mask = self._think(2 * target - 1, kernels)
        return (painted + 1) / 2 * mask + target * (1 - mask), mask

    def _think(self, features: Tensor, kernels: Kernels) -> tuple[Tensor, Tensor]:
        """Return what the network paints (N, 3, S, S) in [-1, 1] and its mask (N, 1, S, S), for (N, 3, S, S)."""
        levels = list(zip(kernels.depthwise, kernels.pointwise, strict=True))
        maps = []
        for depthwise, pointwise in levels[: len(ENCODER)]:
            features = _activated(mixed(filtered(features, depthwise, stride=2), pointwise))
            maps.append(features)
        mask = torch.sigmoid(self.mask(features.detach()))
        for level, (depthwise, pointwise) in enumerate(levels[len(ENCODER) :], 1):
            features = _activated(mixed(filtered(_doubled(features), depthwise, stride=1), pointwise))
            if level < len(DECODER):
                features = torch.cat([features, maps[-1 - level]], dim=1)
        return self._painted(features), mask

    def _painted(self, features: Tensor) -> Tensor:
        """Turn the last features (N, 32, s/2, s/2) into a picture (N, 3, s, s) in [-1, 1].

        The pointwise convolution goes before the doubling it is published after: the two commute, and at a quarter of
        the pixels it costs a quarter.
        """
        grow, mix, *rest = self.final
        features = grow(mix(features))
        for layer in rest:
            features = layer(features)
        return torch.tanh(features)


class _Double(nn.Module):
    """Twice the height and width, bilinear, corners on corners."""

    def forward(self, features: Tensor) -> Tensor:
        return _doubled(features)


def filtered(features: Tensor, kernels: Tensor, stride: int) -> Tensor:
    """Filter each channel (N, C, h, w) by its own kernel; pictures with kernels of their own lie side by side."""
    sets, channels, side, _ = kernels.shape
    flat = kernels.reshape(sets * channels, 1, side, side)
    if sets == 1:
        return functional.conv2d(features, flat, stride=stride, padding=1, groups=channels)
    joined = features.reshape(1, sets * channels, *features.shape[2:])
    filtered = functional.conv2d(joined, flat, stride=stride, padding=1, groups=sets * channels)
    return filtered.reshape(sets, channels, *filtered.shape[2:])


def mixed(features: Tensor, weights: Tensor) -> Tensor:
    """Mix channels (N, C, h, w) by weights (N or 1, outgoing, C)."""
    if len(weights) == 1:
        return functional.conv2d(features, weights[0, :, :, None, None])
    return (weights @ features.flatten(2)).reshape(len(features), -1, *features.shape[2:])


def _activated(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, SLOPE)


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=True)


def _fusion(config: MobileConfig, incoming: int, outgoing: int) -> nn.Sequential:
    depthwise = nn.Conv2d(incoming, incoming, 3, padding=1, groups=incoming)
    return nn.Sequential(_Double(), depthwise, nn.Conv2d(incoming, outgoing, 1), *_norm_act(config, outgoing))


def _norm_act(config: MobileConfig, width: int) -> tuple[nn.Module, nn.Module]:
    """Return the norm and the activation; without a norm its place stays, so that names do not shift."""
    return nn.BatchNorm2d(width) if config.norm == "batch" else nn.Identity(), nn.LeakyReLU(SLOPE)
