"""Write a clip as an animated GIF: one palette for all its pictures, timed in hundredths of a second.

Dots that lie still (an ordered dither) and one palette let a picture leave out what did not change since the one
before: a second of 844 x 844 pixels takes 2.1 s and 5.0 MB; with a palette a picture and spread errors 5.3 s, 9.3 MB.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat

from .disclosure import gif_extension
from .plan import WritePlan
from .probe import pts_of
from .segments import SegmentStore
from .stills import decoded_pictures
from .tracks import told_silent

TICK = Fraction(1, 100)
TRAILER = b";"
DITHER = "dither=bayer:bayer_scale=5"  # the faintest: colours that the palette holds stay almost as they are


def write_gif(plan: WritePlan, store: SegmentStore, target: Path) -> list[str]:
    """Write the finished stretches to `target`; returns notes on what a GIF does not hold."""
    with av.open(str(target), "w", format="gif") as out:
        stream = out.add_stream("gif", rate=plan.clip.average_rate)
        (stream.width, stream.height), stream.pix_fmt = plan.size, "pal8"
        stream.codec_context.time_base = stream.time_base = TICK
        for picture in _with_palette(_timed(plan, store), _palette(plan, store), plan):
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


def _palette(plan: WritePlan, store: SegmentStore) -> av.VideoFrame:
    """Choose the 256 colours, one of them transparent, that serve all pictures best."""
    graph = Graph()
    source, pictures = _source(graph, plan)
    palette, sink = graph.add("palettegen", "stats_mode=full"), graph.add("buffersink")
    pictures.link_to(palette)
    palette.link_to(sink)
    graph.configure()
    for picture in _timed(plan, store):
        source.push(picture)
    source.push(None)
    return cast(av.VideoFrame, sink.pull())


def _with_palette(
    pictures: Iterator[av.VideoFrame], palette: av.VideoFrame, plan: WritePlan
) -> Iterator[av.VideoFrame]:
    graph = Graph()
    source, converted = _source(graph, plan)
    colours = graph.add_buffer(width=palette.width, height=palette.height, format=palette.format, time_base=TICK)
    use, sink = graph.add("paletteuse", DITHER), graph.add("buffersink")
    converted.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    palette.pts, palette.time_base = 0, TICK
    colours.push(palette)
    colours.push(None)
    for picture in pictures:
        source.push(picture)
        yield from _pulled(sink)
    source.push(None)
    yield from _pulled(sink)


def _source(graph: Graph, plan: WritePlan) -> tuple[FilterContext, FilterContext]:
    """Add what takes the plan's pictures, and what gives them in the palette filters' own format."""
    width, height = plan.size
    source = graph.add_buffer(width=width, height=height, format=VideoFormat(plan.pixel_format), time_base=TICK)
    exact, to_bgra = graph.add("scale", "flags=bilinear+accurate_rnd+full_chroma_int"), graph.add("format", "bgra")
    source.link_to(exact)
    exact.link_to(to_bgra)
    return source, to_bgra


def _pulled(sink: FilterContext) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield cast(av.VideoFrame, sink.pull())
        except (av.BlockingIOError, av.EOFError):
            return


def _disclose(target: Path, model: str) -> None:
    """Put the statement before the last byte, which ends a GIF."""
    with target.open("r+b") as file:
        file.seek(-len(TRAILER), 2)
        if file.read() == TRAILER:
            file.seek(-len(TRAILER), 2)
            file.write(gif_extension(model) + TRAILER)
