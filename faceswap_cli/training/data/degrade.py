"""What cameras, networks and light do to a face: blur, compression, darkness, noise, grey.

Operates on one uint8 RGB crop at a time, in numpy, for networks that must not mind.
"""

import cv2
import numpy as np


def degrade(image: np.ndarray, generator: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Return the crop after a random chain of damages; each happens with probability 0.35 times `strength`."""
    for damage in (_light, _colour, _shrink, _noise, _compress):
        if generator.random() < 0.35 * strength:
            image = damage(image, generator)
    return image


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Return a picture (H, W, 3) uint8 as it comes back from a JPEG of this quality, 0..100."""
    decoded = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    assert decoded is not None, "OpenCV reads the JPEGs it writes"
    return decoded


def _light(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Brighten or darken, sometimes one side only."""
    gain, gamma = generator.uniform(0.45, 1.35), generator.uniform(0.7, 1.5)
    ramp = np.ones(image.shape[1])
    if generator.random() < 0.4:
        ramp = np.linspace(1, generator.uniform(0.25, 1), image.shape[1])[:: generator.choice((-1, 1))]
    lit = 255 * (image / 255.0) ** gamma * gain * ramp[None, :, None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def _colour(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Tint, or take the colour away."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    share = generator.choice((0.0, generator.uniform(0.3, 1.0)))
    mixed = share * image.astype(np.float32) + (1 - share) * grey
    return np.clip(mixed * generator.uniform(0.85, 1.15, 3), 0, 255).astype(np.uint8)


def _shrink(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Lose detail, by a Gaussian or by a smaller picture in between."""
    if generator.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), generator.uniform(0.5, 2.0) * image.shape[0] / 112)
    side = int(image.shape[0] * generator.uniform(0.25, 0.8))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _noise(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    noise = generator.standard_normal(image.shape, dtype=np.float32) * generator.uniform(2, 12)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _compress(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return through_jpeg(image, int(generator.integers(20, 85)))
