"""Augment a batch on the device it is trained on: moves, then what cameras, networks and light do to a picture.

The same damages as `degrade`, for a whole batch of (N, 3, S, S) in [0, 1] at once; each picture draws its own. Random
numbers come from torch's generators, which every step seeds.

The pixels are kornia's where it has the filter. Its augmentation classes draw in another order and from other
distributions (a run that was begun would not go on exactly), do not rename a mirrored face's points, and are no faster:
of 16 crops of 144 pixels they move one batch with its points in 12 ms against 7, blur in 4.2 against 4.5, compress in
27.7 against 26.4 and add noise in 3.7 against 3.5, on one core.
"""

import torch
from kornia.enhance import jpeg_codec_differentiable
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional

from ...portrait.landmarks import MIRRORED

CHANCE = 0.35  # of each damage, times the strength
KERNEL = 9  # pixels a side of the blur's kernel
JPEG_BLOCK = 16  # sides that are multiples of it need no padding


def draw_moves(count: int, device: torch.device, degrees: float, scale: float, shift: float) -> Tensor:
    """Draw (count, 2, 3) matrices for `affine_grid`: turned by `degrees`, scaled, shifted by a share of the side.

    All three are standard deviations; every second one mirrors.
    """
    angle = torch.deg2rad(degrees * torch.randn(count, device=device))
    size = torch.exp(scale * torch.randn(count, device=device))
    mirror = torch.where(torch.rand(count, device=device) < 0.5, -1.0, 1.0)
    moves = torch.empty(count, 2, 3, device=device)
    moves[:, 0, 0], moves[:, 0, 1] = mirror * size * angle.cos(), -size * angle.sin()
    moves[:, 1, 0], moves[:, 1, 1] = mirror * size * angle.sin(), size * angle.cos()
    moves[:, :, 2] = 2 * shift * torch.randn(count, 2, device=device)
    return moves


def moved(images: Tensor, moves: Tensor, size: int) -> Tensor:
    """Resample (N, C, H, W) by the moves to (N, C, size, size), the border reflected."""
    grid = functional.affine_grid(moves, [len(images), images.shape[1], size, size], align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def move_points(points: Tensor, moves: Tensor) -> Tensor:
    """Return where points (N, 66, 2), shares of the side, lie after `moved`; renamed where it mirrors."""
    back = torch.linalg.inv(moves[:, :, :2])
    centred = 2 * points - 1 - moves[:, None, :, 2]
    turned = (torch.einsum("nij,npj->npi", back, centred) + 1) / 2
    mirrors = torch.linalg.det(moves[:, :, :2]) < 0
    return torch.where(mirrors[:, None, None], turned[:, torch.from_numpy(MIRRORED).to(points.device)], turned)


def degrade_batch(images: Tensor, strength: float = 1.0) -> Tensor:
    """Return the batch after a random chain of damages; each happens to a picture with probability 0.35 x strength."""
    for damage in (_light, _colour, _shrink, _blur, _noise, _compress):
        hit = torch.rand(len(images), device=images.device) < CHANCE * strength
        if damage in (_shrink, _blur):
            hit &= torch.rand(len(images), device=images.device) < 0.5
        rows = hit.nonzero()[:, 0]
        if len(rows):
            images = images.index_copy(0, rows, damage(images[rows]).clamp(0, 1))
    return images


def _light(images: Tensor) -> Tensor:
    """Brighten or darken, sometimes one side only."""
    gain, gamma = _uniform(images, 0.45, 1.35), _uniform(images, 0.7, 1.5)
    place = torch.linspace(0, 1, images.shape[-1], device=images.device)
    place = torch.where(_chance(images, 0.5), place, 1 - place)
    ramp = torch.where(_chance(images, 0.4), 1 - place * (1 - _uniform(images, 0.25, 1.0)), torch.ones_like(place))
    return images.clamp(min=1e-6) ** gamma * gain * ramp


def _colour(images: Tensor) -> Tensor:
    """Tint, or take the colour away."""
    grey = images.mean(dim=1, keepdim=True)
    share = torch.where(_chance(images, 0.5), torch.zeros(()).to(images), _uniform(images, 0.3, 1.0))
    return torch.lerp(grey, images, share) * _uniform(images, 0.85, 1.15, channels=3)


def _shrink(images: Tensor) -> Tensor:
    """Lose detail to a smaller picture in between; its size is the batch's."""
    side = int(images.shape[-1] * (0.25 + 0.55 * float(torch.rand(()))))
    small = functional.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
    return functional.interpolate(small, size=images.shape[-2:], mode="bilinear")


def _blur(images: Tensor) -> Tensor:
    sigma = _uniform(images, 0.5, 2.0).reshape(-1, 1) * images.shape[-1] / 112
    return gaussian_blur2d(images, (KERNEL, KERNEL), sigma.expand(-1, 2))


def _noise(images: Tensor) -> Tensor:
    return images + torch.randn_like(images) * _uniform(images, 2 / 255, 12 / 255)


def _compress(images: Tensor) -> Tensor:
    quality = _uniform(images, 20, 85).flatten()
    padding = -images.shape[-1] % JPEG_BLOCK
    padded = functional.pad(images, (0, padding, 0, padding), mode="replicate") if padding else images
    return jpeg_codec_differentiable(padded, quality)[..., : images.shape[-2], : images.shape[-1]]


def _uniform(images: Tensor, low: float, high: float, channels: int = 1) -> Tensor:
    """Draw (N, channels, 1, 1) between two values."""
    return low + (high - low) * torch.rand(len(images), channels, 1, 1, device=images.device)


def _chance(images: Tensor, share: float) -> Tensor:
    return torch.rand(len(images), 1, 1, 1, device=images.device) < share
