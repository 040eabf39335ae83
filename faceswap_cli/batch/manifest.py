"""The file of states, one JSON line for each change, appended and synced before anything else happens.

JSONL and not SQLite: a line torn by kill -9 or a full disk is cut off and nothing else is touched, `tail -f` and `jq`
read it, and with `--shard` each process has a file of its own, where SQLite would need locks that work over a network.
"""

import errno
import glob
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, Self

from .._version import __version__
from ..errors import OutputError, UsageError
from .choices import BatchOptions
from .locks import RunLock, held, is_alive
from .states import State, as_record, from_record

VERSION = 1
LOCKS, REPORTS, CLAIMS = "locks", "reports", ".claims"
Begin = Callable[[State | None], State | None]  # from a job's state to the one it is to have, None to leave it


@dataclass(slots=True)
class _Log:
    """One file of states, and how far it has been read."""

    path: Path
    read_bytes: int = 0
    states: dict[str, State] = field(default_factory=dict)

    def refresh(self) -> None:
        """Read what was added since; a torn last line waits until it is whole or cut off."""
        with self.path.open("rb") as file:
            file.seek(self.read_bytes)
            whole, newline, _ = file.read().rpartition(b"\n")
        self.read_bytes += len(whole) + len(newline)
        for line in whole.splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            key = record.pop("job", None)
            state = None if key is None else from_record(record)
        except (ValueError, AttributeError, RecursionError):
            raise UsageError(f"{self.path} is no manifest of a batch, or is damaged: give another") from None
        if state is None:
            _refuse_other_versions(self.path, record)
            return
        self.states[key] = _followed(self.states.get(key), state)


def _followed(before: State | None, state: State) -> State:
    """Carry over what a record leaves unsaid: its input, what was begun with, and how many runs died at the job."""
    if before is None:
        return state
    died = before.name == "running" and state.name == "running"
    state = replace(state, input=state.input or before.input, deaths=before.deaths + died)
    ended = state.look is None and state.name in ("planned", "done", "failed")
    return replace(state, look=before.look, before=before.before) if ended else state


def _refuse_other_versions(path: Path, heading: dict[str, Any]) -> None:
    if heading.get("version") != VERSION:
        raise UsageError(f"{path} is a manifest of version {heading.get('version')}, this is {VERSION}: give another")


def family(path: Path) -> list[Path]:
    """Return the manifest and those of its shards, as far as they are there."""
    stem, _, ending = path.name.partition(".")
    shards = glob.glob(f"{glob.escape(str(path.with_name(stem)))}.*-of-*.{glob.escape(ending)}")
    return [each for each in (path, *map(Path, sorted(shards))) if each.exists()]


def read_states(path: Path) -> dict[str, State]:
    """Return every job's state, by the place of its output; raise UsageError where there is no manifest.

    A job whose process has died is planned again.
    """
    logs = [_Log(each) for each in family(path)]
    if not logs:
        raise UsageError(f"{path} does not exist: give the manifest of a batch, such as out/faceswap-batch.jsonl")
    for log in logs:
        log.refresh()
    locks = folder_of(path) / LOCKS
    return {key: _living(state, locks) for key, state in _merged(logs).items()}


def _merged(logs: Iterable[_Log]) -> dict[str, State]:
    states: dict[str, State] = {}
    for log in logs:
        for key, state in log.states.items():
            if key not in states or states[key].at <= state.at:
                states[key] = state
    return states


def _living(state: State, locks: Path) -> State:
    if state.name != "running" or is_alive(locks, state.run):
        return state
    return replace(state, name="planned", line="its process ended in the midst of it", deaths=state.deaths + 1)


def folder_of(path: Path) -> Path:
    """Return the folder of locks and reports that goes with a manifest."""
    return path.with_name(path.name.partition(".")[0])


