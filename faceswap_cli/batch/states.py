"""What is known of a job, as the manifest keeps it: one record for each change."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Name = Literal["planned", "running", "done", "failed", "skipped"]

NAMES: tuple[Name, ...] = ("planned", "running", "done", "failed", "skipped")
BUG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a file, or the files of a numbered sequence, looked like."""

    size: int  # bytes
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a job's result depends on, as it was when the job was begun."""

    input: Stamp
    ends: str  # SHA-256 of both ends of the input: what a copy with another time is known by
    choices: str  # digest of the sources' photos and of the options


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A job's state, and since when."""

    name: Name
    at: float  # seconds since 1970
    run: str = ""  # the process that wrote it
    input: str = ""
    line: str = ""  # for people: why it failed, was skipped, or is done again
    code: int = 0  # exit code of a failure
    look: Look | None = None
    before: Stamp | None = None  # running: what lay under the output's name
    output: Stamp | None = None  # done: the result
    sha256: str = ""  # done: of the result, or of the numbered files' one behind the other
    report: str = ""  # done or failed: its report, beside the manifest
    seconds: float = 0.0
    frames: int = 0
    deaths: int = 0  # how many processes ended in the midst of it; counted by whoever reads the manifest


def as_record(state: State) -> dict[str, Any]:
    """Return a state as JSON holds it, without what says nothing."""
    return {name: value for name, value in asdict(state).items() if value not in ("", None, 0) and name != "deaths"}


def from_record(record: Any) -> State:
    """Return the state a manifest's record tells; ValueError for a record of another shape."""
    known = {field.name for field in fields(State)}
    if not isinstance(record, dict) or record.get("name") not in NAMES or not isinstance(record.get("at"), int | float):
        raise ValueError("no state")
    values = {name: value for name, value in record.items() if name in known}
    try:
        for name in ("before", "output"):
            if name in values:
                values[name] = Stamp(**values[name])
        if "look" in values:
            values["look"] = Look(**(values["look"] | {"input": Stamp(**values["look"]["input"])}))
    except (TypeError, KeyError) as error:
        raise ValueError("no state") from error
    return State(**values)


def worst(states: Iterable[State]) -> int:
    """Return the exit code of the worst failure: a bug of ours above all, else the highest code; 0 without any."""
    codes = {state.code for state in states if state.name == "failed"}
    return BUG if BUG in codes else max(codes, default=0)
