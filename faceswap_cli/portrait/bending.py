"""Warp the picture around a face so that its points lie elsewhere and nothing far from it moves.

A thin-plate spline (Bookstein 1989) carries the points to their goals, the hairline and a ring around the face stand
still, and just inside the ring the move fades to nothing. It is worked out on a coarse grid and applied to the frame's
own pixels, so that hair and background keep their sharpness. Moves are those of the warped picture's pixels to where
they come from.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..stages.align import inverse, transform
from ..stages.bars import Area
from ..types import Crop, Patch
from .landmarks import with_forehead

_STIFFNESS = 1e-6  # how far the spline may pass a point by
_NODES = 64  # a side, at which the move is worked out; between them it is all but straight
_RING = _NODES // 2  # points that stand still
_AWAY = 0.3  # share of the side: how far from the face they lie
_FADE = _AWAY / 2  # over the outer part of it the move fades
_MOVED = 0.5  # pixels by which one has moved noticeably; up to a fifth of that it is the frame's own


class Field:
    """The moves around one face, in shares of its crop's side."""

    def __init__(self, points: np.ndarray, goals: np.ndarray, others: list[np.ndarray] | None = None) -> None:
        """Bring points (66, 2) to their goals (66, 2); other faces of the frame, points (66, 2) too, stay."""
        self.goals = goals
        self._others = [_hull(each) for each in others or []]
        self._hull = _hull(np.vstack([points, goals]))
        self.ring = self._still()
        still = np.vstack([with_forehead(points)[len(points) :], self.ring])  # a hairline that follows bends crowns too
        self._centres = np.vstack([goals, still])
        self._weights = self._spline(np.vstack([points - goals, np.zeros_like(still)]))

    def at(self, places: np.ndarray) -> np.ndarray:
        """Return the moves (P, 2) of places (P, 2)."""
        share = np.clip((_AWAY - _outside(self._hull, places)) / _FADE, 0, 1)
        for other in self._others:
            share = np.minimum(share, np.clip(_outside(other, places) / _FADE, 0, 1))
        moves, near = np.zeros_like(places), np.flatnonzero(share)
        share = share[near]
        moves[near] = self._carry(places[near]) * (share * share * (3 - 2 * share))[:, None]
        return moves

    def _carry(self, places: np.ndarray) -> np.ndarray:
        """Return the spline's moves (P, 2) of places (P, 2), which do not fade."""
        count = len(self._centres)
        straight = np.column_stack([np.ones(len(places)), places]) @ self._weights[count:]
        return np.asarray(_kernel(places, self._centres) @ self._weights[:count] + straight)

    def carried(self, places: np.ndarray) -> np.ndarray:
        """Return where places (P, 2) of the picture as it was lie in the warped one."""
        there = places
        for _ in range(6):  # a fixed point: moves change little from place to place
            there = places - self.at(there)
        return there

    def _still(self) -> np.ndarray:
        """Return places (24, 2) all around the face that lie as far away as the moves reach."""
        middle = self._hull.mean(axis=0)
        angles = np.arange(_RING) * (2 * np.pi / _RING)
        directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        reaches = np.linspace(0, 2 * np.linalg.norm(self._hull - middle, axis=1).max() + 2 * _AWAY, 200)
        rays = middle + directions[:, None] * reaches[:, None]
        within = (_outside(self._hull, rays.reshape(-1, 2)) < _AWAY).reshape(_RING, -1)
        return np.asarray(rays[np.arange(_RING), within.sum(axis=1)])

    def _spline(self, moves: np.ndarray) -> np.ndarray:
        """Return the spline's weights (K + 3, 2) for the moves (K, 2) of its centres."""
        count = len(self._centres)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _kernel(self._centres, self._centres) + _STIFFNESS * np.eye(count)
        system[:count, count:] = np.column_stack([np.ones(count), self._centres])
        system[count:, :count] = system[:count, count:].T
        return np.asarray(np.linalg.solve(system, np.vstack([moves, np.zeros((3, 2))])))


@dataclass(frozen=True, slots=True, eq=False)
class FrameWarp:
    """A rectangle of a frame that changes when the frame is warped around a face."""

    x: int  # left edge in pixels of the upright frame
    y: int  # top edge
    moves: np.ndarray  # (h, w, 2) float32, pixels
    nodes: np.ndarray  # (64, 64, 2) float32, the same on a coarse grid
    area: Area  # of the frame, in which its picture lies

    def patch(self, rgb: np.ndarray) -> Patch | None:
        """Return what of a frame (H, W, 3) uint8 changes when it is warped; None where nothing does."""
        share = self.changed()
        x, y, width, height = cv2.boundingRect((share > 0).astype(np.uint8))
        if width == 0:
            return None
        part = slice(y, y + height), slice(x, x + width)
        left, top, right, bottom = self.area
        origins = _origins(self.moves[part] + np.array([self.x - left, self.y - top], np.float32), (x, y))
        pixels = _sampled(rgb[top:bottom, left:right], origins, cv2.INTER_CUBIC)
        return Patch(self.x + x, self.y + y, pixels, share[part])

    def changed(self) -> np.ndarray:
        """Return (h, w) float32 in [0, 1]: 1 where pixels moved noticeably, 0 where the frame's own stay."""
        length = np.sqrt(self.moves[..., 0] ** 2 + self.moves[..., 1] ** 2)
        share: np.ndarray = np.clip((length - _MOVED / 5) / (_MOVED - _MOVED / 5), 0, 1)
        return share


