"""Take the source's portrait, once, before the first frame: the pixels that are warped to the target.

What runs here are the steps of the recipe that stand before the first frame; their order is the recipe's.
"""

from collections.abc import Iterable

import numpy as np

from ..stages.align import crop_face
from ..stages.parse import Parser
from ..types import Face
from .landmarks import LandmarkFinder, frontality
from .protocols import Phase, SourceStep
from .recipe import RECIPE, Recipe
from .records import Portrait


class Portraitist:
    """Cuts portraits out of photos, with the landmarks of the face and what of it is skin."""

    def __init__(self, landmarks: LandmarkFinder, parser: Parser | None, size: int, recipe: Recipe = RECIPE) -> None:
        self._landmarks, self._parser, self._size, self._recipe = landmarks, parser, size, recipe

    def take(self, rgb: np.ndarray, face: Face) -> Portrait:
        """Return the portrait of a face in an upright picture, ready to be warped."""
        seen = self.observe(crop_face(rgb, face, self._landmarks.template, self._size).image)
        return prepared(_applied(self._recipe.of_source(Phase.REPAIR), seen), self._recipe)

    def observe(self, image: np.ndarray) -> Portrait:
        """Return the portrait of a crop (S, S, 3) uint8 that lies in the generator's template, as it is seen."""
        class_probs = None if self._parser is None else self._parser.parse(image)
        whole = np.ones(image.shape[:2], np.float32)
        landmarks, beard_prob = self._landmarks.find_with_beard(image)
        portrait = Portrait(image, whole, landmarks, class_probs, beard_prob)
        return _applied(self._recipe.of_source(Phase.OBSERVE), portrait)

    def best(self, photos: list[tuple[np.ndarray, Face]]) -> Portrait:
        """Return the portrait of the photo that shows most of the face: looking ahead, and large."""
        return self.take(*max(photos, key=lambda photo: self.merit(*photo)))

    def merit(self, rgb: np.ndarray, face: Face) -> float:
        """Tell how much of a face a photo shows: its width in pixels up to the crop's, times how far it looks ahead."""
        landmarks = self._landmarks.find(crop_face(rgb, face, self._landmarks.template, self._size).image)
        return frontality(landmarks) * min(float(face.box[2] - face.box[0]) / self._size, 1.0)


def prepared(portrait: Portrait, recipe: Recipe = RECIPE) -> Portrait:
    """Return the portrait with its views and whatever else a frame blends."""
    return _applied(recipe.of_source(Phase.VARIANTS), portrait)


def _applied(steps: Iterable[SourceStep], portrait: Portrait) -> Portrait:
    for step in steps:
        portrait = step.apply(portrait)
    return portrait
