"""What the detector is shown of a picture: which part of it, how large, which way up; and the way back.

Detectors find faces that stand upright, give or take 45 degrees, and are some 24 to 300 pixels wide in what they see.
So a picture is turned by quarters for faces that lie or stand on their heads, and cut into tiles for small ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..types import Face

# Longest side of what the detector sees, in pixels. Measured with SCRFD-2.5G on 22 clips: below 48 px of face width the
# points begin to jitter, above 330 px faces are missed.
SIDES = (320, 480, 640)
GOOD_WIDTH = (48, 300)
TURNS = (0, 1, 2, 3)  # quarter turns, counter-clockwise, by which a picture is turned before it is looked at
MOST_AROUND = 4  # tiles of a clip's frame that are looked at to follow small faces
LEAST_WIDTH = 24  # pixels of a face in what the detector sees from which it is found
_TILE = 640  # pixels a side of what the detector sees of a tile
_OVERLAP = 160  # pixels of it that it shares with its neighbour: smaller faces are whole in one of them
_EDGE = 2.0  # pixels from a tile's edge up to which a face may go on behind it
_MOST_ENLARGED = 2.0
_COARSER = 4  # times: a row of tiles and the next, of one size, find faces of 24 to 160 and of 96 to 640 pixels


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of a picture, in its pixels, that is seen `scale` times as large."""

    x: int
    y: int
    width: int
    height: int
    scale: float

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Return what the detector sees of an image."""
        part = image[self.y : self.y + self.height, self.x : self.x + self.width]
        shape = (max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale)))
        way = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        return part if self.scale == 1 else cv2.resize(part, shape, interpolation=way)

    def shows_whole(self, face: Face, shape: tuple[int, ...]) -> bool:
        """Tell whether a face found in the tile, given in pixels of the picture, ends before the tile does."""
        low = [start + _EDGE if start > 0 else -np.inf for start in (self.x, self.y)]
        ends = ((self.x + self.width, shape[1]), (self.y + self.height, shape[0]))
        high = [end - _EDGE if end < size else np.inf for end, size in ends]
        return bool((face.box[:2] >= low).all() and (face.box[2:] <= high).all())

    def to_picture(self, face: Face) -> Face:
        """Return a face found in what the detector saw as it lies in the picture."""
        corner = np.array([self.x, self.y], np.float32)
        return Face(face.box / self.scale + np.tile(corner, 2), face.points / self.scale + corner, face.score)


@dataclass(frozen=True, slots=True)
class Views:
    """How a picture is looked at: whole, so long and turned so, and in these tiles as it stands."""

    sides: tuple[int, ...] = (SIDES[-1], SIDES[0])  # longest side of what is seen, in pixels, one after another
    turns: tuple[int, ...] = (0,)  # quarter turns, counter-clockwise
    tiles: Sequence[Tile] = ()


WHOLE = Views()


def tiles(shape: tuple[int, ...], least: float, whole_side: int) -> Iterator[Tile]:
    """Yield what shows every face of `least` pixels and more that is too small when the whole is `whole_side` long."""
    found_whole = LEAST_WIDTH * max(shape[:2]) / whole_side
    scale = tile_scale(least)
    size = least
    while size < found_whole:
        side = round(_TILE / scale)
        for y in _starts(shape[0], scale):
            for x in _starts(shape[1], scale):
                yield Tile(x, y, min(side, shape[1]), min(side, shape[0]), scale)
        size = _OVERLAP / scale
        scale /= _COARSER


def tiles_around(faces: list[Face], shape: tuple[int, ...], scale: float) -> list[Tile]:
    """Return tiles that show faces, those named first before others, as many as MOST_AROUND."""
    side, found = round(_TILE / scale), list[Tile]()
    for face in faces:
        if len(found) < MOST_AROUND and not any(each.shows_whole(face, shape) for each in found):
            x, y = (face.box[:2] + face.box[2:] - side) / 2
            left, top = max(0, min(round(float(x)), shape[1] - side)), max(0, min(round(float(y)), shape[0] - side))
            found.append(Tile(left, top, min(side, shape[1]), min(side, shape[0]), scale))
    return found


def tile_scale(least: float) -> float:
    """Return how many times as large faces of `least` pixels must be seen to be found."""
    return min(LEAST_WIDTH / least, _MOST_ENLARGED)


def _starts(length: int, scale: float) -> list[int]:
    """Return where tiles begin, spread evenly over a length in pixels of the picture."""
    side, shared = round(_TILE / scale), round(_OVERLAP / scale)
    count = max(1, int(np.ceil((length - shared) / (side - shared))))
    return [round(each) for each in np.linspace(0, max(0, length - side), count)]


def turned(image: np.ndarray, turn: int) -> np.ndarray:
    """Return an image turned by quarters, counter-clockwise."""
    return np.ascontiguousarray(np.rot90(image, turn)) if turn else image


def turned_back(face: Face, turn: int, width: int, height: int) -> Face:
    """Return a face seen in a turned image as it lies in the image, which is `width` by `height`."""
    if not turn:
        return face
    corners = _turned_back(face.box.reshape(2, 2), turn, width, height)
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Face(box, _turned_back(face.points, turn, width, height), face.score)


def _turned_back(points: np.ndarray, turn: int, width: int, height: int) -> np.ndarray:
    x, y = points[:, 0], points[:, 1]
    columns = {1: (width - 1 - y, x), 2: (width - 1 - x, height - 1 - y), 3: (y, height - 1 - x)}[turn]
    return np.column_stack(columns).astype(np.float32)


def turn_of(face: Face) -> int:
    """Return the quarter turns that bring a face nearest to upright."""
    return round(tilt(face, 0) / 90) % 4


def tilt(face: Face, turn: int) -> float:
    """Return by how many degrees, -180..180, a face leans clockwise once the picture is turned by quarters."""
    across, down = face.points[3:].mean(axis=0) - face.points[:2].mean(axis=0)
    leaning = float(np.degrees(np.arctan2(-across, down))) - 90 * turn
    return (leaning + 180) % 360 - 180


def standing(face: Face, side: int) -> np.ndarray:
    """Return the matrix (2, 3) from the picture to a square in whose middle a face stands, half as long."""
    x, y = face.points.mean(axis=0)
    scale = side / (2 * float(max(face.box[2:] - face.box[:2])))
    to_square = cv2.getRotationMatrix2D((float(x), float(y)), tilt(face, 0), scale)
    to_square[:, 2] = to_square[:, 2] + (side - 1) / 2 - np.array([x, y])
    return to_square


def is_central(face: Face, side: int) -> bool:
    """Tell whether a face found in such a square is the one in its middle."""
    return bool((np.abs(face.points.mean(axis=0) - side / 2) < side / 8).all())
