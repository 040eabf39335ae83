"""Erase what is left of the target's brows beside the source's.

A portrait whose forehead hair hides covers a brow by half, and what looks out of it is a second brow. It is filled with
the colour of the skin around it before the generator sees the crop. A brow that the portrait hardly covers stays: the
target's is better than none.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import BROWS, disc
from ...stages.soft import PART_FEATHER, soft_step
from ...types import Crop
from ..protocols import FaceStep, Phase
from ..records import FaceState
from ..regions import BROW_HEIGHT, NOTHING, around_share


@dataclass(frozen=True, slots=True)
class Settings:
    """Which brows go."""

    covered: float = 0.375  # share of a brow that a portrait covers from which its rest fades


@dataclass(frozen=True)
class EraseBrow(FaceStep):
    """The target without the brows that are covered in part."""

    name: ClassVar[str] = "erase_brow"
    phase: ClassVar[Phase] = Phase.TARGET
    reads: ClassVar[tuple[str, ...]] = ("crop.image", "crop.class_probs", "warped")
    writes: ClassVar[tuple[str, ...]] = ("crop.image",)
    settings: Settings = Settings()

    def apply(self, face: FaceState) -> FaceState:
        """Erase them."""
        return replace(face, crop=self.erased(face.crop, face.warped))

    def erased(self, crop: Crop, warped: np.ndarray) -> Crop:
        """Return the crop without the brows that a portrait warped to it, (S, S, 4) uint8, covers in part."""
        if crop.class_probs is None:
            return crop
        cells = crop.class_probs.shape[1]
        covered = cv2.resize(warped[..., 3], (cells, cells), interpolation=cv2.INTER_AREA) / np.float32(255)
        rest = np.zeros((cells, cells), np.float32)
        for brow in (crop.class_probs[label] for label in BROWS):
            share = float((brow * covered).sum()) / max(float(brow.sum()), 1e-6)
            rest = np.maximum(rest, soft_step(share, self.settings.covered) * brow)
        rest *= 1 - covered  # beneath a portrait a brow stays: its contrast is matched by it
        return crop if rest.max() <= NOTHING else replace(crop, image=_filled(crop.image, rest))


def _filled(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return a picture (S, S, 3) uint8, dark things filled by the skin around them, `where` (P, P) in [0, 1]."""
    scale = image.shape[0] / where.shape[0]
    around = around_share(where, math.ceil(3 * BROW_HEIGHT * where.shape[0]))
    there = (slice(round(scale * each.start), round(scale * each.stop)) for each in around)
    result = image.copy()
    part = result[tuple(there)]
    part[:] = _without_dark(part, where[around], where.shape[0])
    return result


def _without_dark(part: np.ndarray, where: np.ndarray, cells: int) -> np.ndarray:
    """Do it for a part (h, w, 3) uint8 of a picture that is so many cells wide, `where` (p, q)."""
    small = cv2.resize(part, where.shape[::-1], interpolation=cv2.INTER_AREA)
    skin = cv2.morphologyEx(cv2.GaussianBlur(small, (0, 0), 0.7), cv2.MORPH_CLOSE, disc(BROW_HEIGHT * cells))
    skin = cv2.GaussianBlur(skin, (0, 0), BROW_HEIGHT / 2 * cells)
    hairs = cv2.dilate(where, disc(PART_FEATHER * cells))  # they reach beyond what is called a brow
    share = cv2.GaussianBlur(hairs, (0, 0), PART_FEATHER * cells)
    share, skin = (cv2.resize(each, part.shape[1::-1], interpolation=cv2.INTER_LINEAR) for each in (share, skin))
    filled: np.ndarray = np.rint(part + share[..., None] * (skin.astype(np.float32) - part)).astype(np.uint8)
    return filled
