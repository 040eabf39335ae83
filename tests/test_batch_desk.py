"""Which jobs are done, and which are left, whatever came between: changes, failures, other hands, kills.

What becomes of a job is written down here as a swap would have it; `test_batch_runner.py` swaps.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from faceswap_cli import BatchOptions, Job, Options
from faceswap_cli.batch.choices import Shard
from faceswap_cli.batch.desk import Desk, Teller, Update
from faceswap_cli.batch.jobs import settled
from faceswap_cli.batch.manifest import Manifest, read_states
from faceswap_cli.batch.one import Outcome, finished


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Three files to swap."""
    for name in ("me.jpg", "a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_text(name)
    (tmp_path / "out").mkdir()
    return settled(
        Job(tmp_path / "me.jpg", tmp_path / name, tmp_path / "out" / name) for name in ("a.jpg", "b.jpg", "c.jpg")
    )


@pytest.fixture
def choices(tmp_path: Path) -> BatchOptions:
    return BatchOptions(manifest=tmp_path / "out" / "batch.jsonl")


def swapped(job: Job, report: Path) -> Outcome:
    """Leave what a swap leaves."""
    job.target.write_text(f"{Path(job.input).read_text()} swapped")
    report.write_text(json.dumps({"frames": 1, "seconds": 0.1, "notes": []}))
    return finished(job.target, 1, 0.1)


def work(jobs: list[Job], choices: BatchOptions, fails: str = "", code: int = 5) -> list[str]:
    """Do what waits; return the names of what was begun. What is named in `fails` fails."""
    did = []
    with Manifest(choices) as manifest:
        desk = Desk(manifest, choices, Teller(len(jobs), None))
        for job in desk.waiting(jobs):
            begun = desk.begin(job)
            if begun is None:
                continue
            did.append(Path(job.input).name)
            outcome = desk.taken_over(job, *begun)
            if outcome is not None:
                did[-1] += " taken over"
            elif did[-1] == fails:
                outcome = Outcome(code=code, line="no clip")
            desk.end(job, outcome or swapped(job, desk.report(job)))
        assert desk.waiting(jobs) == []
    return did


def names(choices: BatchOptions) -> list[str]:
    return [state.name for state in read_states(choices.manifest).values()]


def changed(job: Job, **options: object) -> Job:
    return replace(job, options=Options(**options))


def test_what_is_done_is_not_done_again(jobs: list[Job], choices: BatchOptions) -> None:
    assert work(jobs, choices) == ["a.jpg", "b.jpg", "c.jpg"]
    written = choices.manifest.read_bytes()
    assert work(jobs, choices) == []
    assert choices.manifest.read_bytes() == written


def test_what_failed_is_done_again_when_that_is_asked_for(jobs: list[Job], choices: BatchOptions) -> None:
    work(jobs, choices, fails="b.jpg")
    assert work(jobs, choices) == []
    assert names(choices) == ["done", "failed", "done"]
    assert work(jobs, replace(choices, retry_failed=True), fails="b.jpg") == ["b.jpg"]
    assert work(jobs, replace(choices, retry_failed=True)) == ["b.jpg"]
    assert names(choices) == ["done"] * 3


def test_a_changed_input_is_done_anew_and_a_copy_with_another_time_is_not(
    jobs: list[Job], choices: BatchOptions
) -> None:
    work(jobs, choices)
    os.utime(jobs[0].input, ns=(0, 0))
    Path(jobs[1].input).write_text("B.jpg")  # as long as before
    Path(jobs[2].input).unlink()
    assert work(jobs, choices) == ["b.jpg"]
    assert jobs[1].target.read_text() == "B.jpg swapped"


def test_a_failed_job_whose_input_changed_is_done_without_being_asked(jobs: list[Job], choices: BatchOptions) -> None:
    work(jobs, choices, fails="b.jpg")
    Path(jobs[1].input).write_text("mended")
    assert work(jobs, choices) == ["b.jpg"]


def test_changed_options_are_noticed_and_incidental_ones_are_not(jobs: list[Job], choices: BatchOptions) -> None:
    work(jobs, choices)
    incidental = changed(jobs[0], threads=2, device="cpu", force=True, report=Path("x.json"), offline=True)
    assert work([incidental], choices) == []
    assert work([changed(jobs[0], opacity=0.5)], choices) == ["a.jpg"]
    assert work([changed(jobs[0], opacity=0.5)], choices) == []


def test_a_changed_source_is_noticed_and_another_of_its_faces_too(jobs: list[Job], choices: BatchOptions) -> None:
    work(jobs, choices)
    me = jobs[0].sources[0]
    assert work([replace(jobs[0], source=(me.with_name("me.jpg#2"),))], choices) == ["a.jpg"]
    me.write_text("another")
    assert work(jobs[1:], choices) == ["b.jpg", "c.jpg"]


def test_a_photo_that_says_who_is_meant_is_looked_at_too(
    tmp_path: Path, jobs: list[Job], choices: BatchOptions
) -> None:
    (tmp_path / "her.jpg").write_text("her")
    meant = [changed(job, who=f"like:{tmp_path}/her.jpg") for job in jobs[:1]]
    work(meant, choices)
    assert work(meant, choices) == []
    (tmp_path / "her.jpg").write_text("him")
    assert work(meant, choices) == ["a.jpg"]


def test_a_result_that_is_gone_is_made_again(jobs: list[Job], choices: BatchOptions) -> None:
    work(jobs, choices)
    jobs[1].target.unlink()
    assert work(jobs, choices) == ["b.jpg"]


def test_what_was_there_before_is_skipped_unless_force_says_otherwise(jobs: list[Job], choices: BatchOptions) -> None:
    jobs[0].target.write_text("mine")
    assert work(jobs, choices) == ["b.jpg", "c.jpg"]
    state = read_states(choices.manifest)["a.jpg"]
    assert (state.name, state.code, "--force" in state.line) == ("skipped", 0, True)
    assert jobs[0].target.read_text() == "mine"
    assert work(jobs, choices) == []
    assert work([changed(jobs[0], force=True)], choices) == ["a.jpg"]


def test_what_was_in_the_way_and_is_gone_now_is_no_reason_to_skip(jobs: list[Job], choices: BatchOptions) -> None:
    jobs[0].target.write_text("mine")
    work(jobs, choices)
    jobs[0].target.unlink()
    assert work(jobs, choices) == ["a.jpg"]


def test_a_result_that_somebody_changed_is_not_replaced(jobs: list[Job], choices: BatchOptions) -> None:
    work(jobs, choices)
    jobs[0].target.write_text("retouched")
    assert work([changed(jobs[0], opacity=0.5)], choices) == []
    assert jobs[0].target.read_text() == "retouched"


@pytest.mark.parametrize("code, begun", [(6, ["a.jpg"]), (5, [])])
def test_what_a_failure_left_is_replaced_only_where_it_can_have_left_it(
    jobs: list[Job], choices: BatchOptions, code: int, begun: list[str]
) -> None:
    """A result whose report could not be written is there and failed; else what is there is somebody's."""
    work(jobs, choices, fails="a.jpg", code=code)
    jobs[0].target.write_text("whose?")
    assert work(jobs, replace(choices, retry_failed=True)) == begun


def test_what_came_under_the_name_of_a_begun_job_later_or_from_elsewhere_is_not_replaced(
    jobs: list[Job], choices: BatchOptions
) -> None:
    """A copy that kept its old time, where a process was killed; a new file, where a result failed."""
    killed_at(jobs, choices, "a.jpg")
    jobs[0].target.write_text("copied")
    os.utime(jobs[0].target, (1e9, 1e9))
    work(jobs[1:2], choices, fails="b.jpg", code=6)
    jobs[1].target.write_text("new")
    os.utime(jobs[1].target, (4e9, 4e9))
    assert work(jobs[:2], replace(choices, retry_failed=True)) == []
    assert [job.target.read_text() for job in jobs[:2]] == ["copied", "new"]
    assert names(choices) == ["skipped", "skipped"]


def test_shards_do_all_jobs_once_between_them(jobs: list[Job], choices: BatchOptions) -> None:
    did = []
    for shard in (Shard(1, 2), Shard(2, 2)):
        mine = [job for job in jobs if shard.holds(job.target.name)]
        did += work(mine, replace(choices, shard=shard))
    assert sorted(did) == ["a.jpg", "b.jpg", "c.jpg"]
    assert work(jobs, choices) == []  # whoever comes without a shard sees what they have done


def killed_at(jobs: list[Job], choices: BatchOptions, name: str, then: str = "") -> None:
    """Leave the manifest as a process does that is killed at a job."""
    with Manifest(choices) as manifest:
        desk = Desk(manifest, choices, Teller(len(jobs), None))
        (job,) = [job for job in jobs if Path(job.input).name == name]
        assert desk.begin(job) is not None
        if then:
            swapped(job, desk.report(job))
        if then == "unreported":
            desk.report(job).unlink()


def test_what_a_process_died_at_is_done_behind_the_others(jobs: list[Job], choices: BatchOptions) -> None:
    killed_at(jobs, choices, "a.jpg")
    assert work(jobs, choices) == ["b.jpg", "c.jpg", "a.jpg"]
    assert read_states(choices.manifest)["a.jpg"].name == "done"


def test_what_processes_died_at_more_often_comes_later(jobs: list[Job], choices: BatchOptions) -> None:
    for name in ("a.jpg", "a.jpg", "b.jpg"):
        killed_at(jobs, choices, name)
    assert read_states(choices.manifest)["a.jpg"].deaths == 2
    assert work(jobs, choices) == ["c.jpg", "b.jpg", "a.jpg"]


def test_what_a_process_finished_but_had_no_time_to_tell_is_not_done_again(
    jobs: list[Job], choices: BatchOptions
) -> None:
    killed_at(jobs, choices, "a.jpg", then="reported")
    assert work(jobs, choices) == ["b.jpg", "c.jpg", "a.jpg taken over"]
    assert read_states(choices.manifest)["a.jpg"].sha256 == finished(jobs[0].target, 1, 0.1).sha256


def test_a_result_without_its_report_is_made_again(jobs: list[Job], choices: BatchOptions) -> None:
    killed_at(jobs, choices, "a.jpg", then="unreported")
    assert work(jobs, choices) == ["b.jpg", "c.jpg", "a.jpg"]


def test_what_was_finished_of_another_input_is_not_taken_over(jobs: list[Job], choices: BatchOptions) -> None:
    killed_at(jobs, choices, "a.jpg", then="reported")
    Path(jobs[0].input).write_text("new")
    assert work(jobs, choices)[-1] == "a.jpg"
    assert jobs[0].target.read_text() == "new swapped"


def test_how_far_a_run_is_counts_what_was_done_before_it(jobs: list[Job], choices: BatchOptions) -> None:
    work(jobs[:1], choices)
    heard: list[Update] = []
    with Manifest(choices) as manifest:
        desk = Desk(manifest, choices, Teller(len(jobs), heard.append))
        for job in desk.waiting(jobs):
            assert desk.begin(job) is not None
            desk.end(job, swapped(job, desk.report(job)))
    told = [(update.state.name, update.ended, update.total) for update in heard]
    assert told == [("running", 1, 3), ("done", 2, 3), ("running", 2, 3), ("done", 3, 3)]


WORKING = """
import sys
from pathlib import Path
from faceswap_cli import BatchOptions, Job
from faceswap_cli.batch.jobs import settled
from tests.test_batch_desk import work
folder = Path(sys.argv[1])
jobs = settled(Job(folder / "me.jpg", path, folder / "out" / path.name) for path in sorted(folder.glob("c*.jpg")))
work(jobs, BatchOptions(manifest=folder / "out" / "batch.jsonl"))
"""


def test_processes_at_one_manifest_never_do_a_job_twice(tmp_path: Path, choices: BatchOptions) -> None:
    (tmp_path / "out").mkdir()
    for name in ("me.jpg", *(f"c{number:03d}.jpg" for number in range(150))):
        (tmp_path / name).write_text(name)
    processes = [subprocess.Popen([sys.executable, "-c", WORKING, tmp_path]) for _ in range(3)]
    assert [process.wait(timeout=200) for process in processes] == [0, 0, 0]
    records = [json.loads(line) for line in choices.manifest.read_bytes().splitlines()]
    for name in ("running", "done"):
        counts = Counter(record["job"] for record in records if record.get("name") == name)
        assert (len(counts), set(counts.values())) == (150, {1})
    assert len({record["run"] for record in records if record.get("name") == "done"}) > 1
