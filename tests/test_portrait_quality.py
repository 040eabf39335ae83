"""How well a photo does as a source: what is measured, from where on it is said, and in which words."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.app.dry_run import plan_image
from faceswap_cli.app.identity import save_identity
from faceswap_cli.app.swap import swap_image
from faceswap_cli.options import Options
from faceswap_cli.portrait.geometry import mean_face
from faceswap_cli.portrait.quality import LIMITS, Quality, judged
from faceswap_cli.portrait.quality_gauge import quality_of
from faceswap_cli.stages.parse import GLASSES
from faceswap_cli.types import Crop, Face

from .test_portrait_geometry import seen, turned

SIDE = 160
SKIN, LEFT_EYE, RIGHT_EYE, MOUTH = 1, 4, 5, 11
GOOD = Quality(yaw=3.0, pitch=-4.0, size=200.0, frontality=0.9, sharpness=1.8, eyes=0.04)
OPTIONS = Options(device="cpu", threads=1)
BLURRED = "soft.png: the face is blurred: a photo in focus works better"


def measured(yaw: float = 0.0, pitch: float = 0.0, labels: np.ndarray | None = None, **tints: int) -> Quality:
    """Measure the mean face, its crop one grey, or of another red left of its nose."""
    landmarks = seen(mean_face(), turned(yaw, pitch, 0)).astype(np.float32)
    image = np.full((SIDE, SIDE, 3), 150, np.uint8)
    image[:, : SIDE // 2, 0] += tints.get("red_left", 0)
    five = [landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0), landmarks[30], landmarks[58], landmarks[62]]
    face = Face(np.float32([0, 0, 90, 120]), np.float32(five) * SIDE, 1.0)
    classes = None if labels is None else np.eye(19, dtype=np.float32)[labels].transpose(2, 0, 1)
    return quality_of(Crop(image, np.eye(2, 3), face, classes), landmarks)


def skin() -> np.ndarray:
    return np.full((SIDE, SIDE), SKIN, np.uint8)


@pytest.mark.parametrize(("angles", "told"), [((30, 0), (-30, 0)), ((-20, 15), (20, -15))])
def test_a_head_is_turned_as_lists_of_faces_say_it(angles: tuple[int, int], told: tuple[int, int]) -> None:
    """Yaw above 0 looks towards the picture's right edge, pitch above 0 up: the other way round than in a pose."""
    quality = measured(*angles)
    assert (quality.yaw, quality.pitch) == pytest.approx(told, abs=0.01)
    assert quality.size == 90


def test_without_a_parser_nothing_is_covered_and_no_eye_is_shut() -> None:
    quality = measured()
    assert (quality.visible, quality.lenses, quality.eyes, quality.mouth, quality.colours) == (1, 0, None, 0, 0)


def test_eyes_are_measured_by_the_distance_between_them() -> None:
    """Eyes are 0.29 of 160 pixels apart, 46.4: an eye of 100 pixels is 100 / 46.4^2 = 0.0464 of its square."""
    labels = skin()
    labels[60:65, 40:60] = LEFT_EYE
    labels[60:64, 100:110] = RIGHT_EYE
    assert measured(labels=labels).eyes == pytest.approx(0.0464, abs=0.001)
    labels[50:80, 30:130] = GLASSES
    assert measured(labels=labels).eyes is None, "lids behind glasses are not seen well enough"


def test_what_covers_a_face_between_eyes_and_mouth_is_not_visible() -> None:
    assert measured(labels=skin()).visible == pytest.approx(1)
    labels = skin()
    labels[80:] = 0
    assert 0 < measured(labels=labels).visible < 0.8


def test_light_of_two_colours_is_the_distance_of_both_halves() -> None:
    """Grey of 150 and (190, 150, 150): OpenCV's CIELAB gives a = 15.5 and b = 6.2 for the latter, 16.7 from grey."""
    pixel = cv2.cvtColor(np.float32([[[190, 150, 150]]]) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    assert measured(labels=skin(), red_left=40).colours == pytest.approx(np.hypot(*pixel[1:]), abs=0.2)
    assert measured(labels=skin()).colours == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("field", "sound", "spoilt", "line"),
    [
        ("yaw", -LIMITS.turned, -52.0, "the head is turned 52 degrees: a photo from the front works better"),
        (
            "pitch",
            LIMITS.tilted,
            35.0,
            "the face looks over the camera: a photo at the height of the eyes works better",
        ),
        ("size", LIMITS.small, 44.6, "the face is 44 pixels wide: a photo with a larger face works better"),
        ("sharpness", LIMITS.blurred, 1.2, "the face is blurred: a photo in focus works better"),
        (
            "visible",
            LIMITS.visible,
            0.9,
            "part of the face is covered: a photo with nothing before the face works better",
        ),
        ("lenses", LIMITS.lenses, 1.0, "dark lenses hide the eyes: a photo without them works better"),
        (
            *("colours", LIMITS.colours, 40.0),
            "light of two colours falls on the face: a photo in light of one colour works better",
        ),
    ],
)
def test_each_fault_is_said_in_a_line_behind_its_limit_and_not_at_it(
    field: str, sound: float, spoilt: float, line: str
) -> None:
    assert replace(GOOD, **{field: sound}).told("me.jpg") == []
    assert replace(GOOD, **{field: spoilt}).told("me.jpg") == [f"me.jpg: {line}"]


