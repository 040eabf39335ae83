"""Steady the landmarks of a clip by where they were.

Compared are shapes in the frame, so that a head that moves as a whole leaves nothing behind. Landmarks that moved by
themselves (a blink, a word) keep their place (a bilateral filter over time with Tukey's weights).
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...stages.align import inverse, transform
from ..history import History
from ..landmarks import EYES
from ..protocols import FrameStep, Phase
from ..records import FaceState


@dataclass(frozen=True, slots=True)
class Settings:
    """What trembles and what moves."""

    moved: float = 0.08  # of the distance of the eyes: a landmark that is so far from where it was has moved


@dataclass(frozen=True)
class Steadying(FrameStep):
    """Landmarks, each the mean of itself and of where it was."""

    name: ClassVar[str] = "steadying"
    phase: ClassVar[Phase] = Phase.LANDMARKS
    reads: ClassVar[tuple[str, ...]] = ("crop.image", "crop.to_crop", "crop.face", "landmarks")
    writes: ClassVar[tuple[str, ...]] = ("landmarks",)
    history: ClassVar[int] = 2
    settings: Settings = Settings()

    def over(self, faces: list[FaceState], history: History | None) -> list[FaceState]:
        """Steady them in a clip, and note where they are."""
        if history is None:
            return faces
        frames = history.frames(self.name, self.history)
        now = {face.crop.face.track: _in_frame(face) for face in faces}
        steadied = [
            self._mean_shape(shape, [before[track] for before in frames if track in before])
            for track, shape in now.items()
        ]
        frames.append(now)
        return [_in_crop(face, shape) for face, shape in zip(faces, steadied, strict=True)]

    def _mean_shape(self, now: np.ndarray, before: list[np.ndarray]) -> np.ndarray:
        """Return the mean of landmarks (66, 2) and of those before, moved onto them as a whole."""
        reach = self.settings.moved * float(np.linalg.norm(now[EYES[0]].mean(axis=0) - now[EYES[1]].mean(axis=0)))
        total, weights = now.copy(), np.ones((len(now), 1))
        for each in before:
            moved = each - each.mean(axis=0) + now.mean(axis=0)
            distance = np.linalg.norm(moved - now, axis=1, keepdims=True) / max(reach, 1e-6)
            weight = np.maximum(1 - distance**2, 0) ** 2
            total, weights = total + weight * moved, weights + weight
        return total / weights


def _in_frame(face: FaceState) -> np.ndarray:
    """Return the landmarks (66, 2) in pixels of the frame."""
    return transform(face.landmarks * face.crop.image.shape[0] - 0.5, inverse(face.crop.to_crop))


def _in_crop(face: FaceState, shape: np.ndarray) -> FaceState:
    """Return the face with landmarks that are given in pixels of the frame."""
    places = (transform(shape, face.crop.to_crop) + 0.5) / face.crop.image.shape[0]
    return replace(face, landmarks=places.astype(np.float32))
