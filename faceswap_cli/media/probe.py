"""Open a clip's file and find out what it holds, decoding no more than one picture.

What the reader of frames, the writer and the evaluation ask of a file itself. Whatever the library cannot do with it
ends in a MediaError.
"""

from collections.abc import Iterator
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
from .orientation import EXIF_ORIENTATIONS, UPRIGHT
from .sequence import exif_orientation, is_sequence, members

LARGEST_PICTURE = 1 << 27  # pixels: 16k x 8k


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


def open_container(path: Path) -> InputContainer:
    """Open a file for reading, whatever bytes its tags hold; MediaError when the library cannot."""
    try:
        return av.open(str(path.absolute()), options=_demuxer_options(path), metadata_errors="surrogateescape")
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{path.name} cannot be read as a clip: {reason(error)}") from error


def _demuxer_options(path: Path) -> dict[str, str]:
    """Name the first number of numbered pictures; they come at 25 a second, as nothing says otherwise."""
    if not is_sequence(path):
        return {}
    return {"start_number": str(next(iter(members(path)), 0)), "framerate": "25"}


def reason(error: BaseException) -> str:
    """Give the words of a library's error without its number and path."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def main_stream(container: InputContainer, path: Path) -> VideoStream:
    """Choose the first stream of moving pictures; a cover picture is none. MediaError where there is none to read."""
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


def packets_of_pictures(container: InputContainer, stream: VideoStream) -> Iterator[Any]:
    """Read packets up to the end or to where the file breaks off; the last, empty one drains the decoder."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return


def first_picture(container: InputContainer, stream: VideoStream, path: Path) -> av.VideoFrame:
    """Decode the first picture that can be decoded; MediaError where none can."""
    for packet in packets_of_pictures(container, stream):
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
    """Say whether a file states only when packets are decoded: a pts is a guess, wrong where pictures refer ahead."""
    return container.format.name == "avi"


def pts_of(stamped: av.VideoFrame | Packet) -> int:
    """Return the pts of a picture that `Clip` reads, or of a packet that an encoder made: they all have one."""
    assert stamped.pts is not None
    return stamped.pts


def frame_rates(stream: VideoStream) -> list[Fraction]:
    """Return the frame rates that the library finds, the average first; 25 where it finds none."""
    rates = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    return rates or [Fraction(25)]


def duration_of(container: InputContainer, stream: VideoStream, time_base: Fraction) -> Fraction | None:
    """Return the seconds the pictures last, or else the whole file; None where nothing tells."""
    if stream.duration:
        return stream.duration * time_base
    return Fraction(container.duration, av.time_base) if container.duration else None


def display_matrix(path: Path, picture: av.VideoFrame) -> tuple[int, ...] | None:
    """Return how the pictures lie, in a container's words; None where nothing says so."""
    return _exif_matrix(path) if is_sequence(path) else _stored_matrix(picture)


def _stored_matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    for side_data in side_data_of(picture):
        if side_data.type == SideDataType.DISPLAYMATRIX:
            return tuple(np.frombuffer(memoryview(side_data), np.int32).tolist())
    return None


def _exif_matrix(path: Path) -> tuple[int, ...] | None:
    """Say how numbered photos lie in a container's words; the decoder does not tell it."""
    orientation = EXIF_ORIENTATIONS[exif_orientation(path)]
    return None if orientation == UPRIGHT else orientation.display_matrix()


def track_of(stream: Any) -> Track:
    """Describe a stream beside the pictures."""
    codec = stream.codec_context.name if stream.codec_context is not None else getattr(stream, "name", None)
    return Track(stream.index, stream.type, codec or "unknown", stream.language, stream.metadata.get("title"))
