"""Every job is in one shard and no other, whoever numbers the shards."""

from pathlib import Path

import pytest

from faceswap_cli.batch.choices import BatchOptions, Shard
from faceswap_cli.errors import UsageError


def test_every_job_is_in_one_shard() -> None:
    keys = [f"out/{number}.mp4" for number in range(1000)]
    shards = [Shard(number, 16) for number in range(1, 17)]
    assert all(sum(shard.holds(key) for shard in shards) == 1 for key in keys)
    assert all(35 < sum(map(shard.holds, keys)) < 95 for shard in shards)  # 62.5 in the mean


def test_a_job_stays_in_its_shard_from_version_to_version() -> None:
    """SHA-256 of the key begins with ca978112ca1bbdca; that, modulo 16, is 10."""
    assert Shard(11, 16).holds("a")


@pytest.mark.parametrize(
    "text, environment, shard",
    [
        ("3/16", {}, (3, 16)),
        ("auto/16", {"JOB_COMPLETION_INDEX": "0"}, (1, 16)),
        ("auto/16", {"JOB_COMPLETION_INDEX": "15"}, (16, 16)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "0"}, (1, 4)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "1"}, (4, 4)),
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "6",
                "SLURM_ARRAY_TASK_COUNT": "4",
                "SLURM_ARRAY_TASK_MIN": "0",
                "SLURM_ARRAY_TASK_STEP": "2",
            },
            (4, 4),
        ),
    ],
)
def test_a_shard_is_read_from_words_or_from_the_scheduler(
    text: str, environment: dict[str, str], shard: tuple[int, int]
) -> None:
    assert Shard.read(text, environment) == Shard(*shard)


@pytest.mark.parametrize(
    "text, environment, told",
    [
        ("0/16", {}, "1/16 to 16/16"),
        ("17/16", {}, "1/16 to 16/16"),
        ("3", {}, "3/16"),
        ("a/b", {}, "give 3/16"),
        ("auto", {}, "neither"),
        ("auto", {"JOB_COMPLETION_INDEX": "2"}, "auto/16"),
        ("auto/2", {"JOB_COMPLETION_INDEX": "2"}, "1/2 to 2/2"),
        ("auto/2", {"JOB_COMPLETION_INDEX": "x"}, "cannot be read"),
    ],
)
def test_a_shard_that_cannot_be_is_refused(text: str, environment: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Shard.read(text, environment)


def test_each_shard_writes_files_of_its_own() -> None:
    choices = BatchOptions(manifest=Path("out/batch.jsonl"), shard=Shard(3, 16))
    assert choices.own_manifest == Path("out/batch.3-of-16.jsonl")
    assert choices.whole_report == Path("out/batch.3-of-16.report.json")
