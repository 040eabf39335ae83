"""Say where a target's face may be covered, by its landmarks, and cover it there.

That is the face without its eyeballs and without what shows between open lips: gaze, blinks and teeth stay the
target's. Edges are soft, in proportion to the side.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import disc
from ..landmarks import EYES, OPENING, with_forehead
from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..regions import DRAWN, polygon
from .source_mirror import NoSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """Shares of the side."""

    rim: float = 0.03  # by which the face is drawn in,
    soft: float = 0.022  # and how soft its edge is
    lashes: float = 0.013  # by which an eye is larger than its landmarks: lids, lashes, a blink stay the target's
    edge: float = 0.006  # how soft the edges of eyes and mouth are


@dataclass(frozen=True)
class Coverage(FaceStep):
    """The coverage mask; later steps take out what must stay the target's."""

    name: ClassVar[str] = "coverage"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("crop.image", "landmarks")
    writes: ClassVar[tuple[str, ...]] = ("coverage",)
    switchable: ClassVar[bool] = False
    settings: Settings = Settings()

    def apply(self, face: FaceState) -> FaceState:
        """Write it."""
        return replace(face, coverage=self.mask(face.landmarks, face.crop.image.shape[0]))

    def mask(self, landmarks: np.ndarray, size: int) -> np.ndarray:
        """Return (size, size) float32 in [0, 1]: where a portrait may cover a face with these landmarks (66, 2)."""
        small, settings = min(size, DRAWN), self.settings
        face = polygon(cv2.convexHull(with_forehead(landmarks)), small)
        face = cv2.erode(face, disc(settings.rim * small), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        face = cv2.GaussianBlur(face, (0, 0), settings.soft * small)
        kept = polygon(landmarks[OPENING], small)
        for eye in EYES:
            kept = np.maximum(kept, cv2.dilate(polygon(landmarks[eye], small), disc(settings.lashes * small)))
        face = face * (1 - cv2.GaussianBlur(kept, (0, 0), settings.edge * small))
        return cv2.resize(face, (size, size), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Cover(FaceStep):
    """The warped portrait, only where the target may be covered."""

    name: ClassVar[str] = "cover"
    phase: ClassVar[Phase] = Phase.COVER
    reads: ClassVar[tuple[str, ...]] = ("coverage", "warped")
    writes: ClassVar[tuple[str, ...]] = ("warped",)
    switchable: ClassVar[bool] = False
    settings: NoSettings = field(default_factory=NoSettings)

    def apply(self, face: FaceState) -> FaceState:
        """Apply the coverage mask."""
        return replace(face, warped=faded(face.warped, face.coverage))


def faded(layers: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return layers (S, S, 4) uint8 that may be used only so far, (S, S) float32 in [0, 1]."""
    result = layers.copy()
    result[..., 3] = np.rint(layers[..., 3] * share)
    return result
