"""Move the lips of an open mouth to where the parser sees them.

The landmarks' teacher draws every mouth a little like the usual one: a round one too wide and too shut. The parser sees
lips and what shows between them. Closed lips keep their landmarks: by the parser's outline they would be the target's
in every detail, and lips are a part of who somebody is.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ...stages.parse import LIPS, MOUTH, class_share
from ...stages.soft import PART_FEATHER, UNSURE, soft_step
from ..landmarks import INNER_LIPS, MOUTH_CORNERS, OPENING
from ..mouth import OPEN, SEEN, MouthGauge, corner_distance
from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..regions import REACH, column

_OUTER = ((48, 57), (49, 56), (50, 55), (51, 54), (52, 53))  # on the upper lip's edge, and below each the lower's
_INNER = INNER_LIPS[1:-1]  # the same of the edge between which teeth show


@dataclass(frozen=True)
class OpenLips(FaceStep):
    """The target's open lips."""

    name: ClassVar[str] = "open_lips"
    phase: ClassVar[Phase] = Phase.LANDMARKS
    reads: ClassVar[tuple[str, ...]] = ("landmarks", "crop.class_probs")
    writes: ClassVar[tuple[str, ...]] = ("landmarks",)
    gauge: MouthGauge = field(default_factory=MouthGauge)

    def apply(self, face: FaceState) -> FaceState:
        """Move them."""
        if face.crop.class_probs is None:
            return face
        return replace(face, landmarks=self.moved(face.landmarks, face.crop.class_probs))

    def moved(self, landmarks: np.ndarray, class_probs: np.ndarray) -> np.ndarray:
        """Return landmarks (66, 2) with the lips of an open mouth at those of class probabilities (19, P, P)."""
        # by the landmarks as they are: `FaceState.mouth` is measured by those that this step moves
        trust = np.float64(soft_step(self.gauge.aspect_ratio(landmarks, class_probs), OPEN))
        if trust == 0:
            return landmarks
        width = corner_distance(landmarks)
        upper, lower = (class_share(class_probs, (label,)) for label in LIPS)
        lips = upper + class_share(class_probs, (MOUTH,)) + lower
        moved, reach = self._stretched(landmarks, lips, width), REACH * width
        for pairs in (_OUTER, _INNER):
            for pair in map(list, pairs):
                place = np.array([moved[pair, 0].mean(), landmarks[pair, 1].mean()])
                height, middle = column(lips, place, reach)
                if height * len(lips) < UNSURE:
                    continue
                top, bottom = middle - height / 2, middle + height / 2
                if pairs is _INNER:
                    top += column(upper, place, reach)[0]
                    bottom -= column(lower, place, reach)[0]
                moved[pair, 1] = top, bottom
        return (landmarks + trust * (moved - landmarks)).astype(np.float32)

    def _stretched(self, landmarks: np.ndarray, lips: np.ndarray, width: float) -> np.ndarray:
        """Return landmarks with the mouth's made as wide as lips (P, P) are, its corners at their ends."""
        places = (np.arange(len(lips)) + 0.5) / len(lips)
        middle = landmarks[list(MOUTH_CORNERS)].mean(axis=0)
        around, present = self.gauge.present(landmarks, lips)
        found = float(present.mean())
        moved = landmarks.copy()
        if found < SEEN * width:
            return moved
        centre = float((present * places).sum() / present.sum())
        mouth = slice(min(_OUTER[0]), OPENING.stop)
        moved[mouth, 0] = centre + (landmarks[mouth, 0] - middle[0]) * found / width
        for corner in MOUTH_CORNERS:
            bell = np.exp(-0.5 * ((places - moved[corner, 0]) / PART_FEATHER) ** 2)
            near = lips * around * bell
            if near.sum() > 0:
                moved[corner, 1] = (near.sum(axis=1) * places).sum() / near.sum()
        return moved
