"""Leave faces whole that are turned further aside than a portrait can be laid on.

In a clip a swap fades out over a few degrees around the limit, so that it does not blink when a head turns. Landmarks
tremble, so the mean of a few frames counts. In a photo a face is swapped or left.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...stages.soft import HISTORY
from ..geometry import fit_pose
from ..history import History
from ..protocols import FrameStep, Phase
from ..records import FaceState


@dataclass(frozen=True, slots=True)
class Settings:
    """Degrees of yaw, as the mean head is fitted to points."""

    most: float = 48.0  # the limit
    fade: float = 4.0  # from half of it before the limit to half of it behind, a clip's swap vanishes


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
        turns, fade = [_turn(face) for face in faces], 0.0
        if history is not None:
            seen = {face.crop.face.track: turn for face, turn in zip(faces, turns, strict=True)}
            turns, fade = list(history.running_mean(self.name, self.history, seen).values()), self.settings.fade
        return [replace(face, opacity=self.opacity(turn, fade)) for face, turn in zip(faces, turns, strict=True)]

    def opacity(self, turn: float, fade: float) -> float:
        """Return how far the swap of a face turned by so many degrees is seen, 0..1, where it fades over some."""
        most = self.settings.most
        return float(turn <= most) if fade == 0 else float(np.clip((most - turn) / fade + 0.5, 0, 1))


def _turn(face: FaceState) -> float:
    """Return by how many degrees a face looks past the camera, to either side."""
    pose = face.pose or fit_pose(face.landmarks)
    return abs(float(np.degrees(pose.angles[0])))
