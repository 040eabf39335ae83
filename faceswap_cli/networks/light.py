"""Bring a portrait to the target's light, contrast and colouring, as Reinhard et al. (2001) match two pictures.

Both are averaged over a wide neighbourhood. What is left of the portrait's brightness is scaled to the strength it has
in the target and painted in the target's own tone, lighter or darker: a grey beard or a highlight on brown skin would
turn blue on pale skin if each channel were scaled by itself. What the portrait differs in from its own tone (lips, a
flush, shine) is added to that, as far as the target has any colour: nothing in a black and white film.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import resized

CELL = 8  # pixels at working size that a cell of the light's ratio averages
REACH_OF_LIGHT = 2.0  # standard deviation of its neighbourhood, in cells
LUMA = (0.299, 0.587, 0.114)  # BT.601
FLAT = 1e-4  # added to both variances, so that no texture divides by something
DARK = 0.02  # added to brightness where tones are divided by it
CONTRAST = (0.45, 1.15)  # least and most: a beard must not be paled, nor a smooth face be given grain
COOL, WARM = 0.5, 0.1  # share that counts of what is bluer than skin, and by how much redder all of it does


class Light(NamedTuple):
    """What brings a portrait to a target's light; c is the number of cells a side."""

    tone: Tensor  # (N, 3, c, c): the portrait's colour there at brightness 1
    shade: Tensor  # (N, 3, c, c): what its brightness is multiplied by, the target's tone times the contrast
    offset: Tensor  # (N, 3, c, c): what is added then
    colouring: Tensor  # (N, 1, 1, 1) in [0, 1]: how much counts of what differs from its tone


class LightMatch(nn.Module):
    """Compares pictures (N, 3, w, w) in [0, 1] at a network's working size; it has nothing to learn."""

    neighbourhood: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("neighbourhood", _gaussian(REACH_OF_LIGHT), persistent=False)

    def forward(self, target: Tensor, face: Tensor, usable: Tensor) -> Light:
        """Compare a target with a portrait laid over it where that may be used, (N, 1, w, w) in [0, 1]."""
        cells = [functional.avg_pool2d(part, CELL) for part in (usable * target, usable * face, usable)]
        ours, theirs, share = (self._spread(part) for part in cells)
        ours, theirs = ours / (share + 1e-3), theirs / (share + 1e-3)
        strengths = [
            (usable * _luma(rest).square()).mean(dim=(2, 3), keepdim=True) + FLAT
            for rest in (target - resized(ours, target), face - resized(theirs, face))
        ]
        contrast = (strengths[0] / strengths[1]).sqrt().clamp(*CONTRAST)
        colours = [
            (usable * (picture - _luma(picture)).abs()).mean(dim=(1, 2, 3), keepdim=True) for picture in (target, face)
        ]
        shade = contrast * _tone(ours)
        return Light(
            _tone(theirs), shade, ours - shade * _luma(theirs), (colours[0] / (colours[1] + 1e-3)).clamp(max=1)
        )

    def _spread(self, cells: Tensor) -> Tensor:
        kernel = self.neighbourhood.to(cells.dtype).expand(cells.shape[1], 1, -1, -1)
        return functional.conv2d(cells, kernel, padding=kernel.shape[-1] // 2, groups=cells.shape[1])


def lit(face: Tensor, light: Light) -> Tensor:
    """Return a portrait (N, 3, S, S) in that light, in [0, 1]."""
    tone, shade, offset = (resized(field, face) for field in (light.tone, light.shade, light.offset))
    brightness = _luma(face)
    colour = face - brightness * tone
    counts = light.colouring * (COOL + (1 - COOL) * (colour[:, :1] / WARM).clamp(0, 1))
    return (brightness * shade + offset + counts * colour).clamp(0, 1)


def _luma(picture: Tensor) -> Tensor:
    red, green, blue = (weight * picture[:, channel : channel + 1] for channel, weight in enumerate(LUMA))
    return red + green + blue


def _tone(colour: Tensor) -> Tensor:
    return colour / (_luma(colour) + DARK)


def _gaussian(deviation: float) -> Tensor:
    """Return (1, 1, k, k): a bell over two deviations to each side."""
    reach = round(2 * deviation)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation) ** 2)
    return (bell[:, None] * bell[None, :])[None, None] / bell.sum() ** 2
