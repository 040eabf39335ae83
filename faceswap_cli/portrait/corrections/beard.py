"""Leave a target its beard: hair stays the target's, and half a beard is the first thing seen in a swap.

A portrait's outline runs through the beard, which would be cut there. Of the lower face of a bearded target only the
lips are covered, and what a generator paints on the rest is not taken.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import LIPS as LIP_CLASSES
from ...stages.parse import MOUTH, class_share, disc
from ...stages.soft import DRAWN, FEATHER, HISTORY, PART_FEATHER, feathered, soft_step
from ..history import History
from ..landmarks import JAW, LIPS
from ..protocols import FaceStep, FrameStep, Phase
from ..records import FaceState
from ..regions import polygon

_EARS = slice(JAW.start + 2, JAW.stop - 2)  # landmarks of the jaw from below one ear to below the other
_WINGS = (35, 33, 31)  # of the nose, and its root between them, from the picture's right


@dataclass(frozen=True, slots=True)
class Settings:
    """Who is bearded."""

    sure: float = 0.85  # probability from which a target is bearded


@dataclass(frozen=True)
class Beard(FrameStep):
    """The target's beard, left uncovered."""

    name: ClassVar[str] = "beard"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("crop.face", "crop.class_probs", "beard_prob", "landmarks", "coverage")
    writes: ClassVar[tuple[str, ...]] = ("beard", "coverage")
    history: ClassVar[int] = HISTORY
    settings: Settings = Settings()

    def over(self, faces: list[FaceState], history: History | None) -> list[FaceState]:
        """Uncover it as far as each face counts as bearded."""
        return [self._uncovered(face, beard) for face, beard in zip(faces, self.bearded(faces, history), strict=True)]

    def bearded(self, faces: list[FaceState], history: History | None) -> list[float]:
        """Return how far, in [0, 1], each face counts as bearded.

        In a clip by the mean of now and the frames before: whoever shaves does so out of sight.
        """
        probs = [face.beard_prob for face in faces]
        if history is not None:
            seen = {face.crop.face.track: face.beard_prob for face in faces}
            probs = list(history.running_mean(self.name, self.history, seen).values())
        return [soft_step(prob, self.settings.sure) for prob in probs]

    def _uncovered(self, face: FaceState, beard: float) -> FaceState:
        if beard <= 0:
            return face
        kept = beard * self.grown(face.landmarks, len(face.coverage), face.crop.class_probs)
        return replace(face, beard=kept, coverage=face.coverage * (1 - kept))

    def grown(self, landmarks: np.ndarray, size: int, class_probs: np.ndarray | None = None) -> np.ndarray:
        """Return (size, size) float32 in [0, 1]: where a face of landmarks (66, 2) would have a beard; no lips.

        A moustache hides where lips begin, and landmarks lie too high: class probabilities (19, P, P) know better.
        """
        nose, jaw = landmarks[list(_WINGS)], landmarks[_EARS]
        cheeks = [(end + wing) / 2 for end, wing in ((jaw[-1], nose[0]), (jaw[0], nose[-1]))]
        beard = polygon(np.vstack([jaw, cheeks[:1], nose, cheeks[1:]]), DRAWN)
        lips = polygon(cv2.convexHull(landmarks[LIPS]), DRAWN)
        if class_probs is not None:
            lips = np.minimum(lips, cv2.resize(class_share(class_probs, (MOUTH, *LIP_CLASSES)), (DRAWN, DRAWN)) > 0.5)
        lips = cv2.dilate(lips, disc(PART_FEATHER * DRAWN))
        soft = feathered(beard, FEATHER) * (1 - feathered(lips, PART_FEATHER))
        return cv2.resize(soft, (size, size), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class OwnBeard(FaceStep):
    """The swap with the target's beard as it was."""

    name: ClassVar[str] = Beard.name
    phase: ClassVar[Phase] = Phase.FINISH
    reads: ClassVar[tuple[str, ...]] = ("beard", "crop.image", "image")
    writes: ClassVar[tuple[str, ...]] = ("image",)

    def apply(self, face: FaceState) -> FaceState:
        """Put it back."""
        if face.beard is None:
            return face
        kept = face.image + face.beard[..., None] * (face.crop.image.astype(np.float32) - face.image)
        return replace(face, image=np.rint(kept).astype(np.uint8))
