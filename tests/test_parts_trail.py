"""A broken run without a plan goes on where it was: the same file, and no frame is looked at that was known."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from faceswap_cli import Options, find_tracks, swap_video
from faceswap_cli.errors import MediaError
from faceswap_cli.media.reader import Clip, ResumePoint
from faceswap_cli.parts.trail import Trail, _Mark, _read, _row
from faceswap_cli.portrait.recipe import Recipe
from faceswap_cli.stages.detect import InsightDetect
from faceswap_cli.stages.hands import HANDS_BACK
from faceswap_cli.stages.mask import MASKS_BACK
from faceswap_cli.stages.presence import FEATURES_BACK
from faceswap_cli.stages.tally import Tally
from faceswap_cli.stages.track import Located
from faceswap_cli.types import Detections, Frame

from .conftest import write_clip
from .test_parts_bench import Clip as ToldClip
from .test_parts_film import COUNTED, pictures

pytestmark = pytest.mark.usefixtures("kept_looks")
LENGTH, KNOWN, DONE = 72, 55, 50  # frames: of the film, by which the run is broken off, finished by then


@pytest.fixture(scope="module")
def film(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 frames of 14.4 seconds, eight stretches of the output."""
    views = pictures(short_clip)
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", 3 * [*views, *views[::-1]], rate=5)


@pytest.fixture(scope="module")
def whole(portrait: Path, film: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a run gives that is not broken off."""
    return swap_video(portrait, film, tmp_path_factory.mktemp("whole") / "out.mp4", options)


@pytest.fixture(scope="module")
def broken(portrait: Path, film: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what a broken run leaves."""

    def interrupt(done: int, total: int | None) -> None:
        if done == KNOWN:
            raise KeyboardInterrupt

    folder = tmp_path_factory.mktemp("broken")
    with pytest.raises(KeyboardInterrupt):
        swap_video(portrait, film, folder / "out.mp4", options, interrupt)
    return folder


@pytest.fixture(autouse=True)
def reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """This generator is shown no portrait: a face's mask, and whether it is one, alone depend on frames before."""
    monkeypatch.setattr(Recipe, "reach", lambda recipe, mask: mask)


class Work:
    """Counts what is read and looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.read, self.looked_at, self._last = list[int](), 0, 0, 0
        detect, frames = InsightDetect.detect, Clip.frames

        def counting(detector: InsightDetect, *given: Any) -> Detections:
            self.looked_at += 1
            if self.looked_at == self._last:
                raise KeyboardInterrupt
            return detect(detector, *given)

        def reading(clip: Clip, start: Any, end: Any, point: ResumePoint | None = None) -> Iterator[Frame]:
            self.begun.append(0 if point is None else point.index)
            for frame in frames(clip, start, end, point):
                self.read += 1
                yield frame

        monkeypatch.setattr(InsightDetect, "detect", counting)
        monkeypatch.setattr(Clip, "frames", reading)

    def stop_at(self, look: int) -> None:
        """Press Ctrl-C at this look."""
        self._last = look


def test_a_broken_run_leaves_its_unfinished_work_and_nothing_else(broken: Path) -> None:
    assert [path.name for path in broken.iterdir()] == [".out.mp4.faceswap"]
    assert [thread for thread in threading.enumerate() if thread.name == "prefetch"] == []


def go_on(folder: Path, portrait: Path, film: Path, options: Options) -> Any:
    result = swap_video(portrait, film, folder / "out.mp4", options)
    assert result.report["resumed_frames"] == DONE
    assert [path.name for path in folder.iterdir()] == ["out.mp4"]
    return result


def test_it_goes_on_to_the_same_file_and_looks_at_no_known_frame(
    portrait: Path,
    film: Path,
    options: Options,
    whole: Any,
    broken: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = Work(monkeypatch)
    result = go_on(shutil.copytree(broken, tmp_path / "out"), portrait, film, options)
    assert result.output.read_bytes() == whole.output.read_bytes()
    names = set(COUNTED) - {"likeness"}
    assert {name: result.report[name] for name in names} == {name: whole.report[name] for name in names}
    assert work.looked_at <= LENGTH - 60  # 51 frames were located and 60 looked at when a stretch began at the latest
    begun = DONE - FEATURES_BACK - HANDS_BACK - MASKS_BACK
    assert (work.begun, work.read) == ([begun], LENGTH - begun)


@pytest.mark.parametrize("harm", ["no rows", "torn rows", "no locator", "another locator"])
def test_where_what_is_known_is_not_whole_all_is_looked_for_again(
    portrait: Path,
    film: Path,
    options: Options,
    whole: Any,
    broken: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: str,
) -> None:
    folder = Path(shutil.copytree(broken, tmp_path / "out"))
    rows, kept = (folder / ".out.mp4.faceswap" / name for name in ("located.jsonl", "locator.json"))
    match harm:
        case "no rows":
            rows.unlink()
        case "torn rows":
            rows.write_bytes(rows.read_bytes()[:3000])
        case "no locator":
            kept.unlink()
        case _:
            kept.write_text('{"located": 3}')
    work = Work(monkeypatch)
    result = go_on(folder, portrait, film, options)
    assert (work.begun, work.looked_at) == ([0], LENGTH)
    assert result.output.read_bytes() == whole.output.read_bytes()


@pytest.fixture(scope="module")
def planned(portrait: Path, film: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The plan of the film's tracks, made without a break."""
    asked = replace(options, plan=tmp_path_factory.mktemp("plan") / "tracks.json")
    return find_tracks(portrait, film, asked).path.read_bytes()


@pytest.mark.parametrize("then", [{}, {"workers": 2}, {"plan": None}])
def test_a_run_broken_off_while_its_plan_is_made_goes_on_locating(
    portrait: Path,
    film: Path,
    options: Options,
    whole: Any,
    planned: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    then: dict[str, Any],
) -> None:
    """With the plan, in several processes, or without it: where faces were found serves each of them."""
    output, asked = tmp_path / "out.mp4", replace(options, plan=tmp_path / "tracks.json")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt) as interrupt:
        Work(patch).stop_at(KNOWN)
        swap_video(portrait, film, output, asked)
    assert interrupt.value.__notes__ == [
        f"who is where is kept in {tmp_path}/.out.mp4.faceswap, the same command goes on from there"
    ]
    work = Work(monkeypatch)
    swap_video(portrait, film, output, replace(asked, **then))
    assert output.read_bytes() == whole.output.read_bytes()
    assert work.looked_at <= LENGTH - 50  # 41 frames were located and 50 looked at when a stretch began at the latest
    if "plan" not in then:
        assert work.begun[0] > 0
        assert asked.plan.read_bytes() == planned
    assert {path.name for path in tmp_path.iterdir()} <= {"out.mp4", "tracks.json"}


