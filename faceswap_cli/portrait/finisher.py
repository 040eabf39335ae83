"""Finish swapped faces: the recipe's steps after the generator, the seventh step of a frame's way."""

from dataclasses import replace

import numpy as np

from .history import History
from .recipe import RECIPE, Recipe
from .records import FaceState


class Finisher:
    """Runs the recipe's steps after the generator."""

    def __init__(self, recipe: Recipe = RECIPE) -> None:
        self._steps = recipe.of_frame(after_generator=True)

    def finish(
        self, faces: list[FaceState], images: list[np.ndarray], history: History | None = None
    ) -> list[np.ndarray]:
        """Return the pictures (S, S, 3) uint8 that a generator made of faces, finished."""
        faces = [replace(face, image=image) for face, image in zip(faces, images, strict=True)]
        for step in self._steps:
            faces = step.over(faces, history)
        return [face.image for face in faces]
