"""Score how good a view of a face is, for choosing the picture of a person: sharp, large, whole and frontal is best.

Cheap enough for every face of every frame: five points and a small crop, no network.
"""

import cv2
import numpy as np

from ..types import Face
from .align import crop_face

_SIDE = 112  # pixels of the crop that sharpness is measured in, and beyond which a larger face is no better known
_WHOLE = 4  # power of the share of the box that lies in the picture: what is cut off is poorly known
_FLAT = 2.0  # deviation (0..255) below which nothing is to be seen


def merit_of(rgb: np.ndarray, face: Face) -> float:
    """Return how good a view of a face in an upright picture is, from 0 on; only to compare by."""
    size = float(min(face.box[2:] - face.box[:2]))
    return face.score * min(size / _SIDE, 1.0) * facing(face) * _sharpness(rgb, face) * _shown(rgb, face) ** _WHOLE


def facing(face: Face) -> float:
    """Return how far a face looks ahead by its points: 1 into the camera, 0 in profile.

    It is the ratio of the nose's distances from either eye, along the line through both.
    """
    left, right, nose = face.points[:3].astype(np.float64)
    across = (right - left) / max(float(np.linalg.norm(right - left)), 1e-6)
    before, behind = float((nose - left) @ across), float((right - nose) @ across)
    return max(min(before, behind), 0.0) / max(before, behind, 1e-6)


def _shown(rgb: np.ndarray, face: Face) -> float:
    """Return the share of the face's box that lies in the picture."""
    size = np.array(rgb.shape[1::-1], np.float64)
    low, high = np.clip(face.box[:2], 0, size), np.clip(face.box[2:], 0, size)
    return float((high - low).prod()) / max(face.area, 1e-6)


def _sharpness(rgb: np.ndarray, face: Face) -> float:
    """Return the deviation of the face's fine detail as a share of that of all it shows; 0 where it is flat."""
    grey = cv2.cvtColor(crop_face(rgb, face, "arcface", _SIDE).image, cv2.COLOR_RGB2GRAY)
    varying = float(grey.std())
    return float(cv2.Laplacian(grey, cv2.CV_32F).std()) / varying if varying > _FLAT else 0.0