def test_a_located_frame_comes_back_with_its_shot_and_who_is_known(tmp_path: Path) -> None:
    """A plan tells the cuts of the clip by it, and decides for whole tracks."""
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 7, 700, Fraction(1, 1000))
    (tmp_path / "rows").write_bytes(_row(Located(frame, (), 0, shot=2, known={4: 1}), Tally()))
    (planned,) = _read(tmp_path / "rows", 1)
    again = planned.located(frame)
    assert (planned.index, planned.pts, planned.shot, again.shot, again.known) == (7, 700, 2, 2, {4: 1})


def numbers(clip: Any, known: int, looked_at: int, late: int = 0) -> list[int]:
    """Decode by a mark of frames from `known` on, which was made when frames came `late` ticks later."""
    swapper = SimpleNamespace(options=SimpleNamespace(start=None, end=None))
    writer = SimpleNamespace(plan=SimpleNamespace(work_folder=Path("work")))
    mark = _Mark(times={number: 2 * number + late for number in range(known, looked_at)})
    return [frame.index for frame in Trail(clip, swapper, writer)._decoded(mark)]  # type: ignore[arg-type]


def test_reading_begins_at_the_first_frame_needed() -> None:
    clip = ToldClip()
    assert numbers(clip, 4, 7) == [4, 5, 6, 7, 8, 9]
    assert clip.readings == [4]


@pytest.mark.parametrize("behind", [4, 6])
def test_where_the_middle_gives_other_times_it_begins_at_the_beginning(behind: int) -> None:
    clip = ToldClip(wrong=1, behind=behind)
    assert numbers(clip, 4, 7) == [4, 5, 6, 7, 8, 9]
    assert clip.readings == [4, 0]


@pytest.mark.parametrize("known, looked_at, late", [(4, 7, 1), (8, 12, 0)])
def test_a_clip_that_is_read_otherwise_is_an_error(known: int, looked_at: int, late: int) -> None:
    with pytest.raises(MediaError, match="delete work"):
        numbers(ToldClip(), known, looked_at, late)
