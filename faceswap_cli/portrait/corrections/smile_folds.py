"""Tell how far the folds of a portrait's smile are smoothed over a target (see `source_folds.py`)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...stages.soft import soft_step
from ..mouth import SMILE, corner_distance, over_eyes
from ..protocols import FaceStep, Phase
from ..records import FaceState


@dataclass(frozen=True)
class SmileFolds(FaceStep):
    """How much wider each view smiles than the target."""

    name: ClassVar[str] = "smile_folds"
    phase: ClassVar[Phase] = Phase.EXPRESSION
    reads: ClassVar[tuple[str, ...]] = ("source.views", "landmarks", "own_lips")
    writes: ClassVar[tuple[str, ...]] = ("smoothing",)

    def apply(self, face: FaceState) -> FaceState:
        """Write it; where the source's lips cannot follow the target's, its folds cannot either."""
        smiles = (self.excess(view.portrait.landmarks, face.landmarks) for view in face.source.views)
        return replace(face, smoothing=tuple(max(smile, face.own_lips) for smile in smiles))

    def excess(self, portrait: np.ndarray, target: np.ndarray) -> float:
        """Return how much more a face smiles than another, in [0, 1], by landmarks (66, 2) of both."""
        return soft_step(_smile(portrait) - _smile(target), SMILE)


def _smile(landmarks: np.ndarray) -> float:
    """Return how wide the mouth is, over the distance of the eyes: what a smile changes most."""
    return over_eyes(corner_distance(landmarks), landmarks)
