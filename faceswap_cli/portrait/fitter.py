"""Fit the source's portrait to the faces of a frame: the fifth step of its way.

Eyes are warped to eyes and lips on lips. What comes out is not a swap yet: light, seams and what must stay the target's
are the generator's part.
"""

from dataclasses import replace

import numpy as np

from ..types import Crop
from .geometry import fit_pose
from .history import History
from .landmarks import LandmarkFinder
from .recipe import RECIPE, Recipe
from .records import FaceState, Portrait


class Fitter:
    """Runs the recipe's steps before the generator, for one prepared portrait, over any number of faces."""

    def __init__(self, portrait: Portrait, landmarks: LandmarkFinder, recipe: Recipe = RECIPE) -> None:
        assert portrait.views, "a portrait is prepared before it is warped, see source.prepared"
        self._portrait, self._landmarks = portrait, landmarks
        self._steps = recipe.of_frame(after_generator=False)

    def fit(
        self, crops: list[Crop], history: History | None = None, frame: np.ndarray | None = None
    ) -> list[FaceState]:
        """Return the faces of a frame's crops: `crop` and `warped` are what the generator is to see.

        Where there is a history, a clip's, what trembles is steadied by it. Where there is the frame (H, W, 3) uint8
        itself, heads take on the source's shape.
        """
        faces = [replace(self._seen(crop), frame=frame) for crop in crops]
        for step in self._steps:
            faces = step.over(faces, history)
        return faces

    def _seen(self, crop: Crop) -> FaceState:
        landmarks, beard_prob = self._landmarks.find_settled(crop.image)
        return FaceState(self._portrait, crop, landmarks, beard_prob, fit_pose(landmarks))
