"""Keep finished stretches of an encoded clip on disk, so that a broken run can go on where it stopped.

A clip is cut at fixed moments, each stretch is encoded on its own, in whole and in interrupted runs alike; so the
frames of both are the same. The work folder lies beside the output and holds one packet file per stretch and a
manifest of one line each; a stretch counts once its file is whole on disk and the manifest names it.
"""

import hashlib
import json
import os
import shutil
import struct
from bisect import insort
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any, BinaryIO, Literal

from av.packet import Packet, PacketSideData, packet_sidedata_type_from_literal

from ..errors import OutputError

SEGMENT_SECONDS = 2
MANIFEST_VERSION = 2
TRACK_PLAN = "tracks.json"
TRAIL = ("located.jsonl", "locator.json")  # what faces were found so far, and what finding them goes on from
LAST_PTS = (1 << 62) - 1  # no clip comes near; behind it the libraries count in other numbers
# pts, duration in ticks; key frame; bytes of payload; number of side data. Each side data: type, bytes.
RECORD = struct.Struct("<qqBIB")
SIDE_RECORD = struct.Struct("<II")


def part_path(folder: Path, number: int) -> Path:
    """Name the file of a stretch that this process is writing; no other process has one of the same name."""
    return folder / f"{number:06d}.{os.getpid()}.part"


def segment_number(time: Fraction) -> int:
    """Say to which stretch a moment (seconds, by the clip's own clock) belongs."""
    return time // SEGMENT_SECONDS


@dataclass(frozen=True, slots=True)
class Segment:
    """One finished stretch, as the manifest names it."""

    number: int
    frames: int
    first_frame: int  # its number in the part of the clip that is swapped
    first_pts: int  # of the output
    last_pts: int  # of the output
    last_input_pts: int
    reorder: int  # how many frames a packet may come ahead of its place in time
    faces_found: int
    faces_swapped: int
    size: int  # bytes of the packet file
    sha256: str


class SegmentStore:
    """The work folder of one output. Only one process may hold it."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.finished: list[Segment] = []
        self.discarded = False  # earlier work was there but of another input or other options
        self._is_ours = False  # what lies there is of this input and these options
        self._heading = {"version": MANIFEST_VERSION, "fingerprint": fingerprint}
        self._manifest = folder / "manifest.jsonl"
        self._lock: BinaryIO | None = None

    @property
    def resumed_frames(self) -> int:
        """How many frames are done."""
        return sum(segment.frames for segment in self.finished)

    @property
    def beginning(self) -> list[Segment]:
        """The finished stretches up to the first that is missing: work in parts leaves gaps."""
        starts = accumulate((segment.frames for segment in self.finished), initial=0)
        pairs = zip(self.finished, starts, strict=False)
        return [segment for segment, _ in takewhile(lambda pair: pair[0].first_frame == pair[1], pairs)]

    @property
    def track_plan(self) -> Path:
        """Name the file that keeps who is where in the clip, where a run writes one down."""
        return self.folder / TRACK_PLAN

    @property
    def trail(self) -> tuple[Path, Path]:
        """Name the files that keep where faces were found so far, see `parts/trail.py`."""
        return self.folder / TRAIL[0], self.folder / TRAIL[1]

    @property
    def knows_places(self) -> bool:
        """Tell whether it is kept where the clip's faces are, of some of its frames at least."""
        return self.track_plan.exists() or self.trail[1].exists()

    def peek(self) -> None:
        """Find what an earlier run finished, and touch nothing; raise OutputError where another run is at work."""
        if (self.folder / "lock").exists():
            _locked(self.folder / "lock", "rb").close()
        self._find_finished()

    def open(self) -> None:
        """Take hold of the folder and find what an earlier run finished."""
        self.folder.mkdir(exist_ok=True)
        self._lock = _locked(self.folder / "lock", "wb")
        self._find_finished()
        self._drop_strangers()
        lines = [self._heading, *(asdict(segment) for segment in self.finished)]
        write_atomically(self._manifest, b"".join(map(_line, lines)))
        self._is_ours = True

    def begin_anew(self) -> None:
        """Drop the finished stretches, and keep where faces are."""
        self.finished, self.discarded = [], True
        write_atomically(self._manifest, _line(self._heading))
        self._drop_strangers()

    def add(self, segment: Segment, written: Path) -> None:
        """Count a stretch as finished: its file gets its name, then the manifest one more line."""
        os.replace(written, self.path(segment))
        with self._manifest.open("ab") as file:
            file.write(_line(asdict(segment)))
            file.flush()
            os.fsync(file.fileno())
        insort(self.finished, segment, key=lambda each: each.number)

    def path(self, segment: Segment) -> Path:
        """Name the packet file of a finished stretch."""
        return self.folder / f"{segment.number:06d}.packets"

    def close(self) -> None:
        """Let go of the folder; it stays only if it holds work that can be gone on with, or is another run's."""
        if self._lock is None:
            with suppress(OSError):  # it is another run's, or was never made
                self.folder.rmdir()
            return
        if self.finished or self.knows_places:
            self._drop_strangers()
            self._unlock()
        else:
            self.remove()

    def remove(self) -> None:
        """Delete the folder and everything in it."""
        self._unlock()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.finished = []

    def _find_finished(self) -> None:
        heading, *records = _read_lines(self._manifest) or [{}]
        self._is_ours = heading == self._heading
        if self._is_ours:
            self.finished = sorted(self._whole(records), key=lambda segment: segment.number)
        self.discarded = not self.finished and bool(records)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _whole(self, records: list[dict[str, Any]]) -> Iterator[Segment]:
        """Yield recorded stretches up to the first whose file is not what the manifest says."""
        for record in records:
            try:
                segment = _segment(record)
                whole = file_sha256(self.path(segment)) == segment.sha256
            except (ValueError, OSError):
                return
            if not whole:
                return
            yield segment

    def _drop_strangers(self) -> None:
        """Delete what no manifest names: halves of a broken run, work of other options."""
        known = {self.path(segment).name for segment in self.finished} | {"lock", self._manifest.name}
        known |= {TRACK_PLAN, *TRAIL} if self._is_ours else set()
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name not in known:
                path.unlink(missing_ok=True)


