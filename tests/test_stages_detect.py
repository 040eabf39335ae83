"""Finding faces: one face is found once, at any size, with as little looking as that needs."""

import json
import shutil
import sys
import threading
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from faceswap_cli.errors import WeightsError
from faceswap_cli.options import Options
from faceswap_cli.stages.align import transform
from faceswap_cli.stages.detect import Detect, _blob_of, open_detector
from faceswap_cli.stages.views import Views, tilt
from faceswap_cli.stages.watch import Watch
from faceswap_cli.types import Detections

pytestmark = pytest.mark.usefixtures("kept_looks")


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def detector(face_pack: Path) -> Detect:
    return open_detector(face_pack, Options(threads=1, device="cpu"))


@pytest.fixture(scope="module")
def ours(data: Path) -> Detect:
    return open_detector(None, Options(threads=1, device="cpu"))


@pytest.fixture(scope="module")
def portraits(data: Path) -> list[np.ndarray]:
    return [shrunk(read(photo), 300) for photo in sorted((data / "faces" / "congress").glob("*/*.jpg"))[:60:20]]


def shrunk(rgb: np.ndarray, height: int) -> np.ndarray:
    width = round(rgb.shape[1] * height / rgb.shape[0])
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)


def rotated(rgb: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture turned counter-clockwise about its middle, on a square that holds it, and the matrix (2, 3)."""
    side = int(np.hypot(*rgb.shape[:2])) + 1
    matrix = cv2.getRotationMatrix2D(((rgb.shape[1] - 1) / 2, (rgb.shape[0] - 1) / 2), degrees, 1.0)
    matrix[:, 2] += (side - np.array(rgb.shape[1::-1])) / 2
    return cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_CUBIC, borderValue=(90, 110, 130)), matrix


def crowd(portraits: list[np.ndarray], shape: tuple[int, int], height: int) -> np.ndarray:
    """Return a photo of 24 people in three rows, one in each of 8 x 3 cells."""
    photo = np.full((*shape, 3), (110, 120, 100), np.uint8)
    for number in range(24):
        small = shrunk(portraits[number % len(portraits)], height)
        y, x = (number // 8) * shape[0] // 3 + 150, (number % 8) * shape[1] // 8 + 100
        photo[y : y + height, x : x + small.shape[1]] = small
    return photo


class Recorder:
    """Stands before a real detector and keeps what it was asked for: sizes, turns, and how many tiles."""

    def __init__(self, detector: Detect) -> None:
        self.detector, self.min_face = detector, detector.min_face
        self.asked: list[tuple[int, ...]] = []
        self.ways: list[tuple[tuple[int, ...], int]] = []

    def detect(self, rgb: np.ndarray, views: Views) -> Detections:
        self.asked.append(views.sides)
        self.ways.append((views.turns, len(views.tiles)))
        return self.detector.detect(rgb, views)


@pytest.mark.parametrize("shape", [(1, 100_000), (100_000, 1), (1, 1)])
def test_a_line_has_no_face(detector: Detect, shape: tuple[int, int]) -> None:
    assert not detector.detect(np.zeros((*shape, 3), np.uint8))


def test_a_portrait_has_one_face_with_its_points_in_order(detector: Detect, large_portrait: Path) -> None:
    (face,) = detector.detect(read(large_portrait))
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert (face.points >= face.box[:2]).all()
    assert (face.points <= face.box[2:]).all()


def test_colour_order_is_turned_at_the_door(detector: Detect, large_portrait: Path) -> None:
    rgb = read(large_portrait)
    assert detector.detect(rgb)[0].score > detector.detect(rgb[:, :, ::-1].copy())[0].score


def test_two_people_are_two_faces_the_larger_first(detector: Detect, data: Path) -> None:
    faces = detector.detect(read(data / "photos" / "face_recognition" / "two_people.jpg"))
    assert len(faces) == 2
    assert faces[0].area >= faces[1].area


def test_tight_portraits_are_found(detector: Detect, data: Path) -> None:
    photos = sorted((data / "faces" / "congress").rglob("*.jpg"))[:20]
    found = [len(detector.detect(read(photo))) for photo in photos]
    assert found.count(1) >= 19, found


def test_each_detector_has_its_own_threshold(face_pack: Path, data: Path) -> None:
    """A weak find of a foreign pack counts by insightface's threshold, not by ours; an asked one beats both."""
    photos = [read(photo) for photo in sorted((data / "faces" / "congress").rglob("*.jpg"))[:20]]

    def count(threshold: float | None) -> int:
        detector = open_detector(face_pack, Options(threads=1, device="cpu", det_threshold=threshold))
        return sum(len(detector.detect(photo)) for photo in photos)

    assert count(None) == count(0.5) > count(0.75)


def test_what_falls_short_of_the_threshold_is_told(face_pack: Path, data: Path) -> None:
    photo = read(data / "photos" / "face_recognition" / "two_people.jpg")

    def unsure(threshold: float, **choices: int) -> list[float]:
        chosen = Options(threads=1, device="cpu", det_threshold=threshold, **choices)
        return sorted(open_detector(face_pack, chosen).detect(photo).unsure)

    assert unsure(0.6) == []
    (beside,), alone = unsure(0.86), unsure(0.9)
    assert 0.8 * 0.86 <= beside < 0.86, "one of the two is surer at the smaller size"
    assert len(alone) == 2
    assert all(0.5 * 0.9 <= score < 0.9 for score in alone)
    assert unsure(0.9, min_face=5000) == []


@pytest.mark.parametrize("upside_down", [False, True])
def test_beside_a_face_only_what_stands_as_it_does_falls_short(portraits: list[np.ndarray], upside_down: bool) -> None:
    """A tie's knot looked a little like a face upside down, and portraits came with advice to lower the threshold."""
    other = cv2.GaussianBlur(portraits[1], (0, 0), 5)
    photo = np.hstack([portraits[0], np.full((300, 60, 3), 127, np.uint8), other[::-1, ::-1] if upside_down else other])
    found = open_detector(None, Options(threads=1, device="cpu", det_threshold=0.6)).search(photo)
    sure, weak = sorted((face.score for face in found), reverse=True)
    between = open_detector(None, Options(threads=1, device="cpu", det_threshold=(sure + weak) / 2)).search(photo)
    assert len(between) == 1
    assert bool(between.unsure) is not upside_down


def test_a_face_filling_the_frame_is_found_once(detector: Detect, data: Path) -> None:
    photo = sorted((data / "faces" / "celebahq" / "images").glob("*.jpg"))[0]
    assert len(detector.detect(read(photo))) == 1


def test_small_faces_are_left_out_on_request(face_pack: Path, large_portrait: Path) -> None:
    picky = open_detector(face_pack, Options(threads=1, device="cpu", min_face=5000))
    found = picky.detect(read(large_portrait))
    assert (len(found), found.too_small, found.unsure) == (0, 1, ())


def test_a_picture_without_a_face_has_none(detector: Detect) -> None:
    assert not detector.detect(np.full((480, 640, 3), 127, np.uint8))


def test_nothing_is_printed(face_pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_detector(face_pack, Options(threads=1, device="cpu"))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_pack_is_opened_beside_a_program_that_goes_on_printing(
    face_pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the whole process is changed for a moment: not where it prints, not what it warns of."""
    open_detector(face_pack, Options(threads=1))  # what is imported the first time sets filters of its own
    own, filters = sys.stdout, list(warnings.filters)
    printing = threading.Event()

    def open_it() -> None:
        printing.wait()
        open_detector(face_pack, Options(threads=1))

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    printed = 0
    while any(thread.is_alive() for thread in threads):
        print("tick")
        assert warnings.filters == filters
        printed += 1
        printing.set()
        time.sleep(0.001)
    assert sys.stdout is own
    assert capsys.readouterr().out.count("tick") == printed > 0


@pytest.mark.parametrize(("mean", "deviation"), [(127.5, 128.0), (0.0, 1.0)])
def test_a_detector_is_given_what_its_library_would_give_it(mean: float, deviation: float) -> None:
    bgr = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    usual = cv2.dnn.blobFromImage(bgr, 1.0 / deviation, (96, 64), (mean, mean, mean), swapRB=True)
    np.testing.assert_array_equal(_blob_of(mean, deviation)(bgr, (96, 64)), usual)


def test_the_library_asks_for_that(face_pack: Path, large_portrait: Path) -> None:
    """Should insightface call it otherwise one day, detectors work as before, and slower."""
    detector = open_detector(face_pack, Options(threads=1))
    asked, usual = list[tuple[int, int]](), detector._network._prepare_input_blob

    def noted(bgr: np.ndarray, input_size: tuple[int, int]) -> np.ndarray:
        asked.append(input_size)
        return usual(bgr, input_size)

    detector._network._prepare_input_blob = noted
    assert usual.__module__ == "faceswap_cli.stages.detect"
    mirrored = np.ascontiguousarray(read(large_portrait)[:, ::-1])  # which no other test has had looked at
    assert len(detector.detect(mirrored)) == 1
    assert len(asked) > 0


def test_no_other_network_of_a_pack_is_opened(
    tmp_path: Path, face_pack: Path, large_portrait: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """insightface prints when it opens one with two inputs, and such a network needs what this one has not."""
    shutil.copy(face_pack / "scrfd_2.5g_bnkps.onnx", tmp_path)
    ends = {"target": [1, 3, 128, 128], "source": [1, 512], "image": [1, 3, 128, 128]}
    target, source, image = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items()
    )
    graph = helper.make_graph([helper.make_node("Identity", ["target"], ["image"])], "swap", [target, source], [image])
    onnx.save(helper.make_model(graph), tmp_path / "another.onnx")
    assert len(open_detector(tmp_path, Options(threads=1)).detect(read(large_portrait))) == 1
    assert capfd.readouterr() == ("", "")


def test_a_pack_with_a_manifest_opens_the_detector_it_names(
    tmp_path: Path, face_pack: Path, large_portrait: Path
) -> None:
    shutil.copy(face_pack / "yunet_n_dynamic.onnx", tmp_path / "a.onnx")
    shutil.copy(face_pack / "scrfd_2.5g_bnkps.onnx", tmp_path / "b.onnx")
    (tmp_path / "MODEL.LICENSE").write_text("for tests")
    manifest = {"manifest_version": 2, "model_id": "two", "license": "MODEL.LICENSE"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"tasks": {"detection": {"file": "b.onnx"}}}))
    detector = open_detector(tmp_path, Options(threads=1))
    assert (detector.file.name, len(detector.detect(read(large_portrait)))) == ("b.onnx", 1)


def test_a_pack_without_a_detector_is_refused(tmp_path: Path, encoder_file: Path) -> None:
    shutil.copy(encoder_file, tmp_path)
    with pytest.raises(WeightsError, match=tmp_path.name):
        open_detector(tmp_path, Options())


def test_a_pack_without_points_is_refused(tmp_path: Path, face_pack: Path) -> None:
    shutil.copy(face_pack / "yunet_n_dynamic.onnx", tmp_path)
    with pytest.raises(WeightsError, match="five points"):
        open_detector(tmp_path, Options())


def test_a_missing_pack_is_no_download(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no folder"):
        open_detector(tmp_path / "buffalo_l", Options())


@pytest.mark.parametrize("degrees", range(0, 360, 30))
def test_a_face_is_found_any_way_up(ours: Detect, portraits: list[np.ndarray], degrees: int) -> None:
    """And its points are where they are upright, within a tenth of the eyes' distance."""
    for rgb in portraits:
        (upright,) = ours.search(rgb)
        turned, matrix = rotated(rgb, degrees)
        (face,) = ours.search(turned)
        expected = transform(upright.points, matrix)
        eyes = float(np.linalg.norm(expected[1] - expected[0]))
        assert np.linalg.norm(face.points - expected, axis=1).mean() < 0.1 * eyes, "the eyes are where the eyes are"


def test_a_lower_threshold_does_not_turn_a_face_over(portraits: list[np.ndarray]) -> None:
    picky = open_detector(None, Options(threads=1, device="cpu", det_threshold=0.3))
    face = picky.search(np.ascontiguousarray(np.rot90(portraits[0], 2)))[0]
    assert face.points[:2, 1].min() > face.points[3:, 1].max(), "eyes below the mouth"


def test_an_upright_photo_keeps_its_faces_as_they_were(ours: Detect, data: Path) -> None:
    for name in ("two_people.jpg", "biden.jpg"):
        rgb = read(data / "photos" / "face_recognition" / name)
        for one, other in zip(ours.detect(rgb), ours.search(rgb), strict=True):
            np.testing.assert_array_equal(one.points, other.points)


def test_small_faces_of_a_large_photo_are_found(ours: Detect, portraits: list[np.ndarray]) -> None:
    """The faces are some 40 pixels wide, 10 in what a look at the whole photo shows."""
    photo = crowd(portraits, (1500, 2400), 70)
    assert not ours.detect(photo)
    faces = ours.search(photo)
    assert len(faces) == 24
    assert {(round(face.box[0]) // 300, round(face.box[1]) // 500) for face in faces} == {
        (column, row) for column in range(8) for row in range(3)
    }


def test_min_face_says_from_what_size_on_faces_are_looked_for(portraits: list[np.ndarray]) -> None:
    photo = crowd(portraits, (1500, 2400), 70)
    assert open_detector(None, Options(threads=1, device="cpu", min_face=120)).search(photo).faces == ()


def test_a_panorama_shows_its_faces(ours: Detect, portraits: list[np.ndarray]) -> None:
    photo = np.full((600, 9000, 3), 110, np.uint8)
    for number, height in enumerate((60, 150, 400)):
        small = shrunk(portraits[number % len(portraits)], height)
        photo[100 : 100 + height, 500 + 3000 * number :][:, : small.shape[1]] = small
    assert len(ours.search(photo)) == 3


def test_a_face_that_lies_is_followed_as_it_lies(ours: Detect, portraits: list[np.ndarray]) -> None:
    lying, recorder = np.ascontiguousarray(np.rot90(portraits[0])), Recorder(ours)
    watch = Watch(recorder)
    assert all(len(watch.find(lying)) == 1 for _ in range(7))
    assert [sorted(turns) for turns, _ in recorder.ways] == [[0, 1, 2, 3]] + [[3]] * 5 + [[0, 3]]


def test_a_head_that_rolls_over_is_found_all_the_way(ours: Detect, portraits: list[np.ndarray]) -> None:
    watch = Watch(ours)
    found = [watch.find(rotated(portraits[0], degrees)[0]) for degrees in range(0, 360, 8)]
    assert [len(faces) for faces in found] == [1] * 45
    leaning = [tilt(faces[0], 0) for faces in found]
    assert all(
        abs((one + degrees + 180) % 360 - 180) < 12 for one, degrees in zip(leaning, range(0, 360, 8), strict=True)
    )


def test_small_faces_of_a_clip_are_followed_in_tiles(ours: Detect, portraits: list[np.ndarray]) -> None:
    small, recorder = shrunk(portraits[0], 70), Recorder(ours)
    watch = Watch(recorder)
    for step in range(14):
        rgb = np.full((1080, 1920, 3), 110, np.uint8)
        rgb[500:570, 900 + 9 * step :][:, : small.shape[1]] = small
        assert len(watch.find(rgb)) == 1, step
    assert recorder.asked[1:6] == [()] * 5, "no look at the whole frame between two searches"
    assert [tiles for _, tiles in recorder.ways[:7]] == [8, 1, 1, 1, 1, 1, 2]


def test_who_stands_further_off_is_noticed_after_a_while(ours: Detect, portraits: list[np.ndarray]) -> None:
    """Someone near is followed at a glance; a small face comes, and one of 8 tiles is looked at every 6 frames."""
    near, far, watch = shrunk(portraits[0], 700), shrunk(portraits[1], 70), Watch(ours)
    counts = []
    for step in range(50):
        rgb = np.full((1080, 1920, 3), 110, np.uint8)
        rgb[200:900, 100:][:, : near.shape[1]] = near
        if step >= 1:
            rgb[700:770, 1500:][:, : far.shape[1]] = far
        counts.append(len(watch.find(rgb)))
    moment = counts.index(2)
    assert moment <= 48 and set(counts[moment:]) == {2}


def test_a_watched_face_is_looked_at_once_a_frame(detector: Detect, large_portrait: Path) -> None:
    rgb, recorder = read(large_portrait), Recorder(detector)
    watch = Watch(recorder)
    assert all(len(watch.find(rgb)) == 1 for _ in range(6))
    assert len(recorder.asked[0]) == 2
    assert all(len(sides) == 1 for sides in recorder.asked[1:])


def test_a_lost_face_is_searched_at_every_size_at_once(detector: Detect, large_portrait: Path) -> None:
    rgb, recorder = read(large_portrait), Recorder(detector)
    watch = Watch(recorder)
    watch.find(rgb)
    watch.find(np.zeros_like(rgb))
    assert [len(sides) for sides in recorder.asked] == [2, 1, 2]


def test_watching_loses_no_face_that_searching_finds(detector: Detect, data: Path) -> None:
    capture = cv2.VideoCapture(str(data / "clips" / "intel_asl_brother.mkv"))
    frames = [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for _ in range(20)]
    watch = Watch(detector)
    assert [len(watch.find(frame)) for frame in frames] == [len(detector.detect(frame)) for frame in frames]
