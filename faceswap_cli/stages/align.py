"""Bring a face to a template: the third step of a frame's way.

A template is the place of the five points in a crop, as shares of its side. The matrix between frame and crop is the
least-squares similarity (Umeyama 1991), for one published network a general affine map; pixel centres have whole
coordinates, as in OpenCV. What lies beyond the frame is its reflection, so a face at the border still fills its crop.
"""

import cv2
import numpy as np

from ..errors import UsageError
from ..types import Crop, Face

# Sources: the five poses and the frontal one of SimSwap's insightface_func (defined at 112), FFHQ's at 512 as SimSwap's
# 512 network uses it, ArcFace's at 112 as insightface's face_align.
_LEFT_PROFILE = [(51.642, 50.115), (57.617, 49.990), (35.740, 69.007), (51.157, 89.050), (57.025, 89.702)]
_LEFT = [(45.031, 50.118), (65.568, 50.872), (39.677, 68.111), (45.177, 86.190), (64.246, 86.758)]
_FRONTAL = [(39.730, 51.138), (72.270, 51.138), (56.000, 68.493), (42.463, 87.010), (69.537, 87.010)]
_RIGHT = [(46.845, 50.872), (67.382, 50.118), (72.737, 68.111), (48.167, 86.758), (67.236, 86.190)]
_RIGHT_PROFILE = [(54.796, 49.990), (60.771, 50.115), (76.673, 69.007), (55.388, 89.702), (61.257, 89.050)]
_ARCFACE = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
_FFHQ = [
    (192.98138, 239.94708),
    (318.90277, 240.1936),
    (256.63416, 314.01935),
    (201.26117, 371.41043),
    (313.08905, 371.15118),
]

TEMPLATES: dict[str, np.ndarray] = {
    "simswap-frontal": np.array([_FRONTAL]) / 112,
    "simswap-five": np.array([_LEFT_PROFILE, _LEFT, _FRONTAL, _RIGHT, _RIGHT_PROFILE]) / 112,
    "ffhq": np.array([_FFHQ]) / 512,
    "arcface": np.array([_ARCFACE]) / 112,
    "arcface-affine": np.array([_ARCFACE]) / 112,  # the same place, reached as MobileFaceSwap's scripts do
}
_STRETCHED = ("arcface-affine",)

_MOST_SAMPLES = 16  # per crop pixel and axis: a face wider than 16 crops is past any camera


def similarity(points: np.ndarray, template: str, size: int) -> np.ndarray:
    """Return the matrix `to_crop` (2, 3) float64 that brings (5, 2) points nearest to the template in a crop of `size`.

    A template of several poses is taken at the pose with the smallest summed distance, as SimSwap chooses.
    """
    if template not in TEMPLATES:
        raise UsageError(f"unknown crop template {template!r}: choose one of {', '.join(TEMPLATES)}")
    poses = TEMPLATES[template] * size
    matrices = [_umeyama(points.astype(np.float64), pose) for pose in poses]
    misses = [
        np.linalg.norm(transform(points, matrix) - pose, axis=1).sum()
        for matrix, pose in zip(matrices, poses, strict=True)
    ]
    return matrices[int(np.argmin(misses))]


def affine(points: np.ndarray, template: str, size: int) -> np.ndarray:
    """Return `to_crop` (2, 3) float64 with six degrees of freedom: a face of other proportions is stretched to fit."""
    rows = np.column_stack([points.astype(np.float64), np.ones(len(points))])
    return np.linalg.lstsq(rows, TEMPLATES[template][0] * size, rcond=None)[0].T


def crop_face(rgb: np.ndarray, face: Face, template: str, size: int) -> Crop:
    """Cut the face out of an upright frame as a (size, size, 3) crop."""
    fit = affine if template in _STRETCHED else similarity
    to_crop = fit(face.points, template, size)
    return Crop(warp(rgb, to_crop, (size, size), cv2.BORDER_REFLECT_101), to_crop, face)


def transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map (N, 2) points by a (2, 3) matrix."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Turn `to_crop` into `to_frame`, or back; both (2, 3) float64."""
    return cv2.invertAffineTransform(matrix)


def warp(image: np.ndarray, matrix: np.ndarray, shape: tuple[int, int], border: int) -> np.ndarray:
    """Resample an image by a similarity into (height, width) = `shape`.

    Where the matrix shrinks, several samples are averaged per pixel; a plain bilinear warp would skip pixels, and what
    it skips changes from frame to frame: that is shimmer in a film.
    """
    height, width = shape
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    samples = int(np.clip(round(1 / scale), 1, _MOST_SAMPLES))
    flags = cv2.INTER_CUBIC if samples == 1 else cv2.INTER_LINEAR
    fine = matrix * samples
    fine[:, 2] += (samples - 1) / 2  # the centre of a pixel is the centre of its samples
    warped = cv2.warpAffine(image, fine, (width * samples, height * samples), flags=flags, borderMode=border)
    return warped if samples == 1 else cv2.resize(warped, (width, height), interpolation=cv2.INTER_AREA)


def _umeyama(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the least-squares similarity without reflection (Umeyama 1991, equations 38 to 42)."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    covariance = (target - target_mean).T @ (source - source_mean) / len(source)
    left, spread, right = np.linalg.svd(covariance)
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left * signs @ right
    scale = (spread * signs).sum() / max((source - source_mean).var(axis=0).sum(), 1e-12)
    return np.hstack([scale * rotation, (target_mean - scale * rotation @ source_mean)[:, None]])
