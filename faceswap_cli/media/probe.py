"""Open a clip's file and find out what it holds, decoding no more than one picture.

The reader, the writer and the evaluation use it. Whatever PyAV cannot do with a file is raised as a MediaError.
"""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import Type as SideDataType
from av.video.stream import VideoStream

from ..errors import MediaError
from .colour import side_data_of
from .moving import unpacked
from .orientation import EXIF_ORIENTATIONS, UPRIGHT
from .sequence import UNREADABLE, exif_orientation, is_sequence, members
from .sniff import is_packed, moves

FASTEST_RATE = 1000  # pictures a second: a file that states more is taken to be wrong
LARGEST_PICTURE = 1 << 27  # pixels: 16k x 8k
FILE_PROMISES = frozenset({"matroska", "flv"})  # containers whose header says how long the whole file lasts
BOX = struct.Struct(">I4sQ")  # length, type; the length where the first one is 1


@dataclass(frozen=True, slots=True)
class Track:
    """What the clip holds beside its pictures: one audio, subtitle, data or attachment stream."""

    index: int  # number of the stream in the file
    kind: str  # "audio", "subtitle", "data", "attachment", "video" (a second one or a cover)
    codec: str
    language: str | None
    title: str | None

    def __str__(self) -> str:
        return f"{self.kind} track {self.index} ({self.codec}{', ' + self.language if self.language else ''})"


@contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """Open a file for reading, whatever bytes its tags hold.

    Raises MediaError when the library cannot, and when it is left after the system refused a part of the file.
    """
    with _opened(path) as file:
        try:
            container = av.open(
                file or str(path.absolute()), "r", options=_demuxer_options(path), metadata_errors="surrogateescape"
            )
        except (av.FFmpegError, OSError) as error:
            _raise_refused(path, file)
            raise _unreadable(path, error) from error
        with container:
            yield container
    _raise_refused(path, file)


def _opened(path: Path) -> "_Watched | io.BytesIO | nullcontext[None]":
    """Open the file itself, unpacked where it must be; numbered pictures are found by the library."""
    if is_sequence(path):
        return nullcontext()
    try:
        if is_packed(path) and moves(path):
            return unpacked(path)
        return _Watched(path)
    except (*UNREADABLE, EOFError, RuntimeError) as error:
        raise _unreadable(path, error) from error


def _raise_refused(path: Path, file: object) -> None:
    if isinstance(file, _Watched) and file.refused is not None:
        raise MediaError(f"{path.name} cannot be read to its end: {reason(file.refused)}; check the disk it is on")


def _unreadable(path: Path, error: BaseException) -> MediaError:
    return MediaError(f"{path.name} cannot be read as a clip: {reason(error)}")


class _Watched(io.FileIO):
    """A file on disk that remembers what the system refused; a demuxer takes that for the end of the file."""

    refused: OSError | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(-1 if size is None else size) or b""
        except OSError as error:
            self.refused = error
            return b""


def _demuxer_options(path: Path) -> dict[str, str]:
    """Return the options for numbered pictures: the first number, and 25 a second, as the files do not say."""
    if not is_sequence(path):
        return {}
    return {"start_number": str(next(iter(members(path)), 0)), "framerate": "25"}


def reason(error: BaseException) -> str:
    """Give the words of a library's error without its number and path."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def main_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the first video stream that is no cover picture; raise MediaError where there is none to read."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic and stream.codec_context is not None:
            _refuse_giants(stream, path)
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise MediaError(f"{path.name} holds no moving pictures (found: {kinds}): give a clip with a video track")


def _refuse_giants(stream: VideoStream, path: Path) -> None:
    """Refuse pictures that would fill the memory before one is decoded."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > LARGEST_PICTURE:
        raise MediaError(f"{path.name}: its pictures of {width} x {height} are too large: scale the clip down first")


