"""A painter: SimSwap's identity injection, painting over the source's own portrait (step: generate).

Encoder, identity blocks and decoder are SimSwap's (Chen et al. 2020, figure 2), made small, with skips. Beside target
and identity vector it is shown the source's portrait laid over the target and brought to its light (light.py): the
composite. It paints at `working` pixels a side: how colours change (an affine map of each neighbourhood's colours), how
much of the composite's middle and fine detail is kept, what is added, and where a pixel takes the hue of what is around
instead of its own, as over a rim or a strand that was printed. What is finer than it paints comes from the composite,
as much of it as the network lets through, so that pores and lashes are real ones at any crop size.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import doubled, resized, shrunk, silent
from .light import DARK, LightMatch, lit, luma
from .simswap import IdentityBlock

SEEN = 10  # channels shown: composite, target, portrait and how far it may be used
LIGHT_SIDE = 112  # side at which the portrait's light is matched
COARSE = 4  # pixels at working size that count as one for what is neither middle nor fine detail
QUIET = 1e-3  # deviation of an untrained head's weights: it returns its composite
GAIN = 0.1  # what an identity block counts at first: its norms would drown the colours that were seen
HUE_CELL = 8  # pixels at working size over which a change of hue is averaged
MOST = 4.0  # most by which brightness is multiplied to keep a hue
AROUND_CELL, AROUND = 4, 5  # pixels at working size that a cell averages, and cells a side over which hues are averaged
SILENT_HUE = -2.0  # before the tanh: how little of the hue around an untrained network takes
MIX, SHIFT, ADDED = 0.5, 0.3, 0.6  # most by which colours are mixed, shifted, and brightness added in each


@dataclass(frozen=True, slots=True)
class PainterConfig:
    """Shape of the network."""

    size: int = 448  # side of the crop it takes and returns
    working: int = 192  # side at which it paints: a multiple of 32
    width: int = 32  # channels at half the working size; doubled at a quarter and again at an eighth
    blocks: int = 3  # identity blocks at an eighth of the working size
    latent: int = 128  # length of the identity vector


class Painting(NamedTuple):
    """What a network paints; w is the working size."""

    composite: Tensor  # (N, 3, w, w) in [0, 1]: the portrait in the target's light, over the target
    colour: Tensor  # (N, 12, w/8, w/8) in [-1, 1]: changes of a 3 x 4 matrix of colours, row by row
    detail: Tensor  # (N, 2, w, w) in [-1, 1]: changes of middle and of fine detail; -1 leaves none
    added: Tensor  # (N, 3, w, w) in [-1, 1], times `ADDED`
    hue: Tensor  # (N, 1, w, w) in [-1, 1]: -1 each pixel's own, 1 that of what is around


class PortraitPainter(nn.Module):
    """Generator: target (N, 3, S, S), identity (N, latent), portrait (N, 4, S, S) -> (N, 3, S, S).

    Pictures are in [0, 1]; the portrait's fourth channel says how far each of its pixels may be used. What to paint
    over a composite is for its two kinds to say: `Painter` here, and the faster one of mobile_painter.py.
    """

    def __init__(self, working: int) -> None:
        super().__init__()
        self.working = working  # side at which it paints
        self.light = LightMatch()

    def forward(self, target: Tensor, identity: Tensor, portrait: Tensor) -> Tensor:
        """Return the target's crop with the source's face."""
        light = self.light(*_seen(target, portrait, LIGHT_SIDE))
        composite = laid_over(target, portrait, lit(portrait[:, :3], light))
        small, seen = (at_size(picture, self.working) for picture in (composite, target))
        return carried(composite, self.paint_over(small, seen, identity, portrait))

    def paint_over(self, composite: Tensor, target: Tensor, identity: Tensor, portrait: Tensor) -> Painting:
        """Return what to do with a composite (N, 3, w, w), shown the target (N, 3, w, w) and the portrait."""
        raise NotImplementedError


class Painter(PortraitPainter):
    """SimSwap's generator made small, as a painter."""

    def __init__(self, config: PainterConfig | None = None) -> None:
        config = config or PainterConfig()
        super().__init__(config.working)
        self.config = config
        fine, middle, coarse = config.width, 2 * config.width, 4 * config.width
        self.stem = nn.Conv2d(4 * SEEN, fine, 3, padding=1)
        self.fine = Residual(fine)
        self.down1 = nn.Conv2d(fine, middle, 3, 2, 1)
        self.middle = nn.Sequential(Residual(middle), Residual(middle))
        self.down2 = nn.Conv2d(middle, coarse, 3, 2, 1)
        self.coarse = nn.Sequential(Residual(coarse), Residual(coarse))
        self.BottleNeck = nn.ModuleList(IdentityBlock(coarse, config.latent) for _ in range(config.blocks))
        self.gains = nn.Parameter(torch.full((config.blocks, 1), GAIN))
        self.up2 = nn.Conv2d(coarse, middle, 3, padding=1)
        self.detail2 = Residual(middle)
        self.up1 = nn.Conv2d(middle, fine, 3, padding=1)
        self.detail1 = Residual(fine)
        self.colour = silent(nn.Conv2d(middle, 12, 3, padding=1), QUIET)
        self.paint = silent(nn.Conv2d(fine, 4 * 6, 3, padding=1), QUIET)
        assert self.paint.bias is not None
        nn.init.constant_(self.paint.bias[4 * 5 :], SILENT_HUE)

    def paint_over(self, composite: Tensor, target: Tensor, identity: Tensor, portrait: Tensor) -> Painting:
        """Return what to do with a composite (N, 3, w, w), shown the target (N, 3, w, w) and the portrait."""
        identity = identity * self.config.latent**0.5  # unit variance: the styles learn as fast as the convolutions
        fine = self.fine(self.stem(shown(composite, target, at_size(portrait, self.working))))
        middle = self.middle(_activated(self.down1(fine)))
        features = self.coarse(_activated(self.down2(middle)))
        for block, gain in zip(self.BottleNeck, self.gains, strict=True):
            features = features + gain * (block(features, identity) - features)
        features = self.detail2(self.up2(doubled(features)) + middle)
        colour = torch.tanh(self.colour(functional.avg_pool2d(features, 2)))
        paint = self.paint(_activated(self.detail1(self.up1(doubled(features)) + fine)))
        paint = torch.tanh(functional.pixel_shuffle(paint, 2))
        return Painting(composite, colour, paint[:, :2], paint[:, 2:5], paint[:, 5:])


