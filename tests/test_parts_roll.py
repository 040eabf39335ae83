"""The roll of a clip: who is in it by which tracks, from when to when, and whether they were chosen."""

from dataclasses import replace

import numpy as np

from faceswap_cli.parts.records import SOMETIMES, PlannedFrame, PlannedPerson
from faceswap_cli.parts.roll import Entry, Roll, planned_people
from faceswap_cli.types import Face
from tests.test_stages_track import face
from tests.test_stages_who import written


def seen(track: int, left: float, width: float = 20, role: int = 0) -> Face:
    return replace(face(left, 0, width), track=track, role=role)


def of(entry: Entry) -> tuple[float, float, int, int, float]:
    return entry.first, entry.last, entry.frames, entry.swapped, entry.size


def test_a_track_is_somebody_from_its_first_frame_to_its_last() -> None:
    roll = Roll()
    wide = replace(seen(4, 60), box=np.array([60, 0, 120, 20], np.float32))  # 60 x 20: its shorter side counts
    for number, (chosen, others) in enumerate(
        [((seen(4, 60, 30),), ()), ((), (wide, seen(1, 0))), ((), (seen(1, 0),))]
    ):
        roll.add(PlannedFrame(number, number, chosen, others), number / 2)
    entries = roll.entries()
    assert list(entries) == ["t1", "t4"]
    assert of(entries["t4"]) == (0.0, 0.5, 2, 1, 30.0)
    assert of(entries["t1"]) == (0.5, 1.0, 2, 0, 20.0)
    assert planned_people(entries) == [
        PlannedPerson("t1", (1,), False, None),
        PlannedPerson("t4", (4,), SOMETIMES, 0),
    ]


def test_the_tracks_of_one_whom_the_people_name_are_one_entry() -> None:
    """p1 stands left from 0 to 6 s, by tracks 0 and 2; track 1 is nobody's; each had another role."""
    people = written(p1=[[0, 0, 0, 20, 20], [6, 0, 0, 20, 20]])
    roll = Roll(people)
    for seconds, faces in (
        (0.5, (seen(0, 0, role=1), seen(1, 80))),
        (1.0, (seen(0, 0, role=1),)),
        (5.0, (seen(2, 1, 22, role=0),)),
    ):
        roll.add(PlannedFrame(0, 0, faces), seconds)
    entries = roll.entries()
    assert list(entries) == ["p1", "t1"]
    assert of(entries["p1"]) == (0.5, 5.0, 3, 3, 22.0)
    assert (entries["p1"].tracks, entries["p1"].roles) == ([0, 2], {0, 1})
    assert entries["p1"].planned("p1") == PlannedPerson("p1", (0, 2), True, None)


def test_whose_a_track_is_most_of_its_frames_say() -> None:
    """It is where p1 was written down for one frame, and where p2 was for two."""
    people = written(p1=[[0, 0, 0, 20, 20], [9, 0, 0, 20, 20]], p2=[[0, 50, 0, 70, 20], [9, 50, 0, 70, 20]])
    roll = Roll(people)
    for seconds, left in ((1, 0), (2, 50), (3, 50), (4, 100)):
        roll.add(PlannedFrame(0, 0, (), (seen(3, left),)), seconds)
    assert list(roll.entries()) == ["p2"]
