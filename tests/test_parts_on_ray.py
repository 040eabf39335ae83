"""A cluster's workers: whose part is begun where once they are lost, and what one raises."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faceswap_cli import Options
from faceswap_cli.errors import FaceSwapError, MediaError
from faceswap_cli.parts.bench import FrameDone, StretchDone
from faceswap_cli.parts.crew import together
from faceswap_cli.parts.cut import Part

pytest.importorskip("ray", reason="needs the [ray] extra")


def no_bench(error: FaceSwapError) -> Any:
    raise error


@pytest.mark.slow
def test_what_a_worker_raises_comes_as_it_was() -> None:
    from faceswap_cli.cluster import connected
    from faceswap_cli.parts.on_ray import RayCrew

    with connected("local"):
        crew = RayCrew(partial(no_bench, MediaError("in.mp4 cannot be read")), Options(device="cpu", workers=1))
        with pytest.raises(MediaError, match=r"^in\.mp4 cannot be read$"):
            list(together(crew, [Part(b"", 0, None, True)]))


def test_a_part_whose_worker_is_lost_begins_behind_its_last_stretch() -> None:
    from faceswap_cli.parts.on_ray import _Work

    work = _Work(Part(b"", 4, 300, True))
    stretch: Any = StretchDone(SimpleNamespace(first_frame=4, frames=10, last_pts=900), Path())  # type: ignore[arg-type]
    told = [*(FrameDone(number) for number in range(4, 14)), stretch, FrameDone(14), FrameDone(15)]
    assert all(map(work.is_news, told))
    assert (work.part.first, work.part.last_pts) == (14, 900)
    assert [work.is_news(FrameDone(number)) for number in (14, 15, 16)] == [False, False, True]
