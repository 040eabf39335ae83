"""How a face looks, in a few numbers: they tell two tracks' faces apart where their ways cross.

A look is the aligned face, very small, without its mean colour and contrast, so that light may change. It holds for a
few frames; who somebody is in another pose or shot is told by the identity encoder.
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
    """Return how much two looks agree, in [-1, 1]: 1 for two flat ones, 0 for a flat one and any other."""
    if not one.any() and not other.any():
        return 1.0
    return float(one @ other)
