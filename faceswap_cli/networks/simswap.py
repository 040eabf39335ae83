"""SimSwap's generator: the target's crop in, the same crop with another identity out (step: generate).

One class covers the published networks and our lighter ones; `SimSwapConfig` says which. Parameter names are the
published ones, so an official state dict loads as it is. Paper: SimSwap (Chen et al., ACM MM 2020), figure 2:
encoder, identity injection, decoder.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import load_strictly

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Convention = Literal["unit", "imagenet"]
Norm = Literal["batch", "instance", "none"]


@dataclass(frozen=True, slots=True)
class SimSwapConfig:
    """Shape of a generator and the range of its images."""

    width: int = 64  # channels at full resolution; each stage doubles them
    max_width: int = 512  # where the doubling ends
    stages: int = 3  # halvings, and doublings after the bottleneck
    first_stage: int = 1  # number in the name of the outermost stage: down0 or down1
    blocks: int = 9  # identity blocks at the coarsest resolution
    latent: int = 512  # length of the identity vector
    convention: Convention = "unit"  # images in [0, 1] both ways (tanh), or ImageNet-normalised both ways (no tanh)
    norm: Norm = "batch"  # outside the bottleneck
    skip_scale: int = 0  # maps of the way down at 1/skip_scale or coarser are added on the way up; 0: none

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at full resolution and after each halving."""
        return tuple(min(self.width << stage, self.max_width) for stage in range(self.stages + 1))


# The two generators published for inference: latest_net_G.pth and 550000_net_G.pth.
OFFICIAL_224 = SimSwapConfig()
OFFICIAL_512 = SimSwapConfig(width=32, stages=4, first_stage=0)
# What the train.py of 2022 makes, Gdeep False and True. The shallow one has the keys of OFFICIAL_224 and another range.
TRAIN_SHALLOW = SimSwapConfig(convention="imagenet")
TRAIN_DEEP = SimSwapConfig(stages=4, convention="imagenet")


class SimSwap(nn.Module):
    """Generator: way down, identity blocks, way up."""

    def __init__(self, config: SimSwapConfig = OFFICIAL_224) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stage_numbers = range(config.first_stage, config.first_stage + config.stages)
        self.first_layer = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(3, widths[0], 7), *_norm_act(config, widths[0])
        )
        for number, (fine, coarse) in zip(self.stage_numbers, pairwise(widths), strict=True):
            self.add_module(f"down{number}", _down(config, fine, coarse))
            self.add_module(f"up{number}", _up(config, coarse, fine))
            if self._has_skip(number):
                self.add_module(f"skip{number}", nn.Conv2d(fine, fine, 1))
        self.BottleNeck = nn.ModuleList(IdentityBlock(widths[-1], config.latent) for _ in range(config.blocks))
        squash = [nn.Tanh()] if config.convention == "unit" else []
        self.last_layer = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(widths[0], 3, 7), *squash)

    def forward(self, target: Tensor, identity: Tensor) -> Tensor:
        """Return the target's crop (N, 3, S, S) with the identity (N, latent), L2 norm 1, of another person.

        Images are RGB in the range of `config.convention`; S is a multiple of 2 ** stages.
        """
        features = self.first_layer(target)
        finer = {}
        for number in self.stage_numbers:
            finer[number] = features
            features = self.get_submodule(f"down{number}")(features)
        for block in self.BottleNeck:
            features = block(features, identity)
        for number in reversed(self.stage_numbers):
            features = self.get_submodule(f"up{number}")(features)
            if self._has_skip(number):
                features = features + self.get_submodule(f"skip{number}")(finer[number])
        image = self.last_layer(features)
        return (image + 1) / 2 if self.config.convention == "unit" else image

    def _has_skip(self, number: int) -> bool:
        """Tell whether the map that stage `number` halves is coarse enough to be added on the way up."""
        scale = 2 ** (number - self.config.first_stage)
        return bool(self.config.skip_scale) and scale >= self.config.skip_scale


class UnitRange(nn.Module):
    """A generator of either convention as the swapper runs it: RGB images in [0, 1] both ways."""

    imagenet_mean: Tensor
    imagenet_std: Tensor

    def __init__(self, generator: SimSwap) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("imagenet_mean", torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("imagenet_std", torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, target: Tensor, identity: Tensor) -> Tensor:
        """Return the swapped crop (N, 3, S, S) in [0, 1] for a target in [0, 1]."""
        if self.generator.config.convention == "unit":
            return self.generator(target, identity)
        image = self.generator((target - self.imagenet_mean) / self.imagenet_std, identity)
        return (image * self.imagenet_std + self.imagenet_mean).clamp(0, 1)


class IdentityBlock(nn.Module):
    """Residual block whose two convolutions are normalised and styled by the identity (the paper's ID-Block)."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3))
        self.style1 = IdentityStyle(width, latent)
        self.conv2 = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3))
        self.style2 = IdentityStyle(width, latent)

    def forward(self, features: Tensor, identity: Tensor) -> Tensor:
        """Return features (N, width, h, w) moved towards the identity."""
        change = functional.relu(self.style1(self.conv1(features), identity))
        return features + self.style2(self.conv2(change), identity)


class IdentityStyle(nn.Module):
    """Adaptive instance norm: each channel loses its own mean and scale and gets those the identity asks for."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.linear = nn.Linear(latent, 2 * width)

    def forward(self, features: Tensor, identity: Tensor) -> Tensor:
        """Return features (N, width, h, w) scaled by gamma + 1 and shifted by beta."""
        style = self.linear(identity).reshape(-1, 2, features.shape[1], 1, 1)
        gamma, beta = style[:, 0], style[:, 1]
        return functional.instance_norm(features, eps=1e-8) * (gamma + 1) + beta


def load_simswap(state: Mapping[str, Tensor], config: SimSwapConfig) -> SimSwap:
    """Build a generator from a published state dict; WeightsError if it is not one of this variant.

    550000_net_G.pth carries tensors that the 512 network never used; only there are unknown keys ignored.
    """
    generator = SimSwap(config)
    load_strictly(generator, state, ignore_surplus=config == OFFICIAL_512)
    return generator.eval()


def _down(config: SimSwapConfig, incoming: int, outgoing: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(incoming, outgoing, 3, stride=2, padding=1), *_norm_act(config, outgoing))


def _up(config: SimSwapConfig, incoming: int, outgoing: int) -> nn.Sequential:
    grow = nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=False)
    return nn.Sequential(grow, nn.Conv2d(incoming, outgoing, 3, padding=1), *_norm_act(config, outgoing))


def _norm_act(config: SimSwapConfig, width: int) -> tuple[nn.Module, nn.Module]:
    """Return the norm and ReLU after a convolution; without a norm its place stays, so that names do not shift."""
    norms: dict[str, Callable[[], nn.Module]] = {
        "batch": lambda: nn.BatchNorm2d(width),
        "instance": lambda: nn.InstanceNorm2d(width, affine=True),
        "none": nn.Identity,
    }
    return norms[config.norm](), nn.ReLU(inplace=True)
