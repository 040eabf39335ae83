"""Take away what is left of the target's brows beside the source's.

A portrait whose forehead hair hides covers a brow by half, and what looks out of it is a second brow. It is filled with
the colour of the skin around it before the generator sees the crop. A brow that the portrait hardly covers stays: the
target's is better than none.
"""

import math
from dataclasses import replace

import cv2
import numpy as np

from ...stages.parse import BROWS, around_share, disc
from ...types import Crop

# shares of a brow covered: from the first on what is left of it fades, from the second it is gone
_COVERED = (0.25, 0.5)
_SEEN = 0.1  # of a pixel: what less is left of a brow is not seen
_HIGH = 0.04  # share of the side: more than half of a brow's height
_HAIRS = 0.012  # share of the side by which hairs reach beyond what is called a brow
_SOFT = 0.01  # share of the side: how soft the edge is


def without_brows(crop: Crop, laid: np.ndarray) -> Crop:
    """Return the crop without the brows that a portrait laid over it, (S, S, 4) uint8, covers in part."""
    if crop.classes is None:
        return crop
    cells = crop.classes.shape[1]
    covered = cv2.resize(laid[..., 3], (cells, cells), interpolation=cv2.INTER_AREA) / np.float32(255)
    rest = np.zeros((cells, cells), np.float32)
    for brow in (crop.classes[label] for label in BROWS):
        share = float((brow * covered).sum()) / max(float(brow.sum()), 1e-6)
        low, high = _COVERED
        rest = np.maximum(rest, np.clip((share - low) / (high - low), 0, 1) * brow)
    rest *= 1 - covered  # beneath a portrait a brow stays: its contrast is matched by it
    return crop if rest.max() < _SEEN else replace(crop, image=_filled(crop.image, rest))


def _filled(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return a picture (S, S, 3) uint8 with dark things filled by the skin around them, `where` (P, P) in [0, 1]."""
    scale = image.shape[0] / where.shape[0]
    around = around_share(where, math.ceil(3 * _HIGH * where.shape[0]))
    there = (slice(round(scale * each.start), round(scale * each.stop)) for each in around)
    result = image.copy()
    part = result[tuple(there)]
    part[:] = _without_dark(part, where[around], where.shape[0])
    return result


def _without_dark(part: np.ndarray, where: np.ndarray, cells: int) -> np.ndarray:
    """Do it for a part (h, w, 3) uint8 of a picture that is so many cells wide, `where` (p, q)."""
    small = cv2.resize(part, where.shape[::-1], interpolation=cv2.INTER_AREA)
    skin = cv2.morphologyEx(cv2.GaussianBlur(small, (0, 0), 0.7), cv2.MORPH_CLOSE, disc(_HIGH * cells))
    skin = cv2.GaussianBlur(skin, (0, 0), _HIGH / 2 * cells)
    share = cv2.GaussianBlur(cv2.dilate(where, disc(_HAIRS * cells)), (0, 0), _SOFT * cells)
    share, skin = (cv2.resize(each, part.shape[1::-1], interpolation=cv2.INTER_LINEAR) for each in (share, skin))
    filled: np.ndarray = np.rint(part + share[..., None] * (skin.astype(np.float32) - part)).astype(np.uint8)
    return filled
