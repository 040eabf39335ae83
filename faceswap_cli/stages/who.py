"""Decide who is who: wherever a user names somebody by a photo, or by a name that `faceswap faces` gave them.

It is decided for a track as a whole, and kept: the swap does not flicker with the pose, and nobody is taken for
somebody else in passing. Who was written down for this very clip is known by when and where they are; everybody else by
likeness, the cosine of the generator's own encoder between the mean of a track's best views and whoever is likest.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..media.people_file import People
from ..types import Face
from .choice import PATIENCE, Moment
from .identity import Encoder
from .merit import merit_of
from .state import Resumable

MOST_VIEWS = 5  # of a track that its likeness is told by
_VIEW_EVERY = 0.5  # seconds between two of them
_BETTER = 1.5  # times the merit of the worst of them has a view that takes its place: who comes near is seen better
_DOUBT = 0.1  # likeness by which somebody must fall short, or another be likest, to be no longer taken for the same


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who gets a role's face, of those in a picture: somebody who is known, a place, or whoever is largest."""

    known: int | None = None  # number of the one, among those known; None: anybody
    spared: int | None = None  # number of one who does not get it
    place: str | None = None  # see `places.py`

    def may_be(self, known: int | None) -> bool:
        """Tell whether a face may be meant, by who it is among those known; None: nobody known."""
        is_spared = known is not None and known == self.spared
        return not is_spared and (self.known is None or known == self.known)


@dataclass(slots=True, eq=False)
class _Track:
    """What is known of a track: who it is, and by what."""

    last: float  # seconds: when it was in sight
    views: list[np.ndarray] = field(default_factory=list)  # (D,) each
    merits: list[float] = field(default_factory=list)  # of these
    viewed: float = -np.inf  # seconds: when the last view was taken
    known: int | None = None  # who it is
    is_certain: bool = False  # by when and where it is


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Somebody a user named."""

    embedding: np.ndarray | None  # (D,) float32, L2 norm 1; None where it is of another encoder
    person: int | None = None  # which of the people written down; None for one who is shown by a photo


class Recogniser(Resumable):
    """Tells who of those known a face is: nobody, or one."""

    kept: ClassVar[tuple[str, ...]] = ("best", "_tracks")
    records: ClassVar[tuple[type, ...]] = (_Track,)

    def __init__(self, encoder: Encoder, known: Sequence[Known], least: float, people: People | None = None) -> None:
        self.best = [-1.0] * len(known)  # likeness of anyone to each
        self._encoder, self._known, self._least, self._people = encoder, known, least, people
        named = [each.person for each in known]
        self._written = {person: number for number, person in enumerate(named) if person is not None}
        self._tracks: dict[int, _Track] = {}

    def of_photo(self, rgb: np.ndarray, faces: Sequence[Face]) -> list[int | None]:
        """Return who each face of a photo is."""
        return [self._of_photo(rgb, face, self._whose(0.0, face)) for face in faces]

    def of_clip(self, ahead: list[Moment]) -> dict[int, int | None]:
        """Return who each track is that is or was in sight; `ahead` are the moments known from now on."""
        now = ahead[0].seconds
        for number in ahead[0].faces:
            track = self._tracks.setdefault(number, _Track(now))
            track.last = now
            if not track.is_certain and now - track.viewed >= _VIEW_EVERY:
                track.viewed = now
                seen = [(each, each.faces[number]) for each in ahead if number in each.faces]
                self._look(track, seen if len(track.views) < MOST_VIEWS else seen[:1])
        self._tracks = {number: track for number, track in self._tracks.items() if now - track.last <= PATIENCE}
        return {number: track.known for number, track in self._tracks.items()}

    def _of_photo(self, rgb: np.ndarray, face: Face, person: int | None) -> int | None:
        if person is not None and self._is_certain(person):
            return self._written.get(person)
        return self._likest([self._encoder.embed(rgb, face)], person)

    def _look(self, track: _Track, seen: list[tuple[Moment, Face]]) -> None:
        """Say who a track is by where it is written down, else by one more view, if it is good enough."""
        votes = Counter(self._whose(float(moment.frame.shown), face) for moment, face in seen)
        votes.pop(None, None)
        person = votes.most_common(1)[0][0] if votes else None
        if person is not None and self._is_certain(person):
            track.known, track.is_certain = self._written.get(person), True
            return
        merits = [merit_of(moment.frame.rgb, face) for moment, face in seen]
        best = int(np.argmax(merits))
        if len(track.views) == MOST_VIEWS:
            worst = int(np.argmin(track.merits))
            if merits[best] <= _BETTER * track.merits[worst]:
                return
            del track.views[worst], track.merits[worst]
        moment, face = seen[best]
        track.views.append(self._encoder.embed(moment.frame.rgb, face))
        track.merits.append(merits[best])
        track.known = self._likest(track.views, person, track.known)

    def _whose(self, seconds: float, face: Face) -> int | None:
        return None if self._people is None else self._people.whose(seconds, face.box)

    def _is_certain(self, person: int) -> bool:
        """Tell whether it settles who a face is that one of the people written down is there."""
        return person in self._written or len(self._written) == len(self._known)

    def _likest(self, views: list[np.ndarray], person: int | None, before: int | None = None) -> int | None:
        """Return whom some views show, who was taken for somebody before; None where they are like nobody enough.

        A person written down and not named, of whom one is known to be, can only be who is shown by a photo.
        """
        mean = np.mean(views, axis=0)
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
        likeness = [
            -1.0 if each.embedding is None or None not in (person, each.person) else float(mean @ each.embedding)
            for each in self._known
        ]
        self.best = [max(pair) for pair in zip(self.best, likeness, strict=True)]
        favoured = [value + _DOUBT * (number == before) for number, value in enumerate(likeness)]
        likest = int(np.argmax(favoured))
        return likest if favoured[likest] >= self._least else None
