"""Carry a face over frames in which the detector misses it: the part of tracking that looks at pixels.

Its points go on as the corners in it move from one frame to the next (optical flow of Lucas and Kanade 1981, there and
back), for up to a second, while it looks as it was seen last and a parser says that a face is there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from ..types import Face, Frame
from .align import crop_face
from .appearance import alike, look_of
from .doubles import overlap
from .parse import Parser
from .state import Resumable
from .visible import visible_share

LONGEST = 1.0  # seconds for which a face that is not found is carried on

Consent = Callable[[np.ndarray, Face], bool]  # tells whether a picture (H, W, 3) uint8 shows a face where one is put

_KNOWN = 5  # frames in which a face was found before it is carried: false finds last no longer
_LIKE = 0.5  # `alike` to how it was seen last, from which it is there; over four frames one person's is above that
_FACE = 0.7  # share of what lies between eyes and mouth that a parser must take for a face
_TAKEN = 0.2  # overlap (IoU) with a face that was found from which the place is taken
_SIDE = 160  # pixels that a face is wide in what the flow is found in, at most
_AROUND = 0.6  # of the face's width on each side of it that may show where it went
_CORNERS, _LEAST = 60, 10  # corners that are followed, and those that must agree
_AGREE = 0.5  # share of them that must
_BACK = 1.0  # pixels up to which a corner comes back to where it was
_GROWTH = 1.25  # most by which a face grows or shrinks from one frame to the next


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A track as the detector saw it last."""

    seconds: float
    look: np.ndarray
    frames: int  # so far


class Bridge(Resumable):
    """Carries the faces of consecutive frames, by track."""

    kept: ClassVar[tuple[str, ...]] = ("_found", "_before")
    records: ClassVar[tuple[type, ...]] = (_Found,)

    def __init__(self, consent: Consent) -> None:
        self._consent = consent
        self._found: dict[int, _Found] = {}
        self._before: tuple[Frame, int, Mapping[int, Face]] | None = None  # frame, shot, all faces with those carried

    def carry(
        self, frame: Frame, shot: int, found: Mapping[int, Face], looks: Mapping[int, np.ndarray]
    ) -> dict[int, Face]:
        """Return those of the frame before, by track, that are there and were not found; take note of the frame.

        `looks` (768,) are those of the faces found, see appearance.py.
        """
        now, before = float(frame.time), self._before
        if before is None or before[1] != shot:
            self._found.clear()
        self._note(now, looks)
        carried: dict[int, Face] = {}
        if before is not None and before[1] == shot:
            for number, face in before[2].items():
                if number not in found and self._may(number, now):
                    moved = self._moved(number, face, (before[0].rgb, frame.rgb))
                    if moved is not None and not is_taken(moved, (*found.values(), *carried.values())):
                        carried[number] = moved
        self._before = (frame, shot, {**found, **carried})
        return carried

    def _note(self, now: float, looks: Mapping[int, np.ndarray]) -> None:
        self._found = {number: known for number, known in self._found.items() if now - known.seconds <= LONGEST}
        for number, look in looks.items():
            frames = self._found[number].frames if number in self._found else 0
            self._found[number] = _Found(now, look, frames + 1)

    def _may(self, number: int, now: float) -> bool:
        known = self._found.get(number)
        return known is not None and known.frames >= _KNOWN and now - known.seconds <= LONGEST

    def _moved(self, number: int, face: Face, pictures: tuple[np.ndarray, np.ndarray]) -> Face | None:
        """Return a face of the first picture as it lies in the second; None where it is not seen there."""
        moved = followed(face, *pictures)
        if moved is None or alike(look_of(pictures[1], moved), self._found[number].look) < _LIKE:
            return None
        return moved if self._consent(pictures[1], moved) else None


def parsers_consent(parser: Parser, template: str) -> Consent:
    """Return what tells by a parser, shown crops to a template, whether a face is there.

    It is where what lies between eyes and mouth is face and not covered.
    """

    def is_face(rgb: np.ndarray, face: Face) -> bool:
        (crop,) = parser.parse_crops([crop_face(rgb, face, template, parser.size)])
        return visible_share(crop) >= _FACE

    return is_face


def followed(face: Face, one: np.ndarray, other: np.ndarray) -> Face | None:
    """Return a face of one picture (H, W, 3) uint8 where it went in another of the same size; None where that is lost.

    It may be moved, turned and made larger or smaller: a similarity that most of its corners agree on.
    """
    width = float(face.box[2] - face.box[0])
    corner = np.maximum(np.floor(face.box[:2] - _AROUND * width), 0).astype(int)
    end = np.minimum(np.ceil(face.box[2:] + _AROUND * width), one.shape[1::-1]).astype(int)
    if (end - corner < 2).any():
        return None
    scale = min(1.0, _SIDE / width)
    first, second = (_small(each[corner[1] : end[1], corner[0] : end[0]], scale) for each in (one, other))
    motion = _motion(first, second, (face.box - np.tile(corner, 2)) * scale)
    if motion is None:
        return None
    # the same motion in pixels of the whole picture
    linear, shift = motion[:, :2], motion[:, 2] / scale + corner - motion[:, :2] @ corner
    growth = float(np.sqrt(np.linalg.det(linear)))
    middle, half = (face.box[:2] + face.box[2:]) / 2, growth * (face.box[2:] - face.box[:2]) / 2
    there = linear @ middle + shift
    box = np.concatenate([there - half, there + half]).astype(np.float32)
    return replace(face, box=box, points=(face.points @ linear.T + shift).astype(np.float32))


def _small(rgb: np.ndarray, scale: float) -> np.ndarray:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _motion(one: np.ndarray, other: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """Return the similarity (2, 3) by which what lies in a box of one grey picture moved to the other."""
    within = np.zeros_like(one)
    x0, y0, x1, y1 = np.rint(np.maximum(box, 0)).astype(int)
    within[y0:y1, x0:x1] = 255
    corners = cv2.goodFeaturesToTrack(one, _CORNERS, 0.01, 3, mask=within)
    if corners is None or len(corners) < _LEAST:
        return None
    there, seen, _ = cv2.calcOpticalFlowPyrLK(one, other, corners, None)  # type: ignore[call-overload]
    back, returned, _ = cv2.calcOpticalFlowPyrLK(other, one, there, None)  # type: ignore[call-overload]
    near = np.linalg.norm(back - corners, axis=2) < _BACK
    kept = (near & (seen > 0) & (returned > 0)).ravel()
    if kept.sum() < max(_LEAST, _AGREE * len(corners)):
        return None
    motion, agreeing = cv2.estimateAffinePartial2D(corners[kept], there[kept], ransacReprojThreshold=2.0)
    if motion is None or agreeing.sum() < max(_LEAST, _AGREE * len(corners)):
        return None
    growth = float(np.sqrt(np.linalg.det(motion[:, :2])))
    return motion if 1 / _GROWTH < growth < _GROWTH else None


def is_taken(face: Face, others: Iterable[Face]) -> bool:
    """Tell whether a face that was not found would lie on another one, which was."""
    return any(overlap(face, other) > _TAKEN for other in others)
