"""What the plan of a clip's tracks holds: who is where in every frame, and who of them is swapped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..media.reader import Clip
from ..stages.track import Located
from ..types import Face, Frame, PassedOver

SOMETIMES = "sometimes"  # swapped in the frames that say so


@dataclass(frozen=True, slots=True, eq=False)
class PlannedFrame:
    """One frame, by what was located in it; places are pixels of the upright picture."""

    index: int  # position in the part of the clip that is swapped, from 0
    pts: int  # in units of the clip's time base
    chosen: tuple[Face, ...]  # to be swapped, the largest first, each with its track and role
    others: tuple[Face, ...] = ()  # in sight and left as they are
    passed_over: tuple[PassedOver, ...] = ()
    shot: int = 0  # counted from 0; a plan on disk tells the cuts alone
    known: Mapping[int, int] = field(default_factory=dict)  # by track: who they are taken for; in no plan on disk

    @classmethod
    def of(cls, located: Located, passed_over: Sequence[PassedOver]) -> "PlannedFrame":
        """Return what was located in a frame, and passed over."""
        at = located.frame
        parts = located.faces, located.others, tuple(passed_over), located.shot, located.known
        return cls(at.index, at.pts, *parts)

    def located(self, frame: Frame) -> Located:
        """Return what locating gave of the frame itself."""
        everybody = (*self.chosen, *self.others)
        tracks = frozenset(face.track for face in everybody)
        return Located(frame, self.chosen, len(everybody), tracks, self.others, self.shot, self.known)

    def without_picture(self, clip: Clip) -> Frame:
        """Return the frame of a clip, black."""
        black = np.broadcast_to(np.uint8(0), (clip.height, clip.width, 3))
        return Frame(black, self.index, self.pts, clip.time_base, start=clip.start_time)


@dataclass(frozen=True, slots=True)
class PlannedPerson:
    """Somebody in the clip, and whether they are swapped: what a person who edits a plan decides."""

    name: str
    tracks: tuple[int, ...]
    swap: bool | str  # True: wherever they are in sight; False: nowhere; SOMETIMES
    source: int | None = None  # number of the source they get; None: as the frames say


class Decisions:
    """Who is swapped, by track, laid over what a frame says."""

    def __init__(self, people: Iterable[PlannedPerson]) -> None:
        self._owners = {track: person for person in people for track in person.tracks}

    def applied(self, frame: PlannedFrame) -> PlannedFrame:
        """Return the frame with those chosen whom the people's entries choose.

        Raises ValueError for somebody to be swapped for whom neither their entry nor the frame names a source.
        """
        roles = {face.track: face.role for face in frame.chosen}
        chosen, others = list[Face](), list[Face]()
        for face in (*frame.chosen, *frame.others):
            role = _role(self._owners[face.track], roles.get(face.track))
            others.append(replace(face, role=0)) if role is None else chosen.append(replace(face, role=role))
        return replace(frame, chosen=tuple(sorted(chosen, key=lambda face: -face.area)), others=tuple(others))


def _role(person: PlannedPerson, said: int | None) -> int | None:
    """Return whose face somebody gets in a frame that says `said`; None where they are left."""
    if person.swap is False or (person.swap == SOMETIMES and said is None):
        return None
    role = said if person.source is None else person.source
    if role is None:
        raise ValueError(f"{person.name} is to be swapped, but no source is said for them: give them one")
    return role
