"""Say where the points of a target's face go so that it has the source's proportions.

A mean face in 3-D is fitted to 66 points by weak perspective; a face's own shape is how its points deviate from it,
averaged over both halves, so that yaw and roll cancel out. A filter learnt from people seen several times keeps what
tells people apart and drops what expressions do. Lengths are in distances of the eyes, x to the
picture's right, y down, z away from the camera, the origin is the bridge of the nose.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..types import POINTS
from .landmarks import BROWS, EYES, JAW, LIPS, MIRRORED, MOUTH_CORNERS, NOSE

# Made by examples/mean_face.py: `face` (66, 3) and `keep` (76, 76), of the 38 points of half a face.
_FILE = Path(__file__).with_name("mean_face.npz")
HALF = np.array([point for point in range(POINTS) if point <= MIRRORED[point]])  # the picture's left, and the middle

_RIGID = ((range(27, 36), 1.0), ((36, 39, 42, 45), 1.0), ((0, 1, 2, 14, 15, 16), 0.4), ((3, 13), 0.2))
_STEPS = 8  # of Gauss-Newton
_STEP = 1e-5  # over which slopes are taken
_MOST_TURNED = 1.2  # radians of yaw and pitch: no more is fitted
_HIDDEN = (0.1, 0.6)  # radians of yaw: from the first on the side turned away counts less, from the second on nothing
_CORNERS = ((36, 39), (42, 45))  # of the eyes
_FAR = 4.685 / 0.6745  # usual distances from the middle of a track's shapes: what lies further does not count

GAIN = 2.2  # the filter shrinks what it is not sure of; so much of it is given back
BROWS_UP = 0.6  # share of a brow's height that is taken over: it tells a mood too
LIMIT = 0.3  # no point moves further, and by no greater share does an eye or a mouth become wider or narrower


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """How the mean face lies in a picture under weak perspective."""

    scale: float  # distance of the eyes, in the unit of the points
    place: np.ndarray  # (2,) of the bridge of the nose
    angles: np.ndarray  # (3,) yaw, pitch, roll in radians; above 0 the nose points left, down, the head leans right

    @property
    def flat(self) -> np.ndarray:
        """The matrix (2, 2) that turns moves along the face's own x and y into moves in the picture, without scale."""
        return rotation(*self.angles)[:2, :2]


def mean_face() -> np.ndarray:
    """Return the mean face (66, 3)."""
    return _stored()[0]


def fit_pose(points: np.ndarray, mean: np.ndarray | None = None) -> Pose:
    """Return the pose of a face with points (66, 2), by Gauss-Newton over those that do not move by themselves.

    `mean` (66, 3) is another mean face than ours.
    """
    rows, weights = _rigid()
    face, seen = (mean_face() if mean is None else mean)[rows], points[rows].astype(np.float64)
    eyes = points[EYES[1]].mean(axis=0) - points[EYES[0]].mean(axis=0)
    unit = max(float(np.linalg.norm(eyes)), 1e-6)
    found = np.array([1.0, *(points[NOSE.start] / unit), 0, 0, np.arctan2(eyes[1], eyes[0])])

    nearby, seen = _STEP * np.vstack([np.zeros(6), np.eye(6)]), seen / unit
    for _ in range(_STEPS):
        rest, *moved = ((_projected(face, found + nearby) - seen) * weights).reshape(len(nearby), -1)
        slopes = (np.stack(moved, axis=1) - rest[:, None]) / _STEP
        found = found - np.linalg.lstsq(slopes, rest, rcond=None)[0]
        found[3:5] = np.clip(found[3:5], -_MOST_TURNED, _MOST_TURNED)
    return Pose(float(found[0]) * unit, found[1:3] * unit, found[3:])


def project(face: np.ndarray, pose: Pose) -> np.ndarray:
    """Return where a face (N, 3) is seen, (N, 2), in the unit of the pose."""
    return np.asarray(_projected(face, np.array([[pose.scale, *pose.place, *pose.angles]]))[0])


def deviation(points: np.ndarray, pose: Pose) -> np.ndarray:
    """Return what points (66, 2) deviate from the mean face by, (66, 2) along the face's own x and y."""
    seen = (points - project(mean_face(), pose)) / pose.scale
    return np.asarray(np.linalg.solve(pose.flat, seen.T).T)


def visible(pose: Pose) -> np.ndarray:
    """Return (66,) in [0, 1]: how much the points of a face so turned tell, less on the side turned away."""
    low, high = _HIDDEN
    yaw = float(pose.angles[0])
    away = np.clip(-2 * np.sign(yaw) * mean_face()[:, 0], 0, 1)
    return np.asarray(1 - np.clip((abs(yaw) - low) / (high - low), 0, 1) * away)


