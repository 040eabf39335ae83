"""The way of a frame, as pipeline.py and ARCHITECTURE.md draw it: traced, not told."""

import inspect
import sys
import threading
from pathlib import Path, PurePosixPath
from types import FrameType

import cv2
import pytest

import faceswap_cli
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.media.writer import ClipWriter, plan_output
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.stages.tally import Tally
from tests.conftest import write_clip

PACKAGE = Path(faceswap_cli.__file__).parent
WALK = [
    "media/reader.py",
    "stages/detect.py",
    "stages/track.py",
    "stages/align.py",
    "stages/parse.py",
    "portrait/fitter.py",
    "stages/generate.py",
    "portrait/finisher.py",
    "stages/mask.py",
    "stages/paste.py",
    "media/writer.py",
]


class Tracer:
    """Notes, over all threads, each file of the package when one of its functions is first called."""

    def __init__(self) -> None:
        self.files: list[str] = []

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        # What is being made, or a generator that is started, has not had its frame yet: only public calls count.
        waiting = frame.f_code.co_name.startswith(("_", "<")) or frame.f_code.co_flags & inspect.CO_GENERATOR
        if event == "call" and PACKAGE in path.parents and not waiting:
            name = path.relative_to(PACKAGE).as_posix()
            if name not in self.files:
                self.files.append(name)

    def __enter__(self) -> "Tracer":
        threading.settrace(self)
        sys.settrace(self)
        return self

    def __exit__(self, *unused: object) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


@pytest.fixture
def one_frame(large_portrait: Path, tmp_path: Path) -> Path:
    picture = cv2.cvtColor(cv2.imread(str(large_portrait)), cv2.COLOR_BGR2RGB)
    return write_clip(tmp_path / "one.mp4", [cv2.resize(picture, (320, 240))])


def test_a_frame_walks_through_the_files_in_the_drawn_order(
    one_frame: Path, large_portrait: Path, tmp_path: Path
) -> None:
    options = Options(device="cpu", threads=1)
    swapper = Swapper([read_photo(large_portrait).frame], options)
    with open_clip(one_frame) as clip, ClipWriter(plan_output(clip, tmp_path / "out.mp4", options)) as writer:
        with Tracer() as tracer:
            for swapped in swapper.frames(clip.frames(), Tally()):
                writer.write(swapped)
        writer.finish()
    assert [name for name in tracer.files if name in WALK] == WALK


def drawn(files: list[str]) -> str:
    """The way as it is drawn: a folder is named where it is entered."""
    names, folder = [], ""
    for path in map(PurePosixPath, files):
        names.append(path.stem if str(path.parent) == folder else str(path.with_suffix("")))
        folder = str(path.parent)
    return " -> ".join(names)


@pytest.mark.parametrize("page", [PACKAGE / "pipeline.py", PACKAGE / "ARCHITECTURE.md"])
def test_map_and_page_draw_the_same_walk(page: Path) -> None:
    assert drawn(WALK) in " ".join(page.read_text().split())
