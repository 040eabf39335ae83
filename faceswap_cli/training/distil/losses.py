"""The terms of a distillation, one function each, and how much each picture of the teacher counts.

Source: MobileFaceSwap (Xu et al., AAAI 2022), loss re-weighting. The paper's quality score Q is the output of a network
it does not describe; ours is a measure that needs none (`quality`).
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...networks.arcface import ArcFace, ArcFaceWithMap
from ...networks.mobilefacenet import MobileFaceNet, imagenet_normalise
from ..data.face_set import ENCODER_SIZE

PERCEPTUAL_MAPS = (0, 2, 5)  # of MobileFaceNet's: 56, 28 and 28 pixels wide, edges and features rather than persons
PATCHES = 16  # to a side, whose sharpness is compared
FLAT = 0.01  # gradient of 0..1 pixels below which a patch is flat, and its sharpness no evidence


def teacher_weight(result: Tensor, target: Tensor, likeness: Tensor) -> Tensor:
    """Return (N,) in [0, 1]: the squared cosine to the source (N,) times the quality of the teacher's result.

    Where the teacher lost the source or spoilt the picture the student is to listen less; a negative cosine is no
    likeness at all.
    """
    return likeness.clamp(min=0).square() * quality(result, target)


def quality(result: Tensor, target: Tensor) -> Tensor:
    """Return (N,) in [0, 1]: how near the sharpness of a swap (N, 3, S, S) is, patch by patch, to its target's.

    A swap changes shapes and shades, not how sharp a photo is: blur takes gradients away, grain, tears and seams add
    some. The share of the smaller in the larger is 1 where nothing was lost or added.
    """
    ours, theirs = _sharpness(result) + FLAT, _sharpness(target) + FLAT
    return (torch.minimum(ours, theirs) / torch.maximum(ours, theirs)).mean(dim=(1, 2, 3))


def reconstruction(student: Tensor, teacher: Tensor) -> Tensor:
    """Return (N,): the L1 distance to the teacher's picture."""
    return (student - teacher).abs().mean(dim=(1, 2, 3))


def perceptual(student: Tensor, teacher: Tensor, encoder: nn.Module) -> Tensor:
    """Return (N,): the squared distance in an encoder's early maps, as a share of the teacher's own square."""
    found, wanted = _maps(student, encoder), _maps(teacher, encoder)
    shares = [
        (ours.float() - theirs.float()).square().mean(dim=(1, 2, 3)) / theirs.float().square().mean()
        for ours, theirs in zip(found, wanted, strict=True)
    ]
    return torch.stack(shares).sum(dim=0)


def mask_loss(mask: Tensor, outside: Tensor) -> Tensor:
    """Return the L1 distance of the fusion mask to the face of the class maps, over the pictures that have one."""
    known = (outside.amax(dim=(1, 2, 3)) > 0).to(mask.dtype)
    distance = (mask - (1 - outside)).abs().mean(dim=(1, 2, 3))
    return (known * distance).sum() / known.sum().clamp(min=1)


def _sharpness(image: Tensor) -> Tensor:
    grey = image.float().mean(dim=1, keepdim=True)
    across = functional.pad(grey.diff(dim=3).abs(), (0, 1))
    down = functional.pad(grey.diff(dim=2).abs(), (0, 0, 0, 1))
    return functional.adaptive_avg_pool2d(across + down, PATCHES)


def _maps(image: Tensor, encoder: nn.Module) -> list[Tensor]:
    small = functional.interpolate(image, size=(ENCODER_SIZE, ENCODER_SIZE), mode="bilinear", antialias=True)
    features, maps = imagenet_normalise(small), []
    if isinstance(encoder, ArcFaceWithMap):
        encoder = encoder.encoder
    if isinstance(encoder, ArcFace):
        return encoder.early_maps(features)
    for block in cast(MobileFaceNet, encoder).blocks()[: max(PERCEPTUAL_MAPS) + 1]:
        features = block(features)
        maps.append(features)
    return [maps[index] for index in PERCEPTUAL_MAPS]
