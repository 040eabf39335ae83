"""Give the target's eyes the colour of the source's; gaze, lids, pupils and highlights stay the target's.

An iris is found in what the parser calls an eye: in the middle rows, where no lashes are, it is the darkest part as
wide as an iris can be. It is recoloured by a difference, so that its pattern stays, in the light that the white beside
it is seen in.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ...stages.parse import EYES
from ...types import Crop, EyeColour

_RADIUS = 0.21  # of an iris, over an eye's width: 11.7 mm across in an opening of 28 to 30
_LEAST = 12  # pixels: of a narrower eye no colour is seen
_MIDDLE = 0.55  # share of an eye's height that is looked at: the rest is lashes and their shadow
_IRIS, _WHITE = (0.45, 0.9), (1.25, 2.1)  # distances from its centre, in its radii, of what is iris and what is white
_DARKER = (12.0, 32.0)  # levels by which an iris is darker than the white: from the first on it is one, surely
_OPEN = (0.15, 0.25)  # height over width of an eye: from the first on it is open, surely
_CAST = (0.75, 1.33)  # least and most by which the light's colour may differ between two pictures
_DARKEST, _LIGHTEST = 0.6, 2.2  # an iris may become so many times as bright as it was
_CLEAR = (60.0, 100.0)  # levels between iris and white: up to the first a blur pales the iris, and it is not darkened
_COLOURED = 6.0  # levels of 255: a picture with less colour around the eyes is a black and white one by so much
_SHARE = 0.9  # of the difference that is made
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601
_DARK = 4.0  # levels added where brightness is divided by


@dataclass(frozen=True, slots=True, eq=False)
class _Eye:
    """One eye of a picture, cut out."""

    place: tuple[slice, slice]  # rows and columns of the picture
    image: np.ndarray  # (h, w, 3) float32
    opening: np.ndarray  # (h, w) float32 in [0, 1]: how far a pixel is eye
    radius: float  # of the iris, pixels
    distance: np.ndarray  # (h, w) float32: from the iris's centre, in its radii
    iris: np.ndarray  # (3,): its colour
    white: np.ndarray  # (3,): the colour beside it
    trust: float  # in (0, 1]: how surely it is seen


def eye_colour(image: np.ndarray, shares: np.ndarray) -> EyeColour | None:
    """Return the colour of the eyes in a crop's picture (S, S, 3) uint8 of classes (19, P, P); None if none is seen."""
    eyes = [eye for eye in _eyes(image, shares) if eye.trust > 0.5]
    if not eyes:
        return None
    iris, white = (np.mean([getattr(eye, part) for eye in eyes], axis=0) for part in ("iris", "white"))
    return EyeColour(iris, white)


def with_eye_colour(crop: Crop, wanted: EyeColour) -> Crop:
    """Return the crop with eyes of a colour, as far as they are seen; where it was not parsed, as it is."""
    eyes = [] if crop.classes is None else _eyes(crop.image, crop.classes)
    if not eyes:
        return crop
    image = crop.image.copy()
    usual = float(np.mean([eye.iris @ _LUMA for eye in eyes]))
    white = np.mean([eye.white for eye in eyes], axis=0)
    for eye in eyes:
        iris = _in_light(wanted, white, usual, _colouring(eye.image))
        iris *= (eye.iris @ _LUMA + _DARK) / (usual + _DARK)  # in shade it stays the darker one
        change = _SHARE * _where(eye)[..., None] * (iris - eye.iris)
        image[eye.place] = np.rint(np.clip(eye.image + change, 0, 255))
    return replace(crop, image=image)


def _in_light(colour: EyeColour, white: np.ndarray, usual: float, colouring: float) -> np.ndarray:
    """Return what colour (3,) an iris has beside such a white, where irises were as bright as `usual`."""
    own, there = (float(each @ _LUMA) + _DARK for each in (colour.white, white))
    wanted = (float(colour.iris @ _LUMA) + _DARK) * there / own
    darkest = 1 - (1 - _DARKEST) * _ramp(float(white @ _LUMA) - usual, _CLEAR)
    brightness = min(max(wanted, darkest * (usual + _DARK)), _LIGHTEST * (usual + _DARK))
    tone = _tone(colour.iris) * np.clip(_tone(white) / _tone(colour.white), *_CAST)
    # a dark brown that may not be as dark is no orange
    tone = 1 + colouring * min(wanted / brightness, 1.0) * (tone / float(tone @ _LUMA) - 1)
    return tone * brightness - _DARK


def _tone(colour: np.ndarray) -> np.ndarray:
    tone: np.ndarray = (colour + _DARK) / (float(colour @ _LUMA) + _DARK)
    return tone


