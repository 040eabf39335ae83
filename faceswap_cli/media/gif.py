"""Write a clip as an animated GIF: each picture with a palette of its own, timed in hundredths of a second."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.filter import Graph
from av.video.format import VideoFormat

from .disclosure import gif_extension
from .plan import WritePlan
from .probe import pts_of
from .segments import SegmentStore
from .stills import decoded_pictures
from .tracks import told_silent

TICK = Fraction(1, 100)
TRAILER = b";"


def write_gif(plan: WritePlan, store: SegmentStore, target: Path) -> list[str]:
    """Write the finished stretches to `target`; returns notes on what a GIF does not hold."""
    with av.open(str(target), "w", format="gif") as out:
        stream = out.add_stream("gif", rate=plan.clip.average_rate)
        (stream.width, stream.height), stream.pix_fmt = plan.size, "pal8"
        stream.codec_context.time_base = stream.time_base = TICK
        for picture in _with_palettes(_timed(plan, store), plan):
            picture.pict_type = 0
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    if plan.disclosure:
        _disclose(target, plan.model)
    return told_silent(plan)


def _timed(plan: WritePlan, store: SegmentStore) -> Iterator[av.VideoFrame]:
    """Give the pictures timed in the GIF's ticks, each later than the one before."""
    start = store.finished[0].first_pts if plan.start is not None else 0
    last = -1
    for picture in decoded_pictures(plan, store):
        last = max(last + 1, round((pts_of(picture) - start) * plan.time_base / TICK))
        picture.pts, picture.time_base = last, TICK
        yield picture


def _with_palettes(pictures: Iterator[av.VideoFrame], plan: WritePlan) -> Iterator[av.VideoFrame]:
    graph = Graph()
    width, height = plan.size
    source = graph.add_buffer(width=width, height=height, format=VideoFormat(plan.pixel_format), time_base=TICK)
    exact = graph.add("scale", "flags=bilinear+accurate_rnd+full_chroma_int")
    to_rgb, split = graph.add("format", "bgra"), graph.add("split")
    palette, use, sink = graph.add("palettegen", "stats_mode=single"), graph.add("paletteuse", "new=1"), "buffersink"
    source.link_to(exact)
    exact.link_to(to_rgb)
    to_rgb.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(graph.add(sink))
    graph.configure()
    for picture in pictures:
        graph.push(picture)
        yield from _pulled(graph)
    graph.push(None)
    yield from _pulled(graph)


def _pulled(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return


def _disclose(target: Path, model: str) -> None:
    """Put the statement before the last byte, which ends a GIF."""
    with target.open("r+b") as file:
        file.seek(-len(TRAILER), 2)
        if file.read() == TRAILER:
            file.seek(-len(TRAILER), 2)
            file.write(gif_extension(model) + TRAILER)
