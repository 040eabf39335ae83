"""Bring a portrait to the target's light, contrast and colouring, as Reinhard et al. (2001) match two pictures.

The skin of both is averaged over a wide neighbourhood. What is left of the portrait's brightness, shading and details
each by themselves, is scaled to the strength it has in the target and painted in the target's own tone, lighter or
darker: a grey beard or a highlight on brown skin would turn blue on pale skin if each channel were scaled by itself.
What the portrait differs in from its own tone (lips, a flush, shine) is added to that, as much weaker as the target is
darker, and as far as the target has any colour: nothing in a black and white film. A line through all of the face's
colours tells how they follow brightness: what it explains, the orange of a shadow or the blue of a lamp, stays in the
photo it was lit in. What still differs along the portrait's edge is added at last and fades inwards (as in Poisson
image editing, Perez et al. 2003), so that no step is left where a forehead goes on.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import enlarged, resized

CELL, FINE_CELL = 8, 4  # pixels at working size that a cell averages: of light and tone, of shading
REACH_OF_LIGHT, REACH_OF_SHADING = 2.0, 1.2  # standard deviations of their neighbourhoods, in cells
LUMA = (0.299, 0.587, 0.114)  # BT.601
REACH_OF_EDGE = 1.5  # the same, in fine cells: how far inwards an edge is made up for
HOLE = 9  # fine cells: what is not wider in a portrait, eyes and an open mouth, has no edge
SKIN, OTHER = (0.7, 0.95), 0.03  # brightness over the average around that is other than skin, and skin; other's weight
EDGE = 0.05  # share of a neighbourhood that is edge from which a step is made up for
FLAT = 1e-4  # added to both variances, so that no texture divides by something
QUIET = 1e-3  # added to weights and distances that something is divided by
DARK = 0.02  # added to brightness where tones are divided by it
CONTRAST = (0.65, 1.25)  # least and most: a beard must not be paled, nor a smooth face be given grain
BOLDER = 1.2  # most by which details may be bolder, as shares of the skin's brightness: black brows look drawn
SHADING = (0.45, 1.0)  # the same for shading: hard light from one side is softened, soft light never made hard
FAINT = 2e-3  # saturation below which a portrait is grey
COOL, WARM = 0.5, 0.1  # share that counts of what is bluer than skin, and by how much redder all of it does
FITS = 3  # times the line of colour over brightness is fitted, each with less weight on what lies off it
EVEN = 1e-3  # variance of brightness at which a face tells as much of its line as its mean tone does
ANYHOW = 0.03  # colour that counts whatever the line explains: skin is never of one
OFF = 1.5  # times the mean distance from the line at which a colour counts half


class Light(NamedTuple):
    """What brings a portrait to a target's light; c is the number of cells a side, f that of fine ones."""

    tone: Tensor  # (N, 3, c, c): the portrait's colour there at brightness 1
    base: Tensor  # (N, 3, c, c): what its line has there at brightness 0, were it to go on so far
    slope: Tensor  # (N, 3, 1, 1): by how much the line's colour changes with brightness
    shade: Tensor  # (N, 3, c, c): what its brightness is multiplied by, the target's tone times the contrast
    offset: Tensor  # (N, 3, f, f): what is added then
    colouring: Tensor  # (N, 1, c, c) in [0, 1]: how much counts of what differs from its tone


class LightMatch(nn.Module):
    """Compares pictures (N, 3, w, w) in [0, 1] at a network's working size; it has nothing to learn."""

    wide: Tensor
    near: Tensor
    edge: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("wide", _gaussian(REACH_OF_LIGHT), persistent=False)
        self.register_buffer("near", _gaussian(REACH_OF_SHADING), persistent=False)
        self.register_buffer("edge", _gaussian(REACH_OF_EDGE), persistent=False)

    def forward(self, target: Tensor, face: Tensor, valid_mask: Tensor) -> Light:
        """Compare a target with a portrait warped to it where its mask is valid, (N, 1, w, w) in [0, 1]."""
        skins = [self._skin(picture, valid_mask) for picture in (target, face)]
        averages, shading, detail = [], [], []
        for picture, skin in zip((target, face), skins, strict=True):
            average, brightness = _averaged(picture, skin, CELL, self.wide), luma(picture)
            near = _averaged(brightness, skin, FINE_CELL, self.near)
            averages.append(average)
            shading.append(near - resized(luma(average), near))
            detail.append(brightness - resized(near, brightness))
        ours, theirs = averages
        contrast = _strength(detail, valid_mask).clamp(*CONTRAST)
        contrast = torch.minimum(contrast, BOLDER * (luma(ours) + DARK) / (luma(theirs) + DARK))
        softness = _strength([resized(each, valid_mask) for each in shading], valid_mask).clamp(*SHADING)
        tone = _tone(ours)
        shade = contrast * tone
        # what is left of the portrait once its own light and shading are taken away and the target's light is added
        offset = resized(ours - shade * luma(theirs), shading[1]) + resized(tone, shading[1]) * (
            (softness - resized(contrast, shading[1])) * shading[1]
        )
        colourful, wanted = (_saturation(picture, valid_mask) for picture in (face, target))
        darker = (luma(ours) + DARK) / (luma(theirs) + DARK)
        colouring = (wanted / (colourful + FAINT)).clamp(max=1) * darker.clamp(max=1)
        slope = _slope(face, valid_mask)
        light = Light(_tone(theirs), theirs - slope * luma(theirs), slope, shade, offset, colouring)
        step = _averaged(target - lit(face, light), skins[0] * _edge(valid_mask), FINE_CELL, self.edge, EDGE)
        return light._replace(offset=offset + step)

    def _skin(self, picture: Tensor, valid_mask: Tensor) -> Tensor:
        """Return (N, 1, w, w): how far a pixel that may be used is skin; brows, beards and hair are darker."""
        average = luma(_averaged(picture, valid_mask, CELL, self.wide))
        low, high = SKIN
        lighter = (luma(picture) + DARK) / (resized(average, valid_mask) + DARK)
        return valid_mask * (OTHER + (1 - OTHER) * ((lighter - low) / (high - low)).clamp(0, 1))


