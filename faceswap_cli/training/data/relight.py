"""Put a portrait into another light: a slope, a cast shadow, a shine, another white; and hair across its forehead.

What a photo's own light does to a swap is the worst that is seen in one, so a training shows all of it. Crops are uint8
RGB (S, S, 3); all chance comes from the numpy Generator that is given.
"""

import cv2
import numpy as np
from numpy.random import Generator


def relit(image: np.ndarray, draw: Generator) -> np.ndarray:
    """Return the crop in another light."""
    size = image.shape[0]
    light = (image.astype(np.float32) / 255) ** np.float32(draw.uniform(0.75, 1.35))
    light *= draw.uniform(0.88, 1.12, 3).astype(np.float32)
    if draw.random() < 0.5:
        light *= 1 + np.float32(draw.uniform(0.1, 0.45)) * _slope(size, draw)[..., None]
    if draw.random() < 0.3:
        shade = draw.uniform(0.35, 0.8) * draw.uniform(0.92, 1.0, 3)  # a shadow has a cast of its own
        light *= 1 - region(size, draw)[..., None] * (1 - shade.astype(np.float32))
    if draw.random() < 0.3:
        shine = region(size, draw, spread=0.09, softness=0.03)[..., None]
        light += shine * np.float32(draw.uniform(0.15, 0.5)) * (1 - light)
    return np.rint(255 * light.clip(0, 1)).astype(np.uint8)


def strands(image: np.ndarray, points: np.ndarray, draw: Generator) -> np.ndarray:
    """Return the crop with a few hairs across the forehead of a face with these points (5, 2) in pixels."""
    colour = np.array([60, 42, 30]) * draw.uniform(0.3, 3.0)
    return with_hair(image, hair(image.shape[0], points, draw), colour.clip(0, 255))


def strands_alike(
    target: np.ndarray, answer: np.ndarray | None, points: np.ndarray, draw: Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a target and its answer (S, S, 3) with the same hairs across the forehead, as dark as what is above it."""
    size = target.shape[0]
    eyes, up = points[:2].mean(axis=0), points[:2].mean(axis=0) - points[3:].mean(axis=0)
    across, down = np.clip(np.rint(eyes + up * draw.uniform(1.1, 1.5) + draw.normal(0, 0.05 * size, 2)), 0, size - 1)
    colour, drawn = target[int(down), int(across)] * draw.uniform(0.6, 1.2), hair(size, points, draw)
    return with_hair(target, drawn, colour), None if answer is None else with_hair(answer, drawn, colour)


def with_hair(image: np.ndarray, drawn: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return a picture (S, S, 3) uint8 with hair of a colour (3,) where it is `drawn` (S, S), in [0, 1]."""
    painted: np.ndarray = image + drawn[..., None] * (colour - image)
    return np.rint(painted.clip(0, 255)).astype(np.uint8)


def hair(size: int, points: np.ndarray, draw: Generator) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: a few hairs across the forehead of a face with points (5, 2) in pixels."""
    eyes, up = points[:2].mean(axis=0), points[:2].mean(axis=0) - points[3:].mean(axis=0)
    width = float(np.linalg.norm(points[1] - points[0]))
    drawn = np.zeros((size, size), np.float32)
    for _ in range(int(draw.integers(2, 9))):
        start = eyes + up * draw.uniform(0.9, 1.5) + [draw.uniform(-1.2, 1.2) * width, 0]
        end = eyes + up * draw.uniform(0.05, 0.6) + [draw.uniform(-1.2, 1.2) * width, 0]
        bend = (start + end) / 2 + draw.normal(0, 0.25 * width, 2)
        share = np.linspace(0, 1, 24)[:, None]
        curve = (1 - share) ** 2 * start + 2 * share * (1 - share) * bend + share**2 * end
        thick = max(1, round(size * draw.uniform(0.002, 0.007)))
        cv2.polylines(drawn, [np.rint(curve).astype(np.int32)], False, float(draw.uniform(0.5, 1)), thick, cv2.LINE_AA)
    return cv2.GaussianBlur(drawn, (0, 0), 0.8)


def _slope(size: int, draw: Generator) -> np.ndarray:
    """Return (size, size) float32 from -1 to 1 across the crop, in any direction, steep or slow."""
    angle, steep = draw.uniform(0, 2 * np.pi), draw.uniform(1, 6)
    side = np.linspace(-1, 1, size, dtype=np.float32)
    across = np.cos(angle) * side[None] + np.sin(angle) * side[:, None] + draw.uniform(-0.3, 0.3)
    return np.tanh(steep * across).astype(np.float32)


def region(size: int, draw: Generator, spread: float = 0.3, softness: float = 0.08) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: a blot of any outline, its edge sharp or soft."""
    corners = int(draw.integers(3, 8))
    middle = draw.uniform(0.3, 0.75, 2) * size
    angles = np.sort(draw.uniform(0, 2 * np.pi, corners))
    radii = draw.uniform(0.4, 1.3, corners) * spread * size
    outline = middle + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
    drawn = np.zeros((size, size), np.float32)
    cv2.fillPoly(drawn, [np.rint(outline).astype(np.int32)], 1.0)
    deviation = draw.uniform(0.01, 1.0) * softness * size
    return cv2.GaussianBlur(drawn, (0, 0), max(float(deviation), 1.0))
