"""Choose whom to follow through a shot: the part of tracking that decides by track who is swapped.

Whoever is chosen stays so, as a viewer expects, by these rules:
- An empty place goes to the largest face, before those that vanish again within the frames known ahead.
- A rival takes a place when it is much larger, has been in sight for a while and looks about as surely like a face; it
  gives the place back when it goes out of sight itself.
- The place of one who is out of sight is lent at once to a face that came after them, which may be the same person
  behind a cut or a leap, and is else the only one to look at. One who was in sight beside the holder is somebody else
  and gets it only if the holder does not turn back within a moment. A lent place is given back at once.
Who is named by a place (the left one, the third largest) is followed in the same way, but nobody overtakes them, and
their place is lent to no one known to be somebody else.
A new shot chooses anew. All depends on the faces and times of the frames alone, so the same clip is chosen the same.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..types import Face, Frame
from .places import in_order
from .state import Resumable

PATIENCE = 1.0  # seconds for which a face out of sight keeps its number, and its place at most
_OVERTAKE = 2.0  # a rival's area is at least so many times the chosen one's
# Measured on 22 clips: what was no face scored 0.75 to 0.80 and lasted 4 frames in a row at most; the faces scored 0.87
# to 0.98 on average over a window of 7 frames, and within one clip a person's averages differed by 0.08 at most.
_INSISTENCE = 0.5  # seconds for which a rival has been in sight without a break
_ACQUAINTANCE = 0.5  # seconds in sight together from which two faces are two people: dissolves show one twice, briefly
_GRACE = 0.4  # seconds out of sight for which a holder is waited for, as far as the frames ahead tell
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
    beside: dict[int, float] = field(default_factory=dict)  # by other track, while this one had a place: together


@dataclass(frozen=True, slots=True)
class _Place:
    """How someone who is swapped came to it."""

    before: int | None = None  # the track whose place it was
    lent: bool = False  # until that one is back


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """How a track looks over the frames known from now on."""

    area: float  # mean, square pixels
    score: float  # mean
    brief: bool  # in sight in no more than half of them


class Choice(Resumable):
    """Keep to the same people: whom to swap is decided by track, not anew in every frame."""

    kept: ClassVar[tuple[str, ...]] = ("_chosen", "_sights", "_in_sight", "_shot")
    records: ClassVar[tuple[type, ...]] = (_Sight, _Place)

    def __init__(self, limit: int | None, place: str | None = None) -> None:
        self._limit, self._place = limit, place
        self._chosen: dict[int, _Place] = {}  # by track
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
        self._give_back(now)
        self._release()
        looks = _looks(ahead)
        for number in self._in_order(now, looks):
            if number not in self._chosen:
                self._offer(number, looks, ahead)
        return [number for number in self._chosen if number in now.faces]

    def _in_order(self, now: Moment, looks: dict[int, _Look]) -> list[int]:
        """Return who may be offered a place, one after another."""
        if self._place is None:
            return sorted(now.faces, key=lambda number: (looks[number].brief, -looks[number].area, number))
        named = in_order(now.faces, self._place, now.frame.rgb.shape)
        return sorted(named, key=lambda number: looks[number].brief)

    def _watch(self, now: Moment) -> None:
        """Note who is in sight, and forget who has been out of sight for too long to keep the number."""
        for number in now.faces:
            sight = self._sights.setdefault(number, _Sight(now.seconds))
            if number in self._in_sight:
                elapsed = now.seconds - sight.last
                sight.unbroken += elapsed
                if number in self._chosen:
                    known = {other: time for other, time in sight.beside.items() if other in self._sights}
                    sight.beside = known | {other: known.get(other, 0.0) + elapsed for other in now.faces}
            else:
                sight.unbroken = 0.0
            sight.last = now.seconds
        self._in_sight = set(now.faces)
        self._sights = {number: sight for number, sight in self._sights.items() if now.seconds - sight.last <= PATIENCE}

    def _give_back(self, now: Moment) -> None:
        """Let go of places whose earlier holder is in sight, if they were lent, or the one who took them is gone."""
        for number, place in list(self._chosen.items()):
            before = place.before
            if before in now.faces and before not in self._chosen and (place.lent or number not in now.faces):
                del self._chosen[number]
                self._chosen[before] = _Place()

    def _release(self) -> None:
        """Free the places of those who have been out of sight for so long that they are forgotten."""
        self._chosen = {number: place for number, place in self._chosen.items() if number in self._sights}

    def _offer(self, number: int, looks: dict[int, _Look], ahead: list[Moment]) -> None:
        """Take a face in where there is room, or in the place of one out of sight, or of one that it may overtake."""
        if self._limit is None or len(self._chosen) < self._limit:
            self._chosen[number] = _Place()
            return
        gone = next((each for each in self._chosen if self._may_borrow(number, each, ahead)), None)
        if gone is not None:
            place = self._chosen.pop(gone)
            self._chosen[number] = _Place(place.before if place.lent else gone, lent=True)
            return
        shown = [chosen for chosen in self._chosen if chosen in looks and self._place is None]
        smallest = min(shown, key=lambda chosen: looks[chosen].area, default=None)
        if smallest is not None and self._may_overtake(number, looks[number], looks[smallest]):
            del self._chosen[smallest]
            self._chosen[number] = _Place(smallest)

    def _may_borrow(self, number: int, holder: int, ahead: list[Moment]) -> bool:
        """Tell whether a face in sight may have the place of one who is out of sight."""
        if holder in ahead[0].faces:
            return False
        sight = self._sights[holder]
        is_back = any(holder in moment.faces for moment in ahead)
        is_away = self._place is None and not is_back and ahead[-1].seconds - sight.last > _GRACE
        return is_away or sight.beside.get(number, 0.0) < _ACQUAINTANCE

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
