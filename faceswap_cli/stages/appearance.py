"""How a face looks, in a few numbers: what tells a track's face from another's where their ways cross.

A look is the aligned face, very small, without its mean colour and contrast, so light that changes leaves it as it is.
It serves from one frame to the next few; who someone is in another pose or shot is for the encoder to say.
"""

import numpy as np

from ..types import Face
from .align import crop_face

_SIDE = 16  # pixels
_FLAT = 2.0  # deviation (0..255) below which nothing is to be seen


def look_of(rgb: np.ndarray, face: Face) -> np.ndarray:
    """Return a look (768,) float32 of L2 norm 1, or 0 where the picture is flat."""
    crop = crop_face(rgb, face, "arcface", _SIDE).image.astype(np.float32)
    varying = (crop - crop.mean(axis=(0, 1))).ravel()
    norm = float(np.linalg.norm(varying))
    return varying / norm if norm > _FLAT * np.sqrt(varying.size) else np.zeros_like(varying)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Return how much two looks agree, -1..1; two flat ones agree, a flat one with no other."""
    if not one.any() and not other.any():
        return 1.0
    return float(one @ other)
