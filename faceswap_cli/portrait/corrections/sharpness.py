"""Make a portrait as soft as its target: a sharp face in a blurred film looks pasted."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..softness import SharpnessGauge, blurred


@dataclass(frozen=True, slots=True)
class Settings:
    """How soft is soft enough."""

    margin: float = 1.05  # a portrait may be sharper than its target by so much
    least: float = 0.2  # pixels of a crop of 224: a lesser blur is not seen


@dataclass(frozen=True)
class Sharpness(FaceStep):
    """What is laid, as soft as the target."""

    name: ClassVar[str] = "sharpness"
    phase: ClassVar[Phase] = Phase.COLOUR
    reads: ClassVar[tuple[str, ...]] = ("source.softness", "crop.image", "landmarks", "laid")
    writes: ClassVar[tuple[str, ...]] = ("laid",)
    settings: Settings = Settings()
    gauge: SharpnessGauge = field(default_factory=SharpnessGauge)

    def apply(self, face: FaceState) -> FaceState:
        """Blur its colours where the target is softer."""
        if face.source.softness is None:
            return face
        blur = self.blur(face.source.softness, face.crop.image, face.landmarks)
        if blur == 0:
            return face
        return replace(face, laid=np.dstack([blurred(face.laid[..., :3], blur), face.laid[..., 3]]))

    def blur(self, softness: np.ndarray, target: np.ndarray, landmarks: np.ndarray) -> float:
        """Return the blur that makes a portrait as soft as a face (S, S, 3) uint8 of landmarks (66, 2).

        0 for a target that is as sharp or sharper; see `softness.blurred`.
        """
        wanted = self.settings.margin * self.gauge.sharpness(target, landmarks)
        deviation = float(np.interp(-wanted, -softness, self.gauge.blurs))
        return deviation if deviation > self.settings.least else 0.0
