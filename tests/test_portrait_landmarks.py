"""Landmarks looked for again where the first look says that the face lies: they depend less on how a crop was cut."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.options import Options
from faceswap_cli.portrait.landmarks import EYES, MOUTH_CORNERS, NOSE_TIP, LandmarkFinder, open_landmarks
from faceswap_cli.stages.align import TEMPLATES, crop_face, inverse, transform
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.store.models import entry
from faceswap_cli.types import POINTS

OPTIONS = Options(threads=1, device="cpu")
SIDE, SEEN = 448, 112  # pixels a side of a crop, and of what the network is shown
DRAWS = 6


class Told:
    """A network that gives its answers one after another, and keeps what it was shown."""

    engine, device, precision, inputs = "none", "cpu", "float32", ("image",)
    metadata: Mapping[str, str] = {"size": str(SEEN)}

    def __init__(self, *answers: np.ndarray) -> None:
        self.answers, self.shown = list(answers), list[np.ndarray]()

    def run(self, **arrays: np.ndarray) -> list[np.ndarray]:
        self.shown.append(arrays["image"])
        return [self.answers.pop(0)[None], np.float32([[0.25 * len(self.shown)]])]


def settled(network: Told, image: np.ndarray) -> tuple[np.ndarray, float]:
    return LandmarkFinder(network, entry("points")).find_settled(image)


def lying(moved: tuple[float, float], grown: float = 1.0) -> np.ndarray:
    """Landmarks (66, 2) of a face that is as large as the template, times `grown`, and moved by pixels of the crop."""
    points = np.full((POINTS, 2), 0.5)
    left, right, nose, *corners = (grown * TEMPLATES["simswap-frontal"][0] * SIDE + moved + 0.5) / SIDE
    points[EYES[0]], points[EYES[1]], points[NOSE_TIP], points[list(MOUTH_CORNERS)] = left, right, nose, corners
    return points.astype(np.float32)


def test_points_are_the_mean_of_both_looks_where_the_face_lies() -> None:
    """44.8 pixels to the right are a tenth of the crop; a half is lost between centres of pixels of 448 and of 112."""
    first, second = lying((44.8, 0)), np.random.default_rng(0).random((POINTS, 2)).astype(np.float32)
    points, beard = settled(Told(first, second), np.zeros((SIDE, SIDE, 3), np.uint8))
    there = second + np.float32([0.1, 0]) + 0.5 / SIDE - 0.5 / SEEN
    np.testing.assert_allclose(points, (first + there) / 2, atol=1e-5)
    assert beard == 0.25, "the first look tells the beard"


def test_the_second_look_is_shown_the_face_in_the_template() -> None:
    """A dot in a face that lies 40 pixels too far down is where it would be in one that does not."""
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    cv2.circle(image, (200, 300), 6, (255, 255, 255), cv2.FILLED)
    network = Told(lying((0, 40)), lying((0, 0)))
    settled(network, image)
    (rows, columns) = np.nonzero(network.shown[1][0, 0] > 0.5)
    np.testing.assert_allclose([columns.mean(), rows.mean()], [200 / 4, 260 / 4], atol=0.5)


@pytest.mark.parametrize("grown", [0.0, 0.4, 2.5])
def test_points_that_show_no_face_are_not_looked_for_again(grown: float) -> None:
    first = lying((100, 100), grown)
    network = Told(first)
    points, _ = settled(network, np.zeros((SIDE, SIDE, 3), np.uint8))
    np.testing.assert_array_equal(points, first)


def test_landmarks_stray_less_with_what_a_crop_is_cut_by(data: Path) -> None:
    """By 0.84 and 0.46 % of the eyes' distance over 12 portraits; a detector's points lean, grow and move so."""
    finder, detector, draws = open_landmarks(OPTIONS), open_detector(None, OPTIONS), np.random.default_rng(0)
    assert finder is not None
    strayed = []
    for photo in sorted((data / "faces" / "congress").glob("*/*.jpg"))[10:90:40]:
        rgb = cv2.resize(cv2.imread(str(photo))[..., ::-1], (240, 300), interpolation=cv2.INTER_AREA)
        face = detector.detect(rgb)[0]
        middle, eyes = face.points.mean(axis=0), float(np.linalg.norm(face.points[1] - face.points[0]))
        looks = []
        for _ in range(DRAWS):
            lean, growth, moved = draws.normal(0, 1.3), np.exp(draws.normal(0, 0.02)), draws.normal(0, 0.02 * eyes, 2)
            matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), lean, growth)
            matrix[:, 2] += moved
            told = replace(face, points=transform(face.points, matrix).astype(np.float32))
            crop = crop_face(rgb, told, finder.template, SIDE)
            found = [find(crop.image)[0] for find in (finder.find_with_beard, finder.find_settled)]
            looks.append([transform(each * SIDE - 0.5, inverse(crop.to_crop)) for each in found])
        strayed.append(np.linalg.norm(np.std(looks, axis=0), axis=-1).mean(axis=1) / eyes)
    once, twice = np.mean(strayed, axis=0)
    assert twice < 0.7 * once
    assert twice < 0.006
