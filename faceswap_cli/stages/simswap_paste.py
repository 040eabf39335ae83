"""Mask and paste as SimSwap's own scripts do, for people who must reproduce its pictures (`--paste simswap`).

What the target's parser calls face is blended into the target's crop, its edge drawn in; the whole crop is then laid
over the frame, faded over a border that has a width in frame pixels: faces smaller than that border are not changed.
Source: SimSwap's util/reverse2original.py with --use_mask. The last rounding is ours, at most one grey level.
"""

from functools import cache

import cv2
import numpy as np

from ..types import Crop, Patch
from .align import inverse, transform
from .mask import Remember
from .parse import FACE_CLASSES

ERODED, BLURRED = 40, 41  # sides of the border's kernels, frame pixels
COVERED = 20  # grey level of the warped crop above which a frame pixel belongs to it
FEWEST = 5000 / 255  # pixels of a parser's map below which nothing is taken for face, and all of the crop is pasted
DISC, HARD, TIMES = 17, 0.9, 7  # side of the soft erosion's kernel, weight from which a pixel is wholly face, passes


class SimSwapMask:
    """The face as the parser sees it in the target's crop, softly eroded."""

    history = 0

    def mask(self, crops: list[Crop], history: Remember | None = None) -> list[np.ndarray]:
        """Return the weights (S, S) float32 in [0, 1], one array per crop; whatever was before changes nothing."""
        return [_face(crop) for crop in crops]


def _face(crop: Crop) -> np.ndarray:
    if crop.class_probs is None:
        return np.ones(crop.image.shape[:2], np.float32)
    face = np.isin(crop.class_probs.argmax(axis=0), FACE_CLASSES).astype(np.float32)
    if face.sum() < FEWEST:
        return np.ones(crop.image.shape[:2], np.float32)
    return softly_eroded(cv2.resize(face, crop.image.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def softly_eroded(face: np.ndarray) -> np.ndarray:
    """Draw in the edge of a face (S, S) float32 in [0, 1], and make it soft."""
    for _ in range(TIMES - 1):
        face = np.minimum(face, _spread(face))
    face = _spread(face)
    soft = face < HARD
    face[~soft] = 1
    face[soft] /= max(float(face[soft].max(initial=0)), 1e-6)
    return face


def paste_simswap(frame_shape: tuple[int, ...], crop: Crop, swapped: np.ndarray, weights: np.ndarray) -> Patch | None:
    """Return the rectangle of new pixels in the frame, or None where nothing of the crop is left; see `paste.paste`."""
    to_frame = inverse(crop.to_crop)
    alpha, x, y = border_weights(to_frame, len(swapped), frame_shape)
    if not alpha.any():
        return None
    blended = crop.image + weights[..., None] * (swapped.astype(np.float32) - crop.image)
    to_patch = to_frame - [[0, 0, x], [0, 0, y]]
    pixels = cv2.warpAffine(blended, to_patch, alpha.shape[::-1], flags=cv2.INTER_LINEAR)
    return Patch(x, y, np.rint(pixels).clip(0, 255).astype(np.uint8), alpha)


def border_weights(to_frame: np.ndarray, size: int, frame_shape: tuple[int, ...]) -> tuple[np.ndarray, int, int]:
    """Return how much each frame pixel near a crop of `size` is the crop's, (h, w) float32 in [0, 1], and its x, y."""
    corners = transform(np.array([[0, 0], [size, 0], [0, size], [size, size]], float), to_frame)
    last = np.array(frame_shape[1::-1])
    x0, y0 = np.clip(np.floor(corners.min(axis=0)) - ERODED, 0, last).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)) + ERODED, 0, last).astype(int)
    if x0 >= x1 or y0 >= y1:
        return np.zeros((0, 0), np.float32), int(x0), int(y0)
    white = np.full((size, size), 255, np.float32)
    there = cv2.warpAffine(white, to_frame - [[0, 0, x0], [0, 0, y0]], (int(x1 - x0), int(y1 - y0)))
    whole = np.where(there > COVERED, np.float32(255), there)
    eroded = cv2.erode(whole, np.ones((ERODED, ERODED), np.uint8))
    return cv2.GaussianBlur(eroded, (BLURRED, BLURRED), 0) / 255, int(x0), int(y0)


def _spread(face: np.ndarray) -> np.ndarray:
    return cv2.filter2D(face, -1, _disc(), borderType=cv2.BORDER_CONSTANT)


@cache
def _disc() -> np.ndarray:
    """Return the soft erosion's kernel (DISC, DISC) float32: the less, the farther from its centre; 1 in all."""
    rows, columns = np.mgrid[:DISC, :DISC] - DISC // 2
    distance = np.hypot(rows, columns)
    kernel = distance.max() - distance
    return (kernel / kernel.sum()).astype(np.float32)
