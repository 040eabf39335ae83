"""Many jobs in one call: what each of them comes to. Real swaps, small ones."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from faceswap_cli import BatchOptions, Job, Options, swap_many
from faceswap_cli.batch.desk import Update
from faceswap_cli.batch.manifest import read_states
from faceswap_cli.batch.report import BatchResult
from faceswap_cli.errors import MediaError, NoFaceError, UsageError
from faceswap_cli.media.segments import file_sha256

pytestmark = pytest.mark.usefixtures("kept_looks")


@pytest.fixture(scope="module")
def small(tinting_generator: Path, whole_pack: Path) -> Options:
    return Options(model=str(tinting_generator), face_pack=whole_pack, device="cpu", threads=1)


@pytest.fixture
def me(tmp_path: Path, portrait: Path) -> Path:
    return small_photo(portrait, tmp_path / "me.jpg")


def small_photo(portrait: Path, path: Path) -> Path:
    """A photo of one face, 240 pixels wide."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = cv2.imread(str(portrait))
    cv2.imwrite(str(path), cv2.resize(picture, (240, 240 * picture.shape[0] // picture.shape[1])))
    return path


@pytest.fixture
def jobs(tmp_path: Path, me: Path, short_clip: Path, small: Options) -> list[Job]:
    """Two photos, a clip, and one file that is no photo."""
    clips = tmp_path / "clips"
    clips.mkdir()
    photos = [shutil.copy(me, clips / name) for name in ("a.jpg", "b.jpg")]
    (clips / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    inputs = [*map(Path, photos), Path(shutil.copy(short_clip, clips / "c.mp4")), clips / "broken.jpg"]
    return [Job(me, path, tmp_path / "out" / path.name, small) for path in inputs]


@pytest.fixture
def choices(tmp_path: Path) -> BatchOptions:
    return BatchOptions(manifest=tmp_path / "out" / "batch.jsonl")


def names(result: BatchResult) -> list[str]:
    return [state.name for state in result.states]


def test_a_broken_file_stops_no_other_and_every_job_and_the_whole_have_a_report(
    jobs: list[Job], choices: BatchOptions
) -> None:
    heard: list[Update] = []
    result = swap_many(jobs, choices, heard.append)
    assert names(result) == ["done", "done", "done", "failed"]
    assert (result.code, result.states[3].code) == (5, 5)
    assert [state.sha256 for state in result.states[:3]] == [file_sha256(job.target) for job in jobs[:3]]
    assert result.states[2].frames == 12
    assert heard[-1].ended == heard[-1].total == 4
    whole = json.loads((choices.manifest.parent / "batch.report.json").read_text())
    assert whole["counts"] == {"planned": 0, "running": 0, "done": 3, "failed": 1, "skipped": 0}
    assert (whole["code"], len(whole["jobs"])) == (5, 4)
    reports = [json.loads((choices.manifest.parent / state.report).read_text()) for state in result.states]
    assert [report.get("frames") for report in reports] == [1, 1, 12, None]
    assert reports[3]["error"]["code"] == 5
    assert swap_many(jobs, choices).states == result.states


def test_halting_on_one_job_s_bad_source_leaves_the_rest_planned(jobs: list[Job], choices: BatchOptions) -> None:
    gone = replace(jobs[0], source=jobs[0].sources[0].with_name("gone.jpg"))
    result = swap_many([gone, jobs[3], *jobs[1:3]], replace(choices, halt_on_error=True))
    assert names(result) == ["failed", "planned", "planned", "planned"]
    assert (result.code, result.states[0].code) == (5, 5)


def test_a_source_that_all_jobs_share_is_refused_once_before_any(
    tmp_path: Path, jobs: list[Job], choices: BatchOptions
) -> None:
    wall = tmp_path / "wall.png"
    cv2.imwrite(str(wall), cv2.imread(str(jobs[0].input))[:20, :20])
    for source, error in ((tmp_path / "gone.jpg", MediaError), (wall, NoFaceError)):
        with pytest.raises(error):
            swap_many([replace(job, source=source) for job in jobs], choices)
    assert {state.name for state in read_states(choices.manifest).values()} == {"planned"}


def test_ctrl_c_gives_the_job_back(jobs: list[Job], choices: BatchOptions) -> None:
    def interrupt(update: Update) -> None:
        if update.frames == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swap_many(jobs, choices, interrupt)
    states = read_states(choices.manifest)
    assert (states["c.mp4"].name, states["c.mp4"].line) == ("planned", "interrupted")
    assert json.loads((choices.manifest.parent / "batch.report.json").read_text())["counts"]["done"] == 2


def test_two_jobs_in_each_other_s_way_are_refused_before_anything_is_made(
    tmp_path: Path, jobs: list[Job], choices: BatchOptions
) -> None:
    with pytest.raises(UsageError, match="two jobs"):
        swap_many([jobs[0], replace(jobs[1], output=jobs[0].output)], choices)
    assert not (tmp_path / "out").exists()
