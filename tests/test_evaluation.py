"""Swaps judged on real faces: a copy, a damaged copy and another person's face each move the right measures."""

import csv
import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.errors import NoFaceError, UsageError, WeightsError
from faceswap_cli.evaluation import report
from faceswap_cli.evaluation.clips import Examiner, in_its_place, outside, sound_equal
from faceswap_cli.evaluation.judges import Judges, open_judges
from faceswap_cli.evaluation.options import MEASURES, EvaluateOptions, JudgeFiles
from faceswap_cli.evaluation.pairs import draw_pairs, read_pairs
from faceswap_cli.evaluation.people import list_faces, sheet_tiles
from faceswap_cli.evaluation.score import Evaluation, Pair, Row, evaluate, means
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.stages.align import inverse, similarity
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.types import Face
from tests import scenes
from tests.conftest import write_clip
from tests.media_oracle import run_ffmpeg
from tests.warm import faceswap

pytestmark = pytest.mark.usefixtures("kept_looks")


@pytest.fixture(scope="module")
def options(data: Path, face_pack: Path) -> EvaluateOptions:
    judges = JudgeFiles(
        face=data / "weights/identity/mobileface_id_v2.onnx",
        pose=tuple(sorted((data / "weights/pose").glob("*.onnx"))),
        mesh=data / "weights/landmark/facemesh468.onnx",
        gaze=data / "weights/landmark/openseeface_mnv3_gaze32_split_opt.onnx",
        threads=1,
    )
    return EvaluateOptions(judges=judges, swap=Options(face_pack=face_pack, threads=1))


@pytest.fixture(scope="module")
def source(data: Path) -> Path:
    return data / "photos/face_recognition/alex-lacamoire.png"


@pytest.fixture(scope="module")
def detector(options: EvaluateOptions) -> Detect:
    return open_detector(options.swap.face_pack, options.swap)


@pytest.fixture(scope="module")
def judged(
    large_portrait: Path,
    source: Path,
    options: EvaluateOptions,
    detector: Detect,
    tmp_path_factory: pytest.TempPathFactory,
) -> Evaluation:
    """A copy of the target, a damaged copy, and the source's face laid into it, in this order."""
    folder = tmp_path_factory.mktemp("judged")
    target = cv2.resize(read_photo(large_portrait).frame.rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    damaged = cv2.resize(cv2.resize(target, None, fx=0.25, fy=0.25), target.shape[1::-1])
    pictures = {"target": target, "copy": target, "damaged": damaged, "other": lay_in(source, target, detector)}
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture[..., ::-1])
    pairs = [Pair(source, folder / "target.png", folder / f"{name}.png") for name in ("copy", "damaged", "other")]
    return evaluate(pairs, options)


def lay_in(source: Path, target: np.ndarray, detector: Detect) -> np.ndarray:
    """Lay an oval of the source's face over the target's: the crudest swap there is."""
    picture = read_photo(source).frame.rgb
    to_crop = [similarity(detector.detect(rgb)[0].points, "simswap-frontal", 256) for rgb in (picture, target)]
    back = inverse(to_crop[1])
    move = back[:, :2] @ to_crop[0] + np.array([[0, 0, back[0, 2]], [0, 0, back[1, 2]]])
    moved = cv2.warpAffine(picture, move, target.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)
    oval = cv2.ellipse(np.zeros((256, 256), np.float32), (128, 130), (85, 110), 0, 0, 360, 1.0, -1)
    mask = cv2.warpAffine(cv2.GaussianBlur(oval, (0, 0), 5), back, target.shape[1::-1])[..., None]
    return (mask * moved + (1 - mask) * target).astype(np.uint8)


def values(evaluation: Evaluation, index: int) -> dict[str, float]:
    return evaluation.rows[index].values  # type: ignore[return-value]


def test_a_copy_gains_nothing_and_keeps_everything(judged: Evaluation) -> None:
    copy = values(judged, 0)
    assert copy["cosine_target"] == pytest.approx(1, abs=1e-5)
    assert copy["cosine_gain"] == pytest.approx(0, abs=1e-5)
    assert (copy["retrieval"], copy["detection_kept"], copy["pose_degrees"]) == (0, 1, 0)
    assert copy["still_target"] == 1
    assert copy["gaze"] == 0
    assert copy["crop_psnr"] == copy["outside_psnr"] == 100


