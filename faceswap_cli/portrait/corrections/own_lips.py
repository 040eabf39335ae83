"""Give the target's own lips the source's colour where the source's lips cannot follow them (see `source_mouth.py`).

Lips of a laugh are thin and drawn wide. Warped over a mouth that speaks or purses they are a line, and what the target
says can no longer be read; shut lips are smeared over a gaping mouth. There the target's own lips serve better: their
shape is what the target does, their colour what the source looks like.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import LIPS, class_share
from ...stages.soft import LINE_FEATHER, soft_step
from ...types import Crop
from ..mouth import OPEN, SEEN, SMILE, corner_distance, over_eyes, shut_share
from ..protocols import FaceStep, Phase
from ..records import FaceState, Lips, Mouth
from ..regions import BLACK, LEAST, around_share


@dataclass(frozen=True, slots=True)
class PaintSettings:
    """How lips are painted."""

    depth: float = 0.6  # power of the brightness of the target's lips: what is in shade is not black on paler ones


@dataclass(frozen=True)
class OwnLips(FaceStep):
    """How far the target keeps its own lips."""

    name: ClassVar[str] = "own_lips"
    phase: ClassVar[Phase] = Phase.EXPRESSION
    reads: ClassVar[tuple[str, ...]] = ("source.lips", "landmarks", "mouth")
    writes: ClassVar[tuple[str, ...]] = ("own_lips",)

    def apply(self, face: FaceState) -> FaceState:
        """Write it, where both mouths are seen."""
        if face.source.lips is None or face.mouth is None:
            return face
        return replace(face, own_lips=self.weight(face.source.lips, face.landmarks, face.mouth))

    def weight(self, lips: Lips, landmarks: np.ndarray, mouth: Mouth) -> float:
        """Return how far, in [0, 1], a target's mouth of landmarks (66, 2) serves better than a source's lips."""
        laughs = soft_step(lips.aspect_ratio, OPEN) * shut_share(mouth.aspect_ratio)
        wider = soft_step(lips.width - over_eyes(mouth.width, landmarks), 2 * SMILE)
        gapes = soft_step(mouth.aspect_ratio - lips.aspect_ratio, 2 * OPEN)
        return soft_step(mouth.width / max(corner_distance(landmarks), 1e-6), SEEN) * max(laughs, wider, gapes)


@dataclass(frozen=True)
class OwnLipsPainted(FaceStep):
    """The target's own lips, painted over the warped portrait."""

    name: ClassVar[str] = "own_lips"
    phase: ClassVar[Phase] = Phase.COLOUR
    reads: ClassVar[tuple[str, ...]] = ("source.lips", "own_lips", "crop.image", "crop.class_probs", "warped")
    writes: ClassVar[tuple[str, ...]] = ("warped",)
    settings: PaintSettings = PaintSettings()

    def apply(self, face: FaceState) -> FaceState:
        """Paint them as far as the target keeps them."""
        if face.source.lips is None or face.own_lips == 0:
            return face
        return replace(face, warped=self.painted(face.warped, face.crop, face.source.lips, face.own_lips))

    def painted(self, warped: np.ndarray, crop: Crop, lips: Lips, share: float) -> np.ndarray:
        """Return a portrait warped to a parsed crop, (S, S, 4) uint8, with so much of its lips in another's colour."""
        assert crop.class_probs is not None
        size = crop.image.shape[0]
        where = cv2.resize(class_share(crop.class_probs, LIPS), (size, size), interpolation=cv2.INTER_LINEAR)
        if np.clip(2 * where - 1, 0, 1).mean() < LEAST:
            return warped
        around = around_share(where, math.ceil(3 * LINE_FEATHER * size))
        result = warped.copy()
        part, where = result[around], where[around]
        inside = np.clip(2 * where - 1, 0, 1)
        grey = cv2.cvtColor(crop.image[around], cv2.COLOR_RGB2GRAY)
        brightness = grey.astype(np.float32) + np.float32(BLACK)
        usual = float((inside * brightness).sum() / inside.sum())
        coloured = np.minimum(((brightness / usual) ** self.settings.depth)[..., None] * lips.colour, 255)
        weight = share * cv2.GaussianBlur(where, (0, 0), LINE_FEATHER * size)[..., None]
        part[..., :3] = np.rint(part[..., :3] + weight * (coloured - part[..., :3]))
        return result
