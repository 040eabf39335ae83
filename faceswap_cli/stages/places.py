"""Order the faces of a picture by place, for a user who names one by it: left, centre, largest, the third largest."""

from collections.abc import Callable

import numpy as np

from ..types import Face

Shape = tuple[int, ...]  # of a picture: height, width


def _x(face: Face) -> float:
    return float(face.box[[0, 2]].mean())


def _y(face: Face) -> float:
    return float(face.box[[1, 3]].mean())


_ORDERS: dict[str, Callable[[Face, Shape], float]] = {
    "largest": lambda face, shape: -face.area,
    "smallest": lambda face, shape: face.area,
    "left": lambda face, shape: _x(face),
    "right": lambda face, shape: -_x(face),
    "top": lambda face, shape: _y(face),
    "bottom": lambda face, shape: -_y(face),
    "centre": lambda face, shape: float(np.hypot(_x(face) - shape[1] / 2, _y(face) - shape[0] / 2)),
}


def in_order(faces: dict[int, Face], place: str, shape: Shape) -> list[int]:
    """Return the numbers of those meant by a place of Options.who, who is meant most first.

    A number N means the N-th largest: nobody, where there are fewer.
    """
    order = _ORDERS["largest" if place.isdigit() else place]
    numbers = sorted(faces, key=lambda number: (order(faces[number], shape), number))
    return numbers[int(place) - 1 : int(place)] if place.isdigit() else numbers
