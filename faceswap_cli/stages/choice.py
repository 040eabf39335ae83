"""Choose whom to follow through a shot: the part of tracking that decides by track who is swapped.

Whoever is chosen stays so, as a viewer expects, by these rules:
- An empty place goes to the largest face, before those that vanish again within the frames known ahead.
- A rival takes a place when it is much larger, has been in sight for a while and looks about as surely like a face.
- Whoever goes out of sight gives a taken place back at once, if the one it was taken from is in sight; any other place
  is kept for as long as its holder was in sight, a second at most.
A new shot chooses anew. All depends on the faces and times of the frames alone, so the same clip is chosen the same.
"""

from dataclasses import dataclass

import numpy as np

from ..types import Face, Frame

PATIENCE = 1.0  # seconds for which a face out of sight keeps its number, and its place at most
_OVERTAKE = 2.0  # a rival's area is at least so many times the chosen one's
# Measured on 22 clips: what was no face scored 0.75 to 0.80 and lasted 4 frames in a row at most; the faces scored 0.87
# to 0.98 on average over a window of 7 frames, and within one clip a person's averages differed by 0.08 at most.
_INSISTENCE = 0.5  # seconds for which a rival has been in sight without a break
_LESS_SURE = 0.1  # a rival's score is at most so much lower than the chosen one's


@dataclass(slots=True, eq=False)
class Moment:
    """One frame on its way through the window."""

    frame: Frame
    shot: int
    faces: dict[int, Face]  # by track

    @property
    def seconds(self) -> float:
        """When the frame is shown."""
        return float(self.frame.time)


@dataclass(slots=True, eq=False)
class _Sight:
    """For how long a track has been in sight, in seconds."""

    last: float  # when it was seen last
    unbroken: float = 0.0  # since it came into sight the last time
    total: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """How a track looks over the frames known from now on."""

    area: float  # mean, square pixels
    score: float  # mean
    brief: bool  # in sight in no more than half of them


class Choice:
    """Keep to the same people: whom to swap is decided by track, not anew in every frame."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._chosen: dict[int, int | None] = {}  # track -> the track whose place it took
        self._sights: dict[int, _Sight] = {}  # by track
        self._in_sight: set[int] = set()  # in the frame before
        self._shot = -1

    def choose(self, now: Moment, ahead: list[Moment]) -> list[int]:
        """Return the tracks to swap in this frame; `ahead` are the known frames of its shot from it on."""
        if self._limit is None:
            return list(now.faces)
        if now.shot != self._shot:
            self._shot = now.shot
            self._chosen.clear()
        self._watch(now)
        self._release(now)
        looks = _looks(ahead)
        for number in sorted(now.faces, key=lambda number: (looks[number].brief, -looks[number].area, number)):
            self._offer(number, looks, self._limit)
        return [number for number in self._chosen if number in now.faces]

    def _watch(self, now: Moment) -> None:
        """Note who is in sight, and forget who has been out of sight for too long to keep the number."""
        for number in now.faces:
            sight = self._sights.setdefault(number, _Sight(now.seconds))
            if number in self._in_sight:
                sight.unbroken += now.seconds - sight.last
                sight.total += now.seconds - sight.last
            else:
                sight.unbroken = 0.0
            sight.last = now.seconds
        self._in_sight = set(now.faces)
        self._sights = {number: sight for number, sight in self._sights.items() if now.seconds - sight.last <= PATIENCE}

    def _release(self, now: Moment) -> None:
        """Take the place from those out of sight, at once where another has the better right to it."""
        for number, earlier in list(self._chosen.items()):
            if number in now.faces:
                continue
            sight = self._sights.get(number)
            if earlier is not None and earlier in now.faces and earlier not in self._chosen:
                del self._chosen[number]
                self._chosen[earlier] = None
            elif sight is None or now.seconds - sight.last > sight.total:
                del self._chosen[number]

    def _offer(self, number: int, looks: dict[int, _Look], limit: int) -> None:
        """Take a face in where there is room, or in the place of the smallest one that it may overtake."""
        if number in self._chosen:
            return
        if len(self._chosen) < limit:
            self._chosen[number] = None
            return
        shown = [chosen for chosen in self._chosen if chosen in looks]
        smallest = min(shown, key=lambda chosen: looks[chosen].area, default=None)
        if smallest is not None and self._may_overtake(number, looks[number], looks[smallest]):
            del self._chosen[smallest]
            self._chosen[number] = smallest

    def _may_overtake(self, number: int, rival: _Look, chosen: _Look) -> bool:
        return (
            rival.area >= _OVERTAKE * chosen.area
            and rival.score >= chosen.score - _LESS_SURE
            and self._sights[number].unbroken >= _INSISTENCE
        )


def _looks(moments: list[Moment]) -> dict[int, _Look]:
    """Return how each track looks over the moments that show it."""
    faces: dict[int, list[Face]] = {}
    for moment in moments:
        for number, face in moment.faces.items():
            faces.setdefault(number, []).append(face)
    return {
        number: _Look(
            area=float(np.mean([face.area for face in seen])),
            score=float(np.mean([face.score for face in seen])),
            brief=2 * len(seen) <= len(moments),
        )
        for number, seen in faces.items()
    }
