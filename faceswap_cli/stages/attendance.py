"""Keep the books of who was in sight and not swapped, or swapped and not meant: when, and why.

Somebody whose track goes on after a gap, or begins anew in the same place, was in sight in it, unless they went and
came over the picture's edge. Times are seconds after the clip's first picture.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..types import BELOW_THRESHOLD, TOO_SMALL, TURNED, Face, Frame, PassedOver, Swapped
from .choice import PATIENCE
from .doubles import overlap
from .hindsight import LATE, Hindsight, Left
from .merit import facing
from .track import Located

COVERED = "covered or not found"
_TURNED = 0.35  # `facing` below which a face that is lost was turning away
_EDGE = 0.1  # of a face's width from the picture's edge is at it
_SAME_PLACE = 0.2  # overlap (IoU) from which what was passed over lies where somebody is


@dataclass(slots=True, eq=False)
class _Track:
    """Somebody who was chosen."""

    track: int
    shot: int
    first: float  # seconds
    last: float  # seconds
    number: int  # of the last frame that shows them
    face: Face  # there
    frames: int = 0  # swapped
    step: np.ndarray = field(default_factory=lambda: np.zeros(4))  # pixels by which each side of the box moved into it
    told: int = -1  # number of the last frame of a gap behind it that was noted under another number


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """A frame, by what is known of it."""

    number: int
    seconds: float
    tracks: frozenset[int]  # in sight
    faces: tuple[Face, ...]  # to be swapped
    passed_over: Sequence[PassedOver]


@dataclass(slots=True, eq=False)
class Attendance:
    """What is known of everybody who was chosen in a run."""

    left: list[Left] = field(default_factory=list)
    unmeant: list[Left] = field(default_factory=list)  # swapped before it was known that they are not to be
    _tracks: dict[tuple[int, int], _Track] = field(default_factory=dict)  # by role and track
    _open: dict[int, Left] = field(default_factory=dict)  # by track, the last one
    _recent: deque[_Moment] = field(default_factory=deque)  # of the last PATIENCE seconds
    _hindsight: Hindsight = field(default_factory=Hindsight)
    _passed: dict[int, Sequence[PassedOver]] = field(default_factory=dict)  # by pts, of frames that are to come
    _frames: int = 0

    def pass_over(self, frame: Frame, passed_over: Sequence[PassedOver]) -> None:
        """Note what was seen in a frame and not taken for a face to be swapped."""
        self._passed[frame.pts] = passed_over

    def passed_over(self, pts: int) -> Sequence[PassedOver]:
        """Return what was noted of a frame, told by its time, that was not added yet."""
        return self._passed.get(pts, ())

    def add(self, located: Located) -> None:
        """Note who is in sight, and who was in the frames before in which they were not found."""
        now = float(located.frame.shown)
        passed = self._passed.pop(located.frame.pts, [])
        for each in self._hindsight.add(located, self._frames, now):
            (self.left if each.why == LATE else self.unmeant).append(each)
        for face in located.faces:
            known = self._tracks.get((face.role, face.track))
            before = known or self._lost(face, located)
            if before is not None and not _went_over_edge(before, face, located.frame):
                self._note_gap(before, face, now)
            if known is None:
                known = _Track(face.track, located.shot, now, now, self._frames, face)
                self._tracks[face.role, face.track] = known
            known.step = _step(known, face, self._frames)
            known.last, known.number, known.face, known.frames = now, self._frames, face, known.frames + 1
        self._recent.append(_Moment(self._frames, now, located.tracks, located.faces, passed))
        while now - self._recent[0].seconds > PATIENCE:
            self._recent.popleft()
        self._frames += 1

    def miss(self, swapped: Swapped) -> None:
        """Note the faces of a frame that was added whose swap left nothing to be seen."""
        number = self._recent[-1].number
        for each in swapped.missed:
            role, track = each.face.role, each.face.track
            self._tracks[role, track].frames -= 1
            self._hindsight.miss(track)
            self._note(role, track, (number, float(swapped.frame.shown)), each.why)

    def report(self, names: Sequence[str | None]) -> list[dict[str, Any]]:
        """Return for each role, called by name, when they were swapped, when and why not, and when others were."""
        return [
            {
                "who": name,
                "faces_swapped": sum(each.frames for (own, _), each in self._tracks.items() if own == role),
                "tracks": [
                    {"track": track, "seconds": [round(each.first, 3), round(each.last, 3)], "frames": each.frames}
                    for (own, track), each in self._tracks.items()
                    if own == role
                ],
                "left": [_record(each) for each in self.left if each.role == role],
                "unmeant": [_record(each) for each in self.unmeant if each.role == role],
            }
            for role, name in enumerate(names)
        ]

    def _lost(self, face: Face, located: Located) -> _Track | None:
        """Return whoever was lost where a new track of the same role begins: it may be theirs."""
        lost = [
            each
            for (role, track), each in self._tracks.items()
            if role == face.role and track not in located.tracks and each.shot == located.shot
        ]
        near = [each for each in lost if overlap(each.face, face) >= _SAME_PLACE]
        return max(near, key=lambda each: each.number, default=None)

    def _note_gap(self, known: _Track, face: Face, now: float) -> None:
        """Note the frames since somebody was seen last, if they are few enough for them to have been in sight."""
        if known.number >= self._frames - 1 or now - known.last > PATIENCE:
            return
        begun, known.told = max(known.number, known.told), self._frames - 1
        for moment in self._recent:
            if moment.number > begun and not {face.track, known.track} & moment.tracks:
                share = (moment.seconds - known.last) / (now - known.last)
                there = replace(face, box=((1 - share) * known.face.box + share * face.box).astype(np.float32))
                if any(each.role == face.role and overlap(there, each) >= _SAME_PLACE for each in moment.faces):
                    continue  # they are, under another number
                why = _why(there, min(facing(known.face), facing(face)), moment.passed_over)
                self._note(face.role, face.track, (moment.number, moment.seconds), why)

    def _note(self, role: int, track: int, moment: tuple[int, float], why: str) -> None:
        """Note one frame, in one stretch with the frame before it."""
        number, seconds = moment
        known = self._open.get(track)
        if known is None or known.why != why or known.number != number - 1:
            known = self._open[track] = Left(role, track, seconds, seconds, 0, why)
            self.left.append(known)
        known.last, known.number, known.frames = seconds, number, known.frames + 1


def _why(there: Face, faced: float, passed_over: Sequence[PassedOver]) -> str:
    """Tell why a face was not found where it must have been, which looked so far ahead beside the gap."""
    reasons = {each.why for each in passed_over if overlap(there, each.face) >= _SAME_PLACE}
    for why in (TOO_SMALL, BELOW_THRESHOLD):
        if why in reasons:
            return why
    return TURNED if faced < _TURNED else COVERED


def _step(known: _Track, face: Face, number: int) -> np.ndarray:
    """Return by how many pixels the sides of a box (4,) moved from one frame to the next; 0 behind a gap."""
    return np.abs(face.box - known.face.box) if known.number == number - 1 else np.zeros(4)


def _went_over_edge(before: _Track, face: Face, frame: Frame) -> bool:
    """Tell whether somebody was lost and found at the picture's edge, as near as a step of theirs leads over it."""
    return _at_edge(before.face, frame, before.step) and _at_edge(face, frame, before.step)


def _at_edge(face: Face, frame: Frame, step: np.ndarray) -> bool:
    height, width = frame.rgb.shape[:2]
    near = np.maximum(_EDGE * float(face.box[2] - face.box[0]), step)
    return bool((face.box[:2] <= near[:2]).any() or (face.box[2:] >= np.array([width, height]) - near[2:]).any())


def _record(left: Left) -> dict[str, Any]:
    seconds = [round(left.first, 3), round(left.last, 3)]
    return {"track": left.track, "seconds": seconds, "frames": left.frames, "why": left.why}