def lit(face: Tensor, light: Light) -> Tensor:
    """Return a portrait (N, 3, S, S) in that light, in [0, 1]."""
    tone, base, shade, offset, colouring = enlarged(
        [light.tone, light.base, light.shade, light.offset, light.colouring], face
    )
    brightness = luma(face)
    off_line = face - (base + brightness * light.slope)
    colour = face - brightness * tone
    colour = torch.minimum(torch.maximum(colour, off_line.clamp(max=0) - ANYHOW), off_line.clamp(min=0) + ANYHOW)
    counts = colouring * (COOL + (1 - COOL) * (colour[:, :1] / WARM).clamp(0, 1))
    return (brightness * shade + offset + counts * colour).clamp(0, 1)


def _slope(face: Tensor, valid_mask: Tensor) -> Tensor:
    """Return (N, 3, 1, 1): how a portrait's colour follows its brightness, by iteratively reweighted least squares.

    It begins as that of one tone, lighter and darker. Lips, brows and paint lie off the line that skin in light and in
    shadow makes, and hardly count.
    """
    brightness, weight = luma(face), valid_mask
    slope = tone = _tone(_mean(face, weight))
    for _ in range(FITS):
        change, colours = brightness - _mean(brightness, weight), face - _mean(face, weight)
        distance = (colours - slope * change).abs().mean(dim=1, keepdim=True)
        weight = valid_mask / (1 + (distance / (OFF * _mean(distance, weight) + QUIET)).square())
        change, colours = brightness - _mean(brightness, weight), face - _mean(face, weight)
        alike = _mean(change * colours, weight) + EVEN * tone
        slope = alike / (_mean(change.square(), weight) + EVEN)
    return slope


def _mean(picture: Tensor, weight: Tensor) -> Tensor:
    """Return (N, C, 1, 1): the mean of a picture by weights (N, 1, w, w); 0 where there are none."""
    total = weight.sum(dim=(2, 3), keepdim=True)
    return (weight * picture).sum(dim=(2, 3), keepdim=True) / (total + QUIET)


def _edge(valid_mask: Tensor) -> Tensor:
    """Return (N, 1, w, w) in [0, 1]: where a portrait ends that may be used so far; holes in it count as filled."""
    share = _widest(functional.avg_pool2d(valid_mask, FINE_CELL))
    share = resized(1 - _widest(1 - share), valid_mask)
    return 4 * share * (1 - share)


def _widest(share: Tensor) -> Tensor:
    return functional.max_pool2d(share, HOLE, stride=1, padding=HOLE // 2)


def _averaged(picture: Tensor, weight: Tensor, cell: int, neighbourhood: Tensor, least: float = 1e-3) -> Tensor:
    """Return cells (N, C, w/cell, w/cell): what a picture is around each, nothing where weights come to far less."""
    cells = [functional.avg_pool2d(part, cell) for part in (weight * picture, weight)]
    total, share = (
        functional.conv2d(
            part,
            neighbourhood.to(part.dtype).expand(part.shape[1], 1, -1, -1),
            padding=neighbourhood.shape[-1] // 2,
            groups=part.shape[1],
        )
        for part in cells
    )
    return total / (share + least)


def _strength(pair: list[Tensor], valid_mask: Tensor) -> Tensor:
    """Return (N, 1, 1, 1): how much stronger the target's variations are than the portrait's."""
    ours, theirs = ((valid_mask * each.square()).mean(dim=(2, 3), keepdim=True) + FLAT for each in pair)
    return (ours / theirs).sqrt()


def _saturation(picture: Tensor, valid_mask: Tensor) -> Tensor:
    """Return (N, 1, 1, 1): how far from grey a picture is where it may be used, over its brightness."""
    brightness = luma(picture)
    far, bright = (
        (valid_mask * part).mean(dim=(1, 2, 3), keepdim=True) for part in ((picture - brightness).abs(), brightness)
    )
    return far / (bright + DARK)


def luma(picture: Tensor) -> Tensor:
    """Return the brightness (N, 1, h, w) of (N, 3, h, w)."""
    red, green, blue = (weight * picture[:, channel : channel + 1] for channel, weight in enumerate(LUMA))
    return red + green + blue


def _tone(colour: Tensor) -> Tensor:
    return colour / (luma(colour) + DARK)


def _gaussian(deviation: float) -> Tensor:
    """Return (1, 1, k, k): a bell over two deviations to each side."""
    reach = round(2 * deviation)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation) ** 2)
    return (bell[:, None] * bell[None, :])[None, None] / bell.sum() ** 2