def write_packet(file: BinaryIO, packet: Packet, duration: int) -> None:
    """Append an encoded packet to a packet file."""
    payload = bytes(packet)
    side = [(_kind_of(each), bytes(each)) for each in packet.iter_sidedata()]
    file.write(RECORD.pack(packet.pts, duration, packet.is_keyframe, len(payload), len(side)))
    for kind, content in side:
        file.write(SIDE_RECORD.pack(kind, len(content)) + content)
    file.write(payload)


def _kind_of(side: PacketSideData) -> int:
    return packet_sidedata_type_from_literal(side.data_type)  # type: ignore[arg-type]  # the stub says any str


def read_packets(path: Path) -> Iterator[Packet]:
    """Yield the packets of a finished file in coding order; dts is left to the caller."""
    with path.open("rb") as file:
        while record := file.read(RECORD.size):
            pts, duration, is_key, size, side_count = RECORD.unpack(record)
            side = [_read_side(file) for _ in range(side_count)]
            packet = Packet(file.read(size))
            packet.pts, packet.duration, packet.is_keyframe = pts, duration, bool(is_key)
            for each in side:
                packet.set_sidedata(each)
            yield packet


def _read_side(file: BinaryIO) -> PacketSideData:
    kind, size = SIDE_RECORD.unpack(file.read(SIDE_RECORD.size))
    side = PacketSideData(kind, size)  # type: ignore[call-arg]  # the stub has no constructor
    side.update(file.read(size))
    return side


def packet_times(path: Path) -> list[int]:
    """Read every pts of a packet file, in coding order, passing over the payload."""
    times = []
    with path.open("rb") as file:
        while record := file.read(RECORD.size):
            pts, _, _, size, side_count = RECORD.unpack(record)
            times.append(pts)
            for _ in range(side_count):
                _, side_size = SIDE_RECORD.unpack(file.read(SIDE_RECORD.size))
                file.seek(side_size, os.SEEK_CUR)
            file.seek(size, os.SEEK_CUR)
    return times


def file_sha256(path: Path) -> str:
    """Digest a file's content, without loading it whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all, even after a power cut."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _segment(record: Any) -> Segment:
    """Make a stretch of a manifest's line; ValueError for a line of another shape, which another program left."""
    wanted = {field.name: field.type for field in fields(Segment)}
    if not isinstance(record, dict) or {name: type(value) for name, value in record.items()} != wanted:
        raise ValueError("no stretch")
    segment = Segment(**record)
    times = (segment.first_pts, segment.last_pts, segment.last_input_pts)
    if segment.frames < 1 or max(map(abs, times)) > LAST_PTS:
        raise ValueError("a stretch that cannot be")
    return segment


def _read_lines(path: Path) -> list[Any]:
    """Read a manifest up to where it is no longer one; the last line of a killed run may be torn."""
    records = []
    try:
        for line in path.read_bytes().splitlines():
            records.append(json.loads(line))
    except (OSError, ValueError, RecursionError):  # the last: brackets in brackets without end
        pass
    return records


def _locked(path: Path, mode: Literal["rb", "wb"]) -> BinaryIO:
    """Open a lock file that no other living process holds; the system frees it when the process ends."""
    file: BinaryIO = path.open(mode)
    try:
        import fcntl
    except ImportError:  # Windows: the folder is not guarded
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise OutputError(
            f"another run is writing this output (its work folder is {path.parent}): wait for it"
        ) from None
    return file


def sync(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows does not open folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
