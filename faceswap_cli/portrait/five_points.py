"""Read the five points a face is aligned by from its 66 landmarks, where it leans (step: detect).

A detector sees upright faces, in cells: its points depend on how a face lies in them, and the more it leans the more
they are beside the mark. The landmarks of a crop hardly depend on how that is aligned. The five points are read from
them by a linear map, learnt from what the detector says of upright faces in the mean of several sizes.
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


class LandmarkedDetect:
    """A detector, and landmarks that say better than it where the points of leaning faces are."""

    def __init__(self, detect: Detect, landmarks: LandmarkFinder) -> None:
        self.file, self.min_face = detect.file, detect.min_face
        self._detect, self._landmarks = detect, landmarks

    def detect(self, rgb: np.ndarray, views: Views = WHOLE) -> Detections:
        """Return the faces the detector finds; see `Detect`."""
        return self._settled(rgb, self._detect.detect(rgb, views))

    def search(self, rgb: np.ndarray) -> Detections:
        """Return the faces the detector finds in a photo; see `Detect`."""
        return self._settled(rgb, self._detect.search(rgb))

    def _settled(self, rgb: np.ndarray, found: Detections) -> Detections:
        return replace(found, faces=tuple(self._placed(rgb, face) for face in found))

    def _placed(self, rgb: np.ndarray, face: Face) -> Face:
        """Return a face with its points where its landmarks say, the more the further it leans."""
        first, last = LEANING
        share = min((abs(tilt(face, turn_of(face))) - first) / (last - first), 1.0)
        if share <= 0:
            return face
        crop = crop_face(rgb, face, self._landmarks.template, CROP_SIDE)
        landmarks = self._landmarks.find(crop.image) * CROP_SIDE - 0.5
        away = transform(five_points(landmarks), inverse(crop.to_crop)) - face.points
        eyes = float(np.linalg.norm(face.points[1] - face.points[0]))
        if np.linalg.norm(away, axis=1).mean() > ASTRAY * eyes:
            return face
        return replace(face, points=(face.points + share * away).astype(np.float32))


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