def shown(composite: Tensor, target: Tensor, portrait: Tensor) -> Tensor:
    """Return what a painter looks at, (N, 4 * SEEN, w/2, w/2): every two by two pixels of all three side by side."""
    seen = (2 * portrait[:, :3] - 1) * portrait[:, 3:]
    return functional.pixel_unshuffle(torch.cat([2 * composite - 1, 2 * target - 1, seen, portrait[:, 3:]], dim=1), 2)


class Residual(nn.Module):
    """Two convolutions whose result is added; it begins as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return features (N, width, h, w)."""
        return features + self.conv2(_activated(self.conv1(_activated(features))))


def laid_over(target: Tensor, portrait: Tensor, face: Tensor) -> Tensor:
    """Return the target (N, 3, S, S) with a face (N, 3, S, S) where the portrait (N, 4, S, S) may be used."""
    return target + portrait[:, 3:] * (face - target)


def painted(painting: Painting) -> Tensor:
    """Return the picture (N, 3, w, w) that a painting makes of its composite, in [0, 1]."""
    composite, colour, detail, added, hue = (each.float() for each in painting)
    middle = functional.avg_pool2d(composite, 3, stride=1, padding=1, count_include_pad=False)
    broad = resized(functional.avg_pool2d(composite, COARSE), composite)
    picture = broad + (1 + detail[:, :1]) * (middle - broad) + (1 + detail[:, 1:]) * (composite - middle)
    matrix = resized(colour, composite)
    red, green, blue = picture[:, 0:1], picture[:, 1:2], picture[:, 2:3]
    mixed = [
        MIX * (row[:, 0:1] * red + row[:, 1:2] * green + row[:, 2:3] * blue) + SHIFT * row[:, 3:4]
        for row in matrix.split(4, dim=1)
    ]
    return _toned(composite, picture + torch.cat(mixed, dim=1) + ADDED * added, (1 + hue) / 2).clamp(0, 1)


def _toned(composite: Tensor, picture: Tensor, around: Tensor) -> Tensor:
    """Return a picture (N, 3, w, w) as bright as it is painted, in the composite's hues but for broad changes.

    A hue painted from pixel to pixel would be a green or purple fringe along brows, lids and nostrils. As far as
    `around` (N, 1, w, w) in [0, 1] says, it is that of the composite's neighbourhood, in which dark lines hardly count.
    """
    brightness = luma(picture)
    own, broad = (_as_bright(each, brightness) for each in (composite, _neighbourhood(composite)))
    kept = own + around * (broad - own)
    change = functional.avg_pool2d((picture - brightness) - (kept - luma(kept)), HUE_CELL)
    smooth = functional.avg_pool2d(change, 3, stride=1, padding=1, count_include_pad=False)
    toned = kept + resized(smooth, kept)
    return toned + brightness - luma(toned)


def _as_bright(picture: Tensor, brightness: Tensor) -> Tensor:
    """Return a picture (N, 3, w, w) in its own hues, as bright as (N, 1, w, w) says, at most `MOST` times lighter."""
    return picture * ((brightness + DARK) / (luma(picture) + DARK)).clamp(0.0, MOST)


def _neighbourhood(picture: Tensor) -> Tensor:
    """Return the average (N, 3, w, w) of what lies around each pixel."""
    cells = functional.avg_pool2d(picture, AROUND_CELL)
    for _ in range(2):
        cells = functional.avg_pool2d(cells, AROUND, stride=1, padding=AROUND // 2, count_include_pad=False)
    return resized(cells, picture)


def carried(composite: Tensor, painting: Painting) -> Tensor:
    """Return a painting at the size of its full composite (N, 3, S, S), with the detail that only this one has."""
    picture = painted(painting)
    if composite.shape[-1] == picture.shape[-1]:
        return picture
    finer = composite - resized(painting.composite, composite)
    kept = resized(1 + painting.detail[:, 1:].float(), composite)
    return (resized(picture, composite) + kept * finer).clamp(0, 1)


def _seen(target: Tensor, portrait: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return target, portrait and how far it may be used, at the side at which light is matched."""
    seen = at_size(portrait, side)
    return at_size(target, side), seen[:, :3], seen[:, 3:]


def at_size(picture: Tensor, side: int) -> Tensor:
    """Return a picture (N, C, S, S) at another size, smaller or larger."""
    if picture.shape[-1] >= side:
        return shrunk(picture, side)
    return functional.interpolate(picture, size=(side, side), mode="bilinear", align_corners=False)


def _activated(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, 0.2)
