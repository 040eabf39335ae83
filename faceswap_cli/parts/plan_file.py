"""The plan of a clip's tracks on disk: JSON to be looked at, edited and used again, a frame a line.

Who is swapped is said once for each person (`people`), and in each frame for those who are swapped now and then. It is
written as the clip is read, and read frame by frame, so a film of any length takes little memory.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import OutputError, UsageError
from ..media.fingerprint import fingerprint_of
from ..types import Face
from .frame_record import frame_of, frame_record
from .json_stream import members
from .records import SOMETIMES, Decisions, PlannedFrame, PlannedPerson
from .roll import Entry, Roll, planned_people

FORMAT, VERSION = "faceswap tracks", 1
_MEND = "mend it, or delete it and it is made anew"


@dataclass(frozen=True, slots=True)
class Heading:
    """What a plan is of: it serves this input alone, and nobody who asks for something else."""

    input: Path
    settings: dict[str, str]  # all that locating depends on, by name
    sources: Sequence[tuple[str | None, Sequence[str]]]  # for whom, and names of the photos, by role

    def source_records(self) -> list[dict[str, Any]]:
        """Return what tells a reader which number means whose face."""
        return [
            {"source": number, "who": who, "photos": [*photos]} for number, (who, photos) in enumerate(self.sources)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class TrackPlan:
    """A plan that was read and is whole."""

    path: Path
    people: tuple[PlannedPerson, ...]
    frame_count: int
    damage: tuple[str, ...]  # what was seen to be damaged while the clip was read, for people
    edit: str | None  # digest of its decisions where somebody changed them; None as it was written

    def frames(self) -> Generator[PlannedFrame, None, None]:
        """Read the frames once more, with those chosen whom the plan chooses."""
        decisions = Decisions(self.people)
        with closing(members(self.path, "frames")) as every:
            for name, record in every:
                if name == "frames":
                    yield decisions.applied(frame_of(record))


class PlanWriter:
    """Writes a plan down as its frames come; nothing bears its name before it is whole."""

    def __init__(self, path: Path, heading: Heading, roll: Roll) -> None:
        self._path, self._heading, self._roll = path, heading, roll
        self._digest = hashlib.sha256()
        self._count, self._shot, self._cuts = 0, 0, list[float]()
        self._rows = path.with_name(path.name + ".rows.part")
        try:
            self._file = self._rows.open("w", encoding="utf-8")
        except OSError as error:
            raise refused(path, error) from error

    def add(self, frame: PlannedFrame, seconds: float) -> None:
        """Note a frame, shown so many seconds after the clip's first picture."""
        record = frame_record(frame, seconds)
        if frame.shot != self._shot:
            self._shot = frame.shot
            self._cuts.append(round(seconds, 3))
        self._digest.update(_essence(record))
        self._roll.add(frame, seconds)
        try:
            self._file.write(("," if self._count else "") + "\n  " + json.dumps(record))
        except OSError as error:
            raise refused(self._path, error) from error
        self._count += 1

    def finish(self, damage: Sequence[str]) -> None:
        """Give the whole plan its name."""
        whole = self._path.with_name(self._path.name + ".part")
        try:
            self._file.close()
            with whole.open("w", encoding="utf-8") as file, self._rows.open(encoding="utf-8") as rows:
                file.write(self._beginning(damage) + ',\n "frames": [')
                shutil.copyfileobj(rows, file)
                file.write(f'\n ],\n "digest": "{self._digest.hexdigest()}"\n}}\n')
                file.flush()
                os.fsync(file.fileno())
            os.replace(whole, self._path)
        except OSError as error:
            whole.unlink(missing_ok=True)
            raise refused(self._path, error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Drop what is not whole."""
        with suppress(OSError):
            self._file.close()
        self._rows.unlink(missing_ok=True)

    def _beginning(self, damage: Sequence[str]) -> str:
        """Return all that stands before the frames, and take its decisions into the digest."""
        entries = self._roll.entries()
        people = planned_people(entries)
        self._digest.update(_decided(people))
        head = {
            "format": FORMAT,
            "version": VERSION,
            "faceswap_version": __version__,
            "input": self._heading.input.name,
            "fingerprint": fingerprint_of(self._heading.input),
            "settings": self._heading.settings,
            "sources": self._heading.source_records(),
            "people": [_person_record(*each) for each in zip(people, entries.values(), strict=True)],
            "cuts": self._cuts,
            "damage": list(damage),
            "frame_count": self._count,
        }
        return "{\n" + ",\n".join(_member(name, value) for name, value in head.items())


def read_plan(path: Path, heading: Heading) -> TrackPlan:
    """Read a plan and look through all of it.

    Raises UsageError for one that is not whole, of another version or input, or made with other settings.
    """
    reading = _Reading(path, heading)
    try:
        for name, value in members(path, "frames"):
            reading.take(name, value)
        return reading.plan()
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise UsageError(f"{path}, {reading.place}: it lacks {error.args[0]!r}; {_MEND}") from error
    except (ValueError, TypeError, AttributeError) as error:
        reading.refuse_strangers()
        raise UsageError(f"{path}, {reading.place}: {error}; {_MEND}") from error


class _Reading:
    """Takes a plan in, member by member, and finds holes; KeyError, ValueError or TypeError say of them."""

    def __init__(self, path: Path, heading: Heading) -> None:
        self.place = "its beginning"
        self._path, self._heading = path, heading
        self._head: dict[str, Any] = {}
        self._check: _Check | None = None  # once people are known
        self._digest, self._count = hashlib.sha256(), 0

    def take(self, name: str, value: Any) -> None:
        """Take the next member, of `frames` the next element."""
        if name != "frames":
            self._head[name] = value
            self.place = f"behind {name!r}"
            return
        self.place = f"frame {self._count}" if self._count else self.place
        self._check = self._check or self._begun()
        self.place = f"frame {self._count}"
        self._check.frame(value, self._count)
        self._digest.update(_essence(value))
        self._count += 1

    def refuse_strangers(self) -> None:
        """Raise UsageError for a file that does not even begin as a plan."""
        if self._head.get("format") != FORMAT:
            raise UsageError(f"{self._path} is no plan of tracks: name a file that is not there, and it is written")

    def plan(self) -> TrackPlan:
        """Return what was read."""
        check = self._check or self._begun()
        self.place = "its end"
        if self._count != self._head["frame_count"]:
            raise ValueError(f"it has {self._count} frames, and frame_count is {self._head['frame_count']!r}")
        check.end()
        damage, said = tuple(map(str, self._head["damage"])), self._head["digest"]
        self._digest.update(_decided(check.people))
        digest = self._digest.hexdigest()
        return TrackPlan(self._path, check.people, self._count, damage, None if digest == said else digest)

    def _begun(self) -> "_Check":
        """Look at what stands before the frames."""
        self.refuse_strangers()
        _refuse_others(self._path, self._head, self._heading)
        sources = len(self._heading.sources)
        return _Check(_people(self._head, sources), sources)


def _refuse_others(path: Path, head: dict[str, Any], wanted: Heading) -> None:
    """Raise UsageError for a plan of something else."""
    if head.get("version") != VERSION:
        raise UsageError(f"{path} is of version {head.get('version')!r}, {VERSION} is read here: delete it to renew it")
    if head["fingerprint"] != fingerprint_of(wanted.input):
        raise UsageError(f"{path} is of another clip ({head.get('input')}), not of {wanted.input.name}: name another")
    for name, value in wanted.settings.items():
        made = head["settings"].get(name)
        if made != value:
            raise UsageError(f"{path} was made with {name} {made}, not {value}: ask for the same, or name another")


def _people(head: dict[str, Any], sources: int) -> tuple[PlannedPerson, ...]:
    """Return the people of a plan; raise ValueError, KeyError or TypeError for what cannot be."""
    people = tuple(_person(each, sources) for each in head["people"])
    _refuse_twice("person", [person.name for person in people])
    _refuse_twice("track", [track for person in people for track in person.tracks])
    return people


def _refuse_twice(what: str, names: Sequence[object]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{what} {twice!r} is there twice")


def _person(record: dict[str, Any], sources: int) -> PlannedPerson:
    name, swap, source, tracks = record["name"], record["swap"], record["source"], record["tracks"]
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is no name")
    if not isinstance(swap, bool) and swap != SOMETIMES:
        raise ValueError(f"swap of {name} is {swap!r}: give true, false or {SOMETIMES!r}")
    if source is not None and not is_number(source, sources):
        raise ValueError(f"source of {name} is {source!r}: give null, or a number below {sources}")
    if not isinstance(tracks, list) or not all(is_number(track) for track in tracks):
        raise ValueError(f"tracks of {name} are {tracks!r}: give numbers")
    return PlannedPerson(name, tuple(tracks), swap, source)


class _Check:
    """Finds holes in frames."""

    def __init__(self, people: tuple[PlannedPerson, ...], sources: int) -> None:
        self.people, self._sources = people, sources
        self._decisions = Decisions(people)
        self._known = {track for person in people for track in person.tracks}
        self._seen: set[int] = set()
        self._last: int | None = None

    def frame(self, record: dict[str, Any], number: int) -> None:
        """Raise ValueError, KeyError or TypeError for a frame that is not the next one, or is not whole."""
        frame = frame_of(record)
        if frame.index != number:
            raise ValueError(f"its number is {frame.index}: frames are missing, or there twice")
        if self._last is not None and frame.pts <= self._last:
            raise ValueError(f"its pts {frame.pts} is not behind the one before")
        self._last = frame.pts
        faces = (*frame.chosen, *frame.others)
        self._check_tracks(faces)
        if any(face.role >= self._sources for face in frame.chosen):
            raise ValueError(f"a source is named that is not there: give numbers below {self._sources}")
        self._decisions.applied(frame)

    def _check_tracks(self, faces: Sequence[Face]) -> None:
        tracks = [face.track for face in faces]
        if len(set(tracks)) < len(tracks):
            raise ValueError("a track is there twice")
        strangers = set(tracks) - self._known
        if strangers:
            raise ValueError(f"track {min(strangers)} is nobody's among the people")
        self._seen.update(tracks)

    def end(self) -> None:
        """Raise ValueError, all frames known, for somebody to be swapped who is in none of them."""
        for person in self.people:
            if person.swap and self._seen.isdisjoint(person.tracks):
                tracks = ", ".join(map(str, person.tracks)) or "none"
                raise ValueError(f"{person.name} is to be swapped and in no frame (tracks: {tracks})")


def is_number(value: object, below: int | None = None) -> bool:
    """Tell whether a value is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0 and (below is None or value < below)


def _essence(record: dict[str, Any]) -> bytes:
    """Return what a frame decides, as bytes that do not depend on how it is laid out."""
    kept = [record["frame"], record["pts"], record["faces"], record["passed_over"]]
    return json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()


def _decided(people: Iterable[PlannedPerson]) -> bytes:
    return json.dumps([_decision(each) for each in people], sort_keys=True).encode()


def _decision(person: PlannedPerson) -> dict[str, Any]:
    return {"name": person.name, "swap": person.swap, "source": person.source, "tracks": list(person.tracks)}


def _person_record(person: PlannedPerson, entry: Entry) -> dict[str, Any]:
    """Return what is decided of somebody, and for those who read it what is known of them."""
    seconds = [round(entry.first, 3), round(entry.last, 3)]
    seen = {"seconds": seconds, "frames": entry.frames, "swapped": entry.swapped, "size": round(entry.size, 1)}
    return _decision(person) | seen


def _member(name: str, value: Any) -> str:
    """Return a member of an object, a list of objects with one a line."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = ",\n".join("  " + json.dumps(each, ensure_ascii=False) for each in value)
        return f' "{name}": [\n{rows}\n ]'
    return f' "{name}": {json.dumps(value, ensure_ascii=False)}'


def refused(path: Path, error: OSError) -> OutputError:
    """Word the error for a plan, or what it is made from, that cannot be written."""
    return OutputError(f"{path} cannot be written: {error.strerror}")
