"""Estimate yaw, pitch and roll of a head from the embedded network's points: for lists of faces; judges use FSA-Net.

On 45 faces of photos and 168 of clips, none of them used to make the head below, FSA-Net's yaw was 1.9 degrees away in
the mean (correlation 0.97), its pitch 1.9 (0.92) and its roll 1.1 (0.96).
"""

import numpy as np

from ..portrait.landmarks import LandmarkFinder
from ..stages.align import crop_face, inverse, transform
from ..types import Face

# The mean head's points 0 to 47, jaw, brows, nose and eyes: lips move too much. In centimetres, x to the picture's
# right, y down, z away from the camera. Shape: factorisation (Tomasi and Kanade 1992) of the points our network finds
# in 300 portraits of CelebA-HQ and US Congress and in their mirror images. Size, and what counts as looking ahead: laid
# onto MediaPipe's canonical face (canonical_face_model.obj) by eyes, nose tip and corners of the mouth.
_JAW = [
    (-7.26, -2.42, 6.81),
    (-7.10, -0.49, 6.56),
    (-6.77, 1.31, 6.33),
    (-6.41, 2.94, 6.01),
    (-5.87, 4.79, 5.40),
    (-4.95, 6.15, 4.09),
    (-3.81, 7.07, 2.45),
    (-2.24, 7.78, 0.76),
    (0.00, 8.23, 0.09),
]
_BROW = [(-5.75, -4.32, 2.13), (-4.75, -5.20, 1.55), (-3.61, -5.35, 1.06), (-2.48, -5.24, 0.58), (-1.43, -5.00, 0.10)]
_BRIDGE = [(0.00, -3.22, -0.53), (0.00, -2.01, -1.50), (0.00, -0.91, -2.56), (0.00, 0.10, -2.78)]
_NOSTRILS = [(-1.25, 0.94, -1.00), (-0.71, 1.04, -1.35), (0.00, 1.15, -1.55)]
_EYE = [
    (-4.62, -3.13, 1.43),
    (-4.01, -3.56, 1.16),
    (-2.43, -3.57, 0.89),
    (-1.77, -3.07, 0.83),
    (-2.51, -2.88, 0.83),
    (-4.00, -2.91, 1.09),
]
_CROP = 224  # pixels a side of the picture that is shown to the network


def _mirrored(half: list[tuple[float, float, float]], order: list[int]) -> list[tuple[float, float, float]]:
    return [(-half[place][0], *half[place][1:]) for place in order]


HEAD = np.array(
    [
        *_JAW,
        *_mirrored(_JAW, [7, 6, 5, 4, 3, 2, 1, 0]),
        *_BROW,
        *_mirrored(_BROW, [4, 3, 2, 1, 0]),
        *_BRIDGE,
        *_NOSTRILS,
        *_mirrored(_NOSTRILS, [1, 0]),
        *_EYE,
        *_mirrored(_EYE, [3, 2, 1, 0, 5, 4]),
    ]
)  # (48, 3)


def turn_of(points: np.ndarray) -> np.ndarray:
    """Return yaw, pitch and roll (3,) in degrees for points (48 or more, 2) in pixels of an upright picture.

    Yaw is positive where the face looks towards the picture's right edge, pitch where it looks up; roll is the lean
    around that direction, positive clockwise. The rotation is the one nearest to the affine map from the head to the
    points (orthographic projection).
    """
    seen = points[: len(HEAD)].astype(np.float64)
    head, seen = HEAD - HEAD.mean(axis=0), seen - seen.mean(axis=0)
    left, _, right = np.linalg.svd(seen.T @ np.linalg.pinv(head.T), full_matrices=False)
    across, down = left @ right  # the rotation's rows: what the picture's x and y make of the head's axes
    away = np.cross(across, down)
    yaw, pitch, roll = np.arctan2(-across[2], away[2]), np.arcsin(np.clip(down[2], -1, 1)), np.arctan2(down[0], down[1])
    return np.degrees([yaw, pitch, roll])


def turn_seen(rgb: np.ndarray, face: Face, points: LandmarkFinder) -> np.ndarray:
    """Return yaw, pitch and roll (3,) in degrees of a face in an upright picture, see `turn_of`."""
    crop = crop_face(rgb, face, points.template, _CROP)
    return turn_of(transform(points.find(crop.image) * _CROP - 0.5, inverse(crop.to_crop)))
