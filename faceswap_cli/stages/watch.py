"""Find the faces of a clip with as little looking as keeps them all: part of the first step of a frame's way.

Every few frames, and at once when a face is lost or comes, all sizes are searched, now and then every way up; between,
one look is enough: at the smallest size that shows the known faces well, turned as they are. Small faces are followed
in tiles, and looked for in one tile at a time.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..types import Detections, Face
from .detect import Detect
from .doubles import overlap
from .state import Resumable
from .views import GOOD_WIDTH, SIDES, TURNS, Tile, Views, tile_scale, tiles, tiles_around, tilt, turn_of

_SEARCH_EVERY = 6  # frames between two searches at every size, and at least between two every way up
_TURN_EVERY = 48  # frames between two searches every way up where nothing happens
_LEANING = 55.0  # degrees up to which a face is upright enough to go on being looked at as it was
_FINER = 1.2  # times as large as in the whole picture must a tile show a face to be worth a look


class Watch(Resumable):
    """Find the faces of consecutive frames."""

    kept: ClassVar[tuple[str, ...]] = (
        "_side",
        "_turns",
        "_tiles",
        "_at_a_glance",
        "_since_search",
        "_since_turned",
        "_previous",
        "_searches",
    )
    records: ClassVar[tuple[type, ...]] = (Tile,)

    def __init__(self, detect: Detect) -> None:
        self._detect = detect
        self._side: int | None = None  # at which the larger ones of the known faces are seen well
        self._turns: tuple[int, ...] = (0,)  # by which they are upright
        self._tiles: list[Tile] = []  # that show the smaller ones
        self._at_a_glance = False  # whether that shows all of them
        self._since_search, self._since_turned = 0, _TURN_EVERY
        self._previous: Sequence[Face] = ()
        self._searches = 0

    def find(self, rgb: np.ndarray) -> Detections:
        """Return the faces of the next frame, the largest first."""
        self._since_search += 1
        self._since_turned += 1
        happened = not self._previous
        if self._at_a_glance and self._since_search < _SEARCH_EVERY:
            sides = () if self._side is None else (self._side,)
            faces = self._detect.detect(rgb, Views(sides, self._turns, self._tiles))
            happened = not faces or _any_apart(self._previous, faces) or _any_apart(faces, self._previous)
            if not happened:
                return self._know(faces, rgb.shape)
        return self._search(rgb, happened)

    def _search(self, rgb: np.ndarray, happened: bool) -> Detections:
        """Look at all sizes, the one in use first, so that known faces keep the look of their points."""
        first = self._side or SIDES[-1]
        sides = (first, *(side for side in (SIDES[-1], SIDES[0]) if side != first))
        more: tuple[int, ...] = (0,)
        if self._since_turned >= (_SEARCH_EVERY if happened else _TURN_EVERY):
            more, self._since_turned = TURNS, 0
        turns = tuple(dict.fromkeys((*self._turns, *more)))
        tiles = [*self._tiles, *self._next_tiles(rgb.shape)]
        faces = self._detect.detect(rgb, Views(sides, turns, tiles))
        self._since_search = 0
        return self._know(faces, rgb.shape)

    def _next_tiles(self, shape: tuple[int, ...]) -> list[Tile]:
        """Return where small faces are to be looked for: everywhere at first, then in one tile after another."""
        every, number = list(tiles(shape, self._detect.min_face, SIDES[-1])), self._searches
        self._searches += 1
        return every if number == 0 else every[number % len(every) :][:1] if every else []

    def _know(self, faces: Detections, shape: tuple[int, ...]) -> Detections:
        """Remember the faces of a frame, and how they are seen best."""
        self._previous = faces
        if faces:  # who is lost comes back the same way up
            self._turns = tuple(sorted({self._turn(face) for face in faces}))
        self._tiles, followed = self._follow_small(faces, shape)
        rest = [face for face in faces if face not in followed]
        self._side = _choose_side(rest, shape, self._side)
        self._at_a_glance = bool(faces) and (self._side is not None or not rest)
        return faces

    def _turn(self, face: Face) -> int:
        """Return the turn by which a face is upright, one in use before others."""
        return next((turn for turn in self._turns if abs(tilt(face, turn)) <= _LEANING), turn_of(face))

    def _follow_small(self, faces: Sequence[Face], shape: tuple[int, ...]) -> tuple[list[Tile], list[Face]]:
        """Return tiles that show faces better than a whole picture does, and those faces."""
        whole, scale = SIDES[-1] / max(shape[:2]), tile_scale(self._detect.min_face)
        if scale < _FINER * whole:
            return [], []
        small = [face for face in faces if whole * _width(face) < GOOD_WIDTH[0] and self._turn(face) == 0]
        around = tiles_around(small, shape, scale)
        return around, [face for face in small if any(tile.shows_whole(face, shape) for tile in around)]


def _any_apart(faces: Sequence[Face], others: Sequence[Face]) -> bool:
    """Tell whether a face overlaps none of the others."""
    return any(not any(overlap(face, other) > 0 for other in others) for face in faces)


def _choose_side(faces: list[Face], shape: tuple[int, ...], current: int | None) -> int | None:
    """Return the smallest side at which every face is wide enough; the current one while it serves."""
    if not faces:
        return None
    widths = [_width(face) / max(shape[:2]) for face in faces]
    fitting = [side for side in SIDES if min(widths) * side >= GOOD_WIDTH[0] and max(widths) * side <= GOOD_WIDTH[1]]
    if current in fitting:
        return current
    return fitting[0] if fitting else None


def _width(face: Face) -> float:
    return float(face.box[2] - face.box[0])
