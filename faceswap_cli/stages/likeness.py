"""Look at a few frames of a swap: how like the source are the faces before, and after?

Likeness is the cosine between the encoder's identities. It is the generator's own encoder, which training taught the
generator to please: an independent judge (`faceswap evaluate`) sees less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..types import Face, Identity, Swapped
from .identity import Encoder

EVERY = 24  # frames between two samples, at first
MOST = 64  # frames kept; with one more, every second is forgotten and half as many are looked at from there on
MOST_FACES = 4  # of one frame of a clip, the largest first
# What the encoder still calls the same face: in 90 swaps into photos and clips none that took gained less than 0.15, a
# face half outside its picture gained 0.03, and who looked like the source before (0.63 to 0.83) stayed so.
_LEAST_GAIN, _LIKE = 0.1, 0.4


@dataclass(frozen=True, slots=True)
class Look:
    """One face in one frame, compared with the source."""

    track: int
    before: float  # cosine, -1..1
    after: float

    @property
    def hardly_changed(self) -> bool:
        """Tell whether the swap did not take: no more like the source than before, and not like it."""
        return self.after < min(self.before + _LEAST_GAIN, _LIKE)


Looks = dict[int, list[Look]]  # by number of the frame


class Likeness:
    """Compares faces with their source in frames spread evenly over all it is shown; its cost is bounded."""

    def __init__(self, encoder: Encoder, identities: Sequence[Identity]) -> None:
        """Compare with the source of each role."""
        self._encoder, self._sources = encoder, [identity.embedding for identity in identities]
        self._every = EVERY
        self.looks: Looks = {}

    def compare(self, swapped: Swapped, faces: tuple[Face, ...]) -> None:
        """Compare the faces swapped in a frame, if it is one of those to be looked at."""
        index = swapped.frame.index
        if index % self._every or not swapped.patches:
            return
        before, after = swapped.frame.rgb, swapped_rgb(swapped)
        self.looks[index] = [Look(face.track, self._cosine(before, face), self._cosine(after, face)) for face in faces]
        self._thin_out()

    def add(self, looks: Looks) -> None:
        """Take in what another one looked at in the same clip."""
        self.looks = dict(sorted((self.looks | looks).items()))
        self._thin_out()

    def _thin_out(self) -> None:
        while len(self.looks) > MOST:
            self._every *= 2
            self.looks = {index: looks for index, looks in self.looks.items() if index % self._every == 0}

    def report(self) -> dict[str, Any] | None:
        """Return the mean cosines of all faces and of each track's, and how many hardly changed.

        None where no swapped face was looked at.
        """
        looks = [look for looks in self.looks.values() for look in looks]
        if not looks:
            return None
        tracks = sorted({look.track for look in looks if look.track >= 0})
        by_track = [{"track": track} | _means([look for look in looks if look.track == track]) for track in tracks]
        return _means(looks) | {"frames": len(self.looks), "tracks": by_track}

    def _cosine(self, rgb: np.ndarray, face: Face) -> float:
        return float(self._encoder.embed(rgb, face) @ self._sources[face.role])


def swapped_rgb(swapped: Swapped) -> np.ndarray:
    """Return the frame's (H, W, 3) uint8 RGB with its patches laid over, as people see it."""
    rgb = swapped.frame.rgb.copy()
    for patch in swapped.layers:
        height, width = patch.alpha.shape
        under = rgb[patch.y : patch.y + height, patch.x : patch.x + width]
        mixed = under + (patch.rgb.astype(np.float32) - under) * patch.alpha[..., None]
        under[:] = np.rint(mixed).astype(np.uint8)
    return rgb


def _means(looks: list[Look]) -> dict[str, Any]:
    before, after = np.mean([(look.before, look.after) for look in looks], axis=0)
    hardly_changed = sum(look.hardly_changed for look in looks)
    means = {"before": round(float(before), 3), "after": round(float(after), 3)}
    return means | {"faces": len(looks), "hardly_changed": hardly_changed}