def frame_warp(crop: Crop, field: Field, area: Area) -> FrameWarp | None:
    """Return how the field of a crop warps a frame whose picture is this; None where it lies outside the picture."""
    size, to_frame = crop.image.shape[0], inverse(crop.to_crop)
    corners = transform(field.ring * size - 0.5, to_frame)
    x0, y0 = (int(edge) for edge in np.maximum(np.floor(corners.min(axis=0)), area[:2]))
    x1, y1 = (int(edge) for edge in np.minimum(np.ceil(corners.max(axis=0)) + 1, area[2:]))
    if x0 >= x1 or y0 >= y1:
        return None
    across, down = ((np.arange(_NODES) + 0.5) * length / _NODES - 0.5 for length in (x1 - x0, y1 - y0))
    places = np.stack(np.meshgrid(across + x0, down + y0), axis=-1).reshape(-1, 2)
    moves = field.at((transform(places, crop.to_crop) + 0.5) / size) * size @ to_frame[:, :2].T
    first = np.array(area[:2])
    moves = kept_within(moves, places - first, np.array(area[2:]) - first - 1)
    nodes = moves.reshape(_NODES, _NODES, 2).astype(np.float32)
    return FrameWarp(x0, y0, cv2.resize(nodes, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC), nodes, area)


def kept_within(moves: np.ndarray, places: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return moves (P, 2) of pixels at places (P, 2) that lead out of no picture whose last pixel is `last` (2,).

    A chin near its edge would else be drawn from beyond it, which is the chin mirrored. Up to half of the way
    to the edge a move m stays; from there on it nears the whole way r, as r - r^2 / 4m.
    """
    way = np.maximum(np.where(moves > 0, last - places, places), 0)
    length = np.maximum(np.abs(moves), 1e-9)
    return np.sign(moves) * np.where(length <= way / 2, length, way - way**2 / (4 * length))


def warped_classes(class_probs: np.ndarray, crop: Crop, warp: FrameWarp) -> np.ndarray:
    """Return the class probabilities (19, P, P) of a crop warped along with its frame."""
    size = class_probs.shape[1]
    scale = size / crop.image.shape[0]
    to_frame = inverse(crop.to_crop)
    height, width = warp.moves.shape[:2]
    to_node = np.diag([_NODES / width, _NODES / height])  # resizing keeps edges in place, not centres
    matrix = to_node @ to_frame[:, :2] / scale
    first = to_frame[:, :2] @ np.full(2, 0.5 / scale - 0.5) + to_frame[:, 2] - [warp.x, warp.y]
    matrix = np.column_stack([matrix, to_node @ (first + 0.5) - 0.5])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moves = cv2.warpAffine(warp.nodes, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    moves = moves @ (scale * crop.to_crop[:, :2]).T.astype(np.float32)
    origins = _origins(moves)
    return np.stack([_sampled(each, origins, cv2.INTER_LINEAR) for each in class_probs])


def _origins(moves: np.ndarray, first: tuple[int, int] = (0, 0)) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and rows (h, w) float32 where pixels from the first (x, y) on come from, for their moves."""
    height, width = moves.shape[:2]
    columns = np.arange(first[0], first[0] + width, dtype=np.float32)
    rows = np.arange(first[1], first[1] + height, dtype=np.float32)[:, None]
    return columns + moves[..., 0], rows + moves[..., 1]


def _sampled(picture: np.ndarray, origins: tuple[np.ndarray, np.ndarray], way: int) -> np.ndarray:
    """Return a picture (H, W) or (H, W, C) resampled from the columns and rows (h, w) its pixels come from."""
    return cv2.remap(picture, *origins, way, borderMode=cv2.BORDER_REFLECT_101)


def _hull(points: np.ndarray) -> np.ndarray:
    """Return the convex hull (K, 2) of faces with points (N * 66, 2) and of their foreheads."""
    faces = with_forehead(points.reshape(-1, 66, 2)).reshape(-1, 2)
    return cv2.convexHull(faces).reshape(-1, 2).astype(np.float64)


def _outside(hull: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return how far places (P, 2) lie outside a convex hull (K, 2); 0 within."""
    edges = np.roll(hull, -1, axis=0) - hull
    x, y = (places[:, [axis]] - hull[:, axis] for axis in (0, 1))
    along = np.clip((x * edges[:, 0] + y * edges[:, 1]) / np.maximum((edges**2).sum(axis=1), 1e-12), 0, 1)
    square = (x - along * edges[:, 0]) ** 2 + (y - along * edges[:, 1]) ** 2
    sides = edges[:, 0] * y - edges[:, 1] * x
    within = (sides >= 0).all(axis=1) | (sides <= 0).all(axis=1)
    return np.where(within, 0, np.sqrt(square.min(axis=1)))


def _kernel(places: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return r^2 log r between (P, 2) and (C, 2)."""
    square = (places**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    square -= 2 * places @ centres.T
    np.maximum(square, 1e-12, out=square)
    radial = np.log(square)
    radial *= square
    radial *= 0.5
    return radial
