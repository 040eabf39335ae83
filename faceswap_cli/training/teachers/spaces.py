"""The identity spaces a generator can be trained in: whose vectors it is given, and how their faces are cut.

Ours is the default. The published SimSwap understands its ArcFace, the published MobileFaceSwap the same network with
its last map; both come in by `faceswap models import`. Crops of a training lie in SimSwap's frontal template.
"""

from dataclasses import dataclass

from torch import nn

from ...errors import WeightsError
from ...networks.arcface import ArcFace, ArcFaceWithMap
from ...networks.injection import EMBEDDING, IDENTITY


@dataclass(frozen=True, slots=True)
class Space:
    """One identity space; its encoder takes ImageNet-normalised RGB of 112 pixels."""

    name: str
    dimension: int  # numbers of an identity
    encoder: str  # catalogue entry of the encoder
    template: str  # of the crop the encoder sees
    symmetric: bool = True  # a face and its mirror image have one identity, so both are averaged


OURS = Space("mobilefacenet-128", 128, "encoder", "arcface")
SIMSWAP = Space("simswap-arcface-512", EMBEDDING, "simswap-arcface", "simswap-frontal")
MOBILE = Space("mobilefaceswap-arcface-25600", IDENTITY, "mobilefaceswap-arcface", "simswap-frontal", symmetric=False)


def space_of(encoder: nn.Module) -> Space:
    """Return the space an encoder's vectors lie in."""
    if isinstance(encoder, ArcFaceWithMap):
        return MOBILE
    return SIMSWAP if isinstance(encoder, ArcFace) else OURS


def space_called(name: str) -> Space:
    """Return the space of that name; raise WeightsError for a file that names none of ours."""
    for space in (OURS, SIMSWAP, MOBILE):
        if space.name == name:
            return space
    raise WeightsError(f"{name!r} is no identity space a generator can be trained in: import its encoder anew")


def described(space: Space) -> dict[str, str]:
    """Return the metadata by which a swap finds the encoder of a generator, and feeds it as in training."""
    if space is OURS:  # what a file's metadata leaves unsaid about a network of ours
        return {"space": space.name}
    crop = {"identity_template": space.template, "identity_size": "112", "identity_norm": "l2"}
    return {"space": space.name, "encoder": space.encoder, **crop}
