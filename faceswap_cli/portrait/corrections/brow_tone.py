"""Let brows go with the target's hair: their shape is the source's, their tone partly the target's.

A brow from a photo has that photo's hair colour: grey under black hair it looks lost, black under blond hair drawn on.
So brows darker than the target's, beside the skin around them, are paled part of the way; colour follows brightness as
in the target's brows; and what paler ones lack is mixed in from the target's own. More of them would look more natural
still, and less like the source: recognisers go by brows.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ...stages.parse import BROWS, class_share, disc
from ...stages.soft import DRAWN, HISTORY, LINE_FEATHER, PART_FEATHER, feathered
from ..history import History
from ..landmarks import BROW_HALVES
from ..protocols import FrameStep, Phase
from ..records import FaceState
from ..regions import BLACK, BROW_HEIGHT, FEWEST, NOTHING, around_share, strokes
from .one_tone import LUMA, line_of, toned

_FAINT = 0.02  # share of the skin's brightness: of brows no darker than that no ratio is told


@dataclass(frozen=True, slots=True)
class Settings:
    """How far brows go with the target's."""

    share: float = 0.4  # of the way to the target's darkness, by ratio
    darkest: float = 0.25  # share of a brow's pixels that tell how dark it is


@dataclass(frozen=True, slots=True, eq=False)
class Brows:
    """What the tone of a face's brows is told by, at DRAWN pixels a side."""

    face: FaceState
    band: np.ndarray  # (H, W) float32: 1 where they are
    grey: np.ndarray  # (H, W) uint8: brightness of the swap
    skin: np.ndarray  # (H, W) float32: the same of the skin beneath
    target: np.ndarray  # (H, W, 3) uint8
    theirs: np.ndarray  # (H, W) float32 in [0, 1]: where the target's brows are seen

    def are_hidden(self) -> bool:
        """Tell whether too little is seen of the target's."""
        return int((self.theirs > 0.5).sum()) < FEWEST


@dataclass(frozen=True)
class BrowTone(FrameStep):
    """The swap with brows that go with the target's hair."""

    name: ClassVar[str] = "brow_tone"
    phase: ClassVar[Phase] = Phase.FINISH
    reads: ClassVar[tuple[str, ...]] = (
        *("crop.image", "crop.class_probs", "crop.face"),
        *("landmarks", "warped", "image"),
    )
    writes: ClassVar[tuple[str, ...]] = ("image",)
    history: ClassVar[int] = HISTORY  # frames over which it is told how dark brows are
    settings: Settings = Settings()

    def over(self, faces: list[FaceState], history: History | None) -> list[FaceState]:
        """Write it for whoever's own brows are seen."""
        brows = [look_at(face) for face in faces]
        gains = [self.gain_of(each) for each in brows]
        if history is not None:
            seen = {face.crop.face.track: gain for face, gain in zip(faces, gains, strict=True)}
            gains = list(history.running_mean(self.name, self.history, seen).values())
        return [each.face if each.are_hidden() else _mixed(each, gain) for each, gain in zip(brows, gains, strict=True)]

    def gain(self, found: float, wanted: float) -> float:
        """Return how many times darker brows are to be, by their darkness and the target's, as shares of their skin."""
        return float((max(wanted, _FAINT) / max(found, _FAINT)) ** self.settings.share)

    def gain_of(self, brows: Brows) -> float:
        """Return the same of a face; 1 where its own brows are hidden."""
        theirs, ours = brows.theirs > 0.5, brows.band * _small(brows.face.warped[..., 3]) > 255 / 2
        if brows.are_hidden() or ours.sum() < FEWEST:
            return 1.0
        count = max(int(self.settings.darkest * theirs.sum()), 1)  # of both alike: thin brows are not pale ones
        target = _grey(brows.target)
        pictures = (brows.grey, brows.skin, ours), (target, _skin(target), theirs)
        return self.gain(*(float(np.sort(_darkness(*each))[-count:].mean()) for each in pictures))


def look_at(face: FaceState) -> Brows:
    """Return a face's brows, and those of its target as far as a parser sees them."""
    probs, nowhere = face.crop.class_probs, np.zeros((DRAWN, DRAWN), np.float32)
    grey = _grey(_small(face.image))
    return Brows(
        face=face,
        band=strokes([face.landmarks[half] for half in BROW_HALVES], BROW_HEIGHT, DRAWN),
        grey=grey,
        skin=_skin(grey),
        target=_small(face.crop.image),
        theirs=nowhere if probs is None else cv2.resize(class_share(probs, BROWS), (DRAWN, DRAWN)),
    )


def _mixed(brows: Brows, gain: float) -> FaceState:
    """Return a face whose brows are paled by a gain below 1, and mixed with the target's by one above."""
    face, size = brows.face, brows.face.image.shape[0]
    share = _soft(brows.band, size) * (face.warped[..., 3] / np.float32(255))
    if share.max() <= NOTHING:
        return face
    box, line = around_share(share, 0), line_of(brows.target[brows.band > 0.5].astype(np.float32))
    image, target = face.image[box], face.crop.image[box]
    darker = np.maximum(cv2.resize(brows.skin, (size, size))[box] - image @ LUMA, 0)[..., None]
    own, bare = (toned(image + part * darker, line, 1.0) for part in (max(1 - gain, 0), 1))
    hairs = _soft(brows.theirs, size)[box][..., None]
    mixed = own + max(1 - 1 / gain, 0) * (hairs * target + (1 - hairs) * bare - own)
    result = face.image.copy()
    result[box] = np.rint(image + share[box][..., None] * (mixed - image))
    return replace(face, image=result)


def _darkness(grey: np.ndarray, skin: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return by how much pixels are darker than the skin around them, as a share of it, (N,) of those of a mask."""
    beneath = skin[where]
    return np.asarray((beneath - grey[where]) / (beneath + BLACK))


def _skin(grey: np.ndarray) -> np.ndarray:
    """Return (DRAWN, DRAWN) float32: brightness, uint8, without what is dark and no broader than a brow."""
    closed = cv2.morphologyEx(feathered(grey, LINE_FEATHER), cv2.MORPH_CLOSE, disc(BROW_HEIGHT * DRAWN))
    return feathered(closed.astype(np.float32), BROW_HEIGHT / 2)


def _small(picture: np.ndarray) -> np.ndarray:
    """Return a picture uint8 at DRAWN pixels a side."""
    return cv2.resize(picture, (DRAWN, DRAWN), interpolation=cv2.INTER_AREA)


def _grey(picture: np.ndarray) -> np.ndarray:
    """Return the brightness (H, W) uint8 of a picture (H, W, 3) uint8."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def _soft(mask: np.ndarray, size: int) -> np.ndarray:
    """Return a mask (DRAWN, DRAWN) at another size, grown by its soft edge."""
    return cv2.resize(feathered(cv2.dilate(mask, disc(PART_FEATHER * DRAWN)), PART_FEATHER), (size, size))
