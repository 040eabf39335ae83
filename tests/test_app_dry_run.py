"""A dry run tells what a real one does and leaves no trace; a preview shows frames above their swaps."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from faceswap_cli import Options, plan_image, plan_video, preview_video, swap_image, swap_video
from faceswap_cli.app.dry_run import TILE_WIDTH, _faces
from faceswap_cli.errors import MediaError, NoFaceError, OutputError, UsageError
from faceswap_cli.media.provenance import read_provenance
from faceswap_cli.media.reader import open_clip
from faceswap_cli.media.writer import ClipWriter, plan_output
from faceswap_cli.types import Patch
from tests.conftest import make_generator, write_clip
from tests.test_cli import assert_refused
from tests.warm import faceswap

pytestmark = pytest.mark.usefixtures("kept_looks")


@pytest.fixture(scope="module")
def swap_with(options: Options) -> tuple[object, ...]:
    return ("--model", options.model, "--face-pack", options.face_pack, "--device", "cpu", "--threads", 1)


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    folder = tmp_path / "walls"
    folder.mkdir()
    cv2.imwrite(str(folder / "wall.png"), np.full((96, 128, 3), 99, np.uint8))
    return write_clip(folder / "wall.mp4", [np.full((96, 128, 3), level, np.uint8) for level in range(60, 66)])


def everything(folder: Path) -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in [folder, *folder.rglob("*")]}


def test_a_dry_run_of_a_clip_prints_its_plan_and_touches_nothing(
    tmp_path: Path, portrait: Path, short_clip: Path, swap_with: tuple[object, ...]
) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(short_clip.read_bytes())
    before = everything(tmp_path)
    words = ("swap-video", "--source", portrait, "--input", clip, "--report", tmp_path / "report.json", "--dry-run")
    done = faceswap(*words, *swap_with)
    assert done.returncode == 0, done.stderr
    assert f"output    {tmp_path / 'clip_swapped.mp4'}: mp4, h264, yuv420p" in done.stdout
    assert "about 12 frames, 0.5 s, 320 x 240, h264, yuv420p" in done.stdout
    assert everything(tmp_path) == before


def test_a_dry_run_of_a_photo_tells_the_exact_size_and_touches_nothing(
    tmp_path: Path, portrait: Path, data: Path, options: Options, swap_with: tuple[object, ...]
) -> None:
    photo = data / "photos" / "face_recognition" / "two_people.jpg"
    words = ("--source", portrait, "--input", photo, "--output", tmp_path / "out.jpg", "--dry-run", "--json")
    told = json.loads(faceswap("swap-image", *words, *swap_with).stdout)
    assert list(tmp_path.iterdir()) == []
    result = swap_image(portrait, photo, tmp_path / "out.jpg", options)
    assert told["estimate"]["bytes"] == result.output.stat().st_size
    assert (told["faces_found"], told["faces_swapped"]) == (result.faces_found, result.faces_swapped) == (2, 1)
    assert told["notes"] == list(result.notes)


@pytest.mark.parametrize("ending, carried", [(".mp4", 1), (".gif", 0)])
def test_the_plan_says_what_the_run_then_does(
    tmp_path: Path, portrait: Path, data: Path, options: Options, ending: str, carried: int
) -> None:
    """A clip with sound; the estimate of its size is made from other frames than most of those written."""
    clip, output = data / "clips" / "vr_4.mp4", tmp_path / f"out{ending}"
    one_second = replace(options, end=Fraction(1), preset=None)
    told = plan_video(portrait, clip, output, one_second)
    assert list(tmp_path.iterdir()) == []
    result = swap_video(portrait, clip, output, one_second)
    assert told["notes"] == list(result.notes)
    assert told["clip"]["frames"] == result.frames
    assert (told["codec"], told["pixel_format"]) == (result.report["codec"], result.report["pixel_format"])
    with open_clip(output) as written:
        assert len(told["tracks"]["carried"]) == len(written.audio) == carried
    assert len(told["tracks"]["left_out"]) == 1 - carried
    guess = told["estimate"]["bytes"]
    assert guess is None if ending == ".gif" else 0.6 < guess / result.report["size"] < 1.7


@pytest.fixture
def broken_off(tmp_path: Path, portrait: Path, short_clip: Path, options: Options) -> Path:
    """The output of a run that finished one stretch of three and was interrupted; its clip lies beside it."""
    with open_clip(short_clip) as clip:
        pictures = [frame.rgb for frame in clip.frames()]
    write_clip(tmp_path / "long.mp4", pictures * 2, rate=5)

    break_off(portrait, tmp_path / "long.mp4", tmp_path / "out.mp4", options)
    return tmp_path / "out.mp4"


def break_off(source: Path, clip: Path, output: Path, options: Options) -> None:
    """Interrupt a run at its 15th frame."""

    def interrupt(done: int, total: int | None) -> None:
        if done == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swap_video(source, clip, output, options, interrupt)


def test_a_dry_run_tells_how_much_an_earlier_run_finished(
    broken_off: Path, portrait: Path, options: Options, swap_with: tuple[object, ...]
) -> None:
    clip, before = broken_off.with_name("long.mp4"), everything(broken_off.parent)
    told = plan_video(portrait, clip, broken_off, options)
    words = ("swap-video", "--source", portrait, "--input", clip, "--output", broken_off, "--preset", "ultrafast")
    shown = faceswap(*words, *swap_with, "--dry-run").stdout
    assert everything(broken_off.parent) == before
    calls: list[tuple[int, int | None]] = []
    result = swap_video(portrait, clip, broken_off, options, lambda *each: calls.append(each))
    assert told["begins"] == {"frames": result.report["resumed_frames"], "why_afresh": None}
    assert told["begins"]["frames"] == 10
    assert "resumes   behind 10 of about 24 frames" in shown
    assert calls == [(done, 24) for done in range(10, 25)]


def test_a_run_that_goes_on_says_so_first_and_at_last(
    broken_off: Path, portrait: Path, swap_with: tuple[object, ...]
) -> None:
    words = ("--source", portrait, "--input", broken_off.with_name("long.mp4"), "--output", broken_off)
    done = faceswap("swap-video", *words, "--preset", "ultrafast", *swap_with)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == "goes on behind 10 frames that an earlier run finished"
    assert done.stderr.splitlines()[-1].startswith("24 frames (10 of them by an earlier run), ")


@pytest.mark.parametrize(
    ("there", "why"), [("other options", "earlier work is of another input"), ("nothing", "no fin")]
)
def test_a_dry_run_tells_why_a_run_would_begin_afresh(
    broken_off: Path, portrait: Path, options: Options, there: str, why: str
) -> None:
    other = replace(options, quality=50)
    output = broken_off if there == "other options" else broken_off.with_name("new.mp4")
    told = plan_video(portrait, broken_off.with_name("long.mp4"), output, other)["begins"]
    assert (told["frames"], told["why_afresh"].startswith(why)) == (0, True)
    assert swap_video(portrait, broken_off.with_name("long.mp4"), output, other).report["resumed_frames"] == 0


@pytest.mark.parametrize("change", ["nothing", "report", "quality", "clip", "photo", "generator", "detector"])
def test_a_run_of_anything_else_is_done_afresh_and_says_so(
    broken_off: Path, portrait: Path, options: Options, whole_pack: Path, change: str
) -> None:
    """Files keep their names and differ in what they hold."""
    folder = broken_off.parent
    source, clip, output = folder / "me.jpg", folder / "long.mp4", folder / "other.mp4"
    source.write_bytes(portrait.read_bytes())
    pack = Path(shutil.copytree(whole_pack, folder / "pack"))
    given = replace(options, model=str(make_generator(folder / "generator.onnx", strength=0.5)), face_pack=pack)
    break_off(source, clip, output, given)
    changed = {"clip": clip, "photo": source}.get(change)
    if changed:
        changed.write_bytes(changed.read_bytes() + bytes(8))
    if change == "generator":
        make_generator(folder / "generator.onnx", strength=0.6)
    if change == "detector":
        network = onnx.load(pack / "scrfd_2.5g_bnkps.onnx")
        onnx.helper.set_model_props(network, {"another": "one"})
        onnx.save(network, pack / "scrfd_2.5g_bnkps.onnx")
    choices = {"quality": {"quality": 60}, "report": {"report": folder / "report.json"}}.get(change, {})
    result = swap_video(source, clip, output, replace(given, **choices))
    same = change in ("nothing", "report")
    assert result.report["resumed_frames"] == (10 if same else 0)
    assert any("done afresh" in note for note in result.notes) == (not same)


def test_a_dry_run_beside_a_run_at_work_is_refused_in_its_words(
    broken_off: Path, portrait: Path, options: Options
) -> None:
    clip, said = broken_off.with_name("long.mp4"), []
    with open_clip(clip) as opened, ClipWriter(plan_output(opened, broken_off, options)):
        for act in (plan_video, swap_video):
            with pytest.raises(OutputError, match="another run") as refused:
                act(portrait, clip, broken_off, options)
            said.append(str(refused.value))
    assert said[0] == said[1]


def test_a_clip_that_ends_long_before_its_header_says_is_tried_from_its_beginning(
    tmp_path: Path, portrait: Path, options: Options
) -> None:
    """None of the moments spread over 24 seconds holds one of the few pictures that are left."""
    noise = np.random.default_rng(0).integers(0, 255, (24, 120, 160, 3), np.uint8)
    clip = write_clip(tmp_path / "broken_off.mkv", list(noise), rate=1)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 12])
    told = plan_video(portrait, clip, tmp_path / "out.mkv", options)
    assert told["estimate"]["from"].startswith(("1 frames", "2 frames"))


def test_a_plan_without_a_face_in_the_frames_tried_says_so(
    tmp_path: Path, portrait: Path, wall: Path, options: Options
) -> None:
    told = plan_video(portrait, wall, tmp_path / "out.mp4", options)
    assert told["estimate"]["frames_with_face"] == 0
    assert any("no face in the" in note for note in told["notes"])


REFUSED = {
    "a codec the container does not hold": ("out.mp4", {"codec": "prores"}, UsageError),
    "a preset the encoder does not know": ("out.mp4", {"preset": "leisurely"}, UsageError),
    "a start behind the end": ("out.mp4", {"start": Fraction(99)}, MediaError),
    "a missing folder": ("no/out.mp4", {}, OutputError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_run_refuses_is_refused_in_the_same_words(
    tmp_path: Path, portrait: Path, short_clip: Path, options: Options, case: str
) -> None:
    name, choices, kind = REFUSED[case]
    said = []
    for act in (plan_video, preview_video, swap_video):
        with pytest.raises(kind) as refused:
            act(portrait, short_clip, tmp_path / name, replace(options, **choices))
        said.append(str(refused.value))
        if act is not swap_video:
            assert list(tmp_path.iterdir()) == []
    assert len(set(said)) == 1, said


def test_a_report_that_has_no_place_is_refused_before_any_work(
    tmp_path: Path, portrait: Path, short_clip: Path, options: Options
) -> None:
    unplaced = replace(options, report=tmp_path / "no" / "report.json")
    for act, given in (
        (plan_image, portrait),
        (plan_video, short_clip),
        (swap_image, portrait),
        (swap_video, short_clip),
    ):
        with pytest.raises(OutputError, match="in a folder that exists"):
            act(portrait, given, tmp_path / f"out{given.suffix}", unplaced)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["photo", "clip"])
def test_a_result_that_is_there_is_a_note_of_a_dry_run_in_the_words_of_the_refusal(
    tmp_path: Path, portrait: Path, short_clip: Path, options: Options, kind: str
) -> None:
    plan, swap, given, name = (
        (plan_image, swap_image, portrait, "out.png")
        if kind == "photo"
        else (plan_video, swap_video, short_clip, "o.mp4")
    )
    (tmp_path / name).write_bytes(b"precious")
    told = plan(portrait, given, tmp_path / name, options)
    with pytest.raises(OutputError) as refused:
        swap(portrait, given, tmp_path / name, options)
    assert told["notes"][-1] == f"a run would be refused: {refused.value}"
    assert (tmp_path / name).read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert not [
        note
        for note in plan(portrait, given, tmp_path / name, replace(options, force=True))["notes"]
        if "refused" in note
    ]


def test_a_photo_without_a_face_is_refused_in_the_same_words(
    tmp_path: Path, portrait: Path, wall: Path, options: Options
) -> None:
    said = []
    for act in (plan_image, swap_image):
        with pytest.raises(NoFaceError) as refused:
            act(portrait, wall.with_suffix(".png"), tmp_path / "out.png", options)
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_a_preview_shows_frames_of_the_whole_clip_above_their_swaps(
    tmp_path: Path, portrait: Path, short_clip: Path, options: Options
) -> None:
    sheet = preview_video(portrait, short_clip, tmp_path / "out.mp4", options, frames=3)
    assert [path.name for path in tmp_path.iterdir()] == ["out_preview.png"]
    picture = cv2.cvtColor(cv2.imread(str(sheet)), cv2.COLOR_BGR2RGB)
    assert picture.shape == (240 + TILE_WIDTH, 3 * 2 * TILE_WIDTH, 3)  # the clip is 320 x 240: nothing is scaled
    with open_clip(short_clip) as clip:
        originals = [frame.rgb for frame in clip.frames()]
    for place, index in enumerate((2, 6, 10)):
        before, after = np.hsplit(picture[:, 2 * place * TILE_WIDTH : 2 * (place + 1) * TILE_WIDTH], 2)
        np.testing.assert_array_equal(before[:240], originals[index])
        changed = (before != after).any(axis=2)
        assert 500 < changed[:240].sum() < 0.4 * changed[:240].size
        assert changed[240:].sum() > 5 * changed[:240].sum(), "the face is enlarged below"


def test_a_preview_enlarges_each_of_the_faces_swapped() -> None:
    """Two patches of 40 x 20 pixels in a white picture: squares of 42 pixels around them, at 160 pixels each."""
    rgb = np.full((200, 200, 3), 255, np.uint8)
    rgb[20:40, 30:70], rgb[150:170, 100:140] = (200, 0, 0), (0, 0, 200)
    patches = [Patch(x, y, rgb[:20, :40], np.ones((20, 40), np.float32)) for x, y in ((30, 20), (100, 150))]
    shown = _faces(rgb, tuple(patches))
    assert shown.shape == (TILE_WIDTH, TILE_WIDTH, 3)
    left, right = shown[:160, :160], shown[:160, 160:]
    assert (left[80, 80], right[80, 80]) == (pytest.approx([200, 0, 0]), pytest.approx([0, 0, 200]))
    assert (left[..., 1] == 0).sum() == pytest.approx(40 * 20 * (160 / 42) ** 2, rel=0.1)
    assert not shown[160:].any()
    assert not _faces(rgb, ()).any()


def test_a_preview_of_more_frames_than_there_are_shows_each_once(
    tmp_path: Path, portrait: Path, short_clip: Path, options: Options
) -> None:
    sheet = preview_video(portrait, short_clip, tmp_path / "out.mp4", options, frames=50)
    assert cv2.imread(str(sheet)).shape == (4 * (240 + TILE_WIDTH), 3 * 2 * TILE_WIDTH, 3)


def test_a_preview_replaces_an_earlier_one_and_is_marked_as_edited(
    tmp_path: Path, portrait: Path, short_clip: Path, options: Options
) -> None:
    first = preview_video(portrait, short_clip, tmp_path / "out.mp4", options, frames=1).read_bytes()
    sheet = preview_video(portrait, short_clip, tmp_path / "out.mp4", options, frames=2)
    assert sheet.read_bytes() != first
    assert read_provenance(sheet).edited_with_ai
    (tmp_path / "out.mp4").write_bytes(b"an earlier result is no obstacle")
    preview_video(portrait, short_clip, tmp_path / "out.mp4", replace(options, disclosure=False), frames=1)
    assert not read_provenance(sheet).edited_with_ai


@pytest.mark.parametrize("foreign", ["no picture", "another picture"])
def test_a_foreign_file_is_not_replaced_by_a_preview_without_force(
    tmp_path: Path, portrait: Path, short_clip: Path, options: Options, foreign: str
) -> None:
    precious = (
        b"precious" if foreign == "no picture" else cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    )
    (tmp_path / "out_preview.png").write_bytes(precious)
    with pytest.raises(OutputError, match="--force"):
        preview_video(portrait, short_clip, tmp_path / "out.mp4", options, frames=1)
    assert (tmp_path / "out_preview.png").read_bytes() == precious
    preview_video(portrait, short_clip, tmp_path / "out.mp4", replace(options, force=True), frames=1)
    assert cv2.imread(str(tmp_path / "out_preview.png")) is not None


def test_a_run_with_a_preview_writes_the_sheet_first_and_then_the_clip(
    tmp_path: Path, portrait: Path, short_clip: Path, swap_with: tuple[object, ...]
) -> None:
    output, sheet = tmp_path / "out.mp4", tmp_path / "out_preview.png"
    words = ("swap-video", "--source", portrait, "--input", short_clip, "--output", output, "--preview", 2)
    done = faceswap(*words, *swap_with)
    assert (done.returncode, done.stdout) == (0, f"{output}\n"), done.stderr
    assert done.stderr.splitlines()[0] == f"preview {sheet}"
    assert sorted(tmp_path.iterdir()) == [output, sheet]
    assert sheet.stat().st_mtime < output.stat().st_mtime
    assert_refused(faceswap(*words, *swap_with), 6, "out.mp4 exists")


def test_a_dry_run_with_a_preview_writes_the_sheet_alone(
    tmp_path: Path, portrait: Path, short_clip: Path, swap_with: tuple[object, ...]
) -> None:
    words = ("--source", portrait, "--input", short_clip, "--output", tmp_path / "out.mp4", "--preview", 2, "--dry-run")
    assert faceswap("swap-video", *words, *swap_with).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out_preview.png"]
    done = faceswap("swap-video", *words[:-1], *swap_with)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'out.mp4'}\n"), done.stderr


@pytest.mark.parametrize("frames", [0, 101])
def test_a_preview_of_no_or_too_many_frames_is_a_usage_error(
    tmp_path: Path, portrait: Path, short_clip: Path, options: Options, frames: int
) -> None:
    with pytest.raises(UsageError, match=f"preview of {frames} frames"):
        preview_video(portrait, short_clip, tmp_path / "out.mp4", options, frames=frames)
