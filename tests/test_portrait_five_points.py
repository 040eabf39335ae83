"""Points read from landmarks: in photos the same wherever a face lies, in clips where it leans, and steadier."""

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
from faceswap_cli.stages.views import TURNS, Views, tilt
from faceswap_cli.types import Detections, Face

OPTIONS = Options(threads=1, device="cpu")
VIEWS = Views((640, 320), TURNS)


class Told:
    """Stands before a real detector and moves what it finds by a share of the eyes' distance to the right."""

    def __init__(self, detect: Detect, share: float) -> None:
        self.file, self.min_face, self._detect, self._share = detect.file, detect.min_face, detect, share

    def detect(self, rgb: np.ndarray, views: Views) -> Detections:
        found = self._detect.detect(rgb, views)
        return replace(found, faces=tuple(self._moved(face) for face in found))

    def _moved(self, face: Face) -> Face:
        return replace(face, points=face.points + np.float32([self._share * eyes_apart(face.points), 0]))


class Answering(LandmarkedDetect):
    """Says of points that each look moves by a share of their way from where they were found, `right` to its right."""

    def __init__(self, detect: Detect, landmarks: LandmarkFinder, right: float, way: float) -> None:
        super().__init__(detect, landmarks)
        self.found, self._right, self._way = detect.search, right, way

    def search(self, rgb: np.ndarray) -> Detections:
        (face,) = self.found(rgb)
        self.rest = face.points + np.array([self._right * eyes_apart(face.points), 0])
        return super().search(rgb)

    def _told(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        return face.points + self._way * (self.rest - face.points)


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
        (face,) = LandmarkedDetect(detector, landmarks).detect(seen, VIEWS)
        away = np.linalg.norm(transform(upright, matrix) - face.points, axis=1).mean()
        assert away < 0.03 * eyes_apart(upright)


@pytest.mark.parametrize(("degrees", "moved"), [(0, (5, 3)), (30, (0, 0)), (145, (0, 0))])
def test_a_photos_points_are_the_same_wherever_its_face_lies(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray], degrees: float, moved: tuple[float, float]
) -> None:
    """Within 0.2 % of the eyes' distance; what the detector says differs by 1 % and more."""
    for rgb in portraits:
        seen, matrix = turned(rgb, degrees, moved)
        away = {}
        for name, each in (("detector", detector), ("landmarks", LandmarkedDetect(detector, landmarks))):
            upright, face = each.search(rgb)[0], each.search(seen)[0]
            off = np.linalg.norm(transform(upright.points, matrix) - face.points, axis=1).mean()
            away[name] = float(off) / eyes_apart(upright.points)
        assert away["landmarks"] < 0.002
        assert away["detector"] > 0.01


@pytest.mark.parametrize("way", [0.6, 1.0, 2.0, 2.5])
def test_points_come_to_rest_where_looks_agree(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray], way: float
) -> None:
    """Where looks fall short of it, and where each goes as far beyond it or further, which alone would never end."""
    ours = Answering(detector, landmarks, 0.1, way)
    (face,) = ours.search(portraits[0])
    assert np.linalg.norm(face.points - ours.rest, axis=1).max() < 0.002 * eyes_apart(face.points)


@pytest.mark.parametrize(("right", "way"), [(ASTRAY + 0.02, 1.0), (0.2, 0.02)])
def test_points_that_stray_or_find_no_rest_stay_where_they_were_found(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray], right: float, way: float
) -> None:
    """Too far away; so slowly that they are still on their way after the last look."""
    (found,) = detector.search(portraits[0])
    (face,) = Answering(detector, landmarks, right, way).search(portraits[0])
    np.testing.assert_array_equal(face.points, found.points)


def test_what_landmarks_tell_is_what_the_detector_means_upright(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray]
) -> None:
    """In the mean of several looks, each some 4 % of the eyes' distance away."""
    for rgb in portraits:
        looks = [detector.detect(rgb, Views((side,)))[0] for side in (256, 320, 416, 480)]
        meant = np.mean([look.points for look in looks], axis=0)
        away = np.linalg.norm(by_landmarks(landmarks, rgb, looks[0]) - meant, axis=1).mean()
        assert away < 0.06 * eyes_apart(meant)


def test_a_clips_face_that_stands_keeps_the_detectors_points_bit_for_bit(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray]
) -> None:
    for rgb in (portraits[0], turned(portraits[0], -10)[0], np.ascontiguousarray(np.rot90(portraits[0]))):
        (one,), (other,) = detector.detect(rgb, VIEWS), LandmarkedDetect(detector, landmarks).detect(rgb, VIEWS)
        np.testing.assert_array_equal(one.points, other.points)


def test_between_standing_and_leaning_points_go_over_little_by_little(
    detector: Detect, landmarks: LandmarkFinder, portraits: list[np.ndarray]
) -> None:
    """Half way, at 20 degrees, they lie in the middle."""
    seen, _ = turned(portraits[1], 28)  # it leans the other way by itself
    (face,), (placed,) = detector.detect(seen, VIEWS), LandmarkedDetect(detector, landmarks).detect(seen, VIEWS)
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
    (before,), (after,) = told.detect(seen, VIEWS), LandmarkedDetect(told, landmarks).detect(seen, VIEWS)
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
