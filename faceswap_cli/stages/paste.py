"""Bring a swapped crop back to its frame: the last step before the writer.

Only the rectangle the mask covers is computed and handed on; what lies outside it is never touched.
"""

from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np

from ..types import Crop, Patch
from .align import inverse, transform, warp


class Paste(Protocol):
    """Whatever puts a swapped crop back, with the weights of its mask; see `paste`."""

    def __call__(
        self, frame_shape: tuple[int, ...], crop: Crop, swapped: np.ndarray, weights: np.ndarray
    ) -> Patch | None:
        """Return the rectangle of new pixels in the frame."""
        ...


def paste(frame_shape: tuple[int, ...], crop: Crop, swapped: np.ndarray, weights: np.ndarray) -> Patch | None:
    """Return the rectangle of new pixels in the frame, or None where the mask is empty or lies outside the frame.

    `swapped` is (S, S, 3) uint8, `weights` (S, S) float32 in [0, 1], zero on its border.
    """
    to_frame = inverse(crop.to_crop)
    rectangle = _covered(weights, to_frame, frame_shape)
    if rectangle is None:
        return None
    x0, y0, x1, y1 = rectangle
    to_patch = to_frame - [[0, 0, x0], [0, 0, y0]]
    shape = (y1 - y0, x1 - x0)
    pixels = warp(swapped, to_patch, shape, cv2.BORDER_REPLICATE)
    alpha = np.clip(warp(weights, to_patch, shape, cv2.BORDER_CONSTANT), 0, 1)
    return Patch(x0, y0, pixels, alpha)


def overlaid(under: Patch | None, over: Patch | None, opacity: float) -> Patch | None:
    """Return one patch that does what one does and then the other, as far as `opacity` says.

    None where nothing is pasted: a face that is hidden keeps its shape too.
    """
    if over is None:
        return None
    if under is None:
        return replace(over, alpha=over.alpha * np.float32(opacity))
    patches = (under, over)
    x0, y0 = min(each.x for each in patches), min(each.y for each in patches)
    x1 = max(each.x + each.alpha.shape[1] for each in patches)
    y1 = max(each.y + each.alpha.shape[0] for each in patches)
    rgb, alpha = np.zeros((y1 - y0, x1 - x0, 3), np.uint8), np.zeros((y1 - y0, x1 - x0), np.float32)
    first, there = (_within(x0, y0, each) for each in patches)
    rgb[first], alpha[first] = under.rgb, under.alpha
    total = over.alpha + alpha[there] * (1 - over.alpha)
    share, before = over.alpha / np.maximum(total, 1e-6), rgb[there].astype(np.float32)
    rgb[there] = np.rint(before + share[..., None] * (over.rgb - before))
    alpha[there] = total
    return Patch(x0, y0, rgb, alpha * np.float32(opacity))


def _within(x0: int, y0: int, patch: Patch) -> tuple[slice, slice]:
    """Return the rows and columns of a patch in a larger one that begins at (x0, y0)."""
    height, width = patch.alpha.shape
    return slice(patch.y - y0, patch.y - y0 + height), slice(patch.x - x0, patch.x - x0 + width)


def _covered(
    weights: np.ndarray, to_frame: np.ndarray, frame_shape: tuple[int, ...]
) -> tuple[int, int, int, int] | None:
    """Return x0, y0, x1, y1 of the frame's pixels that the mask can reach."""
    rows, columns = np.flatnonzero(weights.any(axis=1)), np.flatnonzero(weights.any(axis=0))
    if rows.size == 0:
        return None
    left, top, right, bottom = columns[0] - 1, rows[0] - 1, columns[-1] + 1, rows[-1] + 1
    corners = transform(np.array([[left, top], [right, top], [left, bottom], [right, bottom]], float), to_frame)
    height, width = frame_shape[:2]
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)) + 1, [width, height]).astype(int)
    return (int(x0), int(y0), int(x1), int(y1)) if x0 < x1 and y0 < y1 else None
