"""Read finished stretches back as pictures, and write them as numbered photos."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from .disclosure import xmp_packet
from .encode import decoder_of
from .encoders import has_alpha
from .photo_formats import Metadata, encode_photo
from .plan import WritePlan
from .reader import EXACT
from .segments import SegmentStore, read_packets
from .sequence import member, members
from .tracks import told_silent

PHOTO_SAMPLES = {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le", (True, True): "rgba64le"}
PLAIN = Metadata(b"", None, b"", None, 1, None, -1, (), "")


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
    first = next(iter(members(plan.clip.path)), 1)
    metadata = replace(PLAIN, xmp=xmp_packet(model=plan.model)) if plan.disclosure else PLAIN
    for number, picture in enumerate(decoded_pictures(plan, store), first):
        samples = _samples(picture, converter, plan)
        colour, alpha = samples[..., :3], samples[..., 3] if samples.shape[2] == 4 else None
        content, notes = encode_photo(colour, alpha, metadata, plan.output.suffix.lower(), plan.quality)
        member(folder / plan.output.name, number).write_bytes(content)
    return [*notes, *told_silent(plan)]


def _samples(picture: av.VideoFrame, converter: VideoReformatter, plan: WritePlan) -> np.ndarray:
    """Return samples (H, W, 3), with transparency (H, W, 4), of 8 or 16 bits."""
    matrix = plan.clip.colours.swscale_matrix
    wanted = PHOTO_SAMPLES[plan.clip.bits > 8, has_alpha(plan.pixel_format)]
    return converter.reformat(picture, format=wanted, src_colorspace=matrix, interpolation=EXACT).to_ndarray()
