"""Read finished stretches back as pictures, and write them as numbered photos."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from .disclosure import xmp_packet
from .encode import decoder_of
from .photo_formats import Metadata, encode_photo
from .plan import WritePlan
from .reader import EXACT
from .segments import SegmentStore, read_packets
from .sequence import member, members
from .tracks import told_silent

PLAIN = Metadata(b"", None, xmp_packet(), None, 1, None, -1, (), "")


def decoded_pictures(plan: WritePlan, store: SegmentStore) -> Iterator[av.VideoFrame]:
    """Decode the stretches, which are stored losslessly, in order of time."""
    for segment in store.finished:
        decoder = decoder_of(plan)
        for packet in read_packets(store.path(segment)):
            for picture in decoder.decode(packet):
                picture.pts, picture.time_base = packet.pts, plan.time_base
                yield picture


def write_stills(plan: WritePlan, store: SegmentStore, folder: Path) -> list[str]:
    """Write every picture into `folder` under its number; returns notes on what photos do not hold."""
    folder.mkdir()
    converter = VideoReformatter()
    deep = plan.clip.bits > 8
    first = next(iter(members(plan.clip.path)), 1)
    for number, picture in enumerate(decoded_pictures(plan, store), first):
        samples = _rgb(picture, converter, plan, deep)
        content, notes = encode_photo(samples, None, PLAIN, plan.output.suffix.lower(), plan.quality)
        member(folder / plan.output.name, number).write_bytes(content)
    return [*notes, *told_silent(plan)]


def _rgb(picture: av.VideoFrame, converter: VideoReformatter, plan: WritePlan, deep: bool) -> np.ndarray:
    matrix = plan.clip.colours.swscale_matrix
    wanted = "rgb48le" if deep else "rgb24"
    return converter.reformat(picture, format=wanted, src_colorspace=matrix, interpolation=EXACT).to_ndarray()
