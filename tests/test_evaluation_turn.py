"""How a head is turned: rotated heads give back their angles, real ones about those of networks made for it."""

from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.engines.select import open_network
from faceswap_cli.evaluation.judges import POSE_FILES, PoseJudge
from faceswap_cli.evaluation.people import list_faces
from faceswap_cli.evaluation.turn import HEAD, turn_of, turn_seen
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.portrait.landmarks import LandmarkFinder
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.store import models
from faceswap_cli.types import Face

# the points 0 to 47 as a mirror names them
MIRRORED = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)]
MIRRORED += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]


def points_of(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Project the head, leant clockwise, then raised, then turned to the right, at 20 pixels a centimetre."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    rise = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return (20 * (HEAD @ (turn @ rise @ lean).T)[:, :2] + 100).astype(np.float32)


@pytest.mark.parametrize(
    "angles", [(-50, 0, 0), (35, 0, 0), (0, -30, 0), (0, 25, 0), (0, 0, -30), (0, 0, 80), (0, 0, 0), (30, -20, 40)]
)
def test_a_turned_head_gives_its_angles(angles: tuple[float, float, float]) -> None:
    assert turn_of(points_of(*angles)) == pytest.approx(angles, abs=0.1)


def test_who_looks_up_and_right_has_the_nose_up_and_right() -> None:
    nose = points_of(20, 20, 0)[30] - points_of(0, 0, 0)[30]
    assert nose[0] > 5
    assert nose[1] < -5


def test_a_mirrored_face_looks_the_other_way_and_as_high() -> None:
    points = points_of(25, 15, 10)
    yaw, pitch, roll = turn_of(points)
    assert turn_of((points * (-1, 1) + (200, 0))[MIRRORED]) == pytest.approx((-yaw, pitch, -roll), abs=1e-3)


def views(data: Path) -> list[tuple[np.ndarray, Face]]:
    """Two frames of every clip and the portraits of two folders, each with its largest face."""
    detector = open_detector(None, Options(device="cpu", threads=1))
    pictures = [read_photo(path).frame.rgb for path in sorted((data / "photos" / "face_recognition").iterdir())]
    pictures += [read_photo(path).frame.rgb for path in sorted((data / "photos" / "deepface").glob("*.jpg"))]
    for path in sorted((data / "clips").iterdir()):
        with open_clip(path) as clip:
            frames = clip.frames()
            pictures += [frame.rgb for _, frame in zip(range(41), frames, strict=False) if frame.index in (0, 40)]
    found = [(rgb, detector.detect(rgb)) for rgb in pictures]
    return [(rgb, faces[0]) for rgb, faces in found if faces]


def test_real_heads_are_turned_as_fsa_net_sees_them(data: Path) -> None:
    files = tuple(data / file for file in POSE_FILES)
    if not all(file.is_file() for file in files):
        pytest.skip("the pose judges are not there")
    judge = PoseJudge(files, 1)
    points = LandmarkFinder(open_network(models.locate("points"), "cpu", 1), models.entry("points"))
    seen = views(data)
    told = np.array([turn_seen(rgb, face, points) for rgb, face in seen])
    judged = np.array([judge.angles(rgb, face) for rgb, face in seen]) * (-1, 1, 1)  # its yaw is positive to the left
    assert len(seen) > 50
    assert (np.abs(told - judged).mean(axis=0) < (2.5, 2.5, 2)).all()
    assert min(np.corrcoef(told[:, axis], judged[:, axis])[0, 1] for axis in range(3)) > 0.8


def test_a_list_of_faces_tells_three_angles(data: Path) -> None:
    (face,), notes = list_faces(data / "photos" / "face_recognition" / "obama.jpg", Options(device="cpu", threads=1))
    assert notes == []
    assert face.as_record()["pose"].keys() == {"yaw", "pitch", "roll"}
    assert max(map(abs, face.as_record()["pose"].values())) < 20


def test_without_the_network_for_points_no_angle_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = models.is_present
    monkeypatch.setattr(models, "is_present", lambda wanted: wanted.name != "points" and here(wanted))
    (face,), notes = list_faces(data / "photos" / "face_recognition" / "obama.jpg", Options(device="cpu", threads=1))
    assert notes == ["no network for points is installed: how heads are turned is not told"]
    assert face.as_record()["pose"] is None


def test_the_head_is_symmetric_and_its_points_follow_each_other() -> None:
    np.testing.assert_array_equal(HEAD[MIRRORED], HEAD * (-1, 1, 1))
    jaw, brow, eye = HEAD[:9], HEAD[17:22], HEAD[36:42]
    for row in (jaw[2:, 0], brow[:, 0], eye[:4, 0], eye[[0, 5, 4, 3], 0], jaw[:, 1], -jaw[:, 2], -brow[:, 2]):
        assert (np.diff(row) > 0).all()
    assert (HEAD[27:31, 0] == 0).all() and (np.diff(HEAD[27:31, 1]) > 0).all() and (np.diff(HEAD[27:31, 2]) < 0).all()
    assert brow[:, 1].max() < eye[:, 1].min() < eye[:, 1].max() < HEAD[30, 1] < HEAD[33, 1] < jaw[-1, 1]
    assert brow[0, 0] < eye[:, 0].min() and eye[:, 0].max() < brow[-1, 0]
    assert eye[1:3, 1].max() < eye[4:, 1].min(), "the upper lid above the lower"