def _colouring(image: np.ndarray) -> float:
    return float(np.clip(np.abs(image - (image @ _LUMA)[..., None]).mean() / _COLOURED, 0, 1))


def _where(eye: _Eye) -> np.ndarray:
    """Return (h, w) float32 in [0, 1]: how far each pixel is iris, and neither pupil nor highlight nor lid."""
    brightness, iris = eye.image @ _LUMA, float(eye.iris @ _LUMA) + _DARK
    brightest = max(iris + 8, 0.55 * iris + 0.45 * float(eye.white @ _LUMA))
    ring = np.clip((1.08 - eye.distance) / 0.18, 0, 1) * np.clip((eye.distance - 0.25) / 0.2, 0, 1)
    shade = np.clip((1.15 - brightness / brightest) / 0.3, 0, 1)
    share = eye.trust * ring * shade * np.clip(2 * eye.opening - 0.8, 0, 1)
    share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), max(0.1 * eye.radius, 0.3))
    where: np.ndarray = share * np.clip(brightness / (0.8 * iris), 0.2, 1)
    return where


def _eyes(image: np.ndarray, shares: np.ndarray) -> list[_Eye]:
    """Return the open eyes of a picture (S, S, 3) uint8 of classes (19, P, P)."""
    found = (_eye(image, shares[label]) for label in EYES)
    return [eye for eye in found if eye is not None]


def _eye(image: np.ndarray, share: np.ndarray) -> _Eye | None:
    size = image.shape[0]
    opening = cv2.resize(share, (size, size), interpolation=cv2.INTER_LINEAR)
    left, top, width, height = cv2.boundingRect((opening > 0.5).astype(np.uint8))
    if width < _LEAST or height < _OPEN[0] * width:
        return None
    margin = round(0.3 * width)
    place = (
        slice(max(top - margin, 0), min(top + height + margin, size)),
        slice(max(left - margin, 0), min(left + width + margin, size)),
    )
    part, opening = image[place].astype(np.float32), opening[place]
    radius = _RADIUS * width
    found = _iris(part @ _LUMA, opening, radius)
    if found is None:
        return None
    x, y, darker = found
    rows, columns = np.indices(opening.shape, dtype=np.float32)
    distance = np.hypot(columns - x, rows - y) / radius
    iris, white = (part[(distance > low) & (distance < high) & (opening > 0.7)] for low, high in (_IRIS, _WHITE))
    trust = _ramp(darker, _DARKER) * _ramp(height / width, _OPEN)
    if min(len(iris), len(white)) < 4 or trust == 0:
        return None
    # without highlights, without lids
    return _Eye(place, part, opening, radius, distance, _middle(iris, 0, 0.75), _middle(white, 0.5, 1), trust)


def _iris(brightness: np.ndarray, opening: np.ndarray, radius: float) -> tuple[float, float, float] | None:
    """Return x and y of an iris's centre and by how many levels it is darker than what is beside it.

    Both arrays are (h, w), the radius is in pixels. None where there is no iris.
    """
    count = opening.shape[1]
    total = opening.sum(axis=0) + np.float32(1e-3)
    rows = np.arange(opening.shape[0], dtype=np.float32)[:, None]
    middle = (opening * rows).sum(axis=0) / total
    looked_at = opening * np.clip((_MIDDLE * total / 2 - np.abs(rows - middle)) / 2 + 0.5, 0, 1)
    weight, light = looked_at.sum(axis=0), (looked_at * brightness).sum(axis=0)
    across = np.abs(np.arange(count)[:, None] - np.arange(count)) / radius
    disc, beside = np.sqrt(np.clip(1 - across**2, 0, 1)), ((across > 1.15) & (across < 2)).astype(np.float32)
    inside, outside = disc @ weight, beside @ weight
    darker = (beside @ light) / np.maximum(outside, 1) - (disc @ light) / np.maximum(inside, 1)
    darker = darker * np.clip(4 * outside / np.maximum(inside, 1), 0, 1)  # an iris has white beside it
    darker[(total < 0.6 * radius) | (inside < 1) | (outside < 1)] = -np.inf
    x = int(darker.argmax())
    return (float(x), float(middle[x]), float(darker[x])) if np.isfinite(darker[x]) else None


def _middle(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the median colour (3,) of those pixels (P, 3) whose brightness lies between two quantiles."""
    ordered = pixels[np.argsort(pixels @ _LUMA)]
    first = int(low * len(ordered))
    colour: np.ndarray = np.median(ordered[first : max(round(high * len(ordered)), first + 1)], axis=0)
    return colour


def _ramp(value: float, between: tuple[float, float]) -> float:
    low, high = between
    return float(np.clip((value - low) / (high - low), 0, 1))
