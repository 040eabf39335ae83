"""Things that come between a camera and a face: hands, objects, sticks, words.

Drawn, not photographed, onto uint8 RGB (H, W, 3); all chance comes from the numpy Generator that is given, so a seed
gives the same picture again. Used by the parser's and the detector's training.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image

Thing = TypeVar("Thing")
Point = tuple[float, float]  # x, y in pixels

# Pictures inside the scikit-image wheel that show no face; they give occluders and negatives a real texture.
FACE_FREE = (
    "brick.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
SKIN_TONES = ((255, 219, 193), (241, 194, 160), (224, 172, 125), (190, 130, 90), (141, 85, 50), (85, 50, 32))


@cache
def face_free_pictures() -> list[np.ndarray]:
    """Read the face-free pictures of the installed scikit-image; those that are missing are left out."""
    import skimage  # comes with insightface; slow to import, and only training needs it

    folder = Path(skimage.__file__).parent / "data"
    found = [folder / name for name in FACE_FREE if (folder / name).is_file()]
    return [_opened(path) for path in found]


def _opened(path: Path) -> np.ndarray:
    """Read a picture as OpenCV would, which prints a warning into a run's progress at one of them."""
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


def occlude(
    image: np.ndarray, rng: Generator, skin: np.ndarray | None, textures: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Put a hand, an object, a stick or words before the picture.

    `skin` is the RGB colour of the face's own skin, None when unknown. Returns the picture and the cover, uint8 (H, W),
    255 where the occluder hides what lies behind it.
    """
    paint = _choose(rng, (_paint_hand, _paint_object, _paint_stick, _paint_words), (0.4, 0.35, 0.1, 0.15))
    colour = image.copy()
    cover: np.ndarray = np.zeros(image.shape[:2], np.uint8)
    paint(colour, cover, rng, _Palette(skin, textures))
    if rng.random() < 0.5:
        cover = cv2.GaussianBlur(cover, (3, 3), 0)
    return _mix(image, colour, cover), cover


@dataclass(frozen=True, slots=True, eq=False)
class _Palette:
    """What an occluder may look like."""

    skin: np.ndarray | None
    textures: list[np.ndarray]


def _mix(below: np.ndarray, above: np.ndarray, cover: np.ndarray) -> np.ndarray:
    weight = cover.astype(np.float32) / 255
    return cv2.blendLinear(above, below, weight, 1 - weight)


def _choose(rng: Generator, things: tuple[Thing, ...], weights: tuple[float, ...]) -> Thing:
    return things[rng.choice(len(things), p=weights)]


def _paint_hand(colour: np.ndarray, cover: np.ndarray, rng: Generator, palette: _Palette) -> None:
    """Draw a palm, two to five fingers and an arm that leaves the picture, in a skin tone with shading."""
    side = min(cover.shape)
    centre = _near_middle(cover.shape, rng)
    width = side * rng.uniform(0.1, 0.28)
    heading = rng.uniform(0, 2 * np.pi)  # where the fingers point
    tone = _skin_tone(rng, palette.skin)
    parts = [(centre, _walk(centre, heading + np.pi, 2 * side), width * rng.uniform(0.7, 1.0))]  # arm
    spread = rng.uniform(0.1, 0.3)
    count = int(rng.integers(2, 6))
    for finger in range(count):
        angle = heading + (finger - (count - 1) / 2) * spread
        knuckle = _walk(centre, heading + np.pi / 2, (finger - (count - 1) / 2) * width / count * 1.05)
        parts.append((knuckle, _walk(knuckle, angle, width * rng.uniform(0.8, 1.6)), width / count * 0.95))
    for start, end, thickness in parts:
        shade = np.clip(tone * rng.uniform(0.85, 1.1), 0, 255)
        _draw_limb(colour, cover, (start, end, thickness), shade)
    cv2.ellipse(cover, (_whole(centre), (width, width * 1.1), np.degrees(heading)), 255, -1, cv2.LINE_AA)
    cv2.ellipse(colour, (_whole(centre), (width, width * 1.1), np.degrees(heading)), tone.tolist(), -1, cv2.LINE_AA)
    _shade(colour, rng)


def _draw_limb(colour: np.ndarray, cover: np.ndarray, limb: tuple[Point, Point, float], shade: np.ndarray) -> None:
    """Draw a rounded bar with darker edges, as a finger has."""
    start, end, thickness = limb
    outer, inner = max(2, round(thickness)), max(1, round(thickness * 0.75))
    cv2.line(cover, _whole(start), _whole(end), 255, outer, cv2.LINE_AA)
    cv2.line(colour, _whole(start), _whole(end), (shade * 0.8).tolist(), outer, cv2.LINE_AA)
    cv2.line(colour, _whole(start), _whole(end), shade.tolist(), inner, cv2.LINE_AA)


def _paint_object(colour: np.ndarray, cover: np.ndarray, rng: Generator, palette: _Palette) -> None:
    """Draw a rectangle, an ellipse or a polygon that shows a texture or one colour."""
    side = min(cover.shape)
    centre = _near_middle(cover.shape, rng)
    size = side * rng.uniform(0.12, 0.5, 2)
    kind = rng.integers(3)
    if kind == 0:
        corners = cv2.boxPoints((centre, size.tolist(), rng.uniform(0, 180)))
        cv2.fillPoly(cover, [corners.round().astype(np.int32)], 255, cv2.LINE_AA)
    elif kind == 1:
        cv2.ellipse(cover, (_whole(centre), size.tolist(), rng.uniform(0, 180)), 255, -1, cv2.LINE_AA)
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
        ring = np.stack([np.cos(angles), np.sin(angles)], 1) * size.mean() * rng.uniform(0.4, 0.7, (len(angles), 1))
        cv2.fillPoly(cover, [(ring + centre).round().astype(np.int32)], 255, cv2.LINE_AA)
    if rng.random() < 0.75 and palette.textures:
        colour[:] = _texture(cover.shape, rng, palette.textures)
    else:
        colour[:] = rng.integers(0, 256, 3)
    _shade(colour, rng)


def _paint_stick(colour: np.ndarray, cover: np.ndarray, rng: Generator, palette: _Palette) -> None:
    """Draw a bar from outside into the picture, often with a knob: microphone, straw, brush, bottle."""
    side = min(cover.shape)
    tip = _near_middle(cover.shape, rng)
    thickness = max(2, round(side * rng.uniform(0.02, 0.12)))
    cv2.line(cover, _whole(tip), _whole(_walk(tip, rng.uniform(0, 2 * np.pi), 2 * side)), 255, thickness, cv2.LINE_AA)
    if rng.random() < 0.6:
        cv2.circle(cover, _whole(tip), round(thickness * rng.uniform(0.8, 1.6)), 255, -1, cv2.LINE_AA)
    colour[:] = rng.integers(0, 160, 3) if rng.random() < 0.6 else _texture(cover.shape, rng, palette.textures)
    _shade(colour, rng)


def _paint_words(colour: np.ndarray, cover: np.ndarray, rng: Generator, palette: _Palette) -> None:
    """Write a few letters in one colour, as a caption or a watermark."""
    side = min(cover.shape)
    letters = "".join(chr(code) for code in rng.integers(48, 91, rng.integers(2, 9)))
    scale = side * rng.uniform(0.006, 0.016)
    x, y = _near_middle(cover.shape, rng)
    start, font = (round(x - side * 0.4), round(y)), int(rng.integers(0, 5))
    cv2.putText(cover, letters, start, font, scale, 255, max(2, round(scale * rng.uniform(1.2, 3))), cv2.LINE_AA)
    colour[:] = rng.integers(0, 256, 3)


def _near_middle(shape: tuple[int, ...], rng: Generator) -> Point:
    height, width = shape[:2]
    x, y = rng.normal(0.5, 0.25, 2).clip(0.0, 1.0)
    return float(x * width), float(y * height)


def _walk(start: Point, angle: float, distance: float) -> Point:
    return start[0] + distance * np.cos(angle), start[1] + distance * np.sin(angle)


def _whole(point: Point) -> tuple[int, int]:
    return round(point[0]), round(point[1])


def _skin_tone(rng: Generator, skin: np.ndarray | None) -> np.ndarray:
    """Pick the face's own colour most of the time: that hand is the hard one."""
    tone = np.array(SKIN_TONES[rng.integers(len(SKIN_TONES))], np.float64)
    if skin is not None and rng.random() < 0.7:
        tone = np.asarray(skin, np.float64)
    return np.clip(tone * rng.uniform(0.75, 1.2) * rng.uniform(0.95, 1.05, 3), 0, 255)


def _texture(shape: tuple[int, ...], rng: Generator, textures: list[np.ndarray]) -> np.ndarray:
    """Cut a random part of a random texture and bring it to (H, W)."""
    if not textures:
        return np.full((*shape[:2], 3), rng.integers(0, 256, 3), np.uint8)
    picture = textures[rng.integers(len(textures))]
    side = int(rng.integers(32, min(picture.shape[:2])))
    y, x = rng.integers(0, picture.shape[0] - side + 1), rng.integers(0, picture.shape[1] - side + 1)
    return cv2.resize(picture[y : y + side, x : x + side], (shape[1], shape[0]), interpolation=cv2.INTER_AREA)


def _shade(colour: np.ndarray, rng: Generator) -> None:
    """Give a flat drawing soft light and shadow."""
    coarse = rng.uniform(0.75, 1.2, (4, 4)).astype(np.float32)
    light = cv2.resize(coarse, (colour.shape[1], colour.shape[0]), interpolation=cv2.INTER_CUBIC)
    colour[:] = np.clip(colour * light[..., None], 0, 255)
