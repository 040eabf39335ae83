"""Smooth the folds of a source's smile, once per source, for targets that do not smile.

A smiling portrait has deep folds from the nose past the corners of the mouth. Over a mouth at rest they look carved
and make any face old. What is darker there than the skin on both sides is filled with that skin's colour. Stubble and
beards, which are dark all over, stay.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import disc
from ...stages.soft import FEATHER, LINE_FEATHER, PART_FEATHER, RIM, feathered
from ..landmarks import MOUTH_CORNERS, NOSE
from ..protocols import Phase, SourceStep
from ..records import Portrait, Variant, View
from ..regions import FRACTION, fixed_point, polygon

_WINGS = (31, 35)  # of the nose, above either corner of the mouth
_OUTWARDS = (-1, 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where folds are; lengths are shares of the side."""

    zone: float = 0.12  # how wide the zone of a fold is
    away: float = 0.045  # by which folds lie outside of nose and mouth


@dataclass(frozen=True)
class SmoothFolds(SourceStep):
    """Every variant of the portrait, with the folds of its smile smoothed."""

    name: ClassVar[str] = "smile_folds"
    phase: ClassVar[Phase] = Phase.VARIANTS
    reads: ClassVar[tuple[str, ...]] = ("views",)
    writes: ClassVar[tuple[str, ...]] = ("views",)
    settings: Settings = Settings()

    def apply(self, portrait: Portrait) -> Portrait:
        """Add it to each variant of each view."""
        return replace(portrait, views=tuple(self._smoothed_view(view) for view in portrait.views))

    def _smoothed_view(self, view: View) -> View:
        def smooth(variant: Variant) -> Variant:
            image, valid = variant.layers[..., :3], variant.layers[..., 3]
            image = self.smoothed(np.ascontiguousarray(image), view.portrait.landmarks)
            return replace(variant, smooth=np.dstack([image, valid]))

        return replace(
            view,
            plain=smooth(view.plain),
            closed=view.closed and smooth(view.closed),
            mouthless=view.mouthless and smooth(view.mouthless),
        )

    def smoothed(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Return a picture (S, S, 3) uint8 of a face of landmarks (66, 2) without the folds of its smile."""
        size = image.shape[0]
        picture = image.astype(np.float32)
        seen = feathered(picture, LINE_FEATHER)  # without pores, which stay
        filled = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, disc(RIM * size))  # the widest fold is twice that
        depth = np.maximum(feathered(filled, PART_FEATHER) - seen, 0)
        zone = self._zone(landmarks, size)
        if not (zone > 0.5).any():  # landmarks in a heap, which are no face
            return image
        deeper = np.maximum(depth - np.median(depth[zone > 0.5], axis=0), 0)  # than stubble, which is as deep as a fold
        return np.rint(np.minimum(picture + zone[..., None] * deeper, 255)).astype(np.uint8)

    def _zone(self, landmarks: np.ndarray, size: int) -> np.ndarray:
        """Return (size, size) float32 in [0, 1]: along both folds, from above the nose's wings to below the mouth.

        The nose, whose nostrils are dark, is no part of it.
        """
        zone, settings = np.zeros((size, size), np.float32), self.settings
        for wing, corner, side in zip(_WINGS, MOUTH_CORNERS, _OUTWARDS, strict=True):
            nose, mouth = landmarks[wing], landmarks[corner]
            down, out = mouth - nose, np.array([side * settings.away, 0])
            below = mouth + 0.9 * out + np.array([0.1, 0.55]) * down
            path = np.array([nose - 0.1 * down + 0.6 * out, nose + 0.5 * down + 1.6 * out, mouth + 1.4 * out, below])
            thickness = round(settings.zone * size)
            cv2.polylines(zone, [fixed_point(path * size)], False, 1.0, thickness, cv2.LINE_8, FRACTION)
        nose = cv2.dilate(polygon(cv2.convexHull(landmarks[NOSE]), size), disc(RIM / 2 * size))
        return feathered(zone, FEATHER) * (1 - feathered(nose, LINE_FEATHER))
