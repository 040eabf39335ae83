"""Open a clip and decode its pictures, each with the exact moment it was stamped with.

First stop of a frame's way. A frame keeps the decoded picture in its own pixel format beside an upright RGB view; time
is pts * time_base, never counted from a frame rate.
"""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from ..errors import MediaError, UsageError
from ..types import Frame
from .colour import colours_of, mastering_of, side_data_of
from .damage import Damage, key_of
from .joints import JUMP_BACK, Joints, Mover, find_joints, is_timed
from .orientation import UPRIGHT, from_display_matrix
from .planes import to_working_format, working_format
from .probe import (
    PicturePackets,
    Track,
    all_packets,
    decoded,
    display_matrix,
    duration_of,
    ends_inside_a_box,
    first_picture,
    frame_rates,
    is_avi,
    main_stream,
    open_container,
    promised_end,
    pts_of,
    track_of,
)
from .sniff import kind_of, unpacked_format

# A seek lands on a key frame at least this far before the wanted moment, so that pictures which refer over a key frame
# (open groups, recovery points) are whole again when the wanted moment comes.
SEEK_MARGIN_SECONDS = 4

# Containers that are joined by copying one file behind the other, as cameras and recorders of television do.
JOINED_FORMATS = frozenset({"mpegts", "mpeg"})

# Without the exact roundings swscale's RGB is one step of 255 too dark on average, and transparency of YUVA at widths
# that are no multiple of 8 is undefined in the last columns.
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
FURTHEST = 1 << 62  # a pts that no picture reaches and the library's 64 bits hold

