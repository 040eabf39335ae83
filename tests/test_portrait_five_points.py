"""Points of faces that lean: read from landmarks, where they are upright, and steadier than the detector's."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.options import Options
from faceswap_cli.portrait.five_points import ASTRAY, CROP_SIDE, LEANING, LandmarkedDetect, five_points
from faceswap_cli.portrait.landmarks import LandmarkFinder, open_landmarks
from faceswap_cli.stages.align import crop_face, inverse, transform
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.stages.views import Views, tilt
from faceswap_cli.types import Detections, Face

OPTIONS = Options(threads=1, device="cpu")


class Told:
    """Stands before a real detector and moves what it finds by a share of the eyes' distance to the right."""

    def __init__(self, detect: Detect, share: float) -> None:
        self.file, self.min_face, self._detect, self._share = detect.file, detect.min_face, detect, share

    def detect(self, rgb: np.ndarray, views: Views) -> Detections:
        found = self._detect.detect(rgb, views)
        return replace(found, faces=tuple(self._moved(face) for face in found))

    def _moved(self, face: Face) -> Face:
        return replace(face, points=face.points + np.float32([self._share * eyes_apart(face.points), 0]))


@pytest.fixture(scope="module")
def detector(data: Path) -> Detect:
    return open_detector(None, OPTIONS)


@pytest.fixture(scope="module")
def landmarks(data: Path) -> LandmarkFinder:
    found = open_landmarks(OPTIONS)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def portraits(data: Path) -> list[np.ndarray]:
    photos = sorted((data / "faces" / "congress").glob("*/*.jpg"))[10:90:40]
    return [cv2.resize(cv2.imread(str(photo))[..., ::-1], (240, 300), interpolation=cv2.INTER_AREA) for photo in photos]


def eyes_apart(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[1] - points[0]))


def turned(rgb: np.ndarray, degrees: float, moved: tuple[float, float] = (0, 0)) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture turned clockwise about its middle, within twice its size, and the matrix (2, 3)."""
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    matrix[:, 2] += np.array([width / 2, height / 2]) + moved
    return cv2.warpAffine(rgb, matrix, (2 * width, 2 * height), flags=cv2.INTER_CUBIC, borderValue=(90, 99, 95)), matrix


def by_landmarks(landmarks: LandmarkFinder, rgb: np.ndarray, face: Face) -> np.ndarray:
    """Return the five points (5, 2) as a face's landmarks tell them."""
    crop = crop_face(rgb, face, "simswap-frontal", CROP_SIDE)
    return transform(five_points(landmarks.find(crop.image) * CROP_SIDE - 0.5), inverse(crop.to_crop))


@pytest.mark.parametrize("degrees", [30, 45, -45, 210])
def test_the_points_of_a_leaning_face_are_where_they_are_upright(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray], degrees: float
) -> None:
    """Within 3 % of the eyes' distance, of which the detector alone is 5 to 15 % away."""
    for rgb in portraits:
        upright = by_landmarks(landmarks, rgb, detector.search(rgb)[0])
        seen, matrix = turned(rgb, degrees)
        (face,) = LandmarkedDetect(detector, landmarks).search(seen)
        away = np.linalg.norm(transform(upright, matrix) - face.points, axis=1).mean()
        assert away < 0.03 * eyes_apart(upright)


def test_what_landmarks_tell_is_what_the_detector_means_upright(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray]
) -> None:
    """In the mean of several looks, each some 4 % of the eyes' distance away."""
    for rgb in portraits:
        looks = [detector.detect(rgb, Views((side,)))[0] for side in (256, 320, 416, 480)]
        meant = np.mean([look.points for look in looks], axis=0)
        away = np.linalg.norm(by_landmarks(landmarks, rgb, looks[0]) - meant, axis=1).mean()
        assert away < 0.06 * eyes_apart(meant)


def test_a_face_that_stands_keeps_the_detectors_points_bit_for_bit(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray]
) -> None:
    for rgb in (portraits[0], turned(portraits[0], -10)[0], np.ascontiguousarray(np.rot90(portraits[0]))):
        (one,), (other,) = detector.search(rgb), LandmarkedDetect(detector, landmarks).search(rgb)
        np.testing.assert_array_equal(one.points, other.points)


def test_between_standing_and_leaning_points_go_over_little_by_little(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray]
) -> None:
    """Half way, at 20 degrees, they lie in the middle."""
    seen, _ = turned(portraits[1], 28)  # it leans the other way by itself
    (face,), (placed,) = detector.search(seen), LandmarkedDetect(detector, landmarks).search(seen)
    share = (abs(tilt(face, 0)) - LEANING[0]) / (LEANING[1] - LEANING[0])
    assert 0.1 < share < 0.9
    expected = (1 - share) * face.points + share * by_landmarks(landmarks, seen, face)
    np.testing.assert_allclose(placed.points, expected, atol=1e-3)


@pytest.mark.parametrize(("share", "believed"), [(0.2, True), (ASTRAY + 0.15, False)])
def test_landmarks_far_from_what_was_found_are_not_believed(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray], share: float, believed: bool
) -> None:
    """The landmarks of the face beside which a find was made lead to it."""
    seen, _ = turned(portraits[0], 40)
    told = Told(detector, share)
    views = Views((640,))
    (before,), (after,) = told.detect(seen, views), LandmarkedDetect(told, landmarks).detect(seen, views)
    assert (not np.array_equal(before.points, after.points)) == believed


def test_five_points_turn_and_grow_with_their_landmarks(landmarks: LandmarkFinder, portraits: list[np.ndarray]) -> None:
    seen = landmarks.find(cv2.resize(portraits[0], (256, 256))).astype(np.float64)
    matrix = cv2.getRotationMatrix2D((0.3, 0.4), 77, 3.0)
    moved = five_points(transform(seen, matrix))
    np.testing.assert_allclose(moved, transform(five_points(seen), matrix), atol=1e-6)


def test_a_head_that_leans_and_moves_trembles_less_than_what_the_detector_sees(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray]
) -> None:
    """Ten frames of a portrait that turns from 36 to 45 degrees and moves by a pixel and a half each."""
    rgb, ours = portraits[0], LandmarkedDetect(detector, landmarks)
    trembling = {
        name: trembles(each, rgb, [(36 + step, (1.5 * step, 0.7 * step)) for step in range(10)])
        for name, each in (("detector", detector), ("landmarks", ours))
    }
    assert trembling["landmarks"] < 0.5 * trembling["detector"]
    assert trembling["landmarks"] < 0.02


def trembles(detect: Detect, rgb: np.ndarray, ways: list[tuple[float, tuple[float, float]]]) -> float:
    """Return by how much points move from frame to frame in the portrait itself, in the mean, in eyes' distances."""
    places = []
    for degrees, moved in ways:
        seen, matrix = turned(rgb, degrees, moved)
        places.append(transform(detect.detect(seen, Views((640,)))[0].points.astype(np.float64), inverse(matrix)))
    steps = np.linalg.norm(np.diff(np.array(places), axis=0), axis=2)
    return float(steps.mean()) / eyes_apart(places[0])