def test_a_damaged_copy_loses_likeness_sharpness_and_pose(judged: Evaluation) -> None:
    copy, damaged = values(judged, 0), values(judged, 1)
    assert damaged["cosine_target"] < copy["cosine_target"] - 0.02
    assert damaged["crop_psnr"] < 40
    assert damaged["outside_psnr"] < 40
    assert damaged["pose_l2"] > damaged["pose_degrees"] > 0
    assert damaged["cosine_gain"] < 0.1


def test_another_persons_face_is_taken_for_them(judged: Evaluation) -> None:
    other = values(judged, 2)
    assert other["cosine_source"] > 0.5 > other["cosine_target"]
    assert other["cosine_gain"] > 0.4
    assert other["same_person_share"] == pytest.approx(other["cosine_source"] / 0.475)
    assert (other["retrieval"], other["still_target"], other["detection_kept"]) == (1, 0, 1)
    assert other["gaze"] > 0.02
    assert other["outside_psnr"] == 100
    assert other["crop_psnr"] < 30


def test_a_clip_as_source_is_refused_with_what_to_give(short_clip: Path, judges: Judges, detector: Detect) -> None:
    with pytest.raises(UsageError, match=r"source .* is a clip: give a photo of the person"):
        Examiner(judges, detector).source(short_clip)


def test_means_are_over_all_swaps_and_crop_psnr_over_self_swaps(judged: Evaluation) -> None:
    first, second, third = judged.rows
    mixed = (first, second, Row(Pair(**pair_of(third), is_self=True), third.values, third.thumbnails))
    assert means(judged.rows)["retrieval"] == pytest.approx(1 / 3)
    assert means(mixed)["retrieval"] == 0
    assert means(mixed)["crop_psnr"] == third.values["crop_psnr"]


def pair_of(row: Row) -> dict[str, Path]:
    return {"source": row.pair.source, "target": row.pair.target, "result": row.pair.result}


def test_a_table_json_csv_and_sheet_show_every_swap(judged: Evaluation, tmp_path: Path) -> None:
    table, record = report.as_table(judged), report.as_record(judged)
    assert all(name in table for name in ("cosine_gain", "#3", "other data (FaceForensics++)", "MobileFaceSwap"))
    assert [pair["retrieval"] for pair in json.loads(json.dumps(record))["pairs"]] == [0, 0, 1]
    report.write_csv(judged, tmp_path / "figures.csv")
    rows = list(csv.DictReader((tmp_path / "figures.csv").open()))
    assert [float(row["crop_psnr"]) for row in rows] == [row.values["crop_psnr"] for row in judged.rows]
    report.write_sheet(judged, tmp_path / "sheet.png")
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (480, 480, 3)


@pytest.fixture(scope="module")
def film(
    short_clip: Path, source: Path, options: EvaluateOptions, tmp_path_factory: pytest.TempPathFactory
) -> list[Row]:
    """A second encoding of a clip, and one that flickers, judged."""
    folder = tmp_path_factory.mktemp("film")
    with open_clip(short_clip) as clip:
        pictures = [frame.rgb for frame in clip.frames()]
    dark = [picture if index % 2 else (picture * 0.9).astype(np.uint8) for index, picture in enumerate(pictures)]
    write_clip(folder / "again.mp4", pictures)
    write_clip(folder / "flickering.mp4", dark)
    pairs = [Pair(source, short_clip, folder / f"{name}.mp4") for name in ("again", "flickering")]
    return list(evaluate(pairs, options).rows)


def test_a_second_encoding_is_as_steady_as_the_first(film: list[Row]) -> None:
    again = film[0].values
    assert (again["frames"], again["timestamps_equal"], again["sound_equal"]) == (12, True, True)
    assert again["flicker"] == pytest.approx(1, abs=0.25)
    assert again["jitter"] == pytest.approx(1, abs=0.5)
    assert again["pops"] == 0


