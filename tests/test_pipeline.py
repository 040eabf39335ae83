"""The pipeline as a whole: every frame once, the same each time, nothing half-done, nothing left running."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from faceswap_cli import Options, swap_image, swap_video
from faceswap_cli.errors import NoFaceError, UsageError, WeightsError
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.pipeline import Swapper
from faceswap_cli.portrait.history import History
from faceswap_cli.stages.likeness import swapped_rgb
from faceswap_cli.stages.tally import Tally
from faceswap_cli.types import Frame, Swapped
from tests.conftest import make_generator, write_clip

from .media_oracle import is_disclosed


@pytest.fixture(scope="module")
def swapper(portrait: Path, options: Options) -> Swapper:
    return Swapper([read_photo(portrait).frame], options)


@pytest.fixture
def clip_without_face(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "empty.mp4", [np.full((96, 128, 3), level, np.uint8) for level in range(60, 66)])


def swapped_frames(swapper: Swapper, clip_path: Path, first: int = 0) -> list[Swapped]:
    with open_clip(clip_path) as clip:
        return list(swapper.frames(clip.frames(), Tally(), first))


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def times(path: Path) -> list[object]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_every_frame_comes_out_once_with_its_face(swapper: Swapper, short_clip: Path) -> None:
    frames = swapped_frames(swapper, short_clip)
    assert [each.frame.index for each in frames] == list(range(12))
    assert [len(each.patches) for each in frames] == [1] * 12
    assert our_threads() == []


def test_two_runs_give_the_same_pixels(swapper: Swapper, short_clip: Path) -> None:
    one, other = swapped_frames(swapper, short_clip), swapped_frames(swapper, short_clip)
    for mine, yours in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine.patches[0].rgb, yours.patches[0].rgb)
        np.testing.assert_array_equal(mine.patches[0].alpha, yours.patches[0].alpha)


def test_steps_side_by_side_give_the_pixels_of_one_after_another(swapper: Swapper, short_clip: Path) -> None:
    with open_clip(short_clip) as clip:
        located = list(swapper.located(clip.frames(), Tally()))
    histories = [History() for _ in swapper.equipment.of_roles]
    in_turn = [swapper.swap(each, histories) for each in located]
    for mine, yours in zip(swapped_frames(swapper, short_clip), in_turn, strict=True):
        np.testing.assert_array_equal(mine.patches[0].rgb, yours.patches[0].rgb)
        np.testing.assert_array_equal(mine.patches[0].alpha, yours.patches[0].alpha)


def test_going_on_in_the_middle_gives_the_pixels_of_a_whole_run(swapper: Swapper, short_clip: Path) -> None:
    whole, rest = swapped_frames(swapper, short_clip), swapped_frames(swapper, short_clip, first=5)
    assert [each.frame.index for each in rest] == list(range(5, 12))
    for mine, yours in zip(whole[5:], rest, strict=True):
        np.testing.assert_array_equal(mine.patches[0].rgb, yours.patches[0].rgb)


def test_closing_early_stops_every_thread(swapper: Swapper, short_clip: Path) -> None:
    picture = pictures(short_clip)[0]
    endless = (Frame(picture, index, index, Fraction(1, 25)) for index in count())
    frames = swapper.frames(endless, Tally())
    next(frames)
    assert len(our_threads()) == 4
    frames.close()
    assert our_threads() == []


def test_an_error_while_decoding_comes_out_as_itself(swapper: Swapper) -> None:
    def failing() -> Iterator[Frame]:
        yield Frame(np.zeros((64, 64, 3), np.uint8), 0)
        raise ZeroDivisionError("the disk is gone")

    with pytest.raises(ZeroDivisionError, match="the disk is gone"):
        list(swapper.frames(failing(), Tally()))
    assert our_threads() == []


@pytest.mark.usefixtures("kept_looks_here")
def test_the_number_of_faces_is_respected(portrait: Path, options: Options, data: Path) -> None:
    photo = read_photo(data / "photos" / "face_recognition" / "two_people.jpg").frame
    for choice, expected in (("largest", 1), ("all", 2), (2, 2)):
        swapper, tally = Swapper([read_photo(portrait).frame], replace(options, faces=choice)), Tally()
        assert len(swapper.photo(photo, tally).patches) == expected
        assert tally.most_left == 2 - expected


def test_a_clip_keeps_its_frames_and_times(portrait: Path, short_clip: Path, options: Options, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    result = swap_video(portrait, short_clip, tmp_path / "out.mp4", options, lambda *step: seen.append(step))
    assert times(result.output) == times(short_clip)
    assert (result.frames, result.faces_swapped) == (12, 12)
    assert seen[-1] == (12, 12)


@pytest.mark.usefixtures("kept_looks_here")
def test_only_the_face_changes(portrait: Path, short_clip: Path, options: Options, tmp_path: Path) -> None:
    result = swap_video(portrait, short_clip, tmp_path / "out.mp4", replace(options, quality=100))
    before, after = pictures(short_clip)[6].astype(int), pictures(result.output)[6].astype(int)
    changed = np.abs(before - after).max(axis=2) > 40
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 500
    assert np.ptp(rows) < 130
    assert np.ptp(columns) < 120


def test_a_copying_generator_shows_no_seam(
    portrait: Path, short_clip: Path, options: Options, whole_pack: Path, tmp_path: Path
) -> None:
    copying = make_generator(tmp_path / "copy.onnx", strength=0.0, size=128)
    swapper = Swapper([read_photo(portrait).frame], replace(options, model=str(copying)))
    for swapped in swapped_frames(swapper, short_clip):
        (patch,) = swapped.patches
        height, width = patch.alpha.shape
        frame = swapped.frame.rgb[patch.y : patch.y + height, patch.x : patch.x + width].astype(np.float32)
        blended = frame + (patch.rgb - frame) * patch.alpha[..., None]
        assert np.abs(blended - frame).mean() < 1.6  # what two resamplings cost a face of 60 pixels


MEASURED = (
    "import sys; from pathlib import Path; from faceswap_cli import Options, swap_video\n"
    "source, clip, output, model, pack = map(Path, sys.argv[1:])\n"
    "options = Options(model=str(model), face_pack=pack, device='cpu', threads=1, preset='ultrafast')\n"
    "swap_video(source, clip, output, options)\n"
    "print(next(line for line in Path('/proc/self/status').read_text().splitlines() if line.startswith('VmHWM')))\n"
)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process's peak")
def test_memory_does_not_grow_with_the_clip(portrait: Path, short_clip: Path, options: Options, tmp_path: Path) -> None:
    """Ten times the frames, 25 stretches for 3; kept in memory, the frames alone would take 50 MB."""
    peaks = []
    for times_over in (2, 20):
        clip = write_clip(tmp_path / f"{times_over}.mp4", pictures(short_clip) * times_over, rate=5)
        files = (portrait, clip, tmp_path / f"out{times_over}.mp4", options.model, options.face_pack)
        words = [sys.executable, "-c", MEASURED, *map(str, files)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        peaks.append(int(done.stdout.split()[1]) / 1024)
    assert peaks[1] - peaks[0] < 25, peaks


def test_a_clip_without_a_face_leaves_nothing(
    portrait: Path, clip_without_face: Path, options: Options, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    with pytest.raises(NoFaceError, match=r"6 frames of empty\.mp4"):
        swap_video(portrait, clip_without_face, folder / "out.mp4", options)
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("kept_looks_here")
def test_a_photo_is_swapped_and_reported(portrait: Path, data: Path, options: Options, tmp_path: Path) -> None:
    target = data / "photos" / "face_recognition" / "two_people.jpg"
    report = tmp_path / "report.json"
    result = swap_image([portrait], target, tmp_path / "out.png", replace(options, report=report))
    before, after = cv2.imread(str(target)).astype(int), cv2.imread(str(result.output)).astype(int)
    assert before.shape == after.shape
    assert 0.001 < (np.abs(before - after).max(axis=2) > 30).mean() < 0.2
    told = json.loads(report.read_text())
    assert (told["schema_version"], told["faces_found"], told["faces_swapped"]) == (1, 2, 1)
    assert any("1 more face" in note for note in result.notes)


@pytest.mark.usefixtures("kept_looks_here")
@pytest.mark.parametrize("disclosure", [True, False])
def test_the_report_says_whether_the_result_does(
    portrait: Path, options: Options, tmp_path: Path, disclosure: bool
) -> None:
    result = swap_image(portrait, portrait, tmp_path / "out.png", replace(options, disclosure=disclosure))
    assert (result.report["disclosure"], result.report["signed"]) == (disclosure, False)
    assert is_disclosed(result.output) == disclosure


@pytest.mark.usefixtures("kept_looks_here")
def test_a_photo_without_a_face_leaves_nothing(portrait: Path, options: Options, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 130, np.uint8))
    with pytest.raises(NoFaceError, match=r"wall\.png"):
        swap_image(portrait, tmp_path / "wall.png", tmp_path / "out.png", options)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.usefixtures("kept_looks_here")
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_photo_that_lies_is_swapped_as_it_is_upright(portrait: Path, options: Options, turn: int) -> None:
    swapper, upright = Swapper([read_photo(portrait).frame], options), read_photo(portrait).frame.rgb
    turned = np.ascontiguousarray(np.rot90(upright, turn))
    wanted = swapped_rgb(swapper.photo(Frame(upright, 0), Tally()))
    found = np.rot90(swapped_rgb(swapper.photo(Frame(turned, 0), Tally())), -turn)
    changed = np.abs(wanted.astype(int) - upright).max(axis=2) > 20
    assert changed.sum() > 1000
    assert np.abs(found.astype(int) - wanted).mean() < 0.2 * np.abs(wanted.astype(int) - upright).mean()


@pytest.mark.usefixtures("kept_looks_here")
def test_who_is_meant_is_named_by_place_or_photo(portrait: Path, options: Options, data: Path) -> None:
    folder = data / "photos" / "face_recognition"
    photo = read_photo(folder / "obama_and_biden.jpg").frame
    obama, biden = f"like:{folder / 'obama.jpg'}", f"like:{folder / 'biden.jpg'}"

    def places(**named: str) -> list[int]:
        swapper = Swapper([read_photo(portrait).frame], replace(options, similarity=0.3, **named))
        return [patch.x for patch in swapper.photo(photo, Tally()).patches]

    left, one, other = places(who="left"), places(who=obama), places(who=biden)
    assert [len(left), len(one), len(other)] == [1, 1, 1]
    assert abs(one[0] - other[0]) > 200
    assert left[0] <= min(one[0], other[0])


@pytest.mark.usefixtures("kept_looks_here")
def test_nobody_who_is_meant_leaves_nothing_and_tells_the_likest(
    portrait: Path, options: Options, data: Path, tmp_path: Path
) -> None:
    stranger = f"like:{min((data / 'faces' / 'congress').glob('*/*.jpg'))}"
    with pytest.raises(
        NoFaceError, match=r"nobody in two_people\.jpg is who is meant.*likest.*--similarity asks for 0.9"
    ):
        swap_image(
            portrait,
            data / "photos" / "face_recognition" / "two_people.jpg",
            tmp_path / "out.png",
            replace(options, who=stranger, similarity=0.9),
        )
    assert list(tmp_path.iterdir()) == []


def test_several_sources_are_taken(portrait: Path, short_clip: Path, options: Options, data: Path) -> None:
    second = data / "photos" / "face_recognition" / "obama2.jpg"
    Swapper([read_photo(portrait).frame, read_photo(second).frame], options)


def test_a_model_file_that_does_not_exist_is_named(portrait: Path, options: Options) -> None:
    with pytest.raises(UsageError, match=r"gone\.onnx"):
        Swapper([read_photo(portrait).frame], replace(options, model="gone.onnx"))


def test_a_model_of_another_identity_space_is_refused(portrait: Path, options: Options, face_pack: Path) -> None:
    with pytest.raises(WeightsError):
        Swapper([read_photo(portrait).frame], replace(options, face_pack=face_pack))


@pytest.mark.usefixtures("kept_looks_here")
def test_a_label_is_on_every_frame_and_counts_as_no_face(
    portrait: Path, short_clip: Path, options: Options, tmp_path: Path
) -> None:
    """The first frames show a face, the last none."""
    empty = np.full((240, 320, 3), 200, np.uint8)
    path = write_clip(tmp_path / "in.mp4", [*pictures(short_clip)[:3], empty, empty])
    labelled = swap_video(portrait, path, tmp_path / "labelled.mp4", replace(options, label="AI"))
    plain = swap_video(portrait, path, tmp_path / "plain.mp4", options)
    assert labelled.faces_swapped == plain.faces_swapped == 3
    before, after = pictures(plain.output), pictures(labelled.output)
    for old, new in zip(before, after, strict=True):
        changed = np.abs(old.astype(int) - new).max(axis=2) > 60
        assert changed[200:, :60].mean() > 0.05
        assert not changed[:190].any()


@pytest.mark.usefixtures("kept_looks_here")
def test_a_labelled_photo_without_a_face_is_still_not_written(portrait: Path, options: Options, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 130, np.uint8))
    with pytest.raises(NoFaceError):
        swap_image(portrait, tmp_path / "wall.png", tmp_path / "out.png", replace(options, label="AI"))
    assert not (tmp_path / "out.png").exists()
