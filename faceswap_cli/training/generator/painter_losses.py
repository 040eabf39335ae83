"""The terms of a painter's loss: what triplets know, one function each. Pictures are (N, 3, S, S) in [0, 1]."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...networks.light import luma
from ...networks.mobilefacenet import MobileFaceNet, imagenet_normalise
from ..core.parallel import mean_of_workers
from ..data.face_set import ENCODER_SIZE

OUTSIDE = 0.15  # weight of what is not pasted beside what is
BAND, IN_BAND = (0.32, 0.52), 3.0  # brows and eyes in SimSwap's template, shares of the height, and their weight
SCALES = (4, 12)  # pixels that are averaged for the broad distances
FINE = 3  # pixels over which what is not fine detail is averaged
AROUND = 15  # pixels over which the strength of fine detail is measured
LEAST = 1e-5  # added to a variance whose root is taken
EARLY_MAPS = (0, 3)  # of a MobileFaceNet: 56 and 28 pixels a side


def answer_distance(image: Tensor, answer: Tensor, mask: Tensor) -> Tensor:
    """Return the mean L1 distance (N,): pixels outside the mask (N, 1, S, S) count `OUTSIDE`, brows and eyes `IN_BAND`.

    Brows and eyes are a tenth of the pixels and the first that people look at: half a brow is a face nobody believes.
    """
    weight = OUTSIDE + mask * _band_weight(mask.shape[-2]).to(mask)
    return ((image - answer).abs() * weight).mean(dim=(1, 2, 3)) / weight.mean(dim=(1, 2, 3))


def broad_distance(image: Tensor, answer: Tensor) -> Tensor:
    """Return the L1 distance (N,) of both averaged over `SCALES`, summed."""
    difference = image - answer
    return torch.stack([functional.avg_pool2d(difference, k).abs().mean(dim=(1, 2, 3)) for k in SCALES]).sum(dim=0)


def edge_distance(image: Tensor, answer: Tensor) -> Tensor:
    """Return the L1 distance (N,) of the differences between neighbours, across and down, summed."""
    down, across = _edges(image - answer)
    return down.mean(dim=(1, 2, 3)) + across.mean(dim=(1, 2, 3))


def natural_distance(image: Tensor, composite: Tensor) -> Tensor:
    """Return the same against the composite, rows of brows and eyes counting `IN_BAND`.

    A brow drawn black is what an encoder likes best, and a tenth of the rows.
    """
    (down, across), weight = _edges(image - composite), _band_weight(image.shape[-2]).to(image)
    return (down * weight[1:]).mean(dim=(1, 2, 3)) + (across * weight).mean(dim=(1, 2, 3))


def texture_distance(image: Tensor, answer: Tensor, mask: Tensor) -> Tensor:
    """Return how far the strength of fine detail is from the answer's within the mask, (N,), wherever its pores lie."""
    difference = (_fine_strength(image) - _fine_strength(answer)).abs()
    return (difference * mask).mean(dim=(1, 2, 3))


def map_distance(image: Tensor, answer: Tensor, encoder: nn.Module) -> Tensor:
    """Return the distance (N,) in an encoder's early maps, as a share of the answer's own size in them."""
    found = _early_maps(image, encoder)
    with torch.no_grad():
        wanted = _early_maps(answer, encoder)
    shares = [
        (ours.float() - theirs.float()).abs().mean(dim=(1, 2, 3)) / mean_of_workers(theirs.float().abs().mean())
        for ours, theirs in zip(found, wanted, strict=True)
    ]
    return torch.stack(shares).sum(dim=0)


def mean_over(values: Tensor, rows: Tensor) -> Tensor:
    """Return the mean of values (N,) over rows (N,), 0 or 1 each; 0 where there are none.

    Of several workers it is the share of the mean over all their rows that makes the mean of their gradients its own.
    """
    count = mean_of_workers(rows.sum())
    return (values * rows).sum() / torch.where(count > 0, count, 1)


def colourless(image: Tensor) -> Tensor:
    """Return pictures (N, 3, S, S) in greys.

    An adversary that sees colours asks for those most faces have: a red nose, red lips in a picture that is all pale.
    """
    return luma(image).expand(-1, 3, -1, -1)


def held(image: Tensor, most: float) -> Tensor:
    """Return pictures (N, 3, S, S) as they are; the gradient that comes back to each is held to a norm of `most`.

    A landmark network answers a pixel's change so steeply that its gradient, ten times that of all other losses
    together, says little about the next batch and drowns them.
    """
    kept: Tensor = _Held.apply(image, most)  # type: ignore[no-untyped-call]
    return kept


class _Held(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, image: Tensor, most: float) -> Tensor:
        context.most = most
        return image.view_as(image)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        norms = gradient.flatten(1).norm(dim=1).clamp(min=context.most)
        return gradient * (context.most / norms)[:, None, None, None], None


def _edges(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each pixel of a picture (N, 3, S, S) is from the one above it, and from the one on its left."""
    return picture.diff(dim=2).abs(), picture.diff(dim=3).abs()


def _band_weight(side: int) -> Tensor:
    """Return the weights (S, 1) of a picture's rows: `IN_BAND` where brows and eyes lie, else 1."""
    height = (torch.arange(side) + 0.5) / side
    return (1 + (IN_BAND - 1) * ((height >= BAND[0]) & (height < BAND[1])))[:, None]


def _fine_strength(image: Tensor) -> Tensor:
    brightness = luma(image)
    fine = brightness - functional.avg_pool2d(brightness, FINE, 1, FINE // 2, count_include_pad=False)
    variance = functional.avg_pool2d(fine.square(), AROUND, 1, AROUND // 2, count_include_pad=False)
    return (variance + LEAST).sqrt()


def _early_maps(image: Tensor, encoder: nn.Module) -> list[Tensor]:
    features = imagenet_normalise(
        functional.interpolate(image, size=(ENCODER_SIZE, ENCODER_SIZE), mode="bilinear", antialias=True)
    )
    maps = []
    assert isinstance(encoder, MobileFaceNet)
    for number, block in enumerate(encoder.blocks()):
        features = block(features)
        if number in EARLY_MAPS:
            maps.append(features)
        if number == max(EARLY_MAPS):
            return maps
    raise AssertionError("a MobileFaceNet has more blocks than the early ones")