def test_a_patch_that_comes_for_two_frames_pops(
    short_clip: Path, source: Path, options: EvaluateOptions, detector: Detect, tmp_path: Path
) -> None:
    """Of 12 frames the last 9 are compared with the third before; it comes at 6 and is gone at 8: 6, 7, 9 and 10."""
    with open_clip(short_clip) as clip:
        pictures = [frame.rgb.copy() for frame in clip.frames()]
    x, y = detector.detect(pictures[6])[0].points[2].astype(int)
    for picture in pictures[6:8]:
        picture[y - 8 : y + 8, x - 8 : x + 8] = 255
    write_clip(tmp_path / "patched.mp4", pictures)
    (row,) = evaluate([Pair(source, short_clip, tmp_path / "patched.mp4")], options).rows
    assert row.values["pops"] == pytest.approx(4 / 9)


def test_a_head_that_moves_fast_pops_nothing(
    large_portrait: Path, source: Path, options: EvaluateOptions, detector: Detect, tmp_path: Path
) -> None:
    """A painted nose that moves by 36 pixels in three frames: looked for in one place it popped in all of them."""
    portrait = cv2.resize(cv2.cvtColor(cv2.imread(str(large_portrait)), cv2.COLOR_BGR2RGB), (480, 480))
    x, y = detector.detect(portrait)[0].points[2].astype(int)
    painted = portrait.copy()
    painted[y - 12 : y + 12, x - 12 : x + 12] = (40, 90, 200)
    clips = [
        write_clip(tmp_path / name, [picture[:240, 12 * index :][:, :320] for index in range(12)])
        for name, picture in (("target.mp4", portrait), ("painted.mp4", painted))
    ]
    (row,) = evaluate([Pair(source, *clips)], options).rows
    assert row.values["pops"] == 0


def test_flicker_shows_in_the_motion_compensated_difference(film: list[Row]) -> None:
    steady, flickering = (row.values["flicker"] for row in film)
    assert flickering > 1.5 * steady


def test_a_result_of_another_length_or_rate_is_noticed(
    short_clip: Path, source: Path, options: EvaluateOptions, tmp_path: Path
) -> None:
    with open_clip(short_clip) as clip:
        pictures = [frame.rgb for frame in clip.frames()]
    shorter = write_clip(tmp_path / "shorter.mp4", pictures[:-1])
    slower = write_clip(tmp_path / "slower.mp4", pictures, rate=20)
    with pytest.raises(UsageError, match="has not the 12 frames of its target"):
        evaluate([Pair(source, short_clip, shorter)], options)
    rows = evaluate([Pair(source, short_clip, slower)], options).rows
    assert rows[0].values["timestamps_equal"] is False


def test_sound_is_equal_only_packet_for_packet(tmp_path: Path) -> None:
    made = [
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x64:d=1",
        "-f",
        "lavfi",
        "-i",
        "sine=d=1",
        "-c:v",
        "libx264",
        "-c:a",
        "aac",
    ]
    target, copy, part, again = (tmp_path / f"{name}.mkv" for name in ("target", "copy", "part", "again"))
    run_ffmpeg(*made, target)
    run_ffmpeg("-i", target, "-c", "copy", copy)
    run_ffmpeg("-i", target, "-t", "0.5", "-c", "copy", part)
    run_ffmpeg("-i", target, "-c:v", "copy", "-c:a", "aac", "-b:a", "32k", again)
    assert sound_equal(target, copy)
    assert not sound_equal(target, part)
    assert sound_equal(target, part, whole=False)
    assert not sound_equal(target, again)


def test_a_face_counts_for_the_targets_from_an_overlap_of_three_tenths_on() -> None:
    """Two boxes of 100 pixels, one moved aside by d, share (100 - d) / (100 + d) of both: 0.307 at 53, 0.290 at 55."""
    at = [Face(np.array([x, 0, x + 100, 100], np.float32), np.zeros((5, 2), np.float32), 1.0) for x in (0, 53, 55)]
    assert in_its_place(at, at[0]) == tuple(at[:2])


def test_outside_leaves_out_the_faces_and_nothing_far_from_them(large_portrait: Path, detector: Detect) -> None:
    rgb = read_photo(large_portrait).frame.rgb
    faces = tuple(detector.detect(rgb)[:1])
    mask = outside(rgb.shape, faces)
    x0, y0, x1, y1 = faces[0].box.astype(int)
    assert not mask[y0:y1, x0:x1].any()
    assert mask[y1 + (y1 - y0) :].all()
    assert mask.mean() > 0.5


