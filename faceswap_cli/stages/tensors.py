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
    tensor = _planes(images)
    tensor *= 1 / (255 * deviation)
    tensor -= mean / deviation
    return tensor


def to_layers(images: list[np.ndarray]) -> np.ndarray:
    """Stack (S, S, 4) uint8 pictures with a share in the fourth channel into (N, 4, S, S) float32 in [0, 1]."""
    layers = _planes(images)
    layers *= np.float32(1 / 255)
    return layers


def to_pixels(tensor: np.ndarray, value_range: str) -> list[np.ndarray]:
    """Turn (N, 3, S, S) float into a list of (S, S, 3) uint8 pictures, rounded and clipped."""
    mean, deviation = _statistics(value_range)
    levels = tensor.astype(np.float32)
    levels *= 255 * deviation
    levels += 255 * mean
    np.clip(np.rint(levels, out=levels), 0, 255, out=levels)
    return [cv2.merge(list(each)) for each in levels.astype(np.uint8)]


def _planes(images: list[np.ndarray]) -> np.ndarray:
    """Stack (S, S, C) uint8 pictures into (N, C, S, S) float32, channel by channel: much faster than to transpose."""
    return np.stack([np.stack(cv2.split(image)) for image in images]).astype(np.float32)


def _statistics(value_range: str) -> tuple[np.ndarray, np.ndarray]:
    if value_range not in _RANGES:
        raise WeightsError(f"unknown value range {value_range!r} of a network: known are {', '.join(_RANGES)}")
    return _RANGES[value_range]
