"""Keep a target of one tone (black and white, sepia, a tinted print) of one tone, after the generator.

Its lips have the colour that its skin has where it is as bright, on a line of colour over brightness; in a colour photo
they are redder. The colours of such a swap, a source's lips and irises, are put on that line, its brightness is kept.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import LIPS, SKIN, class_share
from ...types import Crop
from ..history import History
from ..protocols import FrameStep, Phase
from ..records import FaceState

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601

Line = tuple[np.ndarray, np.ndarray]  # colours (3,) at brightness 0, and by how much they change with it


@dataclass(frozen=True, slots=True)
class Settings:
    """Levels are of 255."""

    # skin from its line, and lips from that, together: up to one a face is of one tone, from the other of several
    apart: tuple[float, float] = (4.3, 5.5)
    sure: float = 0.8  # share of skin and lips from which they are measured
    fewest: int = 40  # pixels of the parser's of either; from fewer nothing is told


@dataclass(frozen=True)
class OneTone(FrameStep):
    """The swap in its target's tone, where that has one alone."""

    name: ClassVar[str] = "one_tone"
    phase: ClassVar[Phase] = Phase.FINISH
    reads: ClassVar[tuple[str, ...]] = ("image", "crop.image", "crop.class_probs", "crop.face")
    writes: ClassVar[tuple[str, ...]] = ("image",)
    history: ClassVar[int] = 12  # frames over which it is told whether a face is of one tone
    settings: Settings = Settings()

    def over(self, faces: list[FaceState], history: History | None) -> list[FaceState]:
        """Write it, by how surely each face is of one tone."""
        told = [self.told(face.crop) for face in faces]
        shares = [share for share, _ in told]
        if history is not None:
            seen = dict(zip([face.crop.face.track for face in faces], shares, strict=True))
            shares = list(history.running_mean(self.name, self.history, seen).values())
        return [
            face if line is None or share == 0 else replace(face, image=toned(face.image, line, share))
            for face, share, (_, line) in zip(faces, shares, told, strict=True)
        ]

    def told(self, crop: Crop) -> tuple[float, Line | None]:
        """Return how surely a crop's face is of one tone, 0..1, and the line of its skin if enough of it is seen."""
        return (0.0, None) if crop.class_probs is None else self.tone(crop.image, crop.class_probs)

    def tone(self, image: np.ndarray, class_probs: np.ndarray) -> tuple[float, Line | None]:
        """Return the same of a picture (S, S, 3) uint8 and its class probabilities (19, P, P)."""
        small = cv2.resize(image, class_probs.shape[:0:-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        skin, lips = (small[class_share(class_probs, part) > self.settings.sure] for part in (SKIN, LIPS))
        if len(skin) < self.settings.fewest:
            return 0.0, None
        line = line_of(skin)
        if len(lips) < self.settings.fewest:
            return 0.0, line
        apart, (low, high) = _away(skin, line) + _away(lips.mean(axis=0, keepdims=True), line), self.settings.apart
        return float(np.clip((high - apart) / (high - low), 0, 1)), line


def line_of(colours: np.ndarray) -> Line:
    """Return the line of colour over brightness through colours (N, 3), by least squares."""
    brightness = colours @ LUMA
    middle, change = colours.mean(axis=0), brightness - brightness.mean()
    slope = (change[:, None] * (colours - middle)).mean(axis=0) / max(float(np.square(change).mean()), 1e-6)
    return middle - slope * brightness.mean(), slope


def _away(colours: np.ndarray, line: Line) -> float:
    """Return how far colours (N, 3) are from a line, on average."""
    base, slope = line
    return float(np.linalg.norm(colours - base - slope * (colours @ LUMA)[:, None], axis=1).mean())


def toned(image: np.ndarray, line: Line, share: float) -> np.ndarray:
    """Return a picture (S, S, 3) uint8 with so much of its colours, 0..1, put on a line."""
    base, slope = line
    wanted = base + slope * (image @ LUMA)[..., None]
    return np.clip(np.rint(image + np.float32(share) * (wanted - image)), 0, 255).astype(np.uint8)
