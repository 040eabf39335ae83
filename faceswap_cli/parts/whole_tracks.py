"""Decide for each track as a whole who it is: between locating a clip and writing its plan.

Somebody who was small, turned or covered at first is known later only. Once all of the clip was gone through, whom to
swap is chosen again, by the same rules, with what was known in the end from the first frame on. A number that comes
back after more than PATIENCE was looked at anew by `who.py`: each of its stays is decided by itself, if it was at all.
"""

import json
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from ..media.reader import Clip
from ..stages.cast import Cast
from ..stages.casting import Casting
from ..stages.choice import PATIENCE, Moment
from ..stages.track import AHEAD
from .frame_record import located_of, located_record
from .plan_file import refused
from .records import PlannedFrame

_Stay = tuple[int, int]  # a track, and which of its stays


def whole_tracks(
    frames: Iterable[PlannedFrame], clip: Clip, cast: Cast, path: Path
) -> Generator[PlannedFrame, None, None]:
    """Yield a clip's frames once all of them are known, each track decided as a whole; meanwhile they lie at `path`.

    Raises OutputError where they cannot.
    """
    verdicts = _Verdicts(clip)
    try:
        with _opened(path) as rows:
            for frame in frames:
                verdicts.add(frame)
                _write(rows, path, frame)
            rows.seek(0)
            again = (located_of(json.loads(row)) for row in rows)
            yield from _chosen_again(verdicts.applied(again), clip, cast) if verdicts.are_late else again
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w+", encoding="utf-8")
    except OSError as error:
        raise refused(path, error) from error


def _write(rows: TextIO, path: Path, frame: PlannedFrame) -> None:
    try:
        rows.write(json.dumps(located_record(frame, 0.0)) + "\n")
        rows.flush()  # a full disk is told here
    except OSError as error:
        raise refused(path, error) from error


class _Stays:
    """Tells the stays of each track apart, as the frames come."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._last: dict[int, tuple[float, int]] = {}  # by track: when it was seen, in which of its stays

    def of(self, frame: PlannedFrame) -> list[_Stay]:
        """Return the stays of those in sight."""
        now, stays = float(frame.pts * self._clip.time_base), []
        for face in (*frame.chosen, *frame.others):
            seen, stay = self._last.get(face.track, (now, 0))
            stay += now - seen > PATIENCE
            self._last[face.track] = now, stay
            stays.append((face.track, stay))
        return stays


class _Verdicts:
    """Who each track is, as it was known in the end."""

    def __init__(self, clip: Clip) -> None:
        self._clip, self._stays = clip, _Stays(clip)
        self._at_first: dict[_Stay, int | None] = {}
        self._at_last: dict[_Stay, int | None] = {}  # of those that were taken for somebody at some time
        self._of_track: dict[int, int] = {}
        self._changed = False

    @property
    def are_late(self) -> bool:
        """Tell whether somebody was not known from the first frame on as in the end."""
        return self._changed or any(self._of(stay) != first for stay, first in self._at_first.items())

    def add(self, frame: PlannedFrame) -> None:
        """Note who those in sight are taken for."""
        for stay in self._stays.of(frame):
            known = frame.known.get(stay[0])
            self._changed |= known != self._at_first.setdefault(stay, known)
            if known is not None:
                self._of_track[stay[0]] = known
            if known is not None or stay in self._at_last:
                self._at_last[stay] = known

    def applied(self, frames: Iterable[PlannedFrame]) -> Iterator[PlannedFrame]:
        """Yield the same frames once more, as if all had been known at once."""
        stays = _Stays(self._clip)
        for frame in frames:
            known = {stay[0]: self._of(stay) for stay in stays.of(frame)}
            yield replace(frame, known={track: who for track, who in known.items() if who is not None})

    def _of(self, stay: _Stay) -> int | None:
        return self._at_last.get(stay, self._of_track.get(stay[0]))


@dataclass(slots=True, eq=False)
class _Chooser:
    """Chooses whom to swap in frame after frame, as far ahead as tracking does."""

    clip: Clip
    casting: Casting
    waiting: deque[tuple[PlannedFrame, Moment]] = field(default_factory=deque)

    def take(self, frame: PlannedFrame) -> None:
        """Take the next frame in."""
        faces = {face.track: face for face in (*frame.chosen, *frame.others)}
        self.waiting.append((frame, Moment(frame.without_picture(self.clip), frame.shot, faces)))

    def next(self) -> PlannedFrame:
        """Return the frame that has waited longest, with those chosen who are to be swapped."""
        frame, now = self.waiting[0]
        known = dict[int, int | None]()
        for each, moment in reversed(self.waiting):
            known |= {track: each.known.get(track) for track in moment.faces}
        roles = self.casting.choose([moment for _, moment in self.waiting if moment.shot == now.shot], known)
        self.waiting.popleft()
        chosen = [replace(now.faces[track], role=role) for track, role in roles.items()]
        others = tuple(replace(face, role=0) for track, face in now.faces.items() if track not in roles)
        return replace(frame, chosen=tuple(sorted(chosen, key=lambda face: -face.area)), others=others)


def _chosen_again(frames: Iterable[PlannedFrame], clip: Clip, cast: Cast) -> Iterator[PlannedFrame]:
    chooser = _Chooser(clip, Casting(cast.limit, cast.wanted))
    for frame in frames:
        chooser.take(frame)
        if len(chooser.waiting) > AHEAD:
            yield chooser.next()
    while chooser.waiting:
        yield chooser.next()
