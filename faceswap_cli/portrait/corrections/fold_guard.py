"""Leave the target as it is where a portrait warped over it folds.

On a face turned far aside the spline folds, or squeezes a whole cheek into a few columns: there the target's own
pixels are better.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.soft import FEATHER, feathered
from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..warp import magnification
from .coverage import Coverage, faded


@dataclass(frozen=True, slots=True)
class Settings:
    """Magnifications over a face's median."""

    squeezed: float = 2.0  # up to which a face is wholly covered, and from one over it on; at twice as much, or 0, not


@dataclass(frozen=True)
class FoldGuard(FaceStep):
    """The layers of each view, only where they do not fold."""

    name: ClassVar[str] = "fold_guard"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("landmarks", "grids", "layers")
    writes: ClassVar[tuple[str, ...]] = ("layers",)
    settings: Settings = Settings()
    coverage: Coverage = field(default_factory=Coverage)  # what of the grid is the face

    def apply(self, face: FaceState) -> FaceState:
        """Fade them."""
        warped = zip(face.layers, face.grids, strict=True)
        return replace(face, layers=tuple(self._faded(*each, face.landmarks) for each in warped))

    def _faded(self, layers: np.ndarray, grid: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        kept = self.unfolded(grid, landmarks)
        return layers if kept.min() == 1 else faded(layers, cv2.resize(kept, layers.shape[1::-1]))

    def unfolded(self, grid: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Return (C, C) float32 in [0, 1]: where a face of landmarks (66, 2) may be covered by what a grid samples."""
        cells, settings = len(grid), self.settings
        shown = magnification(grid)
        of_face = shown[self.coverage.mask(landmarks, cells) > 0.5]
        if of_face.size == 0:  # landmarks in a heap, which are no face and are covered by nothing
            return np.ones((cells, cells), np.float32)
        stretch = shown / max(float(np.median(of_face)), 1e-3)
        fold, squeeze = stretch * settings.squeezed, 2 - stretch / settings.squeezed
        covered: np.ndarray = np.clip(np.minimum(fold, squeeze), 0, 1).astype(np.float32)
        if covered.min() == 1:
            return covered
        return feathered(cv2.erode(covered, np.ones((3, 3), np.uint8)), FEATHER)
