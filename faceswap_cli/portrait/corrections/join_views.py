"""Show the half of a face that a turned portrait hides: the other half, mirrored.

Warped to a face that looks ahead, the far half of a turned portrait is a few columns of pixels drawn wide. Faces are
nearly symmetric, so the mirror image, which has many pixels for that half, is used there.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.soft import FEATHER, feathered
from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..warp import magnification


@dataclass(frozen=True, slots=True)
class Settings:
    """How the choice is made."""

    better: float = 2.0  # times as many pixels from which the mirror image is taken by half: sides are not quite alike
    power: int = 3  # of that ratio: from one to the other over a part of the face, not along a line


@dataclass(frozen=True)
class JoinViews(FaceStep):
    """One layer of the views that were warped."""

    name: ClassVar[str] = "join"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("grids", "layers")
    writes: ClassVar[tuple[str, ...]] = ("warped",)
    switchable: ClassVar[bool] = False
    settings: Settings = Settings()

    def apply(self, face: FaceState) -> FaceState:
        """Join the second view, if there is one, to the first."""
        warped = face.layers[0] if len(face.layers) == 1 else self.joined(*face.layers, *face.grids)
        return replace(face, warped=warped)

    def joined(self, warped: np.ndarray, other: np.ndarray, grid: np.ndarray, other_grid: np.ndarray) -> np.ndarray:
        """Return (S, S, 4) uint8: a portrait warped to a face, and its mirror image where that has far more to show.

        Both are (S, S, 4) uint8 with where they may be used, and were warped by sampling grids (C, C, 2).
        """
        settings = self.settings
        pixels, others = _density(grid), _density(other_grid)
        share: np.ndarray = pixels**settings.power
        share = share / (share + (others / settings.better) ** settings.power)
        share = cv2.resize(feathered(share, FEATHER), warped.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        own, theirs = share * warped[..., 3], (1 - share) * other[..., 3]
        valid = own + theirs
        part = (own / np.maximum(valid, 1e-3))[..., None]
        colours = part * warped[..., :3] + (1 - part) * other[..., :3]
        return np.rint(np.dstack([colours, valid])).astype(np.uint8)


def _density(grid: np.ndarray) -> np.ndarray:
    """Return (C, C) float32: how many pixels of the portrait a cell of the face shows, nowhere none."""
    return np.maximum(np.abs(magnification(grid)), 1e-3).astype(np.float32)
