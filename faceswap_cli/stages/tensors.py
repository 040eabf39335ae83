"""Turn pictures into what a network takes and back: the only place of NCHW float arrays.

A range is named as the catalogue names it: "0..1", "-1..1" or "imagenet" (0..1, then ImageNet's mean and deviation).
"""

import cv2
import numpy as np

from ..errors import WeightsError


def _each(*channels: float) -> np.ndarray:
    """Return one number a channel, (3, 1, 1) float32."""
    return np.array(channels, np.float32)[:, None, None]


# mean and deviation of 0..1 pixels; ImageNet's are those of torchvision's published networks
_RANGES: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "0..1": (_each(0, 0, 0), _each(1, 1, 1)),
    "-1..1": (_each(0.5, 0.5, 0.5), _each(0.5, 0.5, 0.5)),
    "imagenet": (_each(0.485, 0.456, 0.406), _each(0.229, 0.224, 0.225)),
}


def to_tensor(images: list[np.ndarray], value_range: str) -> np.ndarray:
    """Stack (S, S, 3) uint8 pictures into (N, 3, S, S) float32."""
    mean, deviation = _statistics(value_range)
    tensor = _planes(images, 1 / (255 * deviation))
    if mean.any():
        tensor -= mean / deviation
    return tensor


def to_layers(images: list[np.ndarray]) -> np.ndarray:
    """Stack (S, S, 4) uint8 pictures with a share in the fourth channel into (N, 4, S, S) float32 in [0, 1]."""
    return _planes(images, np.full((4, 1, 1), 1 / 255, np.float32))


def to_pixels(tensor: np.ndarray, value_range: str) -> list[np.ndarray]:
    """Turn (N, 3, S, S) float into a list of (S, S, 3) uint8 pictures, rounded and clipped."""
    mean, deviation = _statistics(value_range)
    levels = np.multiply(tensor, 255 * deviation, dtype=np.float32)
    if mean.any():
        levels += 255 * mean
    np.clip(np.rint(levels, out=levels), 0, 255, out=levels)
    return [cv2.merge(list(each)) for each in levels.astype(np.uint8)]


def _planes(images: list[np.ndarray], factors: np.ndarray) -> np.ndarray:
    """Stack (S, S, C) uint8 pictures into (N, C, S, S) float32, each channel times its factor of (C, 1, 1) float32.

    Channel by channel: much faster than to transpose.
    """
    planes = [cv2.split(image) for image in images]
    tensor = np.empty((len(images), *factors.shape[:1], *images[0].shape[:2]), np.float32)
    for layers, channels in zip(tensor, planes, strict=True):
        for layer, channel, factor in zip(layers, channels, factors.ravel(), strict=True):
            np.multiply(channel, factor, out=layer)
    return tensor


def _statistics(value_range: str) -> tuple[np.ndarray, np.ndarray]:
    if value_range not in _RANGES:
        raise WeightsError(f"unknown value range {value_range!r} of a network: known are {', '.join(_RANGES)}")
    return _RANGES[value_range]
