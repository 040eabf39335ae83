"""Put drawn glasses on faces: few people of the labelled set wear any, and hardly one the thin ones of most people.

Crops are uint8 RGB (S, S, 3) with class maps (S, S); as in CelebAMask-HQ what is seen through a lens is glasses too.
All chance comes from the numpy Generator that is given.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from ...stages.parse import EYES, GLASSES

_IN_FRONT_OF = (1, 2, 3, 4, 5, 10)  # skin, brows, eyes, nose: what glasses cover
_BESIDE = (7, 8, 17)  # ears and hair: temples run over them, or under
_LEAST_EYE = 6  # pixels
_VISIBLE = 12.0  # grey levels by which rims differ from what is behind them, in the mean; less teaches to guess
_FINE = 4  # times as large the glasses are drawn, so that thin rims are smooth
_METALS = ((60, 60, 65), (150, 150, 155), (200, 170, 110), (230, 230, 230), (110, 80, 60))


@dataclass(frozen=True, slots=True)
class _Style:
    """One pair; lengths are shares of the distance of the eyes."""

    half_width: float  # of a lens
    half_height: float
    roundness: float  # exponent of the superellipse: 2 an ellipse, 8 nearly a rectangle
    drop: float  # how far the lenses' middles lie below the eyes
    rim: float  # thickness; the lower half has none where `half_rimmed`
    half_rimmed: bool
    colour: tuple[float, float, float]
    opacity: float  # of rims: clear plastic shows what lies behind
    tint: tuple[float, float, float]
    darkness: float  # of the lenses in [0, 1]
    glare: float  # of a reflection on them
    temples: float  # length that is seen


def wear_glasses(image: np.ndarray, label: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the crop and its classes with glasses on.

    They are returned as they are where an eye is hidden, glasses are worn, or those that were drawn cannot be seen.
    """
    eyes = [_middle(label == eye) for eye in EYES]
    if eyes[0] is None or eyes[1] is None or (label == GLASSES).any():
        return image, label
    left, right = sorted((eyes[0], eyes[1]), key=lambda place: float(place[0]))
    style = _style(rng)
    rims, lenses = _drawn(style, left, right, image.shape[0])
    behind_hair = rng.random() < 0.6
    allowed = np.isin(label, _IN_FRONT_OF if behind_hair else (*_IN_FRONT_OF, *_BESIDE))
    rims, lenses = rims * allowed, lenses * allowed
    worn = _tinted(image.astype(np.float32), lenses, style, rng)
    weight = (rims * style.opacity)[..., None]
    sheen = rng.uniform(0.7, 1.3, (3, 3)).astype(np.float32)
    paint = np.array(style.colour) * cv2.resize(sheen, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., None]
    worn += weight * (paint - worn)
    change = np.abs(worn - image).mean(axis=2)
    if (rims * change).sum() < _VISIBLE * rims.sum():
        return image, label
    covered = np.maximum(rims, lenses) > 0.4
    return np.clip(worn, 0, 255).astype(np.uint8), np.where(covered, GLASSES, label).astype(np.uint8)


def _middle(mask: np.ndarray) -> np.ndarray | None:
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()]) if len(rows) >= _LEAST_EYE else None


