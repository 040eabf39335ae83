"""A clip is cut where its output is; a part brings the frames its history needs, and the output's last time."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from faceswap_cli.parts.cut import Cuts, Part, stretches_of
from faceswap_cli.parts.records import PlannedFrame


def cut(count: int = 12, most: int = 1, finished: set[int] | None = None, reach: int = 0, **plan: Any) -> list[Part]:
    """Cut frames of half a second: four of them are a stretch."""
    half = Fraction(1, 2)
    asked = SimpleNamespace(clip=SimpleNamespace(time_base=half), time_base=half) if not plan else plan["plan"]
    cuts = Cuts(asked, reach, most, finished or set(), lambda: True)  # type: ignore[arg-type]
    frames = [PlannedFrame(index, index, ()) for index in range(count)]
    return [part for part in cuts.cut(frames) if part is not None]


def spans(parts: list[Part]) -> list[tuple[int, int, int]]:
    """The first frame that is read, the first that is written, and the last."""
    return [(part.frames[0].index, part.first, part.frames[-1].index) for part in parts]


def test_parts_end_where_stretches_do() -> None:
    assert spans(cut()) == [(0, 0, 3), (4, 4, 7), (8, 8, 11)]
    assert spans(cut(most=2)) == [(0, 0, 7), (8, 8, 11)]
    assert spans(cut(count=0)) == []


def test_a_part_is_led_by_the_frames_its_history_needs() -> None:
    assert spans(cut(reach=3)) == [(0, 0, 3), (1, 4, 7), (5, 8, 11)]
    assert spans(cut(reach=40, most=2)) == [(0, 0, 7), (0, 8, 11)]


@pytest.mark.parametrize(
    ("finished", "wanted"),
    [
        ({0}, [(3, 4, 11)]),
        ({1}, [(0, 0, 3), (7, 8, 11)]),
        ({2}, [(0, 0, 7)]),
        ({0, 2}, [(3, 4, 7)]),
        ({0, 1, 2}, []),
    ],
)
def test_what_is_finished_is_in_no_part(finished: set[int], wanted: list[tuple[int, int, int]]) -> None:
    assert spans(cut(most=9, finished=finished, reach=1)) == wanted


def test_the_last_time_of_the_output_before_a_part_is_known() -> None:
    """Of a container that counts whole seconds, two frames a second: each is moved behind the one before."""
    plan = SimpleNamespace(clip=SimpleNamespace(time_base=Fraction(1, 2)), time_base=Fraction(1))
    assert [part.last_pts for part in cut(plan=plan)] == [None, 3, 7]


def test_a_stretch_in_which_nothing_is_shown_is_none() -> None:
    half = Fraction(1, 2)
    plan = SimpleNamespace(clip=SimpleNamespace(time_base=half), time_base=half)
    frames = [PlannedFrame(0, 0, ()), PlannedFrame(1, 40, ())]
    parts = [part for part in Cuts(plan, 0, 1, set(), lambda: False).cut(frames) if part]  # type: ignore[arg-type]
    assert spans(parts) == [(0, 0, 0), (1, 1, 1)]
    assert not parts[1].seeks


@pytest.mark.parametrize(
    ("seconds", "parts", "workers", "wanted"),
    [
        (10, None, 2, 3),
        (10, 5, 2, 1),
        (600, None, 2, 30),
        (600, 2, 2, 150),
        (6000, None, 1, 300),
        (0.5, None, 8, 1),
        (0, None, 1, 1),
    ],
)
def test_as_many_parts_as_workers_of_a_minute_at_most(
    seconds: float, parts: int | None, workers: int, wanted: int
) -> None:
    assert stretches_of(seconds, parts, workers) == wanted
