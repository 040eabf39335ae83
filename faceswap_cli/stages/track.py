"""Follow faces from frame to frame: the second step of a frame's way.

Detections miss a frame now and then and tremble by a fraction of a per cent; both show as flicker. A face keeps its
track number within a shot, gaps of a few frames are filled, the points are smoothed without lag from both sides, and
those to be swapped are chosen by track, so the swap does not jump between people. Nothing crosses a scene cut.
Frames come out in order, a fixed few behind; the same frames always give the same tracks.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from ..types import Face, Frame
from .choice import PATIENCE, Choice, Moment

REACH = 3  # frames on each side that smooth a frame's points
LONGEST_GAP = 3  # frames in which a face may be missed and is filled in
LOOK_AHEAD = REACH + LONGEST_GAP

_CUT = 22.0  # mean change of brightness (0..255) from which a frame may begin a new shot
_CUT_RATIO = 3.0  # and so many times the usual change, else it is a moving camera
_THUMBNAIL = (32, 18)
_MOST_STEP = 1.5  # face widths a face may have moved since it was last seen
_MOST_GROWTH = 2.0
_MEMORY_SECONDS = 0.06  # how fast the weight of a neighbour falls with its distance in time
_TREMBLE = 0.01  # share of the face's width: what departs further from an even motion is real and kept


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """A frame with its faces, numbered by track and steadied."""

    frame: Frame
    faces: tuple[Face, ...]  # those to be swapped, the largest first
    faces_found: int


class Track:
    """Number, fill, steady and choose the faces of consecutive frames."""

    def __init__(self, face_limit: int | None) -> None:
        self._numbering = _Numbering()
        self._choice = Choice(face_limit)
        self._window: deque[Moment] = deque()
        self._position = 0  # of the frame to be given next within the window

    def follow(self, sightings: Iterable[tuple[Frame, list[Face]]]) -> Iterator[Located]:
        """Yield every frame with its chosen faces, LOOK_AHEAD frames behind the sightings."""
        for frame, faces in sightings:
            shot, numbered = self._numbering.number(frame, faces)
            self._window.append(Moment(frame, shot, numbered))
            self._fill_gaps()
            if len(self._window) - self._position > LOOK_AHEAD:
                yield self._locate_next()
        while self._position < len(self._window):
            yield self._locate_next()

    def _locate_next(self) -> Located:
        moments, position = list(self._window), self._position
        now = moments[position]
        steadied = {number: _steady(moments, position, number) for number in now.faces}
        ahead = [moment for moment in moments[position:] if moment.shot == now.shot]
        chosen = self._choice.choose(now, ahead)
        faces = sorted((steadied[number] for number in chosen if number in steadied), key=lambda face: -face.area)
        self._advance()
        return Located(now.frame, tuple(faces), len(now.faces))

    def _advance(self) -> None:
        self._position += 1
        while self._position > REACH:
            self._window.popleft()
            self._position -= 1

    def _fill_gaps(self) -> None:
        """Put faces between two sightings of one track that lie few enough frames apart."""
        moments = list(self._window)
        last = moments[-1]
        for number, face in last.faces.items():
            gap = _missed(moments, number)
            if not 0 < gap <= LONGEST_GAP:
                continue
            before = moments[-gap - 2]
            for moment in moments[-gap - 1 : -1]:
                share = (moment.seconds - before.seconds) / (last.seconds - before.seconds)
                moment.faces[number] = _between(before.faces[number], face, share)


class _Numbering:
    """Give each face the number of the track it goes on with."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Face, float]] = {}  # by track: where it was last seen, and when
        self._next = 0
        self._shot = 0
        self._cuts = _Cuts()

    def number(self, frame: Frame, faces: list[Face]) -> tuple[int, dict[int, Face]]:
        """Return the number of the shot and the faces by track."""
        now = float(frame.time)
        if self._cuts.begins_shot(frame.rgb):
            self._shot += 1
            self._known.clear()
        self._known = {number: seen for number, seen in self._known.items() if now - seen[1] <= PATIENCE}
        numbered = {number: replace(faces[index], track=number) for number, index in self._match(faces).items()}
        self._known.update({number: (face, now) for number, face in numbered.items()})
        return self._shot, numbered

    def _match(self, faces: list[Face]) -> dict[int, int]:
        """Pair tracks with faces, the nearest first; a face that is near none begins a track."""
        steps = [
            (step, number, index)
            for number, (known, _) in self._known.items()
            for index, face in enumerate(faces)
            if (step := _step(known, face)) is not None
        ]
        pairs: dict[int, int] = {}
        for _, number, index in sorted(steps):
            if number not in pairs and index not in pairs.values():
                pairs[number] = index
        for index in range(len(faces)):
            if index not in pairs.values():
                pairs[self._next] = index
                self._next += 1
        return pairs


@dataclass(slots=True, eq=False)
class _Cuts:
    """Notice scene cuts by a sudden change of the whole picture."""

    thumbnail: np.ndarray | None = None
    changes: deque[float] = field(default_factory=lambda: deque(maxlen=8))

    def begins_shot(self, rgb: np.ndarray) -> bool:
        """Tell whether this frame begins a new shot; the first one does not."""
        # A few hundred samples are enough, and cost nothing on 4K.
        step = max(1, min(rgb.shape[:2]) // 72)
        thumbnail = cv2.resize(rgb[::step, ::step], _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        if self.thumbnail is None:
            self.thumbnail = thumbnail
            return False
        change = float(np.abs(thumbnail - self.thumbnail).mean())
        usual = float(np.median(self.changes)) if self.changes else 0.0
        self.thumbnail = thumbnail
        self.changes.append(change)
        return change > max(_CUT, _CUT_RATIO * usual)


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


def _step(known: Face, face: Face) -> float | None:
    """Return how far a face moved, in face widths; None when it is too far or too different in size to be the same."""
    sizes = np.sqrt([known.area, face.area])
    step = float(np.linalg.norm(known.points.mean(axis=0) - face.points.mean(axis=0)) / sizes.mean())
    return step if step <= _MOST_STEP and sizes.max() <= _MOST_GROWTH * sizes.min() else None