def _style(rng: Generator) -> _Style:
    """Draw a pair: half of them thin, a fifth of clear plastic, a fifth with dark lenses."""
    dark = rng.random() < 0.2
    half_width = float(rng.uniform(0.36, 0.5))
    kind = rng.random()
    thin = kind < 0.5
    if kind > 0.8:
        colour, opacity = rng.uniform(170, 255) * rng.uniform(0.9, 1.0, 3), rng.uniform(0.25, 0.6)
    elif thin:
        colour, opacity = np.array(_METALS[rng.integers(len(_METALS))]) * rng.uniform(0.7, 1.1), rng.uniform(0.55, 1)
    else:
        colour, opacity = rng.uniform(0, 90) + rng.uniform(0, 60, 3) * (rng.random() < 0.5), rng.uniform(0.85, 1)
    return _Style(
        half_width,
        half_width * float(rng.uniform(0.5, 1.0)),
        float(rng.uniform(2, 6)),
        float(rng.uniform(0.0, 0.12)),
        float(rng.uniform(0.012, 0.035) if thin else rng.uniform(0.03, 0.1)),
        bool(rng.random() < 0.2),
        tuple(np.clip(np.broadcast_to(colour, 3), 0, 255).tolist()),
        float(opacity),
        tuple(rng.uniform(0, 90, 3).tolist()),
        float(rng.uniform(0.4, 0.97)) if dark else float(rng.uniform(0, 0.12)),
        float(rng.uniform(0.1, 0.6)) if rng.random() < 0.35 else 0.0,
        float(rng.uniform(0.1, 0.7)),
    )


def _drawn(style: _Style, left: np.ndarray, right: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rims and lenses, each (size, size) float32 in [0, 1], over eyes at two places (pixels)."""
    across = right - left
    distance = float(np.linalg.norm(across))
    along, down = across / distance, np.array([-across[1], across[0]]) / distance
    rims, lenses = (np.zeros((_FINE * size, _FINE * size), np.uint8) for _ in range(2))
    thickness = max(2, round(style.rim * distance * _FINE))

    def place(points: np.ndarray) -> np.ndarray:
        """Turn shares of the distance, from between the eyes, into places on the fine canvas."""
        middle = (left + right) / 2 + 0.5
        moved = middle + distance * (points[:, :1] * along + (points[:, 1:] + style.drop) * down)
        return np.rint(_FINE * moved).astype(np.int32)

    for side in (-1, 1):
        lens = np.array([side * 0.5, 0]) + _lens(style)
        cv2.fillPoly(lenses, [place(lens)], 255)
        rim = lens[: len(lens) // 2 + 1] if style.half_rimmed else np.vstack([lens, lens[:1]])
        cv2.polylines(rims, [place(rim)], isClosed=False, color=255, thickness=thickness)
        edge, height = side * (0.5 + style.half_width), -0.3 * style.half_height
        temple = np.array([(edge, height), (edge + side * style.temples, height - 0.05 * style.temples)])
        cv2.polylines(rims, [place(temple)], isClosed=False, color=255, thickness=thickness)
    inner = max(0.5 - style.half_width, 0.02)
    bow = np.array(
        [(x, -0.35 * style.half_height - 0.06 * (1 - (x / inner) ** 2)) for x in np.linspace(-inner, inner, 9)]
    )
    cv2.polylines(rims, [place(bow)], isClosed=False, color=255, thickness=thickness)
    return _shrunk(rims, size), _shrunk(lenses, size)


def _shrunk(mask: np.ndarray, size: int) -> np.ndarray:
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _lens(style: _Style) -> np.ndarray:
    """Return the outline (N, 2) of a lens about its middle, upper half first."""
    turn = np.linspace(np.pi, 3 * np.pi, 48, endpoint=False)
    power = 2 / style.roundness
    shape = [np.sign(way) * np.abs(way) ** power for way in (np.cos(turn), np.sin(turn))]
    return np.column_stack([style.half_width * shape[0], style.half_height * shape[1]])


def _tinted(image: np.ndarray, lenses: np.ndarray, style: _Style, rng: Generator) -> np.ndarray:
    """Lay tint and reflection over the lenses."""
    image = image + (lenses * style.darkness)[..., None] * (np.array(style.tint, np.float32) - image)
    if style.glare:
        coarse = np.clip(rng.normal(0, 1, (4, 6)), 0, 1).astype(np.float32)
        light = cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        image = image + (lenses * np.clip(light, 0, 1) * style.glare)[..., None] * (rng.uniform(180, 255) - image)
    return image