def test_a_measure_without_its_judge_is_left_out_and_said(
    judged: Evaluation, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACESWAP_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "dlib", None)  # as Python marks what cannot be imported
    alone = evaluate([judged.rows[2].pair], EvaluateOptions(swap=options.swap))
    measured = {name for name, value in alone.rows[0].values.items() if value is not None}
    kept = {"frames", "timestamps_equal", "crop_psnr", "outside_psnr", "detection_kept"}
    assert measured == kept | {"source_face", "target_face"}
    assert len(alone.notes) == 5
    assert "cosine" not in report.as_table(alone)


@pytest.fixture(scope="module")
def judges(options: EvaluateOptions) -> Judges:
    return open_judges(options.judges)


def meshed(data: Path, judges: Judges, detector: Detect) -> tuple[np.ndarray, np.ndarray]:
    """A portrait of open eyes and its mesh."""
    rgb = read_photo(data / "photos/public_domain/astronaut_collins_nasa.png").frame.rgb
    return rgb, judges.mesh.points(rgb, detector.detect(rgb)[0])


@pytest.mark.parametrize("axis", (0, 1))
def test_an_iris_that_moves_is_seen_to_move_as_far_and_that_way(
    data: Path, judges: Judges, detector: Detect, axis: int
) -> None:
    rgb, mesh = meshed(data, judges, detector)
    pixels = 3
    moved = np.roll(rgb, pixels, axis=1 - axis)  # under eyes that stay: the irises move by 0.15 eye widths
    expected = np.zeros((2, 2))
    expected[:, axis] = [pixels / np.linalg.norm(mesh[one] - mesh[other]) for one, other in ((33, 133), (362, 263))]
    expected[1, 0] *= -1  # x runs towards the nose in both eyes
    found = judges.gaze.irises(moved, mesh) - judges.gaze.irises(rgb, mesh)
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_mirrored_face_has_mirrored_irises(data: Path, judges: Judges, detector: Detect) -> None:
    rgb, mesh = meshed(data, judges, detector)
    turned = mesh.copy()
    turned[[33, 133, 362, 263]] = np.array([rgb.shape[1] - 1, 0]) + [-1, 1] * mesh[[263, 362, 133, 33]]
    mirrored = judges.gaze.irises(np.ascontiguousarray(rgb[:, ::-1]), turned)
    np.testing.assert_allclose(mirrored[::-1], judges.gaze.irises(rgb, mesh), atol=5e-3)


def test_a_judge_that_is_no_face_encoder_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no face encoder"):
        open_judges(JudgeFiles(face=data / "weights/pose/fsanet-1x1-iter-688590.onnx"))
    with pytest.raises(UsageError, match="no such judge"):
        open_judges(JudgeFiles(mesh=tmp_path / "absent.onnx"))


def test_a_target_without_a_face_is_one_clear_error(source: Path, options: EvaluateOptions, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 99, np.uint8))
    with pytest.raises(NoFaceError, match=r"wall\.png"):
        evaluate([Pair(source, tmp_path / "wall.png", tmp_path / "wall.png")], options)


