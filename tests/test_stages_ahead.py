"""A step runs ahead of the next by a few frames, by fewer where they are large, and ends with whoever wants them."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import numpy as np
import pytest

from faceswap_cli.stages.ahead import ahead
from faceswap_cli.types import Frame


@pytest.mark.parametrize(
    "side, made",
    [
        (8, 5),  # one taken, three that wait, one in the hands of the thread
        (3738, 3),  # 40 MiB of RGB, 60 with the planes: two of them are over 96
    ],
)
def test_so_many_frames_are_made_when_the_first_is_taken(side: int, made: int) -> None:
    rgb, numbers = np.broadcast_to(np.uint8(0), (side, side, 3)), list[int]()

    def frames() -> Iterator[Frame]:
        for index in count():
            numbers.append(index)
            yield Frame(rgb, index)

    with closing(ahead(frames())) as stream:
        assert next(stream).index == 0
        until = time.monotonic() + 10
        while len(numbers) < made and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)
        assert len(numbers) == made
    assert not any(thread.name == "prefetch" for thread in threading.enumerate())
