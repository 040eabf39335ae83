"""Read the five points a face is aligned by from its 66 landmarks: in photos, and where it leans (step: detect).

A detector sees upright faces, in cells: its points depend on how a face lies in them, and the more it leans the more
they are beside the mark. The landmarks of a crop hardly depend on how that is aligned. The five points are read from
them by a linear map, learnt from what the detector says of upright faces in the mean of several sizes. In a photo they
are looked for until the points a crop is cut by are those that its landmarks tell: wherever and however a face lies,
that crop is the same. In a clip, where each look costs and tracks are smoothed, only leaning faces are looked at, once.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from ..stages.align import crop_face, inverse, similarity, transform
from ..stages.detect import Detect
from ..stages.views import WHOLE, Views, tilt, turn_of
from ..types import Detections, Face
from .landmarks import LandmarkFinder, rough_points

_FILE = Path(__file__).with_name("five_points.npz")  # made by examples/five_points.py: `read` (133, 10)
CROP_SIDE = 256  # pixels of the crop that landmarks are looked for in
# Degrees from the nearest quarter turn: from the first on landmarks count beside the detector's points, from the second
# on alone. Whose face stands keeps what the detector says, bit for bit.
LEANING = (15.0, 25.0)
# Of the distance of the eyes: landmarks that lead further away from the detector's points show no face. They led up to
# 0.28 away where the detector had found one.
ASTRAY = 0.4
# Of the distance of the eyes: points that a look moves by less are at rest. A look halves what is left, as a rule.
STILL = 0.001
MOST_LOOKS = 12  # in which a photo's points come to rest: three to eight did for 12 portraits, each at three places


class LandmarkedDetect:
    """A detector, and landmarks that say better than it where points are: in photos, and of faces that lean."""

    def __init__(self, detect: Detect, landmarks: LandmarkFinder) -> None:
        self.file, self.min_face = detect.file, detect.min_face
        self._detect, self._landmarks = detect, landmarks

    def detect(self, rgb: np.ndarray, views: Views = WHOLE) -> Detections:
        """Return the faces the detector finds; see `Detect`."""
        found = self._detect.detect(rgb, views)
        return replace(found, faces=tuple(self._straightened(rgb, face) for face in found))

    def search(self, rgb: np.ndarray) -> Detections:
        """Return the faces the detector finds in a photo; see `Detect`."""
        found = self._detect.search(rgb)
        return replace(found, faces=tuple(self._settled(rgb, face) for face in found))

    def _settled(self, rgb: np.ndarray, face: Face) -> Face:
        """Return a face with the points that the landmarks of their own crop tell; one that has none as in a clip."""
        points, share, before = face.points.astype(np.float64), 1.0, np.inf
        for _ in range(MOST_LOOKS):
            away = self._told(rgb, replace(face, points=points)) - points
            length = _mean_length(away)
            share = share if length < before else share / 2  # else looks may answer one another for ever
            points, before = points + share * away, length
            if length < STILL * _eyes_apart(face):
                return _believed(face, points)
        return self._straightened(rgb, face)

    def _straightened(self, rgb: np.ndarray, face: Face) -> Face:
        """Return a face with its points where its landmarks say, the more the further it leans."""
        first, last = LEANING
        share = min((abs(tilt(face, turn_of(face))) - first) / (last - first), 1.0)
        if share <= 0:
            return face
        told = _believed(face, self._told(rgb, face))
        return replace(face, points=(face.points + share * (told.points - face.points)).astype(np.float32))

    def _told(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        """Return the points (5, 2) that the landmarks of a face's crop tell, in pixels of the picture."""
        crop = crop_face(rgb, face, self._landmarks.template, CROP_SIDE)
        landmarks = self._landmarks.find(crop.image) * CROP_SIDE - 0.5
        return transform(five_points(landmarks), inverse(crop.to_crop))


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Return the five points (5, 2) of a face with landmarks (66, 2), both in pixels of one picture."""
    to_template = standardising(landmarks)
    row = np.append(transform(landmarks, to_template), 1.0)
    return transform((row @ _stored()).reshape(5, 2), inverse(to_template))


def standardising(landmarks: np.ndarray) -> np.ndarray:
    """Return the matrix (2, 3) by which landmarks (66, 2) are brought to where the linear map takes them."""
    return similarity(rough_points(landmarks), "simswap-frontal", 1)


@cache
def _stored() -> np.ndarray:
    with np.load(_FILE) as stored:
        return stored["read"].astype(np.float64)


def _believed(face: Face, points: np.ndarray) -> Face:
    """Return a face with points (5, 2), or as it is where they lie too far from those the detector found."""
    if _mean_length(points - face.points) > ASTRAY * _eyes_apart(face):
        return face
    return replace(face, points=points.astype(np.float32))


def _mean_length(moves: np.ndarray) -> float:
    return float(np.linalg.norm(moves, axis=1).mean())


def _eyes_apart(face: Face) -> float:
    return float(np.linalg.norm(face.points[1] - face.points[0]))
