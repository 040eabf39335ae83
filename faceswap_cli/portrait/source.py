"""Take the source's portrait, once, before the first frame: the pixels that are warped to the target.

What runs here are the steps of the recipe that stand before the first frame; their order is the recipe's.
"""

from collections.abc import Iterable

import numpy as np

from ..stages.align import crop_face
from ..stages.parse import Parser
from ..types import Face
from .landmarks import LandmarkFinder
from .protocols import Phase, SourceStep
from .quality import Quality
from .quality_gauge import quality_of
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
        landmarks, beard_prob = self._landmarks.find_settled(image)
        portrait = Portrait(image, whole, landmarks, class_probs, beard_prob)
        return _applied(self._recipe.of_source(Phase.OBSERVE), portrait)

    def quality(self, rgb: np.ndarray, face: Face) -> Quality:
        """Say how well a face in an upright picture does as a source."""
        crop = crop_face(rgb, face, self._landmarks.template, self._size)
        if self._parser is not None:
            (crop,) = self._parser.parse_crops([crop])
        return quality_of(crop, self._landmarks.find(crop.image))


def prepared(portrait: Portrait, recipe: Recipe = RECIPE) -> Portrait:
    """Return the portrait with its views and whatever else a frame blends."""
    return _applied(recipe.of_source(Phase.VARIANTS), portrait)


def _applied(steps: Iterable[SourceStep], portrait: Portrait) -> Portrait:
    for step in steps:
        portrait = step.apply(portrait)
    return portrait
