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
from faceswap_cli.stages.detect import Detect, Watch, open_detector
from faceswap_cli.types import Face


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def detector(face_pack: Path) -> Detect:
    return open_detector(face_pack, Options(threads=1, device="cpu"))


class Recorder:
    """Stands before a real detector and keeps the sizes it was asked for."""

    def __init__(self, detector: Detect) -> None:
        self.detector, self.asked = detector, []

    def detect(self, rgb: np.ndarray, sides: tuple[int, ...] = (640, 320)) -> list[Face]:
        self.asked.append(sides)
        return self.detector.detect(rgb, sides)


@pytest.mark.parametrize("shape", [(1, 100_000), (100_000, 1), (1, 1)])
def test_a_line_has_no_face(detector: Detect, shape: tuple[int, int]) -> None:
    assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_a_portrait_has_one_face_with_its_points_in_order(detector: Detect, portrait: Path) -> None:
    (face,) = detector.detect(read(portrait))
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert (face.points >= face.box[:2]).all()
    assert (face.points <= face.box[2:]).all()


def test_colour_order_is_turned_at_the_door(detector: Detect, portrait: Path) -> None:
    rgb = read(portrait)
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
        detector = open_detector(face_pack, chosen)
        detector.detect(photo)
        return sorted(detector.unsure)

    assert unsure(0.6) == []
    (beside,), alone = unsure(0.86), unsure(0.9)
    assert 0.8 * 0.86 <= beside < 0.86, "one of the two is surer at the smaller size"
    assert len(alone) == 2
    assert all(0.5 * 0.9 <= score < 0.9 for score in alone)
    assert unsure(0.9, min_face=5000) == []


def test_a_face_filling_the_frame_is_found_once(detector: Detect, data: Path) -> None:
    photo = sorted((data / "faces" / "celebahq" / "images").glob("*.jpg"))[0]
    assert len(detector.detect(read(photo))) == 1


def test_small_faces_are_left_out_on_request(face_pack: Path, portrait: Path) -> None:
    picky = open_detector(face_pack, Options(threads=1, device="cpu", min_face=5000))
    assert picky.detect(read(portrait)) == []


def test_a_picture_without_a_face_has_none(detector: Detect) -> None:
    assert detector.detect(np.full((480, 640, 3), 127, np.uint8)) == []


def test_nothing_is_printed(face_pack: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_detector(face_pack, Options(threads=1, device="cpu"))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_pack_is_opened_beside_a_program_that_goes_on_printing(
    face_pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the whole process is changed for a moment: not where it prints, not what it warns of."""
    own, filters = sys.stdout, list(warnings.filters)
    threads = [threading.Thread(target=open_detector, args=(face_pack, Options(threads=1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    printed = 0
    while any(thread.is_alive() for thread in threads):
        print("tick")
        assert warnings.filters == filters
        printed += 1
        time.sleep(0.001)
    assert sys.stdout is own
    assert capsys.readouterr().out.count("tick") == printed > 0


def test_no_other_network_of_a_pack_is_opened(
    tmp_path: Path, face_pack: Path, portrait: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """insightface prints when it opens one with two inputs, and such a network needs what this one has not."""
    shutil.copy(face_pack / "scrfd_2.5g_bnkps.onnx", tmp_path)
    ends = {"target": [1, 3, 128, 128], "source": [1, 512], "image": [1, 3, 128, 128]}
    target, source, image = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items()
    )
    graph = helper.make_graph([helper.make_node("Identity", ["target"], ["image"])], "swap", [target, source], [image])
    onnx.save(helper.make_model(graph), tmp_path / "another.onnx")
    assert len(open_detector(tmp_path, Options(threads=1)).detect(read(portrait))) == 1
    assert capfd.readouterr() == ("", "")


def test_a_pack_with_a_manifest_opens_the_detector_it_names(tmp_path: Path, face_pack: Path, portrait: Path) -> None:
    shutil.copy(face_pack / "yunet_n_dynamic.onnx", tmp_path / "a.onnx")
    shutil.copy(face_pack / "scrfd_2.5g_bnkps.onnx", tmp_path / "b.onnx")
    (tmp_path / "MODEL.LICENSE").write_text("for tests")
    manifest = {"manifest_version": 2, "model_id": "two", "license": "MODEL.LICENSE"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"tasks": {"detection": {"file": "b.onnx"}}}))
    detector = open_detector(tmp_path, Options(threads=1))
    assert (detector.file.name, len(detector.detect(read(portrait)))) == ("b.onnx", 1)


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


def test_a_watched_face_is_looked_at_once_a_frame(detector: Detect, portrait: Path) -> None:
    rgb, recorder = read(portrait), Recorder(detector)
    watch = Watch(recorder)
    assert all(len(watch.look(rgb)) == 1 for _ in range(6))
    assert len(recorder.asked[0]) == 2
    assert all(len(sides) == 1 for sides in recorder.asked[1:])


def test_a_lost_face_is_searched_at_every_size_at_once(detector: Detect, portrait: Path) -> None:
    rgb, recorder = read(portrait), Recorder(detector)
    watch = Watch(recorder)
    watch.look(rgb)
    watch.look(np.zeros_like(rgb))
    assert [len(sides) for sides in recorder.asked] == [2, 1, 2]


def test_watching_loses_no_face_that_searching_finds(detector: Detect, data: Path) -> None:
    capture = cv2.VideoCapture(str(data / "clips" / "intel_asl_brother.mkv"))
    frames = [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for _ in range(20)]
    watch = Watch(detector)
    assert [len(watch.look(frame)) for frame in frames] == [len(detector.detect(frame)) for frame in frames]
