"""Tell whether a job's input, source photos or options have changed since it was begun.

A file is known by its size and time; where the time alone differs, as of a copy, by a digest of both its ends. Networks
and our own version do not count: a finished job is not done again because faceswap was updated.
"""

import hashlib
from dataclasses import fields
from pathlib import Path

from ..app.source_photos import photo_and_face
from ..media.fingerprint import DIGESTED_BYTES
from ..media.segments import file_sha256
from ..media.sequence import is_sequence, members
from ..options import Options
from ..shelf import Shelf
from .jobs import Job
from .states import Look, Stamp

MISSING = Stamp(size=-1, mtime_ns=0)
MOST_DIGESTS = 4096
INCIDENTAL = frozenset({"report", "force", "offline", "device", "threads", "certificate", "key"})  # not of the result


def stamp_of(path: Path) -> Stamp:
    """Return what a file looks like, or numbered files together; MISSING where there is none."""
    stats = [each.stat() for each in _files_of(path)]
    if not stats:
        return MISSING
    return Stamp(size=sum(stat.st_size for stat in stats), mtime_ns=max(stat.st_mtime_ns for stat in stats))


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, or of numbered files one behind the other."""
    files = _files_of(path)
    if len(files) == 1:
        return file_sha256(files[0])
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()


def _files_of(path: Path) -> list[Path]:
    if is_sequence(path):
        return list(members(path).values())
    return [path] if path.exists() else []


class Looker:
    """Looks at jobs; each photo of a source is digested once."""

    def __init__(self) -> None:
        self._digests = Shelf(MOST_DIGESTS)

    def observe(self, job: Job) -> Look:
        """Return what a job depends on, now."""
        path = Path(job.input)
        return Look(input=stamp_of(path), ends=_ends(path), choices=self._choices(job))

    def change(self, job: Job, before: Look) -> str:
        """Say what has changed since a job was begun; empty where nothing has, or the input is gone."""
        if self._choices(job) != before.choices:
            return "its source or options changed"
        path = Path(job.input)
        now = stamp_of(path)
        same = now == before.input or (now.size == before.input.size and _ends(path) == before.ends)
        return "" if same or now == MISSING else "its input changed"

    def _choices(self, job: Job) -> str:
        photos = [photo_and_face(source) for source in job.sources]
        named = [who.photo for who in (job.options.meant, job.options.spared) if who.photo is not None]
        pictures = [self._digest(path) for path in (*(path for path, _ in photos), *named)]
        parts = [*pictures, *(f"face={face}" for _, face in photos), *_chosen(job.options)]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

    def _digest(self, path: Path) -> str:
        stamp = stamp_of(path)
        if stamp == MISSING:
            return str(path)  # gone, as its job will say
        return self._digests.take((path, stamp.size, stamp.mtime_ns), lambda: file_sha256(path))


def _chosen(options: Options) -> list[str]:
    """Name what was chosen otherwise than by default: an option that a later version brings changes nothing here."""
    chosen = ((field, getattr(options, field.name)) for field in fields(options) if field.name not in INCIDENTAL)
    return [f"{field.name}={value}" for field, value in chosen if value != field.default]


def _ends(path: Path) -> str:
    """Digest both ends of a file; nothing where there is none that can be read, or many."""
    try:
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(DIGESTED_BYTES))
            file.seek(max(0, path.stat().st_size - DIGESTED_BYTES))
            digest.update(file.read())
    except OSError:
        return ""
    return digest.hexdigest()
