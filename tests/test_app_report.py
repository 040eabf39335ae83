"""The report tells what really happened: who was swapped, who was not and why, how like the source, by which files."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap_cli import Options, swap_image, swap_video
from faceswap_cli.app.notes import told_likeness, told_others
from faceswap_cli.cli.swapping import show_result, summary
from faceswap_cli.cli.terminal import Terminal
from faceswap_cli.engines.select import open_network
from faceswap_cli.errors import LeftError, NoFaceError
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.pipeline import Swapper
from faceswap_cli.portrait.five_points import LandmarkedDetect
from faceswap_cli.portrait.landmarks import LandmarkFinder
from faceswap_cli.stages.attendance import COVERED, Attendance
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.stages.hindsight import LATE, UNMEANT, Left
from faceswap_cli.stages.identity import Encoder
from faceswap_cli.stages.likeness import EVERY, MOST, Likeness, swapped_rgb
from faceswap_cli.stages.tally import Tally
from faceswap_cli.store.models import entry, locate
from faceswap_cli.types import Face, Frame, Identity, Patch, Swapped

pytestmark = pytest.mark.usefixtures("kept_looks")
FACE = Face(np.array([8, 8, 24, 24], np.float32), np.zeros((5, 2), np.float32), 0.9, track=3)


@pytest.fixture(scope="module")
def two_people(data: Path) -> Path:
    return data / "photos" / "face_recognition" / "two_people.jpg"


class Brightness(Encoder):
    """An encoder whose only trait is how bright the picture is: its cosine with the source is that brightness."""

    def __init__(self) -> None:
        self.looked = 0

    def embed(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        self.looked += 1
        return np.array([rgb.mean() / 255], np.float32)


def whitened(index: int) -> Swapped:
    """A black frame that becomes white."""
    white = Patch(0, 0, np.full((32, 32, 3), 255, np.uint8), np.ones((32, 32), np.float32))
    return Swapped(Frame(np.zeros((32, 32, 3), np.uint8), index), (white,), 1)


def likeness_after(frames: int) -> tuple[Likeness, Brightness]:
    encoder = Brightness()
    likeness = Likeness(encoder, [Identity(np.ones(1, np.float32), "brightness")])
    for index in range(frames):
        likeness.compare(whitened(index), (FACE,))
    return likeness, encoder


def test_likeness_is_told_before_and_after_by_track() -> None:
    told = likeness_after(2 * EVERY + 1)[0].report()
    assert told is not None
    assert (told["before"], told["after"], told["frames"]) == (0.0, 1.0, 3)
    assert told["tracks"] == [{"track": 3, "before": 0.0, "after": 1.0, "faces": 3, "hardly_changed": 0}]


def test_looking_costs_less_the_longer_the_clip() -> None:
    """Ten times as many frames as are kept: evenly thinned, never more than MOST, and few were looked at."""
    likeness, encoder = likeness_after(10 * MOST * EVERY)
    told = likeness.report()
    assert told is not None
    assert MOST / 2 <= told["frames"] <= MOST
    assert encoder.looked / 2 < 4 * MOST


@pytest.mark.parametrize(
    ("before", "after", "hardly_changed"),
    [(0.0, 0.09, 1), (0.0, 0.11, 0), (0.2, 0.29, 1), (0.2, 0.31, 0), (0.35, 0.39, 1), (0.35, 0.41, 0), (0.9, 0.8, 0)],
)
def test_a_swap_that_did_not_take_is_counted(before: float, after: float, hardly_changed: int) -> None:
    """A gain of 0.1 is a swap; so is a face that looks like the source anyway."""
    encoder = Brightness()
    likeness = Likeness(encoder, [Identity(np.ones(1, np.float32), "brightness")])
    whole = np.ones((32, 32), np.float32)
    shown = Patch(0, 0, np.full((32, 32, 3), round(255 * after), np.uint8), whole)
    likeness.compare(Swapped(Frame(np.full((32, 32, 3), round(255 * before), np.uint8), 0), (shown,), 1), (FACE, FACE))
    told = likeness.report()
    assert told is not None
    assert (told["faces"], told["hardly_changed"]) == (2, 2 * hardly_changed)
    notes = told_likeness(likeness, Options())
    assert [note.split(";")[0] for note in notes] == hardly_changed * [
        "the swap did not take: faces are hardly more like the source than before"
    ]
    if notes:
        assert told_likeness(likeness, Options(opacity=0.3)) == [f"{notes[0].split(';')[0]}; opacity is 0.3"]


def test_a_swap_that_did_not_take_is_no_swap_in_the_summary(portrait: Path, options: Options, tmp_path: Path) -> None:
    result = swap_image(portrait, portrait, tmp_path / "out.png", options)

    def said(swapped: int, hardly_changed: int, seen: int, **clip: object) -> str:
        likeness = {"before": 0.0, "after": 0.0, "faces": seen, "hardly_changed": hardly_changed}
        report = result.report | {"likeness": likeness} | clip
        return summary(replace(result, faces_swapped=swapped, report=report)).split(", likeness")[0]

    assert said(3, 0, 3) == "3 faces swapped"
    assert said(1, 1, 1) == "1 face hardly changed"
    assert said(3, 1, 3) == "2 faces swapped, 1 hardly changed"
    clip = {"codec": "h264", "resumed_frames": 0}
    assert said(60, 2, 5, **clip) == "1 frame, 60 faces swapped (2 of 5 looked at hardly changed)"
    assert said(60, 5, 5, **clip) == "1 frame, 60 faces hardly changed"


def test_a_strict_run_in_which_no_swap_took_is_no_success(portrait: Path, options: Options, tmp_path: Path) -> None:
    result = swap_image(portrait, portrait, tmp_path / "out.png", options)

    def shown(faces: int, hardly_changed: int) -> None:
        likeness = {"before": 0.0, "after": 0.0, "faces": faces, "hardly_changed": hardly_changed}
        changed = replace(result, report=result.report | {"likeness": likeness})
        show_result(Terminal(), changed, as_json=False, strict=True)

    with pytest.raises(LeftError, match="did not take; the result is written"):
        shown(2, 2)
    shown(2, 1)


def test_frames_without_a_swap_are_not_looked_at() -> None:
    likeness = Likeness(Brightness(), [Identity(np.ones(1, np.float32), "brightness")])
    likeness.compare(Swapped(Frame(np.zeros((32, 32, 3), np.uint8), 0), (), 1), (FACE,))
    assert likeness.report() is None


def test_a_half_transparent_patch_is_laid_over_its_place_only() -> None:
    patch = Patch(2, 1, np.full((3, 4, 3), 200, np.uint8), np.full((3, 4), 0.5, np.float32))
    rgb = swapped_rgb(Swapped(Frame(np.full((8, 9, 3), 100, np.uint8), 0), (patch,), 1))
    assert (rgb[1:4, 2:6] == 150).all()
    assert (rgb == 150).sum() == 3 * 4 * 3


def test_likeness_of_the_photo_with_itself_is_one_before_and_falls_with_the_tint(
    portrait: Path, options: Options, tmp_path: Path
) -> None:
    told = swap_image(portrait, portrait, tmp_path / "out.png", options).report["likeness"]
    assert told["before"] > 0.99
    assert told["after"] < told["before"] - 0.01


def test_likeness_of_a_true_swap_rises_with_the_embedded_networks(data: Path, tmp_path: Path) -> None:
    """The report's figure is the encoder's own view of the written file."""
    if not (locate("lite").exists() and locate("encoder").exists()):
        pytest.skip("the embedded networks are not there")
    faces = data / "photos" / "face_recognition"
    result = swap_image(faces / "obama.jpg", faces / "biden.jpg", tmp_path / "out.png", Options(device="cpu"))
    told = result.report["likeness"]
    assert told["after"] > told["before"] + 0.1
    landmarks = LandmarkFinder(open_network(locate("points"), "cpu"), entry("points"))
    detector = LandmarkedDetect(open_detector(None, Options(device="cpu")), landmarks)
    encoder = Encoder(open_network(locate("encoder"), "cpu"), entry("encoder"), "arcface", 112)
    before, after, source = (
        read_photo(path).frame.rgb for path in (faces / "biden.jpg", result.output, faces / "obama.jpg")
    )
    wanted = encoder.embed(source, detector.search(source)[0])
    assert float(wanted @ encoder.embed(after, detector.search(before)[0])) == pytest.approx(told["after"], abs=0.01)


def test_faces_are_skipped_for_a_reason(
    two_people: Path, large_portrait: Path, options: Options, tmp_path: Path
) -> None:
    def report(**choices: object) -> dict[str, object]:
        chosen = replace(options, force=True, **choices)
        return swap_image(large_portrait, two_people, tmp_path / "out.png", chosen).report

    none = dict.fromkeys(
        ("smaller_than_min_face", "below_det_threshold", "not_chosen", "turned_away", "no_face", "nothing_to_paste"),
        0,
    )
    assert report(faces="all")["faces_skipped"] == none
    assert report()["faces_skipped"] == none | {"not_chosen": 1}
    faces = open_detector(options.face_pack, options).detect(read_photo(two_people).frame.rgb)
    sides = sorted(float(min(face.box[2:] - face.box[:2])) for face in faces)
    between = report(min_face=int(np.ceil(sides[0])) + 1)
    assert sides[1] > np.ceil(sides[0]) + 1
    assert (between["faces_found"], between["faces_swapped"]) == (1, 1)
    assert between["faces_skipped"] == none | {"smaller_than_min_face": 1}


def best_scores(photo: Path, options: Options) -> list[float]:
    """What a detector that is sure of nothing says of the faces."""
    detector = open_detector(options.face_pack, replace(options, det_threshold=1.0))
    return sorted(detector.detect(read_photo(photo).frame.rgb).unsure)


@pytest.fixture(scope="module")
def scores(two_people: Path, options: Options) -> list[float]:
    """Scores of the two people, each at the size that shows it best, the less sure first."""
    return best_scores(two_people, options)


def test_what_falls_short_of_the_threshold_is_counted_and_a_lower_one_named(
    two_people: Path, portrait: Path, options: Options, scores: list[float], tmp_path: Path
) -> None:
    between = replace(options, faces="all", force=True, det_threshold=sum(scores) / 2)
    result = swap_image(portrait, two_people, tmp_path / "out.png", between)
    assert (result.faces_found, result.faces_swapped) == (1, 1)
    assert result.report["faces_skipped"]["below_det_threshold"] == 1
    (named,) = re.findall(
        r"^1 low-confidence detection was not swapped; --det-threshold (\S+) takes in", "\n".join(result.notes), re.M
    )
    assert re.match(r"1 face (swapped|hardly changed), likeness", summary(result)), "what a note says is not said again"
    lower = replace(between, det_threshold=float(named))
    assert swap_image(portrait, two_people, tmp_path / "out.png", lower).faces_swapped == 2


def test_a_photo_whose_face_falls_short_names_a_threshold_that_finds_it(
    two_people: Path, portrait: Path, options: Options, scores: list[float], tmp_path: Path
) -> None:
    (score,) = best_scores(portrait, options)
    people = sorted([(score, portrait), (scores[1], two_people)])
    (_, target), (_, source) = people  # the surer one is found as the source
    above = replace(options, det_threshold=(score + scores[1]) / 2)
    with pytest.raises(NoFaceError, match="1 low-confidence detection was not swapped; --det-threshold") as error:
        swap_image(source, target, tmp_path / "out.png", above)
    lower = replace(above, det_threshold=float(str(error.value).split("--det-threshold ")[1].split()[0]))
    assert swap_image(source, target, tmp_path / "out.png", lower).faces_swapped == 1


def test_what_is_left_as_found_is_told_in_words(
    two_people: Path, large_portrait: Path, short_clip: Path, options: Options, tmp_path: Path
) -> None:
    small = sorted(
        int(min(face.box[2:] - face.box[:2]))
        for face in open_detector(options.face_pack, options).detect(read_photo(two_people).frame.rgb)
    )[0]

    def told(**choices: object) -> list[str]:
        chosen = replace(options, force=True, **choices)
        result = swap_image(large_portrait, two_people, tmp_path / "out.png", chosen)
        return [note for note in result.notes if "not swapped" in note]

    assert told(faces="all") == []
    assert told() == ["1 more face was not swapped; --faces all swaps every face"]
    limit = small + 2
    assert told(min_face=limit) == [
        f"1 face smaller than {limit} pixels was not swapped; a lower --min-face swaps smaller faces"
    ]


def test_notes_on_what_was_not_swapped_are_plain_sentences() -> None:
    assert told_others(Tally(frames=40, most_left=2, faces_too_small=3, faces_unsure=5, surest=0.478), Options()) == [
        "up to 2 more faces in a frame were not swapped; --faces all swaps every face",
        "3 faces smaller than 24 pixels in 40 frames were not swapped; a lower --min-face swaps smaller faces",
        "5 low-confidence detections in 40 frames were not swapped; --det-threshold 0.47 takes in the surest",
    ]
    assert told_others(Tally(frames=1, most_left=1), Options(), names_somebody=True) == [
        "1 more face was not swapped; others were meant"
    ]
    assert told_others(Tally(frames=1, faces_unsure=2, surest=0.4), Options()) == [
        "2 low-confidence detections were not swapped; --det-threshold 0.4 takes in the surest"
    ]
    turned = "turned aside by more than 48 degrees"
    assert told_others(Tally(frames=9, faces_turned=12), Options()) == [
        f"12 faces {turned} in 9 frames were not swapped; a higher --max-turn swaps them, and smears"
    ]
    assert told_others(Tally(frames=1, faces_turned=1), Options()) == [
        f"1 face {turned} was not swapped; a higher --max-turn swaps it, and smears"
    ]
    assert told_others(Tally(frames=9, no_faces=12), Options()) == [
        "12 finds without eyes, brows or a mouth in 9 frames were not swapped: no face"
    ]
    assert told_others(Tally(frames=1, no_faces=1), Options()) == [
        "1 find without eyes, brows or a mouth was not swapped: no face"
    ]


def test_frames_before_somebody_was_recognised_come_with_what_swaps_them() -> None:
    left = [Left(0, 0, 0.0, 0.2, 6, LATE), Left(0, 1, 4.0, 4.0, 1, LATE), Left(0, 1, 5.0, 5.1, 3, COVERED)]
    assert told_others(Tally(frames=9, attendance=Attendance(left=left)), Options()) == [
        "7 faces of somebody who was recognised only later in 9 frames were not swapped; "
        "--plan FILE goes through the clip twice and swaps them"
    ]
    assert told_others(Tally(frames=9, attendance=Attendance(left=left[1:])), Options()) == [
        "1 face of somebody who was recognised only later in 9 frames was not swapped; "
        "--plan FILE goes through the clip twice and swaps it"
    ]


def test_frames_before_somebody_was_known_not_to_be_meant_come_with_what_leaves_them() -> None:
    unmeant = [Left(0, 0, 0.0, 0.2, 6, UNMEANT), Left(0, 1, 4.0, 4.0, 1, UNMEANT)]
    assert told_others(Tally(frames=9, attendance=Attendance(unmeant=unmeant)), Options()) == [
        "7 faces in 9 frames were swapped before it was known that somebody else is meant; "
        "--plan FILE goes through the clip twice and leaves them"
    ]
    assert told_others(Tally(frames=9, attendance=Attendance(unmeant=unmeant[1:])), Options()) == [
        "1 face in 9 frames was swapped before it was known that somebody else is meant; "
        "--plan FILE goes through the clip twice and leaves it"
    ]


@pytest.mark.parametrize(
    "books", [{"left": (Left(0, 0, 0.0, 0.2, 6, LATE),)}, {"unmeant": (Left(0, 0, 0.0, 0.2, 6, UNMEANT),)}]
)
def test_a_strict_run_in_which_somebody_was_left_or_was_not_meant_is_no_success(
    portrait: Path, options: Options, tmp_path: Path, books: dict[str, tuple[Left, ...]]
) -> None:
    result = swap_image(portrait, portrait, tmp_path / "out.png", options)
    likeness = {"before": 0.0, "after": 1.0, "faces": 1, "hardly_changed": 0}
    changed = replace(result, report=result.report | {"likeness": likeness})
    show_result(Terminal(), changed, as_json=False, strict=True)
    with pytest.raises(LeftError, match=r"0\.00-0\.20 s \((recognised|known) only later"):
        show_result(Terminal(), replace(changed, **books), as_json=False, strict=True)  # type: ignore[arg-type]


def test_small_faces_of_a_clip_are_counted(large_portrait: Path, short_clip: Path, options: Options) -> None:
    """The clip's face is about 60 pixels wide, the source's several hundred."""
    swapper, tally = Swapper([read_photo(large_portrait).frame], replace(options, min_face=120)), Tally()
    with open_clip(short_clip) as clip:
        assert not any(swapped.patches for swapped in swapper.frames(clip.frames(), tally))
    assert (tally.faces_too_small, tally.frames_with_face, tally.frames) == (12, 0, 12)


def test_every_network_is_named_with_the_digest_of_its_file(
    portrait: Path, short_clip: Path, options: Options, tmp_path: Path
) -> None:
    told = swap_video(portrait, short_clip, tmp_path / "out.mp4", options).report
    files = told["network_files"]
    assert {"detector", "encoder", "generator"} <= files.keys()
    digest = hashlib.sha256(Path(options.model).read_bytes()).hexdigest()
    assert files["generator"] == {"file": Path(options.model).name, "sha256": digest}
    assert files["detector"]["file"] == "scrfd_2.5g_bnkps.onnx"
    assert (told["engine"], told["device"], told["precision"]) == ("onnxruntime", "cpu", "float32")


def test_each_stage_has_its_time_and_no_thread_more_than_the_whole(
    portrait: Path, short_clip: Path, options: Options, tmp_path: Path
) -> None:
    told = swap_video(portrait, short_clip, tmp_path / "out.mp4", options).report
    spent = told["stage_milliseconds"]
    assert spent.keys() == {"locate", "align", "parse", "generate", "mask", "paste", "likeness", "encode", "mux"}
    assert all(value > 0 for value in spent.values())
    swapping = sum(spent[name] for name in ("align", "parse", "generate", "mask", "paste", "likeness"))
    assert max(swapping, spent["locate"], spent["encode"] + spent["mux"]) < 1000 * told["seconds"]


def test_the_summary_tells_faces_likeness_and_pace(
    portrait: Path, short_clip: Path, options: Options, tmp_path: Path
) -> None:
    result = swap_video(portrait, short_clip, tmp_path / "out.mp4", options)
    before, after = (result.report["likeness"][moment] for moment in ("before", "after"))
    pace = f"{12 / result.seconds:.1f} frames/s"
    assert summary(result) == (
        f"12 frames, 12 faces swapped, likeness to the source {before:.2f} -> {after:.2f}, "
        f"{result.seconds:.1f} s, {pace}"
    )


def test_the_summary_of_a_photo_has_no_frames(portrait: Path, options: Options, tmp_path: Path) -> None:
    result = swap_image(portrait, portrait, tmp_path / "out.png", options)
    assert re.fullmatch(r"1 face swapped, likeness to the source \S+ -> \S+, \d+\.\d s", summary(result))


def test_frames_of_an_earlier_run_are_told_and_count_for_no_speed(
    portrait: Path, short_clip: Path, options: Options, tmp_path: Path
) -> None:
    result = swap_video(portrait, short_clip, tmp_path / "out.mp4", options)
    resumed = replace(result, frames=61, seconds=5.5, report=result.report | {"resumed_frames": 50, "likeness": None})
    assert summary(resumed) == "61 frames (50 of them by an earlier run), 12 faces swapped, 5.5 s, 2.0 frames/s"
    single = replace(resumed, frames=1, faces_swapped=0, report=resumed.report | {"resumed_frames": 0})
    assert summary(single) == "1 frame, 0 faces swapped, 5.5 s, 0.2 frames/s"
