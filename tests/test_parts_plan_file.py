"""A plan of tracks comes back as it was written, to the bit; edits are taken, holes and other clips' plans refused."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.parts.plan_file import Heading, PlanWriter, TrackPlan, read_plan
from faceswap_cli.parts.records import PlannedFrame
from faceswap_cli.parts.roll import Roll
from faceswap_cli.types import TOO_SMALL, Face, PassedOver

SETTINGS = {"faces": "all", "who": "None"}


def face(track: int, role: int = 0, left: float = 10.0) -> Face:
    box = np.array([left, 20, left + 30 + track, 60], np.float32) + np.float32(0.1)
    points = np.random.default_rng(track).random((5, 2)).astype(np.float32) * 100
    return Face(box, points, 0.1 + 0.2, track, role)


# Track 0 is swapped throughout, 1 now and then, 2 never; a cut lies before the third frame.
FRAMES = [
    PlannedFrame(0, 100, (face(1, 1), face(0)), (face(2),), (PassedOver(face(7), TOO_SMALL),)),
    PlannedFrame(1, 140, (face(0),), (face(1), face(2))),
    PlannedFrame(2, 190, (), (), shot=1),
]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"pictures")
    return path


@pytest.fixture
def heading(clip: Path) -> Heading:
    return Heading(clip, SETTINGS, [(None, ["me.jpg"]), ("left", ["you.jpg"])])


@pytest.fixture
def path(tmp_path: Path, heading: Heading) -> Path:
    path = tmp_path / "tracks.json"
    writer = PlanWriter(path, heading, Roll())
    for frame in FRAMES:
        writer.add(frame, frame.pts / 100)
    writer.finish(["one frame is damaged"])
    return path


def edited(path: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record, indent=4))
    return path


def known(plan: TrackPlan) -> list[tuple[Any, ...]]:
    """All of each frame, faces as bytes."""

    def told(each: Face) -> tuple[Any, ...]:
        return each.track, each.role, each.score, each.box.tobytes(), each.points.tobytes()

    return [
        (
            frame.index,
            frame.pts,
            [told(each) for each in frame.chosen],
            [told(each) for each in frame.others],
            [(each.why, *told(each.face)[2:]) for each in frame.passed_over],
        )
        for frame in plan.frames()
    ]


def test_a_plan_comes_back_to_the_bit(path: Path, heading: Heading, clip: Path) -> None:
    plan = read_plan(path, heading)
    assert known(plan) == known(_Given(FRAMES))
    assert (plan.frame_count, plan.damage, plan.edit) == (3, ("one frame is damaged",), None)
    assert sorted(each.name for each in path.parent.iterdir()) == ["clip.mp4", "tracks.json"]


class _Given:
    """Frames as they are."""

    def __init__(self, frames: list[PlannedFrame]) -> None:
        self.frames = lambda: frames


def test_people_cuts_and_decisions_can_be_read(path: Path) -> None:
    record = json.loads(path.read_text())
    people = [
        (each["name"], each["swap"], each["source"], each["frames"], each["swapped"]) for each in record["people"]
    ]
    assert people == [("t0", True, 0, 2, 2), ("t1", "sometimes", 1, 2, 1), ("t2", False, None, 2, 0)]
    assert (record["cuts"], record["people"][0]["seconds"]) == ([1.9], [1.0, 1.4])
    assert sum('"frame": ' in line for line in path.read_text().splitlines()) == len(FRAMES)


def test_laid_out_otherwise_it_is_still_the_same_plan(path: Path, heading: Heading) -> None:
    assert read_plan(edited(path, lambda record: None), heading).edit is None


def chosen(plan: TrackPlan) -> list[dict[int, int]]:
    return [{each.track: each.role for each in frame.chosen} for frame in plan.frames()]


@pytest.mark.parametrize(
    ("person", "change", "wanted"),
    [
        (0, {"swap": False}, [{1: 1}, {}, {}]),
        (0, {"source": 1}, [{0: 1, 1: 1}, {0: 1}, {}]),
        (1, {"swap": True}, [{0: 0, 1: 1}, {0: 0, 1: 1}, {}]),
        (2, {"swap": True, "source": 1}, [{0: 0, 1: 1, 2: 1}, {0: 0, 2: 1}, {}]),
    ],
)
def test_who_is_swapped_may_be_edited(
    path: Path, heading: Heading, person: int, change: dict[str, Any], wanted: list[dict[int, int]]
) -> None:
    plan = read_plan(edited(path, lambda record: record["people"][person].update(change)), heading)
    assert chosen(plan) == wanted
    assert plan.edit is not None


def test_those_swapped_come_with_the_largest_first(path: Path, heading: Heading) -> None:
    """Track 2's box is the largest."""
    plan = read_plan(edited(path, lambda record: record["people"][2].update(swap=True, source=0)), heading)
    assert [each.track for each in next(plan.frames()).chosen] == [2, 1, 0]


