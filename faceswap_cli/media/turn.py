"""Turn pictures upright before encoding, for containers that cannot say how a picture lies."""

import av
from av.filter import Graph

from .orientation import UPRIGHT, Orientation


class Turner:
    """Turns pictures upright sample by sample; their pixel format stays, where it can be turned."""

    def __init__(self, orientation: Orientation) -> None:
        self._orientation = orientation
        self._graph: Graph | None = None

    def turn(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Give the upright picture, with its time."""
        if self._orientation == UPRIGHT:
            return picture
        if self._graph is None:
            self._graph = self._build(picture)
        self._graph.push(picture)
        return self._graph.vpull()

    def _build(self, picture: av.VideoFrame) -> Graph:
        graph = Graph()
        last = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base
        )
        steps = {"transpose": self._orientation.transpose, "hflip": self._orientation.mirror_x}
        for name, wanted in (steps | {"vflip": self._orientation.mirror_y}).items():
            if wanted:
                step = graph.add(name, "cclock_flip" if name == "transpose" else None)  # rows become columns
                last.link_to(step)
                last = step
        last.link_to(graph.add("buffersink"))
        graph.configure()
        return graph
