"""Shut a portrait's mouth where the target's is shut (see `source_mouth.py`).

Where shut lips meet stays the target's: without that line they look like one.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.soft import DRAWN, LINE_FEATHER, feathered
from ..landmarks import INNER_LIPS
from ..mouth import shut_share
from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..regions import FRACTION, fixed_point


@dataclass(frozen=True)
class CloseMouth(FaceStep):
    """How far the portrait's open mouth is shut."""

    name: ClassVar[str] = "close_mouth"
    phase: ClassVar[Phase] = Phase.EXPRESSION
    reads: ClassVar[tuple[str, ...]] = ("source.views", "mouth")
    writes: ClassVar[tuple[str, ...]] = ("closing",)

    def apply(self, face: FaceState) -> FaceState:
        """Write it, where the portrait's mouth is open and it is known what the target's does."""
        if face.mouth is None or face.source.views[0].closed is None:
            return face
        return replace(face, closing=shut_share(face.mouth.aspect_ratio))


@dataclass(frozen=True)
class LipLine(FaceStep):
    """The line where the target's shut lips meet, left uncovered."""

    name: ClassVar[str] = "close_mouth"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("closing", "own_lips", "landmarks", "coverage")
    writes: ClassVar[tuple[str, ...]] = ("coverage",)

    def apply(self, face: FaceState) -> FaceState:
        """Uncover it as far as the portrait's mouth was shut."""
        share = face.closing * (1 - face.own_lips)
        if share <= 0:
            return face
        return replace(face, coverage=face.coverage * (1 - share * self.line(face.landmarks, len(face.coverage))))

    def line(self, landmarks: np.ndarray, size: int) -> np.ndarray:
        """Return (size, size) float32 in [0, 1]: where the lips of landmarks (66, 2) meet."""
        middles = np.array([landmarks[list(pair)].mean(axis=0) for pair in INNER_LIPS])
        drawn = np.zeros((DRAWN, DRAWN), np.float32)
        cv2.polylines(drawn, [fixed_point(middles * DRAWN - 0.5)], False, 1.0, 1, cv2.LINE_8, FRACTION)
        highest = 1 / (LINE_FEATHER * DRAWN * np.sqrt(2 * np.pi))  # of the bell across a line that is a pixel thick
        drawn = np.minimum(feathered(drawn, LINE_FEATHER) / highest, 1)
        return cv2.resize(drawn.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