def shape_of(points: np.ndarray, pose: Pose | None = None) -> np.ndarray:
    """Return the shape (38, 2) of a face with points (66, 2): what either side, as far as it is seen, says of half.

    `pose` is theirs, where it is known.
    """
    pose = pose or fit_pose(points)
    own, seen = deviation(points, pose), visible(pose)[:, None]
    both = seen * own + (seen * own)[MIRRORED] * [-1, 1]
    half: np.ndarray = (both / (seen + seen[MIRRORED]))[HALF]
    return half


def usual_shape(shapes: list[np.ndarray]) -> np.ndarray:
    """Return the mean of one face's shapes (38, 2), without those that lie far from the middle of all."""
    stacked = np.stack(shapes)
    away = np.linalg.norm(stacked - np.median(stacked, axis=0), axis=(1, 2))
    reach = max(_FAR * float(np.median(away)), 1e-6)
    weights = np.maximum(1 - (away / reach) ** 2, 0) ** 2
    return np.asarray(np.average(stacked, axis=0, weights=weights))


def change(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return how far a target's points move along the face's own x and y, (66, 2), for the shapes (38, 2) of both.

    Brows, nose and jaw move point by point. Eyes and mouth move as a whole and become as wide as the source's: how far
    they are open, and where the irises lie in them, is the target's.
    """
    told = GAIN * _full((_stored()[1] @ (source - target).ravel()).reshape(-1, 2))
    own = mean_face()[:, :2] + _full(target)
    moves = np.zeros((POINTS, 2))
    moves[JAW], moves[NOSE], moves[BROWS] = told[JAW], told[NOSE], told[BROWS] * [1, BROWS_UP]
    for eye, corners in zip(EYES, _CORNERS, strict=True):
        moves[eye] = _as_a_whole(own, told, eye, corners)
    moves[LIPS] = _as_a_whole(own, told, LIPS, MOUTH_CORNERS)
    length = np.linalg.norm(moves, axis=1, keepdims=True)
    limited: np.ndarray = moves * np.minimum(1, LIMIT / np.maximum(length, 1e-9))
    return limited


def goal(points: np.ndarray, moves: np.ndarray, pose: Pose | None = None) -> np.ndarray:
    """Return where points (66, 2) of a target go by `moves` (66, 2) along its face's own x and y.

    `pose` is theirs, where it is known.
    """
    pose = pose or fit_pose(points)
    return points + pose.scale * (moves * visible(pose)[:, None]) @ pose.flat.T


def _as_a_whole(own: np.ndarray, told: np.ndarray, part: slice, corners: tuple[int, int]) -> np.ndarray:
    """Return how a part of a face (66, 2) moves by what is told of its corners: sideways stretched, and shifted."""
    left, right = corners
    wider = (told[right, 0] - told[left, 0]) / max(own[right, 0] - own[left, 0], 1e-6)
    middle = (own[left] + own[right]) / 2
    return (told[left] + told[right]) / 2 + (own[part] - middle) * [np.clip(wider, -LIMIT, LIMIT), 0]


def _full(half: np.ndarray) -> np.ndarray:
    """Return (66, 2) for half a face (38, 2)."""
    full = np.zeros((POINTS, 2))
    full[MIRRORED[HALF]] = half * [-1, 1]
    full[HALF] = half
    full[np.arange(POINTS) == MIRRORED, 0] = 0
    return full


@cache
def _stored() -> tuple[np.ndarray, np.ndarray]:
    with np.load(_FILE) as file:
        return file["face"].astype(np.float64), file["keep"].astype(np.float64)


@cache
def _rigid() -> tuple[np.ndarray, np.ndarray]:
    """Return the points that do not move by themselves, and what each counts (R, 1)."""
    weights = np.zeros(POINTS)
    for points, weight in _RIGID:
        weights[list(points)] = weight
    rows = np.flatnonzero(weights)
    return rows, weights[rows, None]


def _projected(face: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return (P, N, 2): where a face (N, 3) is seen by each (scale, x, y, yaw, pitch, roll) of (P, 6)."""
    across_down = poses[:, 0, None, None] * _rotations(poses[:, 3:])[:, :2]
    seen: np.ndarray = face @ across_down.swapaxes(1, 2) + poses[:, None, 1:3]
    return seen


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return (3, 3): first turned by the yaw, then by the pitch, then by the roll."""
    return np.asarray(_rotations(np.array([[yaw, pitch, roll]]))[0])


def _rotations(angles: np.ndarray) -> np.ndarray:
    """Return (P, 3, 3) for angles (P, 3), see `rotation`: the product of the matrices about z, x and y."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(angles.T), np.sin(angles.T)
    rows = [
        [cr * cy - sr * sp * sy, -sr * cp, cr * sy + sr * sp * cy],
        [sr * cy + cr * sp * sy, cr * cp, sr * sy - cr * sp * cy],
        [-cp * sy, sp, cp * cy],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
