"""Find the irises of a face in its crop.

Within what the parser calls an eye, the iris is the darkest disc of an iris's usual size.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..stages.parse import EYES
from ..stages.soft import BAND, ramp, soft_step

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """One eye of a picture, cut out."""

    place: tuple[slice, slice]  # rows and columns of the picture
    image: np.ndarray  # (h, w, 3) float32
    opening: np.ndarray  # (h, w) float32 in [0, 1]: how far a pixel is eye
    radius: float  # of the iris, pixels
    distance: np.ndarray  # (h, w) float32: from the iris's centre, in its radii
    iris: np.ndarray  # (3,): its colour
    white: np.ndarray  # (3,): the colour beside it
    trust: float  # in (0, 1]: how surely it is seen


@dataclass(frozen=True, slots=True)
class IrisFinder:
    """Finds the irises of open eyes."""

    radius: float = 0.21  # of an iris, over an eye's width: 11.7 mm across in an opening of 28 to 30
    pupil: float = 0.5  # radius of a wide pupil, in the iris's
    open: float = 0.2  # height over width of an open eye

    def find(self, image: np.ndarray, class_probs: np.ndarray) -> list[Eye]:
        """Return the open eyes of a picture (S, S, 3) uint8 of class probabilities (19, P, P)."""
        found = (self._eye(image, class_probs[label]) for label in EYES)
        return [eye for eye in found if eye is not None]

    def _eye(self, image: np.ndarray, share: np.ndarray) -> Eye | None:
        size = image.shape[0]
        opening = cv2.resize(share, (size, size), interpolation=cv2.INTER_LINEAR)
        left, top, width, height = cv2.boundingRect((opening > 0.5).astype(np.uint8))
        opened = soft_step(height / max(width, 1), self.open)
        if opened == 0:
            return None
        margin = round(0.3 * width)
        place = (
            slice(max(top - margin, 0), min(top + height + margin, size)),
            slice(max(left - margin, 0), min(left + width + margin, size)),
        )
        part, opening = image[place].astype(np.float32), opening[place]
        radius = self.radius * width
        found = self._iris(part @ LUMA, opening, radius)
        if found is None:
            return None
        x, y, darker = found
        rows, columns = np.indices(opening.shape, dtype=np.float32)
        distance = np.hypot(columns - x, rows - y) / radius
        iris, white = (
            part[(distance > low) & (distance < high) & (opening > 0.7)]
            for low, high in ((self.pupil, 1 - BAND), (1 + BAND, 2))
        )
        trust = ramp(darker / 255, (0, BAND)) * opened
        if min(len(iris), len(white)) < 4 or trust == 0:
            return None
        # without highlights, without lids
        return Eye(place, part, opening, radius, distance, _middle(iris, 0, 0.75), _middle(white, 0.5, 1), trust)

    def _iris(self, brightness: np.ndarray, opening: np.ndarray, radius: float) -> tuple[float, float, float] | None:
        """Return x and y of an iris's centre, and by how many levels it is darker than the white beside it.

        Both arrays are (h, w), the radius is in pixels. None where there is no iris.
        """
        count = opening.shape[1]
        total = opening.sum(axis=0) + np.float32(1e-3)
        rows = np.arange(opening.shape[0], dtype=np.float32)[:, None]
        middle = (opening * rows).sum(axis=0) / total
        light = (opening * brightness).sum(axis=0)
        across = np.abs(np.arange(count)[:, None] - np.arange(count)) / radius
        disc, beside = np.sqrt(np.clip(1 - across**2, 0, 1)), ((across > 1 + BAND) & (across < 2)).astype(np.float32)
        inside, outside = disc @ total, beside @ total
        darker = (beside @ light) / np.maximum(outside, 1) - (disc @ light) / np.maximum(inside, 1)
        darker = darker * np.clip(4 * outside / np.maximum(inside, 1), 0, 1)  # an iris has white beside it
        darker[(total < 0.6 * radius) | (inside < 1) | (outside < 1)] = -np.inf
        x = int(darker.argmax())
        return (float(x), float(middle[x]), float(darker[x])) if np.isfinite(darker[x]) else None


def _middle(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the median colour (3,) of those pixels (P, 3) whose brightness lies between two quantiles."""
    ordered = pixels[np.argsort(pixels @ LUMA)]
    first = int(low * len(ordered))
    colour: np.ndarray = np.median(ordered[first : max(round(high * len(ordered)), first + 1)], axis=0)
    return colour
