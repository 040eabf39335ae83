"""Frames that several processes look at are those that one would have looked at."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from faceswap_cli.stages.likeness import EVERY, MOST, Likeness
from faceswap_cli.types import Face, Frame, Identity, Patch, Swapped

FACE = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
PATCH = Patch(0, 0, np.zeros((2, 2, 3), np.uint8), np.ones((2, 2), np.float32))


class Encoder:
    """Tells what a picture's first pixel says."""

    def embed(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        return np.array([rgb[0, 0, 0] / 255], np.float32)


def looked(frames: range) -> Likeness:
    encoder: Any = Encoder()
    likeness = Likeness(encoder, [Identity(np.ones(1, np.float32), "test")])
    for index in frames:
        frame = Frame(np.full((2, 2, 3), index % 251, np.uint8), index)
        likeness.compare(Swapped(frame, (PATCH,), 1), (FACE,))
    return likeness


@pytest.mark.parametrize("ends", [(0, 100, 400), (0, 2000, 3000), (0, 4, 1600, 1700, 7000)])
def test_what_several_looked_at_is_what_one_would_have(ends: tuple[int, ...]) -> None:
    together, whole = looked(range(0)), looked(range(ends[-1]))
    for first, last in reversed(list(pairwise(ends))):
        together.add(looked(range(first, last)).looks)
    assert list(together.looks) == list(whole.looks)
    assert together.report() == whole.report()
    assert len(whole.looks) <= MOST
    assert 0 in whole.looks and all(index % EVERY == 0 for index in whole.looks)