ZOE = {"name": "zoe", "tracks": [7, 8], "swap": True, "source": 0}
HOLES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda record: record["frames"].pop(1), "frame 1: its number is 2"),
    (lambda record: record["frames"].pop(), "its end: it has 2 frames, and frame_count is 3"),
    (lambda record: record["frames"][1].pop("faces"), "frame 1: it lacks 'faces'"),
    (lambda record: record["frames"][1]["faces"][0].pop("box"), "frame 1: it lacks 'box'"),
    (lambda record: record["frames"][0]["faces"][0]["points"].pop(), "frame 0: .*points have 10"),
    (lambda record: record["frames"][0]["faces"][0].update(box=[5, 5, 5, 9]), "frame 0: .*room between"),
    (lambda record: record["frames"][0]["faces"][0].update(source=2), "frame 0: a source is named that is not there"),
    (lambda record: record["frames"][0]["faces"][0].update(track=0), "frame 0: a track is there twice"),
    (lambda record: record["frames"][1].update(pts=100), "frame 1: its pts 100 is not behind"),
    (lambda record: record["frames"][1].update(pts="140"), "frame 1: .*whole numbers"),
    (lambda record: record["people"].pop(1), "frame 0: track 1 is nobody's"),
    (lambda record: record["people"][0]["tracks"].append(2), "track 2 is there twice"),
    (lambda record: record["people"][0].update(swap="yes"), "swap of t0 is 'yes'"),
    (lambda record: record["people"][0].update(source=2), "source of t0 is 2"),
    (lambda record: record["people"][0].update(tracks=0), "tracks of t0 are 0"),
    (lambda record: record["people"][2].update(swap=True), "frame 0: t2 is to be swapped, but no source"),
    (lambda record: record["people"].append(ZOE), r"its end: zoe is .* in no frame \(tracks: 7, 8\)"),
    (lambda record: record["people"].append(ZOE | {"tracks": []}), r"its end: zoe is .* \(tracks: none\)"),
    (lambda record: record.pop("people"), "it lacks 'people'"),
    (lambda record: record.update(version=2), "of version 2, 1 is read here"),
    (lambda record: record.update(format="x"), "no plan of tracks"),
    (lambda record: record.update(fingerprint="x"), r"of another clip \(clip.mp4\)"),
    (lambda record: record["settings"].update(faces="1"), "made with faces 1, not all"),
]


@pytest.mark.parametrize(("edit", "line"), HOLES, ids=[line for _, line in HOLES])
def test_a_hole_is_said_in_one_line(
    path: Path, heading: Heading, edit: Callable[[dict[str, Any]], object], line: str
) -> None:
    with pytest.raises(UsageError, match=line) as error:
        read_plan(edited(path, edit), heading)
    assert "\n" not in str(error.value)


def test_somebody_who_is_in_no_frame_may_be_listed_where_they_are_not_swapped(path: Path, heading: Heading) -> None:
    plan = read_plan(edited(path, lambda record: record["people"].append(ZOE | {"swap": False})), heading)
    assert [person.name for person in plan.people][-1] == "zoe"


def test_every_cut_off_plan_is_refused(path: Path, heading: Heading) -> None:
    text = path.read_text()
    for end in range(0, len(text.rstrip()), 97):
        path.write_text(text[:end])
        with pytest.raises(UsageError, match=re.escape(str(path))):
            read_plan(path, heading)


def test_a_plan_whose_clip_is_gone_leaves_nothing(tmp_path: Path, heading: Heading) -> None:
    writer = PlanWriter(tmp_path / "tracks.json", heading, Roll())
    writer.add(replace(FRAMES[0]), 1.0)
    writer.discard()
    assert [each.name for each in tmp_path.iterdir()] == ["clip.mp4"]
