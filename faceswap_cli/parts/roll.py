"""Keep the roll of a clip: who is in it by which tracks, how long, how large, and whether they were chosen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..media.people_file import People
from ..types import Face
from .records import SOMETIMES, PlannedFrame, PlannedPerson


@dataclass(slots=True, eq=False)
class Entry:
    """Somebody in the clip: one whom the input's people name, else whoever has one track."""

    first: float  # seconds after the clip's first picture
    last: float = 0.0
    frames: int = 0  # in sight
    swapped: int = 0  # of these, chosen
    size: float = 0.0  # shorter side of the largest box in pixels
    tracks: list[int] = field(default_factory=list)
    roles: set[int] = field(default_factory=set)  # that they were chosen for

    def planned(self, name: str) -> PlannedPerson:
        """Return what is decided of them."""
        swap = self.swapped == self.frames if self.swapped in (0, self.frames) else SOMETIMES
        return PlannedPerson(name, tuple(self.tracks), swap, min(self.roles) if len(self.roles) == 1 else None)


class Roll:
    """Everybody seen so far. Whose a track is, most of its frames say."""

    def __init__(self, people: People | None = None) -> None:
        self._people = people
        self._tracks: dict[int, Entry] = {}
        self._votes: dict[int, Counter[int]] = {}  # by track: people of the input

    def add(self, frame: PlannedFrame, seconds: float) -> None:
        """Note who is in a frame."""
        for face in (*frame.chosen, *frame.others):
            entry = self._tracks.setdefault(face.track, Entry(seconds, tracks=[face.track]))
            entry.last, entry.frames = seconds, entry.frames + 1
            entry.size = max(entry.size, float(min(face.box[2:] - face.box[:2])))
            self._vote(face, seconds)
        for face in frame.chosen:
            entry = self._tracks[face.track]
            entry.swapped += 1
            entry.roles.add(face.role)

    def entries(self) -> dict[str, Entry]:
        """Return everybody by name, in the order of appearance: names of the input's people, t0, t1 ... for tracks."""
        named: dict[str, Entry] = {}
        for track, entry in sorted(self._tracks.items()):
            name = self._name(track)
            named[name] = _joined(named[name], entry) if name in named else entry
        return named

    def _vote(self, face: Face, seconds: float) -> None:
        if self._people is not None:
            person = self._people.whose(seconds, face.box)
            if person is not None:
                self._votes.setdefault(face.track, Counter())[person] += 1

    def _name(self, track: int) -> str:
        votes = self._votes.get(track)
        if self._people is None or votes is None:
            return f"t{track}"
        return self._people.persons[votes.most_common(1)[0][0]].name


def planned_people(entries: dict[str, Entry]) -> Sequence[PlannedPerson]:
    """Return what is decided of everybody."""
    return [entry.planned(name) for name, entry in entries.items()]


def _joined(one: Entry, other: Entry) -> Entry:
    return Entry(
        min(one.first, other.first),
        max(one.last, other.last),
        one.frames + other.frames,
        one.swapped + other.swapped,
        max(one.size, other.size),
        [*one.tracks, *other.tracks],
        one.roles | other.roles,
    )
