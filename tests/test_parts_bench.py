"""A part's frames are those that were planned, wherever the reader begins."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from faceswap_cli.errors import MediaError
from faceswap_cli.media.reader import ResumePoint
from faceswap_cli.parts.bench import placed
from faceswap_cli.parts.records import PlannedFrame
from faceswap_cli.types import Frame

PLAN: Any = SimpleNamespace(start=None, end=None)


class Clip:
    """Ten frames, 2 ticks apart; read from its middle it tells times that are `wrong` ticks late."""

    path = Path("clip.mp4")

    def __init__(self, wrong: int = 0, behind: int = 0) -> None:
        self.wrong, self.behind = wrong, behind  # from which frame on
        self.readings: list[int] = []

    def frames(self, start: Any, end: Any, resume_from: ResumePoint | None = None) -> Iterator[Frame]:
        first = 0 if resume_from is None else resume_from.index
        self.readings.append(first)
        for index in range(first, 10):
            late = self.wrong if resume_from is not None and index >= self.behind else 0
            yield Frame(np.zeros((2, 2, 3), np.uint8), index, 2 * index + late, Fraction(1))


def part(frames: range, seeks: bool = True, late: int = 0) -> Any:
    return SimpleNamespace(frames=[PlannedFrame(index, 2 * index + late, ()) for index in frames], seeks=seeks)


def indices(clip: Any, part: Any) -> list[int]:
    return [located.frame.index for located in placed(clip, part, PLAN)]


def test_reading_begins_where_the_part_does_and_ends_there() -> None:
    clip = Clip()
    assert indices(clip, part(range(4, 8))) == [4, 5, 6, 7]
    assert clip.readings == [4]


@pytest.mark.parametrize("behind", [0, 6])
def test_where_the_middle_gives_other_times_reading_begins_at_the_beginning(behind: int) -> None:
    clip = Clip(wrong=1, behind=behind)
    assert indices(clip, part(range(4, 8))) == [4, 5, 6, 7]
    assert clip.readings == [4, 0]


def test_a_damaged_clip_is_read_from_its_beginning() -> None:
    clip = Clip()
    assert indices(clip, part(range(4, 8), seeks=False)) == [4, 5, 6, 7]
    assert clip.readings == [0]


@pytest.mark.parametrize("planned", [part(range(4, 8), late=1), part(range(8, 12))])
def test_a_clip_that_is_read_otherwise_is_an_error(planned: Any) -> None:
    with pytest.raises(MediaError, match="delete the plan"):
        indices(Clip(), planned)
