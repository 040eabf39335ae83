"""Tell whom each role is for, as a user named them: by a place, a photo, or a name among the input's people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import NoFaceError, UsageError
from ..media.face_file import is_face_file, read_face_file
from ..media.people_file import People
from ..media.photo import read_photo
from ..options import Options, Who, read_who
from ..types import Face, Frame, Role, SourcePhoto
from .detect import Detect
from .identity import Encoder, embedding_of, find_faces, look_at
from .places import in_order
from .who import Known, Recogniser, Wanted


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Whom the roles are for."""

    wanted: Sequence[Wanted]  # one for each role
    recogniser: Recogniser | None  # None where nobody is named
    limit: int | None  # how many faces of a picture each role has, the largest first; None: all

    @property
    def names_somebody(self) -> bool:
        """Tell whether it was said who is meant: then nobody else is, however many."""
        return any(each.known is not None or each.place is not None for each in self.wanted)

    def of_photo(self, rgb: np.ndarray, faces: Sequence[Face]) -> dict[int, int]:
        """Return which faces of a photo, given with the largest first, have which role, by their numbers.

        Who is meant by several has the first one.
        """
        known = [None] * len(faces) if self.recogniser is None else self.recogniser.of_photo(rgb, faces)
        roles: dict[int, int] = {}
        for role, want in enumerate(self.wanted):
            free = {
                number: face for number, face in enumerate(faces) if number not in roles and want.may_be(known[number])
            }
            meant = list(free) if want.place is None else in_order(free, want.place, rgb.shape)
            roles |= dict.fromkeys(meant[: self.limit], role)
        return roles

    def nearest(self) -> float | None:
        """Return the best likeness anyone had to somebody a role is for; None where none was looked for."""
        if self.recogniser is None:
            return None
        best = max((self.recogniser.best[want.known] for want in self.wanted if want.known is not None), default=-1.0)
        return best if best > -1 else None


def find_cast(
    names: Sequence[str | None], options: Options, people: People | None, encoder: Encoder, detect: Detect
) -> tuple[Cast, list[str]]:
    """Return whom some roles are for, and notes for the user.

    `names` are as in Options.who; None is whoever the options themselves name. Raises NoFaceError where a photo of
    somebody shows no face, UsageError for a name that is nobody's, for somebody named twice, or in two ways.
    """
    named = [name for name in names if name is not None]
    if named and options.who is not None:
        raise UsageError(f"who is {options.who!r}, and the map names {named[0]!r} too: leave one of them out")
    known = _Named(people, encoder, detect)
    whos = [options.meant if name is None else read_who(name, people is not None, "map") for name in names]
    spared = known.number_of(options.spared)
    wanted = [Wanted(known.number_of(who), spared, who.place) for who in whos]
    if len(set(wanted)) < len(wanted):
        raise UsageError(f"the map names the same person twice: {', '.join(named)}")
    if options.faces != "largest" and any(each.place is not None for each in wanted):
        raise UsageError(f"a place names one, faces {options.faces} several: leave one of them out")
    recogniser = Recogniser(encoder, known.known, options.similarity, people) if known.known else None
    return Cast(wanted, recogniser, options.face_limit), known.notes


def roles_of(sources: Sequence[SourcePhoto | Frame | Role]) -> list[Role]:
    """Return the roles among some sources; the photos beside them are of one who is put in for whoever is meant."""
    roles = [each for each in sources if isinstance(each, Role)]
    photos = [each for each in sources if not isinstance(each, Role)]
    return [*roles, Role(photos)] if photos else roles


class _Named:
    """Numbers those who are named, by a photo or by their name among the input's people."""

    def __init__(self, people: People | None, encoder: Encoder, detect: Detect) -> None:
        self.known: list[Known] = []
        self.notes: list[str] = []
        self._people, self._encoder, self._detect = people, encoder, detect
        self._numbers: dict[Who, int] = {}

    def number_of(self, who: Who) -> int | None:
        """Return somebody's number; None for a place, or nobody in particular."""
        if who.person is None and who.photo is None:
            return None
        if who not in self._numbers:
            self._numbers[who] = len(self.known)
            self.known.append(Known(self._shown(who.photo)) if who.photo is not None else self._called(str(who.person)))
        return self._numbers[who]

    def _called(self, name: str) -> Known:
        if self._people is None:
            raise UsageError(f"who is {name!r}: give the people of the input too, made by `faceswap faces`")
        number, is_ours = self._people.number_of(name), self._people.space == self._encoder.space
        return Known(self._people.persons[number].embedding if is_ours else None, number)

    def _shown(self, photo: Path) -> np.ndarray:
        if is_face_file(photo):
            return embedding_of(look_at(read_face_file(photo), self._detect), self._encoder)
        rgb, faces = find_faces(read_photo(photo).frame.rgb, self._detect)
        if not faces:
            raise NoFaceError(f"no face found in {photo.name}, which is to say who is meant: give a portrait of them")
        if len(faces) > 1:
            self.notes.append(f"{photo.name} shows {len(faces)} faces: the largest says who is meant")
        return self._encoder.embed(rgb, faces[0])
