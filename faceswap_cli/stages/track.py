"""Follow faces from frame to frame: the second step of a frame's way.

Detections miss a frame now and then and tremble by a fraction of a per cent; both show as flicker. A face keeps its
track number within a shot, gaps of a few frames are filled where the face is really seen and longer ones bridged by
what moves in it (bridge.py), the points are smoothed without lag from both sides, and those to be swapped are chosen by
track, so the swap does not jump between people. Nothing crosses a scene cut. Frames come out in order, a fixed few
behind; the same frames always give the same tracks.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from ..types import Face, Frame
from .appearance import alike, look_of
from .bridge import Bridge, Consent, is_taken
from .casting import Casting
from .choice import Moment
from .numbering import Numbering
from .shots import FLASH, Shots
from .state import Resumable
from .who import Recogniser, Wanted

REACH = 3  # frames on each side that smooth a frame's points
LONGEST_GAP = 3  # frames in which a face may be missed and is filled in
AHEAD = REACH + LONGEST_GAP  # frames behind one that are known when it is decided who is swapped in it
LOOK_AHEAD = AHEAD + FLASH

_SEEN = 0.5  # likeness of a filled face to those beside the gap from which it is there: of 22 clips all are above it
_MEMORY_SECONDS = 0.06  # how fast the weight of a neighbour falls with its distance in time
_TREMBLE = 0.01  # share of the face's width: what departs further from an even motion is real and kept


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """A frame with its faces, numbered by track and steadied."""

    frame: Frame
    faces: tuple[Face, ...]  # those to be swapped, the largest first
    faces_found: int
    tracks: frozenset[int] = frozenset()  # everybody in sight
    others: tuple[Face, ...] = ()  # those in sight who are left
    shot: int = 0
    known: Mapping[int, int] = field(default_factory=dict)  # by track: who they are taken for, of those named


class Track(Resumable):
    """Number, fill, steady and choose the faces of consecutive frames."""

    kept: ClassVar[tuple[str, ...]] = ("_window", "_position")
    records: ClassVar[tuple[type, ...]] = (Moment,)

    def __init__(
        self,
        face_limit: int | None,
        wanted: Sequence[Wanted] = (Wanted(),),
        recogniser: Recogniser | None = None,
        consent: Consent | None = None,
    ) -> None:
        """Choose up to so many faces, None: all, for each role; bridge longer gaps where somebody consents."""
        self._shots, self._numbering = Shots(), Numbering()
        self._bridge = None if consent is None else Bridge(consent)
        self._casting = Casting(face_limit, wanted)
        self._recogniser = recogniser
        self._window: deque[Moment] = deque()
        self._position = 0  # of the frame to be given next within the window

    def follow(self, sightings: Iterable[tuple[Frame, Sequence[Face]]]) -> Iterator[Located]:
        """Yield every frame with its chosen faces, LOOK_AHEAD frames behind the sightings."""
        for shot, frame, faces in self._shots.of(sightings):
            self.take(shot, frame, faces)
            if len(self._window) - self._position > AHEAD:
                yield self._locate_next()
        while self._position < len(self._window):
            yield self._locate_next()

    def state(self) -> dict[str, Any]:
        """Return what it and its parts know between two frames, ready for JSON."""
        return super().state() | {"parts": [part.state() for part in self._parts()]}

    def restore(self, state: Mapping[str, Any], frames: Mapping[int, Frame]) -> None:
        """Take what `state` returned of a tracker of the same making; see `Resumable`."""
        super().restore(state, frames)
        for part, known in zip(self._parts(), state["parts"], strict=True):
            part.restore(known, frames)

    def _parts(self) -> list[Resumable]:
        parts = [self._shots, self._numbering, self._bridge, self._recogniser, *self._casting.choices]
        return [part for part in parts if part is not None]

    def take(self, shot: int, frame: Frame, faces: Sequence[Face]) -> None:
        """Put the newest frame into the window, its faces numbered, and fill the gaps that it is in or ends."""
        numbered = self._numbering.number(frame, shot, faces)
        if self._bridge is not None:
            carried = self._bridge.carry(frame, shot, numbered, self._numbering.looks)
            self._numbering.go_on(frame, carried)
            numbered |= carried
        self._window.append(Moment(frame, shot, numbered))
        self._fill_gaps()

    def _locate_next(self) -> Located:
        moments, position = list(self._window), self._position
        now = moments[position]
        steadied = {number: _steady(moments, position, number) for number in now.faces}
        ahead = [moment for moment in moments[position:] if moment.shot == now.shot]
        known = {} if self._recogniser is None else self._recogniser.of_clip(ahead)
        roles = self._casting.choose(ahead, known)
        chosen = sorted(
            (replace(steadied[each], role=role) for each, role in roles.items()), key=lambda face: -face.area
        )
        others = tuple(face for number, face in steadied.items() if number not in roles)
        self._advance()
        faces = tuple(sorted(chosen, key=lambda face: -face.area))
        told = {number: who for number in now.faces if (who := known.get(number)) is not None}
        return Located(now.frame, faces, len(now.faces), frozenset(now.faces), others, now.shot, told)

    def _advance(self) -> None:
        self._position += 1
        while self._position > REACH:
            self._window.popleft()
            self._position -= 1

    def _fill_gaps(self) -> None:
        """Put faces between two sightings of one track that lie few enough frames apart, where they are seen."""
        moments = list(self._window)
        last = moments[-1]
        for number, face in last.faces.items():
            gap = _missed(moments, number)
            if not 0 < gap <= LONGEST_GAP:
                continue
            before = moments[-gap - 2]
            known = [look_of(moment.frame.rgb, moment.faces[number]) for moment in (before, last)]
            for moment in moments[-gap - 1 : -1]:
                share = (moment.seconds - before.seconds) / (last.seconds - before.seconds)
                between = _between(before.faces[number], face, share)
                look = look_of(moment.frame.rgb, between)
                if max(alike(look, each) for each in known) >= _SEEN and not is_taken(between, moment.faces.values()):
                    moment.faces[number] = between


def _steady(moments: list[Moment], position: int, number: int) -> Face:
    """Return a face with smoothed points.

    Each pair of neighbours, one before and one after, says by linear interpolation where the points would be now in an
    even motion: that has no lag. The nearer the pair in time and the smaller its departure, the more it weighs (a
    bilateral filter over time), so trembling is averaged away and a real turn of the head is not.
    """
    now = moments[position]
    face = now.faces[number]
    total, weights = face.points.astype(np.float64), 1.0
    tolerance = _TREMBLE * float(face.box[2] - face.box[0])
    for distance in range(1, REACH + 1):
        pair = _pair(moments, position, distance, number)
        if pair is None:
            break
        before, after = pair
        share = (now.seconds - before.seconds) / (after.seconds - before.seconds)
        expected = _between(before.faces[number], after.faces[number], share).points
        departure = float(np.linalg.norm(expected - face.points, axis=1).mean())
        elapsed = (after.seconds - before.seconds) / 2
        weight = np.exp(-0.5 * ((elapsed / _MEMORY_SECONDS) ** 2 + (departure / tolerance) ** 2))
        total, weights = total + weight * expected, weights + weight
    return replace(face, points=(total / weights).astype(np.float32))


def _pair(moments: list[Moment], position: int, distance: int, number: int) -> tuple[Moment, Moment] | None:
    """Return the moments so far before and after, if both show the track in the same shot."""
    if position - distance < 0 or position + distance >= len(moments):
        return None
    before, after = moments[position - distance], moments[position + distance]
    if before.shot != after.shot or number not in before.faces or number not in after.faces:
        return None
    return before, after


def _missed(moments: list[Moment], number: int) -> int:
    """Count the frames since the track was last seen before the newest one; 0 when there is no such sighting."""
    for gap, moment in enumerate(reversed(moments[:-1])):
        if moment.shot != moments[-1].shot:
            return 0
        if number in moment.faces:
            return gap
    return 0


def _between(one: Face, other: Face, share: float) -> Face:
    """Return the face that lies `share` of the way from one to the other."""
    return replace(
        one,
        box=((1 - share) * one.box + share * other.box).astype(np.float32),
        points=((1 - share) * one.points + share * other.points).astype(np.float32),
        score=min(one.score, other.score),
    )