class PicturePackets:
    """A clip's video packets, to its end or to where the file is damaged; an empty last one drains the decoder."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.broken: str | None = None  # why the reading ended before the file did
        self._container, self._stream = container, stream

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError as error:
            self.broken = reason(error)
            yield self._drain()

    def _drain(self) -> Packet:
        packet = Packet()
        packet.stream, packet.time_base = self._stream, Fraction(self._stream.time_base or 1)
        return packet


def first_picture(container: InputContainer, stream: VideoStream, path: Path) -> av.VideoFrame:
    """Decode the first picture that can be decoded; MediaError where none can."""
    for packet in PicturePackets(container, stream):
        try:
            pictures = decoded(packet, container)
        except av.FFmpegError:
            continue
        if pictures:
            return pictures[0]
    raise MediaError(f"{path.name}: no picture of its {stream.codec_context.name} track can be decoded")


def decoded(packet: Any, container: InputContainer) -> list[av.VideoFrame]:
    """Decode a packet of pictures, each stamped with the moment it is shown, as far as the file tells it."""
    pictures: list[av.VideoFrame] = packet.decode()
    for picture in pictures if is_avi(container) else ():
        picture.pts = picture.dts
    return pictures


def is_avi(container: InputContainer) -> bool:
    """Say whether a file is an AVI, which states when to decode alone: a pts is a guess, wrong with B-frames."""
    return container.format.name == "avi"


def pts_of(stamped: av.VideoFrame | Packet) -> int:
    """Return the pts of a picture that `Clip` reads, or of a packet that an encoder made: they all have one."""
    assert stamped.pts is not None
    return stamped.pts


def frame_rates(stream: VideoStream) -> list[Fraction]:
    """Return the frame rates that the library finds, the average first; 25 where it finds no plausible one."""
    rates = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    return [rate for rate in rates if rate <= FASTEST_RATE] or [Fraction(25)]  # of DV, the average is that of its clock


def duration_of(container: InputContainer, stream: VideoStream, time_base: Fraction) -> Fraction | None:
    """Return the seconds the pictures last, or else the whole file; None where nothing tells.

    Matroska's header tells when the file ends by its own clock, which need not begin at 0: FFmpeg's muxer writes that.
    """
    if stream.duration:
        return stream.duration * time_base
    if not container.duration:
        return None
    begins = container.start_time or 0 if "matroska" in container.format.name.split(",") else 0
    lasts = container.duration - begins if begins < container.duration else container.duration
    return Fraction(lasts, av.time_base)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a file's header says of its end."""

    end: Fraction  # seconds, by the file's own clock
    of_pictures: bool  # or else of whatever lasts longest


def promised_end(container: InputContainer, stream: VideoStream) -> Promise | None:
    """Read from the header when the pictures should end; None where the library can only guess."""
    kinds = set(container.format.name.split(","))
    if "avi" in kinds and stream.frames:
        return Promise(stream.frames / frame_rates(stream)[0], of_pictures=True)
    if "mov" in kinds and stream.duration and stream.time_base:
        return Promise(((stream.start_time or 0) + stream.duration) * stream.time_base, of_pictures=True)
    if kinds & FILE_PROMISES and container.duration:
        return Promise(Fraction(container.duration, av.time_base), of_pictures=False)
    return None


def ends_inside_a_box(path: Path) -> bool:
    """Say whether an MP4-like file (ISO 14496-12) is cut off within a box: fragmented files show it in no other way."""
    place, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while place + 8 <= size:
            file.seek(place)
            length, _, longer = BOX.unpack(file.read(BOX.size).ljust(BOX.size, b"\0"))
            length = {0: size - place, 1: longer}.get(length, length)
            if length < 8:
                return False  # no box: not for us to judge
            place += length
    return place != size


def all_packets(path: Path) -> Iterator[Any]:
    """Read the packets of all tracks, up to the end or to where the file breaks off."""
    with open_container(path) as container, suppress(av.FFmpegError):
        yield from container.demux()


def furthest_end(path: Path) -> Fraction:
    """Return when the last packet of a file ends, in seconds by its own clock."""
    furthest = Fraction(0)
    for packet in all_packets(path):
        stamp = packet.dts if packet.pts is None else packet.pts
        if packet.size and stamp is not None:
            furthest = max(furthest, (stamp + (packet.duration or 0)) * packet.time_base)
    return furthest


def display_matrix(path: Path, picture: av.VideoFrame) -> tuple[int, ...] | None:
    """Return the display matrix, 9 numbers as a container stores them; None where nothing states one."""
    return _exif_matrix(path) if is_sequence(path) else _stored_matrix(picture)


def _stored_matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    for side_data in side_data_of(picture):
        if side_data.type == SideDataType.DISPLAYMATRIX:
            return tuple(np.frombuffer(memoryview(side_data), np.int32).tolist())
    return None


def _exif_matrix(path: Path) -> tuple[int, ...] | None:
    """Return the display matrix that numbered photos' EXIF orientation means: the decoder does not read EXIF."""
    orientation = EXIF_ORIENTATIONS[exif_orientation(path)]
    return None if orientation == UPRIGHT else orientation.display_matrix()


def track_of(stream: Any) -> Track:
    """Describe a stream beside the pictures."""
    codec = stream.codec_context.name if stream.codec_context is not None else getattr(stream, "name", None)
    return Track(stream.index, stream.type, codec or "unknown", stream.language, stream.metadata.get("title"))
