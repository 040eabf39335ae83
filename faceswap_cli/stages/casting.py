"""Choose for each role whom to swap in a frame, by what is known of everybody in it: see `choice.py` for the rules."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .choice import Choice, Moment
from .who import Wanted


class Casting:
    """Gives the faces of consecutive frames their roles."""

    def __init__(self, face_limit: int | None, wanted: Sequence[Wanted]) -> None:
        """Choose up to so many faces, None: all, for each role."""
        self._wanted = wanted
        self.choices = [Choice(face_limit, want.place) for want in wanted]

    def choose(self, ahead: list[Moment], known: Mapping[int, int | None]) -> dict[int, int]:
        """Return the tracks to swap now, each with its role; who is meant by several gets the first one's.

        `ahead` are the known frames of a shot from this one on, `known` tells who tracks are among those named.
        """
        roles: dict[int, int] = {}
        seen = {number for moment in ahead for number in moment.faces}
        for role, (want, choice) in enumerate(zip(self._wanted, self.choices, strict=True)):
            free = {number for number in seen if number not in roles and want.may_be(known.get(number))}
            moments = [_only(moment, free) for moment in ahead]
            roles |= dict.fromkeys(choice.choose(moments[0], moments), role)
        return roles


def _only(moment: Moment, numbers: set[int]) -> Moment:
    return replace(moment, faces={number: face for number, face in moment.faces.items() if number in numbers})
