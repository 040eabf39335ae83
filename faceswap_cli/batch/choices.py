"""How a batch is run, checked once, when the record is made."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..errors import UsageError

_SHARD = re.compile(r"(?P<number>[0-9]+|auto)(/(?P<of>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts of a batch. Which part a job is in depends on its own key alone.

    So processes that share nothing, not even a working lock, never take the same job, and files that come or go
    meanwhile move no other job from part to part. The price: of few jobs, parts are not equally many.
    """

    number: int  # from 1
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise UsageError(f"shard is {self.number}/{self.of}: give a part from 1/{self.of} to {self.of}/{self.of}")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def holds(self, key: str) -> bool:
        """Tell whether a job is in this part."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    @classmethod
    def read(cls, text: str, environment: Mapping[str, str] = os.environ) -> Self:
        """Read 3/16, or auto, auto/16: as Slurm or a Kubernetes Indexed Job numbers its processes.

        Kubernetes does not say how many there are, so there it must be auto/16.
        """
        asked = _SHARD.fullmatch(text)
        if asked is None:
            raise UsageError(f"shard is {text!r}: give 3/16, auto/16 or auto")
        count = int(asked["of"]) if asked["of"] else None
        if asked["number"] != "auto":
            if count is None:
                raise UsageError(f"shard is {text!r}: say of how many, {text}/16")
            return cls(int(asked["number"]), count)
        number, said = _from_scheduler(environment)
        count = count or said
        if count is None:
            raise UsageError("shard is 'auto', and nothing says how many there are: give auto/16")
        return cls(number, count)


def _from_scheduler(environment: Mapping[str, str]) -> tuple[int, int | None]:
    """Return this process's number from 1, and of how many where that is said."""
    try:
        if "JOB_COMPLETION_INDEX" in environment:
            return int(environment["JOB_COMPLETION_INDEX"]) + 1, None
        if "SLURM_ARRAY_TASK_ID" in environment:
            first = int(environment.get("SLURM_ARRAY_TASK_MIN", "0"))
            step = int(environment.get("SLURM_ARRAY_TASK_STEP", "1"))
            count = environment.get("SLURM_ARRAY_TASK_COUNT")
            return (int(environment["SLURM_ARRAY_TASK_ID"]) - first) // step + 1, int(count) if count else None
    except ValueError as error:
        raise UsageError(f"shard is 'auto', but the scheduler's number cannot be read: {error}") from error
    raise UsageError("shard is 'auto', but neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set: give 3/16")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How a batch is run."""

    manifest: Path = Path("faceswap-batch.jsonl")  # states of the jobs; a folder of its name lies beside it
    retry_failed: bool = False  # do failed jobs again
    halt_on_error: bool = False  # begin no further job after one that failed
    shard: Shard | None = None  # do this part of the jobs alone
    report: Path | None = None  # of the whole; None means beside the manifest
    ray: str | None = None  # a cluster to do the jobs on: local, auto, ray://host:10001; None means this process
    workers: int | None = None  # processes on that cluster; None means as many as it has room for

    def __post_init__(self) -> None:
        for name in ("manifest", "report"):
            if isinstance(getattr(self, name), str):  # as a program may write it
                object.__setattr__(self, name, Path(getattr(self, name)))
        if self.workers is not None and self.ray is None:
            raise UsageError("workers are Ray's: give --ray local, auto or an address, too")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers is {self.workers}: give 1 or more")

    @property
    def own_manifest(self) -> Path:
        """The file this run writes to: with shards one each, so that no two machines write to one file."""
        return self._sharded(self.manifest)

    @property
    def whole_report(self) -> Path:
        """Where the report of the whole goes."""
        return self.report or self._sharded(self.manifest.with_suffix(".report.json"))

    def _sharded(self, path: Path) -> Path:
        if self.shard is None:
            return path
        stem, dot, ending = path.name.partition(".")
        return path.with_name(f"{stem}.{self.shard.number}-of-{self.shard.of}{dot}{ending}")
