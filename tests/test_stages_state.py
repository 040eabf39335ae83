"""What a stage knows in the middle of a clip goes through JSON with every bit, and another goes on from it."""

import json
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import pytest

from faceswap_cli.stages.locator import Locator
from faceswap_cli.stages.state import Resumable, decoded, encoded, frame_times
from faceswap_cli.stages.track import Located, Track
from faceswap_cli.stages.views import Tile
from faceswap_cli.stages.watch import Watch
from faceswap_cli.stages.who import Known, Recogniser, Wanted
from faceswap_cli.types import BELOW_THRESHOLD, Detections, Face, Frame, PassedOver

LENGTH, CUT = 44, 30
DRAW = np.random.default_rng(7)
ONE, OTHER, WALL, ELSEWHERE = (
    DRAW.integers(0, 255, shape, np.uint8).repeat(4, 0).repeat(4, 1)
    for shape in ((10, 10, 3), (10, 10, 3), (30, 60, 3), (30, 60, 3))
)
ONE[..., 0] //= 8
OTHER[..., 2] //= 8


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_every_bit_comes_back() -> None:
    array = np.array([[0.1, -np.inf], [1e-45, 3.4e38]], np.float32)
    value = {1: (array, deque([0.1], maxlen=4)), "b": {2, 3}, None: [True, -np.inf, np.float32(0.1)]}
    got = decoded(through_json(encoded(value)))
    assert list(got) == [1, "b", None]
    assert (got["b"], got[None], type(got[None][2])) == ({2, 3}, [True, -np.inf, np.float32(0.1)], np.float32)
    back, series = got[1]
    assert (back.tobytes(), back.dtype, back.shape) == (array.tobytes(), array.dtype, array.shape)
    assert (series, series.maxlen) == (deque([0.1]), 4)


class Stage(Resumable):
    kept: ClassVar[tuple[str, ...]] = ("seen",)

    def __init__(self, seen: object) -> None:
        self.seen = seen


def test_frames_are_told_by_number_and_time_and_given_anew() -> None:
    frame = Frame(WALL, 7, 700)
    state = through_json(Stage({"now": [frame]}).state())
    assert frame_times(state) == {7: 700}
    stage = Stage(None)
    stage.restore(state, {7: frame})
    assert stage.seen == {"now": [frame]}


def test_no_class_comes_back_that_a_stage_does_not_name() -> None:
    state = through_json(Stage(Tile(0, 0, 1, 1, 1.0)).state())
    with pytest.raises(KeyError, match="Tile"):
        Stage(None).restore(state, {})


class Shown:
    """A detector that finds what a scene shows, and one face that falls short."""

    min_face = 12

    def __init__(self, places: dict[bytes, list[Face]]) -> None:
        self._places = places

    def detect(self, rgb: np.ndarray, *_: object) -> Detections:
        faces = self._places[rgb.tobytes()]
        return Detections(tuple(faces), tuple(PassedOver(face, BELOW_THRESHOLD) for face in faces[:1]))


class Coloured:
    """An encoder that knows people by the middle of their faces."""

    def embed(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        x, y = face.points.mean(axis=0).astype(int)
        vector = rgb[max(y, 0), max(x, 0)].astype(np.float32) + 1
        return vector / np.float32(np.linalg.norm(vector))


def face_at(left: float, top: float) -> Face:
    points = np.float32([[12, 14], [28, 14], [20, 22], [14, 30], [26, 30]]) + np.float32([left, top])
    return Face(np.float32([left, top, left + 40, top + 40]), points, 0.9)


def scene() -> tuple[list[Frame], Shown]:
    """Two people who cross, are missed for a while, and a cut behind which one of them is alone."""
    frames, places = list[Frame](), dict[bytes, list[Face]]()
    for number in range(LENGTH):
        rgb = (WALL if number < CUT else ELSEWHERE).copy()
        there = [(ONE, 4 + 5 * number % 190, 20), (OTHER, max(190 - 5 * number, 4), 60)]
        for picture, x, y in there if number < CUT else there[:1]:
            rgb[y : y + 40, x : x + 40] = picture
        missed = 1 if number in (9, 10, 17, 18, 19, 20, 21, 22) else 0
        frames.append(Frame(rgb, number, 3 * number, Fraction(1, 75)))
        places[rgb.tobytes()] = [face_at(x, y) for _, x, y in (there if number < CUT else there[:1])[missed:]]
    return frames, Shown(places)


def locator(detector: Shown) -> Locator:
    known = Known(Coloured().embed(np.tile(ONE, (2, 2, 1)), face_at(0, 0)))
    recogniser = Recogniser(Coloured(), [known], 0.9)
    wanted = [Wanted(known=0), Wanted(spared=0)]
    return Locator(Watch(detector), Track(1, wanted, recogniser, lambda rgb, face: True))


def follow(at: Locator, frames: Sequence[Frame]) -> Any:
    return at.track.follow((frame, at.watch.find(frame.rgb)) for frame in frames)


def as_numbers(located: Located) -> tuple[object, ...]:
    faces = [(*face.box, *face.points.ravel(), face.score, face.track, face.role) for face in located.faces]
    others = [(*face.box, *face.points.ravel(), face.score, face.track) for face in located.others]
    return located.frame.index, located.shot, faces, others


def test_what_locates_goes_on_from_anywhere_as_if_it_had_seen_all_itself() -> None:
    frames, detector = scene()
    whole, states = [], []
    first = locator(detector)
    for located in follow(first, frames):
        whole.append(as_numbers(located))
        states.append(through_json(first.state()))
    assert {len(faces) + len(others) for _, _, faces, others in whole} >= {1, 2}
    assert {face[-1] for _, _, faces, _ in whole for face in faces} == {0, 1}
    for done, state in enumerate(states, 1):
        looked_at = max(frame_times(state)) + 1
        later = locator(detector)
        later.restore(state, {number: frames[number] for number in frame_times(state)})
        assert [as_numbers(each) for each in follow(later, frames[looked_at:])] == whole[done:], done


def test_all_that_changes_from_frame_to_frame_is_kept() -> None:
    frames, detector = scene()
    at = locator(detector)
    stages = [at.watch, at.track, *at.track._parts()]
    before = [{name: repr(value) for name, value in vars(stage).items()} for stage in stages]
    for _ in zip(range(CUT + 4), follow(at, frames), strict=False):
        pass
    parts = {"_shots", "_numbering", "_bridge", "_casting", "_recogniser"}  # they keep what they know themselves
    parts |= {"looks"}  # of the frame at hand, written before they are read
    for stage, fresh in zip(stages, before, strict=True):
        changed = {name for name, value in vars(stage).items() if repr(value) != fresh[name]}
        assert changed - parts <= set(stage.kept)
