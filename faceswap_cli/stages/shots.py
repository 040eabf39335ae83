"""Tell where shots begin: the part of tracking that keeps what belongs to one shot out of the next.

A cut changes the whole picture at once and for good. A flash does so too, but the picture before it is back after a few
frames, or is seen through it; a moving camera changes every frame alike. So frames wait until those after them are
known. A dissolve begins a shot where it ends: a face that melts into another's would keep its track. A fade is no cut:
whom it brings in is new, and tracking notices that by itself.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import cv2
import numpy as np

from ..types import Face, Frame
from . import dissolve
from .state import Resumable

FLASH = 3  # frames that a flash lasts at most, and that come out behind

_CUT = 22.0  # mean change of brightness (0..255) from which a frame may begin a new shot
_CUT_RATIO = 3.0  # and so many times the usual change, else it is a moving camera
_BACK = 11.0  # change up to which two frames show the same scene
_SEEN_THROUGH = 0.9  # correlation from which they do in another light
_USUAL = 8  # changes whose median is the usual one
_THUMBNAIL = (32, 18)


class Shots(Resumable):
    """Count the shots of frames, from 0, once a few ahead are known."""

    kept: ClassVar[tuple[str, ...]] = ("_waiting", "_thumbnails", "_position", "_shot", "_changes", "_past")

    def __init__(self) -> None:
        self._waiting: deque[tuple[Frame, Sequence[Face]]] = deque()
        self._thumbnails: deque[np.ndarray] = deque()  # of FLASH + 1 frames before the next one, of it, and ahead
        self._position = 0  # of the next one among them
        self._shot = 0
        self._changes: deque[float] = deque(maxlen=_USUAL)
        # smaller still, of this shot, before the next one
        self._past: deque[np.ndarray] = deque(maxlen=dissolve.LONGEST)

    def of(self, sightings: Iterable[tuple[Frame, Sequence[Face]]]) -> Iterator[tuple[int, Frame, Sequence[Face]]]:
        """Yield frames and faces with the number of their shot, FLASH frames behind."""
        for frame, faces in sightings:
            self._note(frame.rgb)
            self._waiting.append((frame, faces))
            if len(self._waiting) > FLASH:
                yield self._next(), *self._waiting.popleft()
        while self._waiting:
            yield self._next(), *self._waiting.popleft()

    def _note(self, rgb: np.ndarray) -> None:
        # A few hundred samples are enough, and cost nothing on 4K.
        step = max(1, min(rgb.shape[:2]) // 72)
        small = cv2.resize(rgb[::step, ::step], _THUMBNAIL, interpolation=cv2.INTER_AREA)
        self._thumbnails.append(small.astype(np.float32))

    def _next(self) -> int:
        """Return the shot of the next frame."""
        small = [_halved(self._thumbnails[at]) for at in (self._position, -1)]
        if self._position > 0 and (self._begins() or dissolve.is_over(list(self._past), *small)):
            self._shot += 1
            self._past.clear()
        self._past.append(small[0])
        self._position += 1
        while self._position > FLASH + 1:
            self._thumbnails.popleft()
            self._position -= 1
        return self._shot

    def _begins(self) -> bool:
        known, now = list(self._thumbnails), self._position
        change = _change(known[now - 1], known[now])
        usual = float(np.median(self._changes)) if self._changes else 0.0
        self._changes.append(change)
        if change <= max(_CUT, _CUT_RATIO * usual):
            return False
        around = [
            (before, after)
            for back, before in enumerate(reversed(known[:now]))
            for after in known[now : now + FLASH + 1 - back]
        ]
        return not any(_same_scene(*pair) for pair in around)


def _halved(thumbnail: np.ndarray) -> np.ndarray:
    height, width, channels = thumbnail.shape
    means = thumbnail.reshape(height // 2, 2, width // 2, 2, channels).mean(axis=(1, 3))
    return np.rint(means).astype(np.uint8)


def _change(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


def _same_scene(one: np.ndarray, other: np.ndarray) -> bool:
    if _change(one, other) <= _BACK:
        return True
    varying = [(each - each.mean(axis=(0, 1))).ravel() for each in (one, other)]
    return float(varying[0] @ varying[1]) > _SEEN_THROUGH * float(np.prod([np.linalg.norm(each) for each in varying]))
