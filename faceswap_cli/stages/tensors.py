"""Turn pictures into what a network takes and back: the only place of NCHW float arrays.

A range is named as the catalogue names it: "0..1", "-1..1" or "imagenet" (0..1, then ImageNet's mean and deviation).
"""

import numpy as np

from ..errors import WeightsError

# mean and deviation of 0..1 pixels; ImageNet's are those of torchvision's published networks
_RANGES: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "0..1": (np.zeros(3), np.ones(3)),
    "-1..1": (np.full(3, 0.5), np.full(3, 0.5)),
    "imagenet": (np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])),
}


def to_tensor(images: list[np.ndarray], value_range: str) -> np.ndarray:
    """Stack (S, S, 3) uint8 pictures into (N, 3, S, S) float32."""
    mean, deviation = _statistics(value_range)
    scale, offset = 1 / (255 * deviation), -mean / deviation
    stacked = np.stack(images).astype(np.float32) * scale.astype(np.float32) + offset.astype(np.float32)
    return np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))


def to_layers(images: list[np.ndarray]) -> np.ndarray:
    """Stack (S, S, 4) uint8 pictures with a share in the fourth channel into (N, 4, S, S) float32 in [0, 1]."""
    stacked = np.stack(images).astype(np.float32) * np.float32(1 / 255)
    return np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))


def to_pixels(tensor: np.ndarray, value_range: str) -> list[np.ndarray]:
    """Turn (N, 3, S, S) float into a list of (S, S, 3) uint8 pictures, rounded and clipped."""
    mean, deviation = _statistics(value_range)
    unit = tensor.transpose(0, 2, 3, 1) * deviation.astype(np.float32) + mean.astype(np.float32)
    return list(np.clip(np.rint(unit * 255), 0, 255).astype(np.uint8))


def _statistics(value_range: str) -> tuple[np.ndarray, np.ndarray]:
    if value_range not in _RANGES:
        raise WeightsError(f"unknown value range {value_range!r} of a network: known are {', '.join(_RANGES)}")
    return _RANGES[value_range]
