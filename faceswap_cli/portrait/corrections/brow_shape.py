"""Give a target's brows a part of the source's own shape.

A portrait laid exactly by the target's landmarks has the target's brows in all but colour, and people and recognisers
know faces by where the brows lie. Nose and lips stay the target's: moving them moves the mouth.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..landmarks import BROWS
from ..protocols import FaceStep, Phase
from ..records import FaceState

STEADY = slice(0, 48)  # jaw, brows, nose, eyes: what lies still enough to tell how a head is turned


@dataclass(frozen=True, slots=True)
class Settings:
    """How far brows are moved."""

    share: float = 0.15  # of the way to the source's brows: they also tell a mood, which is the target's


@dataclass(frozen=True)
class BrowShape(FaceStep):
    """Where each view's landmarks go."""

    name: ClassVar[str] = "brow_shape"
    phase: ClassVar[Phase] = Phase.LANDMARKS
    reads: ClassVar[tuple[str, ...]] = ("source.views", "landmarks")
    writes: ClassVar[tuple[str, ...]] = ("goals",)
    settings: Settings = Settings()

    def apply(self, face: FaceState) -> FaceState:
        """Write it for each view."""
        goals = tuple(self.moved(face.landmarks, view.portrait.landmarks) for view in face.source.views)
        return replace(face, goals=goals)

    def moved(self, landmarks: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Return the target's landmarks (66, 2) float32 with brows a part of the way to the source's, `origins`.

        These are brought to the target's by an affine map (least squares).
        """
        own = np.column_stack([origins, np.ones(len(origins))])
        turn = np.linalg.lstsq(own[STEADY], landmarks[STEADY], rcond=None)[0]
        moved = landmarks.astype(np.float64)
        moved[BROWS] += self.settings.share * ((own @ turn)[BROWS] - landmarks[BROWS])
        return moved.astype(np.float32)
