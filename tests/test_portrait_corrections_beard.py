"""A target keeps its beard where the source has none: the lower face but for its lips, over a few frames alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.engines.select import open_network
from faceswap_cli.media.photo import read_photo
from faceswap_cli.options import Options
from faceswap_cli.portrait.corrections.beard import Beard, OwnBeard
from faceswap_cli.portrait.fitter import Fitter
from faceswap_cli.portrait.history import History
from faceswap_cli.portrait.landmarks import LandmarkFinder
from faceswap_cli.portrait.records import FaceState, Portrait
from faceswap_cli.portrait.source import prepared
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.stages.parse import LIPS
from faceswap_cli.store.models import entry, locate
from faceswap_cli.types import Crop, Face
from tests.test_portrait_fitter import SIZE, face_points

NOBODY = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0, track=3)
BEARDS = {"deepface/img17.jpg": True, "simswap/Iron_man.jpg": True, "deepface/img4.jpg": False, "simswap/ds.jpg": False}


def crop(image: np.ndarray | None = None) -> Crop:
    return Crop(np.zeros((SIZE, SIZE, 3), np.uint8) if image is None else image, np.eye(2, 3), NOBODY)


def bearded(crops: list[Crop], sure: list[float], history: History | None) -> list[float]:
    nobody = Portrait(crops[0].image, np.ones((SIZE, SIZE), np.float32), face_points())
    faces = [FaceState(nobody, each, face_points(), beard) for each, beard in zip(crops, sure, strict=True)]
    return Beard().bearded(faces, history)


@pytest.fixture(scope="module")
def finder() -> LandmarkFinder:
    return LandmarkFinder(open_network(locate("points"), "cpu", 1), entry("points"))


@pytest.mark.parametrize(("sure", "wanted"), [(0.2, 0), (0.75, 0), (0.85, 0.5), (0.97, 1)])
def test_only_what_surely_is_a_beard_counts(sure: float, wanted: float) -> None:
    assert bearded([crop()], [sure], None) == [pytest.approx(wanted, abs=1e-6)]


def test_a_shadow_of_a_moment_grows_no_beard() -> None:
    history = History()
    found = [bearded([crop()], [sure], history)[0] for sure in (*[0.1] * Beard.history, 1.0, *[0.1] * 3)]
    assert max(found) == 0
    assert len(history.frames("beard", 0)) == Beard.history


def test_another_face_has_a_history_of_its_own() -> None:
    history = History()
    bearded([crop()], [1.0], history)
    other = replace(crop(), face=replace(NOBODY, track=4))
    assert bearded([other], [0.0], history) == [0]
    assert bearded([crop()], [1.0], history) == [1]


def test_hairs_over_the_upper_lip_are_beard_though_landmarks_lie_above_them() -> None:
    probs = np.zeros((19, SIZE, SIZE), np.float32)
    probs[LIPS[1], round(0.78 * SIZE) :] = 1  # the parser sees no lip above
    area = Beard().grown(face_points(), SIZE, probs)
    at = lambda x, y: float(area[round(y * SIZE), round(x * SIZE)])  # noqa: E731
    assert Beard().grown(face_points(), SIZE)[round(0.73 * SIZE), SIZE // 2] < 0.1
    assert at(0.5, 0.73) > 0.9  # within the landmarks of the lips, but hair
    assert at(0.5, 0.80) < 0.05  # the lower lip


def finished(beard: float) -> np.ndarray:
    """What is left of a swap, all white, over a black target that so surely has a beard."""
    nobody = Portrait(crop().image, np.ones((SIZE, SIZE), np.float32), face_points())
    face = FaceState(nobody, crop(), face_points(), beard, coverage=np.ones((SIZE, SIZE), np.float32))
    (face,) = Beard().over([face], None)
    return OwnBeard().apply(replace(face, image=np.full((SIZE, SIZE, 3), 255, np.uint8))).image


def test_what_is_painted_on_a_beard_is_not_taken() -> None:
    swap = finished(1.0)
    at = lambda x, y: int(swap[round(y * SIZE), round(x * SIZE), 0])  # noqa: E731
    assert at(0.5, 0.86) < 12  # the chin is the target's
    assert at(0.5, 0.76) > 243  # lips and nose are the swap's
    assert at(0.5, 0.55) > 243


def test_half_a_beard_is_half_taken_and_none_not_at_all() -> None:
    assert 120 < int(finished(0.85)[round(0.86 * SIZE), SIZE // 2, 0]) < 134
    assert finished(0.0).min() == 255


def test_a_beard_grows_on_chin_and_upper_lip_not_on_lips_nose_and_eyes() -> None:
    area = Beard().grown(face_points(), SIZE)
    at = lambda x, y: float(area[round(y * SIZE), round(x * SIZE)])  # noqa: E731
    assert at(0.5, 0.86) > 0.95  # the chin
    assert at(0.5, 0.665) > 0.5  # between nose and lips
    assert at(0.3, 0.75) > 0.9  # a jaw
    assert at(0.5, 0.76) < 0.05  # the lips
    assert at(0.5, 0.55) < 0.05  # the nose
    assert at(0.36, 0.45) < 0.01  # an eye
    assert at(0.25, 0.55) < 0.3  # a cheek
    assert np.abs(Beard().grown(face_points(), 2 * SIZE)[::2, ::2] - area).max() < 0.1


@pytest.mark.parametrize("name", BEARDS)
def test_the_shipped_network_tells_beards(finder: LandmarkFinder, data: Path, name: str) -> None:
    rgb = read_photo(data / "photos" / name).frame.rgb
    face = open_detector(None, Options(threads=1)).detect(rgb)[0]
    sure = finder.find_with_beard(crop_face(rgb, face, finder.template, 448).image)[1]
    assert sure > 0.9 if BEARDS[name] else sure < 0.3


@pytest.mark.parametrize(("beard", "covered"), [(1.0, False), (0.0, True)])
def test_of_a_bearded_lower_face_the_lips_alone_are_covered(beard: float, covered: bool) -> None:
    class Finder(LandmarkFinder):
        def __init__(self) -> None:
            self.template = "simswap-frontal"

        def find_settled(self, image: np.ndarray) -> tuple[np.ndarray, float]:
            return face_points(), beard

    image = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
    portrait = Portrait(image, np.ones((SIZE, SIZE), np.float32), face_points())
    (face,) = Fitter(prepared(portrait), Finder()).fit([crop(image)])
    chin, cheek, lip = (
        face.warped[round(y * SIZE), round(x * SIZE), 3] for x, y in ((0.5, 0.85), (0.3, 0.55), (0.5, 0.81))
    )
    assert cheek > 200
    assert lip > 150
    assert chin > 200 if covered else chin < 60
