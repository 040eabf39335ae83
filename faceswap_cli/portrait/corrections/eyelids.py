"""Move eyelids to where the parser sees them.

The landmarks' teacher hardly sees how wide an eye is open: of a wide one its lids lie inside the eye, of a narrow one
outside, and a portrait warped to them opens or shuts the target's eyes. The parser's eye classes end at the lids. Their
edges are found to a part of a pixel: how much of a column is eye is the eye's height there.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...stages.parse import EYES as EYE_CLASSES
from ...stages.parse import class_share
from ..landmarks import EYES
from ..mouth import SHUT
from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..regions import REACH, column

_LIDS = ((1, 5), (2, 4))  # of an eye's six landmarks: those of the upper lid, and below each that of the lower


@dataclass(frozen=True)
class Eyelids(FaceStep):
    """The target's lids."""

    name: ClassVar[str] = "eyelids"
    phase: ClassVar[Phase] = Phase.LANDMARKS
    reads: ClassVar[tuple[str, ...]] = ("landmarks", "crop.class_probs")
    writes: ClassVar[tuple[str, ...]] = ("landmarks",)

    def apply(self, face: FaceState) -> FaceState:
        """Move them."""
        if face.crop.class_probs is None:
            return face
        return replace(face, landmarks=self.moved(face.landmarks, face.crop.class_probs))

    def moved(self, landmarks: np.ndarray, class_probs: np.ndarray) -> np.ndarray:
        """Return landmarks (66, 2), their lids moved up and down to the eyes of class probabilities (19, P, P)."""
        share = class_share(class_probs, EYE_CLASSES)
        moved = landmarks.copy()
        for eye in EYES:
            width = float(np.linalg.norm(landmarks[eye][0] - landmarks[eye][3]))
            for pair in _LIDS:
                lids = [eye.start + number for number in pair]
                height, middle = column(share, landmarks[lids].mean(axis=0), REACH * width)
                trust = min(height / max(SHUT * width, 1e-6), 1.0)  # of a shut eye it sees none
                edges = np.array([middle - height / 2, middle + height / 2])
                moved[lids, 1] += trust * (edges - landmarks[lids, 1])
        return moved
