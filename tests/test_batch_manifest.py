"""States outlive the process that wrote them: torn lines, full disks, other processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from faceswap_cli.batch.choices import BatchOptions, Shard
from faceswap_cli.batch.manifest import Manifest, read_states
from faceswap_cli.batch.states import Look, Stamp, State, from_record, worst
from faceswap_cli.errors import OutputError, UsageError

LOOK = Look(input=Stamp(size=3, mtime_ns=4), ends="aa", choices="bb")


@pytest.fixture
def choices(tmp_path: Path) -> BatchOptions:
    return BatchOptions(manifest=tmp_path / "batch.jsonl")


def begun(manifest: Manifest, key: str) -> State | None:
    """Claim a job unless somebody living is at it."""
    return manifest.claim(
        key,
        lambda state: None if state and manifest.is_at_work(state) else manifest.state("running", look=LOOK),
    )


def test_states_are_read_back_as_they_were_noted(choices: BatchOptions) -> None:
    with Manifest(choices) as manifest:
        manifest.plan({"a": "/clips/a", "b": "/clips/b"})
        manifest.note("a", manifest.state("running", look=LOOK, before=Stamp(size=1, mtime_ns=2)))
        manifest.note("a", manifest.state("done", output=Stamp(size=9, mtime_ns=8), sha256="cc", frames=7, seconds=1.5))
    states = read_states(choices.manifest)
    assert [(key, state.name, state.input) for key, state in states.items()] == [
        ("a", "done", "/clips/a"),
        ("b", "planned", "/clips/b"),
    ]
    assert (states["a"].look, states["a"].before) == (LOOK, Stamp(size=1, mtime_ns=2))
    assert (states["a"].output, states["a"].frames, states["a"].seconds) == (Stamp(size=9, mtime_ns=8), 7, 1.5)


def test_a_line_torn_by_a_kill_is_cut_off_and_no_other_is_lost(choices: BatchOptions) -> None:
    with Manifest(choices) as manifest:
        manifest.plan({"a": "/clips/a"})
    with choices.manifest.open("ab") as file:
        file.write(b'{"job": "b", "name": "don')
    assert list(read_states(choices.manifest)) == ["a"]
    with Manifest(choices) as manifest:
        manifest.plan({"c": "/clips/c"})
    assert list(read_states(choices.manifest)) == ["a", "c"]
    assert all(json.loads(line) for line in choices.manifest.read_bytes().splitlines())


FULL = """
import resource, sys
from pathlib import Path
from faceswap_cli.batch.choices import BatchOptions
from faceswap_cli.batch.manifest import Manifest
choices = BatchOptions(manifest=Path(sys.argv[1]))
with Manifest(choices) as manifest:
    manifest.plan({"a": "/clips/a"})
    size = choices.manifest.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))
    try:
        manifest.plan({"b": "/clips/b"})
    except OSError as error:
        print(error)
"""


def test_a_full_disk_leaves_no_half_line_and_is_told(choices: BatchOptions) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, choices.manifest], capture_output=True, text=True, timeout=60)
    assert "cannot be written: No space left on device" in done.stdout
    assert choices.manifest.read_bytes().endswith(b"}\n")
    assert list(read_states(choices.manifest)) == ["a"]


DYING = """
import os, signal, sys
from pathlib import Path
from faceswap_cli.batch.choices import BatchOptions
from faceswap_cli.batch.manifest import Manifest
with Manifest(BatchOptions(manifest=Path(sys.argv[1]))) as manifest:
    manifest.note("a", manifest.state("running"))
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_a_job_is_its_process_s_until_that_dies(choices: BatchOptions) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", DYING, choices.manifest], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "begun\n"
    with Manifest(choices) as manifest:
        assert begun(manifest, "a") is None
        assert read_states(choices.manifest)["a"].name == "running"
        other.kill()
        other.communicate(timeout=60)
        found = read_states(choices.manifest)["a"]
        assert (found.name, found.deaths) == ("planned", 1)
        assert begun(manifest, "a") is not None
        assert begun(manifest, "a") is None  # now it is this one's
        state = manifest.state_of("a")
        assert state is not None
        assert state.deaths == 1


def test_what_a_failure_was_begun_with_is_kept(choices: BatchOptions) -> None:
    with Manifest(choices) as manifest:
        manifest.note("a", manifest.state("running", look=LOOK))
        manifest.note("a", manifest.state("failed", code=5, line="no clip"))
        state = manifest.state_of("a")
    assert state is not None
    assert (state.name, state.look, state.code) == ("failed", LOOK, 5)


def test_shards_write_each_to_its_own_file_and_the_status_shows_all(choices: BatchOptions) -> None:
    for number in (1, 2):
        mine = BatchOptions(manifest=choices.manifest, shard=Shard(number, 2))
        with Manifest(mine) as manifest:
            manifest.plan({f"of {number}": "/clips/a"})
            assert f"of {3 - number}" not in mine.own_manifest.read_text()
    assert sorted(read_states(choices.manifest)) == ["of 1", "of 2"]
    assert not choices.manifest.exists()


def test_a_key_is_the_same_wherever_the_folder_is_mounted(tmp_path: Path) -> None:
    for mount in ("here", "there"):
        with Manifest(BatchOptions(manifest=tmp_path / mount / "batch.jsonl")) as manifest:
            assert manifest.key_of(tmp_path / mount / "sub" / "a.mp4") == "sub/a.mp4"


@pytest.mark.parametrize(
    "content, told",
    [
        (b"name,age\n", "no manifest"),
        (b'{"version": 99}\n', "version 99"),
        (b'{"version": 1}\n{"job": "a", "name": "asleep", "at": 1}\n', "damaged"),
        (b'{"version": 1}\n{"job": "a", "name": "done", "at": 1, "output": [1]}\n', "damaged"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused_and_stays_as_it_is(
    choices: BatchOptions, content: bytes, told: str
) -> None:
    choices.manifest.write_bytes(content)
    with pytest.raises(UsageError, match=told), Manifest(choices) as manifest:
        manifest.states()
    assert choices.manifest.read_bytes() == content


def test_a_manifest_that_is_not_there_has_no_states(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_states(tmp_path / "gone.jsonl")


def test_a_manifest_in_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="cannot be written"),
        Manifest(BatchOptions(manifest=tmp_path / "file/b.jsonl")),
    ):
        pass


@pytest.mark.parametrize("codes, code", [([], 0), ([0, 3], 3), ([3, 6, 5], 6), ([6, 1, 3], 1)])
def test_the_worst_failure_gives_the_exit_code(codes: list[int], code: int) -> None:
    states = [State(name="failed" if each else "done", at=0.0, code=each) for each in codes]
    assert worst(states) == code


def test_a_record_of_a_later_version_is_read_without_what_is_new_in_it() -> None:
    assert from_record({"name": "done", "at": 1.0, "mood": "good"}) == State(name="done", at=1.0)
