"""Leave faces whole that are turned further aside than a portrait can be laid on.

In a clip a swap fades out over a tenth of the limit, around it, so that it does not blink when a head turns. Landmarks
tremble, so the mean of a few frames counts. In a photo a face is swapped or left.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...stages.soft import HISTORY, soft_step
from ..geometry import fit_pose
from ..history import History
from ..protocols import FrameStep, Phase
from ..records import FaceState


@dataclass(frozen=True, slots=True)
class Settings:
    """Degrees of yaw, as the mean head is fitted to points."""

    most: float = 48.0  # the limit


@dataclass(frozen=True)
class MaxTurn(FrameStep):
    """How far a swap may be seen."""

    name: ClassVar[str] = "max_turn"
    phase: ClassVar[Phase] = Phase.GEOMETRY
    reads: ClassVar[tuple[str, ...]] = ("landmarks", "pose", "crop.face")
    writes: ClassVar[tuple[str, ...]] = ("opacity",)
    history: ClassVar[int] = HISTORY // 2  # frames over which a turn is averaged
    switchable: ClassVar[bool] = False
    settings: Settings = Settings()

    def over(self, faces: list[FaceState], history: History | None) -> list[FaceState]:
        """Write it, by the turn of each face."""
        turns = [_turn(face) for face in faces]
        if history is not None:
            seen = {face.crop.face.track: turn for face, turn in zip(faces, turns, strict=True)}
            turns = list(history.running_mean(self.name, self.history, seen).values())
        seen_shares = [self.opacity(turn, fades=history is not None) for turn in turns]
        return [replace(face, opacity=share) for face, share in zip(faces, seen_shares, strict=True)]

    def opacity(self, turn: float, *, fades: bool) -> float:
        """Return how far the swap of a face turned by so many degrees is seen, in [0, 1]: 0 or 1 where none fades."""
        if not fades:
            return float(turn <= self.settings.most)
        return 1 - soft_step(turn / max(self.settings.most, 1e-6), 1.0)


def _turn(face: FaceState) -> float:
    """Return by how many degrees a face looks past the camera, to either side."""
    pose = face.pose or fit_pose(face.landmarks)
    return abs(float(np.degrees(pose.angles[0])))