def test_a_pairs_table_names_its_missing_files(portrait: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(
        f"source,target,result,self\n{portrait},{portrait},{portrait},1\n{portrait},absent.jpg,{portrait},\n"
    )
    with pytest.raises(UsageError, match=r"pairs\.csv line 3: no such target"):
        read_pairs(table)
    table.write_text(f"source,target,result,self\n{portrait},{portrait},{portrait},1\n")
    assert read_pairs(table) == [Pair(portrait, portrait, portrait, is_self=True)]
    table.write_text("source;target;result\n")
    with pytest.raises(UsageError, match="needs the columns"):
        read_pairs(table)


def test_a_name_too_long_for_any_file_is_named_as_missing(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"source,target,result\n{'n' * 300},a,b\n")
    with pytest.raises(UsageError, match="no such source"):
        read_pairs(tmp_path / "pairs.csv")


def test_drawn_pairs_depend_on_the_seed_alone(tmp_path: Path) -> None:
    for folder, names in (("sources", "abcd"), ("targets", "uvwx")):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.jpg").touch()
    folders = (tmp_path / "sources", tmp_path / "targets")
    assert len(draw_pairs(*folders, None, 0)) == 16
    drawn = draw_pairs(*folders, 5, 3)
    assert drawn == draw_pairs(*folders, 5, 3)
    assert len(set(drawn)) == 5
    assert drawn != draw_pairs(*folders, 5, 4)


def test_faces_of_a_photo_are_told_apart(data: Path, whole_pack: Path) -> None:
    photo = data / "photos/face_recognition/obama_and_biden.jpg"
    found, notes = list_faces(photo, Options(face_pack=whole_pack, threads=1, min_face=60))
    assert not notes
    assert len(found) >= 2
    assert [each.number for each in found] == [each.person for each in found] == list(range(1, len(found) + 1))
    assert [each.face.area for each in found] == sorted((each.face.area for each in found), reverse=True)
    assert {tile.shape for tile in sheet_tiles(found)} == {(160, 160, 3)}


def test_a_face_in_a_clip_is_one_face_with_its_time(short_clip: Path, whole_pack: Path) -> None:
    found, _ = list_faces(short_clip, Options(face_pack=whole_pack, threads=1))
    assert [(each.number, each.person, each.frames) for each in found] == [(1, 1, 12)]
    assert found[0].as_record()["seconds"] == [0, 0.44]


def test_who_is_elsewhere_for_a_moment_is_no_second_person(data: Path, whole_pack: Path, tmp_path: Path) -> None:
    """The moment lies within the time of the track that goes on behind it: they are not in one picture."""
    face = scenes.portrait(data / "photos/face_recognition/obama.jpg", 140)
    pictures = [scenes.scene((face, 400 if 8 <= number < 11 else 20, 60)) for number in range(20)]
    clip = write_clip(tmp_path / "leap.mp4", pictures)
    found, _ = list_faces(clip, Options(face_pack=whole_pack, threads=1))
    assert [(each.number, each.person, each.frames) for each in found] == [(1, 1, 17), (2, 1, 3)]


def test_the_command_judges_one_swap_and_writes_its_figures(
    judged: Evaluation, face_pack: Path, data: Path, tmp_path: Path
) -> None:
    pair, table = judged.rows[2].pair, tmp_path / "figures.csv"
    files = ("--source", pair.source, "--target", pair.target, "--result", pair.result)
    more = ("--face-pack", face_pack, "--threads", 1, "--csv", table, "--json")
    done = faceswap("evaluate", *files, *more, FACESWAP_DATA=str(data))
    shown = json.loads(done.stdout)["pairs"][0]
    assert done.returncode == 0
    assert shown["cosine_gain"] == pytest.approx(judged.rows[2].values["cosine_gain"], abs=1e-3)
    assert table.is_file()
    again = faceswap("evaluate", *files, *more, FACESWAP_DATA=str(data))
    assert (again.returncode, again.stdout) == (6, "")


def test_help_of_evaluate_says_what_each_measure_means() -> None:
    shown = faceswap("evaluate", "--help").stdout
    assert all(name in shown and measure.meaning in shown for name, measure in MEASURES.items())


def test_evaluate_refuses_half_a_question(portrait: Path) -> None:
    refused = faceswap("evaluate", "--source", portrait)
    assert refused.returncode == 2
    assert "--sources and --targets" in refused.stderr


def test_faces_are_timed_from_where_start_counts(short_clip: Path, whole_pack: Path, tmp_path: Path) -> None:
    """A clip whose own clock begins at 7 seconds, as those of recorders do."""
    late = tmp_path / "late.ts"
    run_ffmpeg("-i", short_clip, "-c", "copy", "-output_ts_offset", "7", late)
    options = Options(face_pack=whole_pack, threads=1)
    (whole,), _ = list_faces(late, options)
    assert (whole.first, whole.last) == pytest.approx((0, 0.44))
    (part,), _ = list_faces(late, replace(options, start=Fraction("0.2")))
    assert part.first == pytest.approx(0.2)


def test_faces_prints_json_and_writes_a_sheet(whole_pack: Path, portrait: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    done = faceswap("faces", portrait, "--json", "--sheet", sheet, "--face-pack", whole_pack, "--threads", 1)
    face = json.loads(done.stdout)["faces"][0]
    assert done.returncode == 0
    assert set(face) == {
        "number",
        "person",
        "box",
        "size",
        "score",
        "age",
        "gender",
        "pose",
        "source_quality",
        "points",
        "seconds",
        "frames",
    }
    assert face["box"][0] < face["box"][2]
    assert sheet.is_file()
