"""Decide who is meant: in a photo, and wherever a user names somebody by a photo that they resemble.

Resemblance is decided for a track as a whole, from a few of its views, and kept: the swap does not flicker with the
pose. Likeness is the cosine of the generator's own encoder between the mean of those views and the photo.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from ..options import Options
from ..types import Face
from .choice import PATIENCE, Moment
from .identity import Encoder
from .places import in_order

MOST_VIEWS = 5  # of a track that its likeness is told by
_VIEW_EVERY = 0.5  # seconds between two of them
_DOUBT = 0.1  # below the least likeness up to which one who was taken for the person stays so


@dataclass(frozen=True, slots=True)
class Reference:
    """Somebody who is meant, or is not."""

    embedding: np.ndarray  # (D,) float32, L2 norm 1
    is_meant: bool


@dataclass(slots=True, eq=False)
class _Known:
    """What is known of a track: who it resembles, and by what."""

    last: float  # seconds: when it was in sight
    views: list[np.ndarray] = field(default_factory=list)  # (D,) each
    viewed: float = -np.inf  # seconds: when the last view was taken
    resembles: dict[int, bool] = field(default_factory=dict)  # by number of the reference


class Meant:
    """Tells which faces are meant by photos."""

    def __init__(self, encoder: Encoder, references: list[Reference], least: float) -> None:
        self.best = -1.0  # likeness of anyone to someone meant
        self._encoder, self._references, self._least = encoder, references, least
        self._known: dict[int, _Known] = {}  # by track

    def of_photo(self, rgb: np.ndarray, faces: list[Face]) -> list[Face]:
        """Return the faces that are meant, in the order given."""
        return [face for face in faces if self._is_meant(self._judged(_Known(0.0, [self._encoder.embed(rgb, face)])))]

    def of_clip(self, ahead: list[Moment]) -> list[Moment]:
        """Return the moments known from now on with the faces that are meant alone."""
        now = ahead[0].seconds
        for number in ahead[0].faces:
            known = self._known.setdefault(number, _Known(now))
            known.last = now
            if len(known.views) < MOST_VIEWS and now - known.viewed >= _VIEW_EVERY:
                seen = max(
                    (each for each in ahead if number in each.faces), key=lambda each: _worth(each.faces[number])
                )
                known.views.append(self._encoder.embed(seen.frame.rgb, seen.faces[number]))
                known.viewed = now
                self._judged(known)
        self._known = {number: known for number, known in self._known.items() if now - known.last <= PATIENCE}
        meant = {number for number, known in self._known.items() if self._is_meant(known)}
        return [
            replace(moment, faces={number: face for number, face in moment.faces.items() if number in meant})
            for moment in ahead
        ]

    def _judged(self, known: _Known) -> _Known:
        """Compare a track with everyone named."""
        mean = np.mean(known.views, axis=0)
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
        for number, reference in enumerate(self._references):
            likeness = float(mean @ reference.embedding)
            least = self._least - (_DOUBT if known.resembles.get(number) else 0.0)
            known.resembles[number] = likeness >= least
            if reference.is_meant:
                self.best = max(self.best, likeness)
        return known

    def _is_meant(self, known: _Known) -> bool:
        """Tell whether a track resembles who is meant, if anyone is, and nobody who is not."""
        return all(known.resembles[number] == each.is_meant for number, each in enumerate(self._references))


def chosen(rgb: np.ndarray, faces: list[Face], options: Options, meant: Meant | None) -> tuple[Face, ...]:
    """Return the faces of a photo, given with the largest first, that are to be swapped."""
    if meant is not None:
        faces = meant.of_photo(rgb, faces)
    if options.place is not None:
        numbered = dict(enumerate(faces))
        faces = [numbered[number] for number in in_order(numbered, options.place, rgb.shape)]
    return tuple(faces[: options.face_limit])


def _worth(face: Face) -> float:
    """Tell how good a view is: large, and surely a face."""
    return face.area * face.score