def test_a_face_that_looks_down_is_told_apart_from_one_that_looks_up() -> None:
    assert "below the camera" in replace(GOOD, pitch=-40.0).told("me.jpg")[0]


def test_faults_are_joined_in_one_line() -> None:
    (line,) = replace(GOOD, yaw=-52.0, sharpness=1.1, lenses=1.0).told("me.jpg")
    assert line == (
        "me.jpg: the head is turned 52 degrees, the face is blurred and dark lenses hide the eyes: "
        "a photo from the front, in focus and without them works better"
    )


def test_what_is_measured_can_be_read_by_programs() -> None:
    record = replace(GOOD, mouth=0.45678, visible=0.9).as_record()
    assert (record["mouth"], record["yaw"], record["faults"]) == (0.457, 3.0, ["part of the face is covered"])


@pytest.mark.parametrize(
    ("one", "other", "taken"),
    [
        (GOOD, replace(GOOD, lenses=1.0, size=400.0), 0),  # a fault weighs more than size
        (GOOD, replace(GOOD, size=300.0), 1),
        (replace(GOOD, size=448.0), replace(GOOD, size=900.0), 0),  # no crop shows more
        (replace(GOOD, frontality=0.4), GOOD, 1),
        (replace(GOOD, lenses=1.0), replace(GOOD, visible=0.5, size=300.0), 1),  # none is good: the larger
    ],
)
def test_of_several_photos_a_sound_large_one_from_the_front_is_taken(one: Quality, other: Quality, taken: int) -> None:
    photos = judged(["a.jpg", "b.jpg"], [one, other])
    assert [photo.taken for photo in photos] == [number == taken for number in range(2)]


def test_shut_eyes_and_an_open_mouth_spoil_no_swap() -> None:
    assert replace(GOOD, eyes=0.0, mouth=0.6).faults == ()


PHOTOS = ("face_recognition/obama.jpg", "simswap/mouth_open.jpg")


@pytest.fixture(scope="module")
def soft(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clear portrait, larger, out of focus."""
    picture = cv2.GaussianBlur(cv2.imread(str(data / "photos" / PHOTOS[0])), (0, 0), 6)
    path = tmp_path_factory.mktemp("soft") / "soft.png"
    cv2.imwrite(str(path), cv2.resize(picture, None, fx=1.2, fy=1.2))
    return path


def told(notes: list[str] | tuple[str, ...]) -> list[str]:
    return [note for note in notes if "works better" in note]


def test_a_dry_run_says_what_is_wrong_with_a_source_and_nothing_of_a_good_one(data: Path, soft: Path) -> None:
    sources = [*(data / "photos" / name for name in PHOTOS), soft]
    plans = [plan_image(path, data / "photos" / "deepface" / "img7.jpg", soft.parent, OPTIONS) for path in sources]
    assert [[each["photo"] for each in plan["source_quality"]] for plan in plans] == [[path.name] for path in sources]
    assert [told(plan["notes"]) for plan in plans] == [[], [], [BLURRED]]


def test_a_better_photo_beside_it_is_taken_and_the_note_left_out(data: Path, soft: Path, tmp_path: Path) -> None:
    sources = [soft, data / "photos" / PHOTOS[0]]
    result = swap_image(sources, data / "photos" / "deepface" / "img7.jpg", tmp_path / "out.png", OPTIONS)
    seen = [(each["photo"], each["taken"]) for each in result.report["source_quality"]]
    assert seen == [("soft.png", False), ("obama.jpg", True)]
    assert told(result.notes) == []


def test_a_saved_identity_says_the_same_of_its_photo(soft: Path, tmp_path: Path) -> None:
    assert save_identity(soft, tmp_path / "soft.face", OPTIONS) == [BLURRED]
