"""The people of a photo or clip as `faceswap faces --output` writes them down and a swap reads them: people.json.

Who somebody is, is said twice: by an embedding in an encoder's space, and by where their face is when, which is exact
for this input alone. So the file names its input by a fingerprint. People may edit it: names, and whose a track is.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..errors import OutputError, UsageError
from ..options import PLACES
from .fingerprint import fingerprint_of
from .segments import write_atomically

FILE, FORMAT, VERSION = "people.json", "faceswap people", 1
MOST_NAME = 64  # letters
NOT_IN_NAMES = "=,:#/\\"  # what the command line takes for something else

_SAME_PLACE = 0.4  # overlap (IoU) from which a face lies where somebody's is
_SAME_TIME = 0.05  # seconds before and behind somebody's track that still belong to it
_NORM = 1e-2  # how far from 1 an embedding's norm may be


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """Somebody, for as long as they could be followed."""

    path: np.ndarray  # (N, 5) float64, N >= 1: seconds after the first picture, rising, and x0, y0, x1, y1 in pixels
    frames: int  # in which they were seen
    pose: tuple[float, float, float] | None  # yaw, pitch, roll in degrees of the best view; None where nobody told

    @property
    def size(self) -> float:
        """Shorter side of the largest box in pixels."""
        return float((self.path[:, 3:] - self.path[:, 1:3]).min(axis=1).max())

    def overlap(self, seconds: float, box: np.ndarray) -> float:
        """Return how far a box (4,) lies where this one's face is at a moment, as IoU; 0 where they are not seen."""
        times = self.path[:, 0]
        if not times[0] - _SAME_TIME <= seconds <= times[-1] + _SAME_TIME:
            return 0.0
        there = np.array([np.interp(seconds, times, column) for column in self.path[:, 1:].T])
        common = np.clip(np.minimum(there[2:], box[2:]) - np.maximum(there[:2], box[:2]), 0, None).prod()
        return float(common / (_area(there) + _area(box) - common))


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One person of an input."""

    name: str
    embedding: np.ndarray  # (D,) float32, L2 norm 1
    sightings: tuple[Sighting, ...]  # at least one


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Everybody of one input."""

    persons: tuple[Person, ...]  # at least one
    space: str  # of the embeddings
    fingerprint: str  # of the input

    def number_of(self, name: str) -> int:
        """Return which person bears a name; raise UsageError with the names there are."""
        names = [person.name for person in self.persons]
        if name not in names:
            raise UsageError(f"nobody is called {name!r} there: choose one of {', '.join(names)}")
        return names.index(name)

    def whose(self, seconds: float, box: np.ndarray) -> int | None:
        """Return the number of the person whose face lies in a box (4,) at a moment; None where nobody's does."""
        overlaps = [max(each.overlap(seconds, box) for each in person.sightings) for person in self.persons]
        best = int(np.argmax(overlaps))
        return best if overlaps[best] >= _SAME_PLACE else None


def write_people(folder: Path, people: People, input_path: Path, pictures: Sequence[str]) -> None:
    """Write people.json into a folder; `pictures` are the names of the people's portraits there."""
    record = {
        "format": FORMAT,
        "version": VERSION,
        "faceswap_version": __version__,
        "input": input_path.name,
        "fingerprint": people.fingerprint,
        "space": people.space,
        "people": [_person_record(*each) for each in zip(people.persons, pictures, strict=True)],
    }
    try:
        write_atomically(folder / FILE, _text(record).encode())
    except OSError as error:
        raise OutputError(f"{folder / FILE} cannot be written: {error.strerror}") from error