class Manifest:
    """The states of a batch, shared with whoever else is at it; a context manager.

    A job's key is where its output lies as seen from the manifest, so a batch may move as a whole, or be mounted
    elsewhere. Raises OutputError where states cannot be written: then nothing more is begun.
    """

    def __init__(self, choices: BatchOptions) -> None:
        self.path = Path(os.path.abspath(choices.own_manifest))
        self.folder = folder_of(Path(os.path.abspath(choices.manifest)))
        self.run = f"{socket.gethostname()}-{os.getpid()}-{token_hex(4)}"
        self._whole = Path(os.path.abspath(choices.manifest))
        self._logs: dict[Path, _Log] = {}
        self._lock: RunLock | None = None

    def __enter__(self) -> Self:
        try:
            for folder in (self.folder / LOCKS, self.folder / REPORTS):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = RunLock(self.folder / LOCKS, self.run)
            with self._claiming():
                self._begin_file()
        except OSError as error:
            raise self._refused(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.release()

    def key_of(self, output: Path) -> str:
        """Return what a job is called here."""
        return Path(os.path.relpath(output, self.path.parent)).as_posix()

    def states(self) -> dict[str, State]:
        """Return every job's state, those of other runs too."""
        self._refresh()
        return _merged(self._logs.values())

    def state_of(self, key: str) -> State | None:
        """Return one job's state."""
        self._refresh()
        known = [log.states[key] for log in self._logs.values() if key in log.states]
        return max(known, key=lambda state: state.at, default=None)

    def _refresh(self) -> None:
        for path in family(self._whole):
            self._logs.setdefault(path, _Log(path)).refresh()

    def is_at_work(self, state: State) -> bool:
        """Tell whether a living run, this one or another, is at a job."""
        if state.name != "running":
            return False
        return state.run == self.run or is_alive(self.folder / LOCKS, state.run)

    def plan(self, inputs: dict[str, str]) -> None:
        """Note jobs that are not known yet, by key, with what they read."""
        with self._claiming():
            known = self.states()
            self._append({key: self.state("planned", input=path) for key, path in inputs.items() if key not in known})

    def claim(self, key: str, begin: Begin) -> State | None:
        """Let `begin` settle, from a job's newest state, which it is to have now, and note it before others look."""
        with self._claiming():
            state = begin(self.state_of(key))
            if state is not None:
                self._append({key: state})
        return state

    def note(self, key: str, state: State) -> None:
        """Write down what became of a job."""
        with self._claiming():
            self._append({key: state})

    def state(self, name: Any, **values: Any) -> State:
        """Return a state as of now, of this run."""
        return State(name=name, at=time.time(), run=self.run, **values)

    def _claiming(self) -> Any:
        return held(self.folder / LOCKS / CLAIMS)

    def _begin_file(self) -> None:
        """Make the file, or cut off the line that a run tore when it died."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            self._write([{"version": VERSION, "faceswap": __version__}])
            return
        with self.path.open("rb+") as file:
            content = file.read()
            whole = content.rpartition(b"\n")[0]
            if not whole.startswith(b'{"version": '):
                raise UsageError(f"{self.path} is no manifest of a batch: give another name")
            if not content.endswith(b"\n"):
                file.truncate(len(whole) + 1)
                os.fsync(file.fileno())

    def _append(self, states: dict[str, State]) -> None:
        if states:
            self._write([{"job": key} | as_record(state) for key, state in states.items()])

    def _write(self, records: list[dict[str, Any]]) -> None:
        """Append lines, whole or not at all, and wait until they are on disk."""
        content = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        try:
            with self.path.open("ab", buffering=0) as file:
                before = os.fstat(file.fileno()).st_size
                try:
                    if file.write(content) != len(content):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(before)
                    raise
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> OutputError:
        if isinstance(error, OutputError):
            return error
        reason = error.strerror or str(error)
        return OutputError(f"manifest {self.path} cannot be written: {reason}; the same command goes on from there")
