"""Measure what the target's mouth does, once per face and frame, for all that ask."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from ..mouth import MouthGauge
from ..protocols import FaceStep, Phase
from ..records import FaceState


@dataclass(frozen=True)
class MeasureMouth(FaceStep):
    """The width and opening of the target's mouth, near its landmarks as they are by now."""

    name: ClassVar[str] = "mouth"
    phase: ClassVar[Phase] = Phase.EXPRESSION
    reads: ClassVar[tuple[str, ...]] = ("landmarks", "crop.class_probs")
    writes: ClassVar[tuple[str, ...]] = ("mouth",)
    switchable: ClassVar[bool] = False
    settings: MouthGauge = field(default_factory=MouthGauge)

    def apply(self, face: FaceState) -> FaceState:
        """Write them, where the crop was parsed."""
        if face.crop.class_probs is None:
            return face
        return replace(face, mouth=self.settings.measure(face.landmarks, face.crop.class_probs))
