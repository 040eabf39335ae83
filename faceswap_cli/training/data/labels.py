"""Class maps of faces as colour pictures: CelebAMask-HQ's 19 classes and the colours its masks use."""

import numpy as np

# CelebAMask-HQ's mask colours (RGB) in the order of networks.parsing.CLASSES
CLASS_COLOURS = (
    (0, 0, 0), (204, 0, 0), (0, 255, 255), (255, 204, 204), (51, 51, 255), (204, 0, 204), (204, 204, 0), (102, 51, 0),
    (255, 0, 0), (0, 204, 204), (76, 153, 0), (102, 204, 0), (255, 255, 0), (0, 0, 153), (255, 153, 51), (0, 51, 0),
    (0, 204, 0), (0, 0, 204), (255, 51, 153),
)  # fmt: skip


def colourise(label: np.ndarray) -> np.ndarray:
    """Paint a class map (..., H, W) in the mask colours, uint8 RGB."""
    return np.array(CLASS_COLOURS, np.uint8)[label]


def read_classes(mask: np.ndarray) -> np.ndarray:
    """Turn mask colours (H, W, 3) into class numbers (H, W); an unknown colour is background."""
    red, green, blue = (mask[..., channel].astype(np.int32) for channel in range(3))
    table = np.zeros(1 << 24, np.uint8)
    for number, (r, g, b) in enumerate(CLASS_COLOURS):
        table[r << 16 | g << 8 | b] = number
    return table[red << 16 | green << 8 | blue]
