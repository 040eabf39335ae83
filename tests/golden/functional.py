"""SimSwap's generators once more, from what is known of the published code alone: no modules, names of tensors.

It paints the recorded 224 picture (test_networks_simswap.py), so it stands for those whose official pictures are not
kept here: the 512 network and both that SimSwap's train.py makes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

State = Mapping[str, Tensor]


@torch.no_grad()
def simswap(state: State, picture: Tensor, latent: Tensor, *, tanh: bool) -> Tensor:
    """Paint; without the tanh pictures go in and come out as ImageNet's means and deviations make them."""
    scales = sorted({key.split(".")[0] for key in state if key.startswith("down")})
    x = relu_norm(state, "first_layer.2", framed(state, "first_layer.1", picture, 3))
    for name in scales:
        x = relu_norm(state, f"{name}.1", convolved(state, f"{name}.0", x, stride=2, padding=1))
    for number in range(9):
        x = x + identity_block(state, f"BottleNeck.{number}", x, latent)
    for name in reversed(scales):
        name = name.replace("down", "up")
        larger = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = relu_norm(state, f"{name}.2", convolved(state, f"{name}.1", larger, padding=1))
    x = framed(state, "last_layer.1", x, 3)
    return (torch.tanh(x) + 1) / 2 if tanh else x


def identity_block(state: State, name: str, x: Tensor, latent: Tensor) -> Tensor:
    for part in (1, 2):
        x = framed(state, f"{name}.conv{part}.1", x, 1)
        x = x - x.mean(dim=(2, 3), keepdim=True)
        x = x * (x.square().mean(dim=(2, 3), keepdim=True) + 1e-8).rsqrt()
        style = functional.linear(latent, *both(state, f"{name}.style{part}.linear"))
        gamma, beta = style[:, :, None, None].chunk(2, dim=1)
        x = x * (gamma + 1) + beta
        if part == 1:
            x = functional.relu(x)
    return x


def framed(state: State, name: str, x: Tensor, padding: int) -> Tensor:
    return convolved(state, name, functional.pad(x, [padding] * 4, mode="reflect"))


def convolved(state: State, name: str, x: Tensor, **how: int) -> Tensor:
    return functional.conv2d(x, *both(state, name), **how)


def relu_norm(state: State, name: str, x: Tensor) -> Tensor:
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return functional.relu(functional.batch_norm(x, mean, variance, *both(state, name), eps=1e-5))


def both(state: State, name: str) -> tuple[Tensor, Tensor]:
    return state[f"{name}.weight"], state[f"{name}.bias"]
