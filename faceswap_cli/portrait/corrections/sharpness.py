"""Make a portrait as soft as its target, across and down: a sharp face in a blurred film looks pasted."""

import math
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
    unsure: float = 1.0  # pixels of a crop of 224: so much sharp photos differ among themselves, and is no blur


@dataclass(frozen=True)
class Sharpness(FaceStep):
    """The warped portrait, as soft as the target."""

    name: ClassVar[str] = "sharpness"
    phase: ClassVar[Phase] = Phase.COLOUR
    reads: ClassVar[tuple[str, ...]] = ("source.softness", "crop.image", "landmarks", "warped")
    writes: ClassVar[tuple[str, ...]] = ("warped",)
    settings: Settings = Settings()
    gauge: SharpnessGauge = field(default_factory=SharpnessGauge)

    def apply(self, face: FaceState) -> FaceState:
        """Blur its colours where the target is softer."""
        if face.source.softness is None:
            return face
        across, down = self.blur(face.source.softness, face.crop.image, face.landmarks)
        if across == down == 0:
            return face
        warped = face.warped.copy()
        warped[..., :3] = blurred(face.warped[..., :3], across, down)
        return replace(face, warped=warped)

    def blur(self, softness: np.ndarray, target: np.ndarray, landmarks: np.ndarray) -> tuple[float, float]:
        """Return the blurs across and down that make a portrait as soft as a face (S, S, 3) uint8 of landmarks (66, 2).

        0 where the target is as sharp or sharper; see `softness.blurred`.
        """
        wanted = self.settings.margin * self.gauge.sharpness(target, landmarks)
        across, down = (
            float(np.interp(-each, -falling, self.gauge.blurs)) for each, falling in zip(wanted, softness, strict=True)
        )
        return self._sure(across), self._sure(down)

    def _sure(self, deviation: float) -> float:
        """Return what is left of a blur once `unsure` is taken off: deviations of blurs add up as squares do."""
        return math.sqrt(max(deviation**2 - self.settings.unsure**2, 0.0))