# What a picture may carry that no encoder here takes over.
UNKEPT_SIDE_DATA = {
    SideDataType.A53_CC: "closed captions inside the pictures",
    SideDataType.DYNAMIC_HDR_PLUS: "HDR10+ dynamic metadata",
    SideDataType.DOVI_METADATA: "Dolby Vision metadata",
    SideDataType.FILM_GRAIN_PARAMS: "film grain parameters",
}


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a broken run left off: the first frame still to be written."""

    pts: int  # in units of the clip's time base; every frame before it is done
    index: int  # how many frames are done


class Clip:
    """A clip that can be read; a context manager. Describes itself without decoding more than one picture."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = Damage()  # seen in the pictures read so far
        self.joints = Joints()  # of recordings one behind the other
        self._looked_for_joints = self._closed = False
        with open_container(path) as container:
            self._describe(container)
            if container.format.name in JOINED_FORMATS:
                self._find_joints()
        self.joints_foreseen = self.joints

    def _describe(self, container: InputContainer) -> None:
        stream = main_stream(container, self.path)
        picture = first_picture(container, stream, self.path)
        self.time_base = Fraction(stream.time_base or Fraction(1, 1000))
        self.rates = frame_rates(stream)  # that the library finds, the average first
        self.average_rate = self.rates[0]
        self.start_time = Fraction(picture.pts or 0) * self.time_base
        self.duration = duration_of(container, stream, self.time_base)
        self.promise = promised_end(container, stream)
        self.frame_count_estimate = stream.frames or round((self.duration or 0) * self.average_rate)
        self.codec = unpacked_format(self.path) or stream.codec_context.name
        self.container = container.format.name
        self.pixel_format = working_format(picture.format.name)
        self.bits = picture.format.components[0].bits
        self.stored_width, self.stored_height = picture.width, picture.height
        self.sample_aspect_ratio = stream.sample_aspect_ratio
        self.display_matrix = display_matrix(self.path, picture)
        self.orientation = UPRIGHT if self.display_matrix is None else from_display_matrix(self.display_matrix)
        self.rotation = self.orientation.degrees
        self.width, self.height = self.orientation.upright_size(picture.width, picture.height)
        self.interlaced = picture.interlaced_frame
        self.colours = colours_of(picture)
        self.metadata = dict(container.metadata)
        self.video_metadata = dict(stream.metadata)
        self.mastering = mastering_of(picture)
        kinds = {each.type for each in side_data_of(picture)}
        self.unkept = tuple(words for kind, words in UNKEPT_SIDE_DATA.items() if kind in kinds)
        self.chapters = container.chapters()
        self.video_index = stream.index
        self.tracks = [track_of(other) for other in container.streams if other.index != stream.index]

    def losses(self) -> list[str]:
        """Say what of the pictures read so far was damaged, in words for people."""
        late = [] if self.joints is self.joints_foreseen else self.joints.told()
        return [*late, *self.damage.told((self.stored_width, self.stored_height), len(self.joints.places))]

    @property
    def audio(self) -> list[Track]:
        """The sound tracks."""
        return [track for track in self.tracks if track.kind == "audio"]

    def estimated_frames(self, start: Fraction | None = None, end: Fraction | None = None) -> int:
        """Guess how many frames lie in [start, end) seconds."""
        if self.duration is None or (start is None and end is None):
            return self.frame_count_estimate
        last = min(end, self.duration) if end is not None else self.duration
        return max(0, round((last - (start or 0)) * self.average_rate))

    def frames(
        self, start: Fraction | None = None, end: Fraction | None = None, resume_from: ResumePoint | None = None
    ) -> Generator[Frame, None, None]:
        """Yield the frames with start <= time < end (seconds after the clip's first picture), in order of time.

        Timestamps are the file's own and strictly increasing. With `resume_from` the frames before it are left out and
        the numbering goes on there. Raises MediaError when no picture can be decoded.
        """
        first_pts = None if start is None else self._pts_at(start)
        end_pts = None if end is None else self._pts_at(end)
        index = 0
        if resume_from is not None:
            first_pts, index = resume_from.pts, resume_from.index
        turner = _Turner(self)
        for picture in self._pictures(first_pts):
            if end_pts is not None and pts_of(picture) >= end_pts:
                break
            yield turner.frame(picture, index)
            index += 1
        if index == 0:
            raise self._nothing_shown(start, end)

    def _nothing_shown(self, start: Fraction | None, end: Fraction | None) -> MediaError:
        """Return what says that no picture lies between two times, in seconds."""
        times = (("start", start), ("end", end))
        asked = [  # as decimals: a time may be beyond what a float holds
            f"{name} {Decimal(at.numerator) / at.denominator:.6g} s" for name, at in times if at is not None
        ]
        lasts = f": it lasts about {float(self.duration):.2f} s" if self.duration else ""
        return MediaError(f"{self.path.name}: no picture lies within {', '.join(asked) or 'it'}{lasts}")

    def close(self) -> None:
        """End every reading of frames at its next frame; each closes its own file, in the thread it runs in."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def timestamps(self, start: Fraction | None = None, end: Fraction | None = None) -> Iterator[int]:
        """Yield the pts of every picture with start <= time < end, in the file's order, without decoding any."""
        first = -math.inf if start is None else self._pts_at(start)
        last = math.inf if end is None else self._pts_at(end)
        with open_container(self.path) as container:
            stamp, packets = "dts" if is_avi(container) else "pts", PicturePackets(container, self._stream(container))
            times = (getattr(packet, stamp) for packet in self._packets(packets))
            yield from (time for time in times if time is not None and first <= time < last)

    def _stream(self, container: InputContainer) -> VideoStream:
        return cast(VideoStream, container.streams[self.video_index])

    def _pts_at(self, seconds: Fraction) -> int:
        """Give the first pts at or after `seconds` behind the clip's start."""
        exact = (seconds + self.start_time) / self.time_base
        return min(-((-exact.numerator) // exact.denominator), FURTHEST)

    def _pictures(self, first_pts: int | None) -> Iterator[av.VideoFrame]:
        yield from self._from(self._strictly_increasing(self._read(first_pts)), first_pts)

    def _read(self, first_pts: int | None, behind: int | None = None) -> Iterator[av.VideoFrame]:
        """Decode from before `first_pts` on: seek, and read from the very beginning where seeking went too far.

        With `behind` it is done without threads, and damage before that pts is not counted again.
        """
        with open_container(self.path) as container:
            stream = self._stream(container)
            stream.thread_type = ThreadType.AUTO if behind is None else ThreadType.NONE
            pictures = self._decoded(container, stream, behind)
            if first_pts is None or not self._seek(container, stream, first_pts):
                yield from pictures
                return
            first = next(pictures, None)
            if first is not None and first.pts is not None and first.pts <= first_pts:
                yield first
                yield from pictures
                return
        yield from self._read(None, behind)

    def _seek(self, container: InputContainer, stream: VideoStream, first_pts: int) -> bool:
        """Go to well before a moment; False where nothing lies there, or where times come more than once."""
        pts = first_pts - round(SEEK_MARGIN_SECONDS / self.time_base)
        if self.joints.places or (stream.start_time is not None and pts <= stream.start_time):
            return False
        try:
            container.seek(pts, stream=stream, backward=True)
        except av.FFmpegError:
            return False
        return True

    def _decoded(self, container: InputContainer, stream: VideoStream, behind: int | None) -> Iterator[av.VideoFrame]:
        """Decode packet by packet; a damaged packet is counted and passed over."""
        packets = PicturePackets(container, stream)
        newest: int | None = None
        last: int | None = None
        for packet in self._packets(packets):
            newest = _later(newest, packet.dts if is_avi(container) else packet.pts)
            try:
                for picture in decoded(packet, container):
                    last = _later(last, picture.pts)
                    yield picture
            except av.FFmpegError:
                if behind is None or packet.pts is None or packet.pts > behind:
                    self.damage.undecodable.add(key_of(packet))
        self.damage.broken = packets.broken or self._cut_box()
        if last is not None and newest is not None and newest > last and behind is None:
            yield from self._tail(last)
        elif last is not None:
            self._compare_with_header(last)

    def _tail(self, last: int) -> Iterator[av.VideoFrame]:
        """Decode the end once more, without threads: those lose what waits behind a damaged last packet."""
        for picture in self._read(last, behind=last):
            if picture.pts is not None and picture.pts > last:
                yield picture

    def _packets(self, packets: PicturePackets) -> Iterator[Any]:
        """Give packets at their moved times, and look for joints once a time jumps back."""
        mover, newest = Mover(), None
        for packet in packets:
            if is_timed(packet):
                if newest is not None and (newest - packet.dts) * self.time_base > JUMP_BACK:
                    self._find_joints()
                newest = packet.dts
            mover.move(packet, self.joints)
            if packet.is_corrupt:
                self.damage.marked.add(key_of(packet))
            yield packet

    def _find_joints(self) -> None:
        """Read the file's packets in search of joints, once."""
        if self._looked_for_joints:
            return
        self._looked_for_joints = True
        self.joints = find_joints(lambda: all_packets(self.path))
        if self.joints.duration is not None:
            self.duration = self.joints.duration
            self.frame_count_estimate = round(self.duration * self.average_rate)

    def _cut_box(self) -> str | None:
        return "its last box is not whole" if "mov" in self.container and ends_inside_a_box(self.path) else None

    def _compare_with_header(self, last: int) -> None:
        usual = self._usual_duration() * self.time_base
        if self.promise is not None and not self.joints.places:
            self.damage.compare(self.promise, last * self.time_base + usual, usual, self.path)

    def _strictly_increasing(self, pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Give every picture a pts later than the one before; only a broken file needs any change."""
        last: int | None = None
        for picture in pictures:
            pts = picture.pts if picture.pts is not None else picture.dts
            if pts is None:
                pts = 0 if last is None else last + (picture.duration or self._usual_duration())
            elif last is not None and pts <= last:
                self.damage.mended += 1
                pts = last + 1
            picture.pts = last = pts
            picture.time_base = self.time_base
            yield picture

    def _from(self, pictures: Iterator[av.VideoFrame], first_pts: int | None) -> Iterator[av.VideoFrame]:
        for picture in pictures:
            if self._closed:
                return
            if first_pts is None or pts_of(picture) >= first_pts:
                yield picture

    def _usual_duration(self) -> int:
        return max(1, round(1 / (self.average_rate * self.time_base)))


class _Turner:
    """Make frames of pictures: exotic pixel formats unpacked, an upright RGB view beside."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._to_rgb = VideoReformatter()
        self._to_working = VideoReformatter()

    def frame(self, picture: av.VideoFrame, index: int) -> Frame:
        size = (self._clip.stored_width, self._clip.stored_height)
        if (picture.width, picture.height) != size:
            self._clip.damage.scaled += 1
            picture = self._to_working.reformat(picture, *size, format=self._clip.pixel_format)
        picture = to_working_format(picture, self._to_working)
        matrix = self._clip.colours.swscale_matrix
        rgb = self._to_rgb.reformat(picture, format="rgb24", src_colorspace=matrix, interpolation=EXACT).to_ndarray()
        return Frame(
            rgb=self._clip.orientation.to_upright(rgb),
            index=index,
            pts=pts_of(picture),
            time_base=self._clip.time_base,
            picture=picture,
            start=self._clip.start_time,
        )


def open_clip(path: Path) -> Clip:
    """Open a clip for reading.

    Raises MediaError when it is missing, empty or cannot be decoded, UsageError when it is a photo.
    """
    if kind_of(path) == "photo":
        raise UsageError(f"{path.name} is a photo, not a clip: use `faceswap swap-image`")
    return Clip(path)


def _later(one: int | None, other: int | None) -> int | None:
    return other if one is None or (other is not None and other > one) else one
