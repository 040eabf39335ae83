"""Number faces by track: the part of tracking that says which face of this frame was which of the frames before.

A face goes on with the track whose way leads to it and that looks like it. Place alone would exchange people who cross,
and hand a track that is out of sight to whoever passes where it was seen last; so what a track was doing and how it
looked count together, and its place counts less the longer it has been out of sight. Whoever is found far from there
must look the more like it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..types import Face, Frame
from .appearance import alike, look_of
from .choice import PATIENCE
from .state import Resumable

_MOST_STEP = 1.5  # face widths between a face and where its track is expected, or was last seen
_MOST_GROWTH = 2.0
_COASTING = 0.3  # seconds for which a track out of sight is expected to go on as it went
_FADING = 0.2  # seconds out of sight after which its place counts half
_UNLIKE = 0.2  # `alike` below which two faces are two people's: one person's is above 0.5 over four frames of 22 clips
_FAR = 0.5  # by how much it must be higher for each face width that a face is from where its track is expected
_ABSENCE = 10.0  # seconds after which who comes back to the same place, looking the same, is no longer known
_SURELY_ALIKE = 0.8  # `alike` that it takes after more than PATIENCE: of two people's in 22 clips 0.71 is passed by 5 %
_LIKENESS = 2.0  # face widths that a full point of `alike` outweighs
_NEWEST = 0.5  # share of the newest sighting in what is remembered of a track's look and speed


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is known of a track."""

    face: Face  # where it was last seen
    seen: float  # seconds: when
    look: np.ndarray
    speed: np.ndarray  # (2,) pixels a second

    def step(self, face: Face, now: float) -> float | None:
        """Return how far a face is from where the track may be, in face widths; None where it cannot be the same."""
        sizes = np.sqrt([self.face.area, face.area])
        if sizes.max() > _MOST_GROWTH * sizes.min():
            return None
        away = _middle(face) - _middle(self.face)
        expected = self.speed * min(now - self.seen, _COASTING)
        step = float(min(np.linalg.norm(away - expected), np.linalg.norm(away)) / sizes.mean())
        return step if step <= _MOST_STEP else None

    def seen_again(self, face: Face, look: np.ndarray, now: float) -> "_Known":
        """Return what is known once the track was seen again."""
        speed = (_middle(face) - _middle(self.face)) / max(now - self.seen, 1e-6)
        return _Known(face, now, _mixed(self.look, look), _mixed(self.speed, speed))


class Numbering(Resumable):
    """Give each face the number of the track it goes on with."""

    kept: ClassVar[tuple[str, ...]] = ("_known", "_next", "_shot")
    records: ClassVar[tuple[type, ...]] = (_Known,)

    def __init__(self) -> None:
        self.looks: dict[int, np.ndarray] = {}  # (768,) of the faces numbered last, by track
        self._known: dict[int, _Known] = {}  # by track
        self._next = 0
        self._shot = 0

    def number(self, frame: Frame, shot: int, faces: Sequence[Face]) -> dict[int, Face]:
        """Return the faces by track; a new shot, and a face that goes on with no track, begin new ones."""
        now = float(frame.time)
        if shot != self._shot:
            self._shot = shot
            self._known.clear()
        self._known = {number: known for number, known in self._known.items() if now - known.seen <= _ABSENCE}
        looks = [look_of(frame.rgb, face) for face in faces]
        numbers = self._match(faces, looks, now)
        numbered = {number: replace(faces[index], track=number) for number, index in numbers.items()}
        self.looks = {number: looks[index] for number, index in numbers.items()}
        for number, look in self.looks.items():
            before, face = self._known.get(number), numbered[number]
            new = _Known(face, now, look, np.zeros(2))
            self._known[number] = new if before is None else before.seen_again(face, look, now)
        return numbered

    def go_on(self, frame: Frame, faces: Mapping[int, Face]) -> None:
        """Note where tracks are, by number, that were followed and not found; their looks stay those that were."""
        for number, face in faces.items():
            self._known[number] = replace(self._known[number], face=face, seen=float(frame.time))

    def _match(self, faces: Sequence[Face], looks: list[np.ndarray], now: float) -> dict[int, int]:
        """Pair tracks with faces, those that agree most first."""
        pairs: dict[int, int] = {}
        for _, number, index in sorted(self._candidates(faces, looks, now)):
            if number not in pairs and index not in pairs.values():
                pairs[number] = index
        for index in range(len(faces)):
            if index not in pairs.values():
                pairs[self._next] = index
                self._next += 1
        return pairs

    def _candidates(
        self, faces: Sequence[Face], looks: list[np.ndarray], now: float
    ) -> Iterable[tuple[float, int, int]]:
        """Yield how far a track and a face are from agreeing, with their numbers."""
        for number, known in self._known.items():
            trust = _FADING / (_FADING + now - known.seen)
            for index, (face, look) in enumerate(zip(faces, looks, strict=True)):
                step, likeness = known.step(face, now), alike(known.look, look)
                if step is not None and likeness >= _least(step, now - known.seen):
                    yield trust * step + _LIKENESS * (1 - likeness), number, index


def _least(step: float, away: float) -> float:
    """Return how alike a face must be to a track that is so many face widths and seconds away."""
    return _SURELY_ALIKE if away > PATIENCE else _UNLIKE + _FAR * step


def _middle(face: Face) -> np.ndarray:
    return face.points.mean(axis=0).astype(np.float64)


def _mixed(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    return (1 - _NEWEST) * old + _NEWEST * new
