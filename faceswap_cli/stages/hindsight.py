"""Tell, once somebody is recognised, in which frames before they were left, or swapped, and should not have been.

A clip that is gone through once decides by what is known so far. Somebody who is known only later was left until then,
and somebody who is to be left (`--not-who`, or taken for another at first) was swapped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .choice import PATIENCE
from .track import Located

LATE = "recognised only later"
UNMEANT = "known only later not to be meant"


@dataclass(slots=True, eq=False)
class Left:
    """Somebody in sight with whom it was not done as it should have been, for one stretch of frames."""

    role: int
    track: int
    first: float  # seconds
    last: float  # seconds, of its last frame
    frames: int
    why: str
    number: int = 0  # of its last frame


@dataclass(frozen=True, slots=True, eq=False)
class _Stretch:
    """Frames of a track that were decided alike."""

    role: int | None  # chosen for it; None: left
    known: int | None  # taken for
    done: Left


@dataclass(slots=True, eq=False)
class Hindsight:
    """What was decided of each track of this shot."""

    _stretches: dict[int, list[_Stretch]] = field(default_factory=dict)
    _shot: int = 0

    def add(self, located: Located, number: int, now: float) -> Iterator[Left]:
        """Note a frame, and yield what should have been decided otherwise, as it is known now."""
        if located.shot != self._shot:
            self._shot = located.shot
            self._stretches.clear()
        roles = {face.track: face.role for face in located.faces}
        for track in sorted(located.tracks):
            role, known = roles.get(track), located.known.get(track)
            yield from self._settled(track, role, known, now)
            self._go_on(track, role, known, (number, now))

    def miss(self, track: int) -> None:
        """Note that the swap of a track in the last frame left nothing to be seen; a photo's face has no track."""
        if track in self._stretches:
            self._stretches[track][-1].done.frames -= 1

    def _settled(self, track: int, role: int | None, known: int | None, now: float) -> Iterator[Left]:
        """Yield the stretches of a track that were decided otherwise, as it was taken for another then."""
        stretches = self._stretches.pop(track, [])
        self._stretches[track] = [each for each in stretches if each.role == role]
        for each in stretches:
            forgotten = known is None and now - each.done.last > PATIENCE
            if each.role == role or each.known == known or not each.done.frames:
                continue
            if role is not None and each.role is None:
                yield replace(each.done, role=role)
            elif each.role is not None and not forgotten:
                yield each.done

    def _go_on(self, track: int, role: int | None, known: int | None, moment: tuple[int, float]) -> None:
        stretches, (number, now) = self._stretches[track], moment
        last = stretches[-1] if stretches else None
        if last is None or last.known != known or last.done.number != number - 1:
            done = Left(role or 0, track, now, now, 0, LATE if role is None else UNMEANT)
            last = _Stretch(role, known, done)
            stretches.append(last)
        last.done.last, last.done.number, last.done.frames = now, number, last.done.frames + 1