def _text(record: dict[str, Any]) -> str:
    """Return JSON to be read and edited: rows of numbers on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    return (
        re.sub(r"\[[-+\d.,e\s]+\]", lambda row: "[" + ", ".join(row[0][1:-1].replace(",", " ").split()) + "]", text)
        + "\n"
    )


def read_people(folder: Path, input_path: Path) -> People:
    """Read the people of an input from a folder, or from people.json itself.

    Raises UsageError for what is not there, not whole, or of another input.
    """
    path = file_of(folder)
    record = _read(path)
    with _Reading(path):
        people = _people(record)
    if people.fingerprint != fingerprint_of(input_path):
        raise UsageError(
            f"{path} tells the people of another input ({record.get('input')}), not of {input_path.name}: make them "
            f"with `faceswap faces {input_path} --output FOLDER`"
        )
    return people


def file_of(folder: Path) -> Path:
    """Return the file in a folder of people, or that file itself; raise UsageError where it is not there."""
    path = folder / FILE if folder.is_dir() else folder
    if not path.is_file():
        raise UsageError(f"no people in {folder}: make them with `faceswap faces INPUT --output {folder}`")
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {error}; make it anew with `faceswap faces`") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise UsageError(f"{path} is no list of people: make one with `faceswap faces INPUT --output FOLDER`")
    if record.get("version") != VERSION:
        raise UsageError(f"{path} is of version {record.get('version')!r}, {VERSION} is read here: make it anew")
    return record


class _Reading:
    """Says of a file with holes where the hole is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError):
            raise UsageError(f"{self._path} lacks {error.args[0]!r}: mend it, or make it anew") from error
        if isinstance(error, TypeError | ValueError | AttributeError) and not isinstance(error, UsageError):
            raise UsageError(f"{self._path} is damaged ({error}): mend it, or make it anew") from error


def _people(record: dict[str, Any]) -> People:
    persons = tuple(_person(each) for each in record["people"])
    names = [person.name for person in persons]
    if not persons:
        raise ValueError("it names nobody")
    if len(set(names)) < len(names):
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    if len({person.embedding.shape for person in persons}) > 1:
        raise ValueError("its embeddings differ in length")
    return People(persons, str(record["space"]), str(record["fingerprint"]))


def _person(record: dict[str, Any]) -> Person:
    name = checked_name(record["name"])
    embedding = np.array(record["embedding"], np.float32)
    if embedding.ndim != 1 or not abs(float(np.linalg.norm(embedding)) - 1) < _NORM:
        raise ValueError(f"{name}'s embedding is no vector of length 1")
    sightings = tuple(_sighting(each, name) for each in record["tracks"])
    if not sightings:
        raise ValueError(f"{name} has no tracks")
    return Person(name, embedding, sightings)


def checked_name(name: object) -> str:
    """Return what may be somebody's name; raise ValueError for what may not."""
    is_plain = isinstance(name, str) and 0 < len(name) <= MOST_NAME and name.isprintable() and name.strip() == name
    is_else = isinstance(name, str) and (name in PLACES or name.isdigit() or set(name) & set(NOT_IN_NAMES))
    if not isinstance(name, str) or not is_plain or is_else:
        raise ValueError(f"{name!r} is no name: no number or place, and without any of {NOT_IN_NAMES}")
    return name


def _sighting(record: dict[str, Any], name: str) -> Sighting:
    path = np.array(record["path"], np.float64)
    if path.ndim != 2 or path.shape[1] != 5 or not len(path) or not np.isfinite(path).all():
        raise ValueError(f"a path of {name} is no list of [seconds, x0, y0, x1, y1]")
    if (np.diff(path[:, 0]) <= 0).any() or (path[:, 3:] <= path[:, 1:3]).any():
        raise ValueError(f"a path of {name} goes back in time, or through a box without inside")
    pose = record.get("pose")
    angles = None if pose is None else (float(pose["yaw"]), float(pose["pitch"]), float(pose["roll"]))
    return Sighting(path, int(record["frames"]), angles)


def _person_record(person: Person, picture: str) -> dict[str, Any]:
    return {
        "name": person.name,
        "picture": picture,
        "seconds": [_times(each) for each in person.sightings],
        "frames": sum(each.frames for each in person.sightings),
        "size": round(max(each.size for each in person.sightings), 1),
        "tracks": [_sighting_record(each) for each in person.sightings],
        "embedding": [round(float(value), 6) for value in person.embedding],
    }


def _sighting_record(sighting: Sighting) -> dict[str, Any]:
    pose = sighting.pose and dict(zip(("yaw", "pitch", "roll"), sighting.pose, strict=True))
    path = [[round(time, 3), *(round(value, 1) for value in box)] for time, *box in sighting.path.tolist()]
    size = round(sighting.size, 1)
    return {"seconds": _times(sighting), "frames": sighting.frames, "size": size, "pose": pose, "path": path}


def _times(sighting: Sighting) -> list[float]:
    return [round(float(time), 3) for time in sighting.path[[0, -1], 0]]


def _area(box: np.ndarray) -> float:
    return float((box[2:] - box[:2]).prod())
