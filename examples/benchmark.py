"""Measure a swap on this machine: frames a second, milliseconds per stage, peak memory.

    python examples/benchmark.py me.jpg clip.mp4 [--model lite] [--face-pack DIR] [--threads N] [--frames 150]

The stages are first run one after another, so that each has the processor for itself; then the clip is swapped and
written as the command does it, with decoding, locating and swapping side by side.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import Clip, open_clip
from faceswap_cli.media.writer import ClipWriter, plan_output
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.detect import Watch
from faceswap_cli.stages.paste import paste
from faceswap_cli.stages.tally import Tally
from faceswap_cli.stages.track import Track
from faceswap_cli.types import Face, Frame, Swapped


class Stopwatch:
    """Sums the time of each stage, without that of the stages running inside it."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block as the stage's."""
        self._turn()
        self._running.append(name)
        try:
            yield
        finally:
            self._turn()
            self._running.pop()

    def each(self, name: str, items: Iterable[Any]) -> Iterator[Any]:
        """Count the time an iterator takes for each item as the stage's."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                item = next(iterator, None)
            if item is None:
                return
            yield item

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now


def measure_stages(clip: Clip, swapper: Swapper, writer: ClipWriter, limit: int) -> tuple[Stopwatch, int]:
    """Walk frames through the stages one after another."""
    watch, stopwatch = Watch(swapper.detector), Stopwatch()

    def sightings() -> Iterator[tuple[Frame, list[Face]]]:
        for frame in stopwatch.each("decode", islice(clip.frames(), limit)):
            with stopwatch.stage("detect"):
                faces = watch.look(frame.rgb)
            yield frame, faces

    frames = 0
    for located in stopwatch.each("track", Track(swapper.options.face_limit).follow(sightings())):
        frame, generator = located.frame, swapper.generator
        with stopwatch.stage("align"):
            crops = [crop_face(frame.rgb, face, generator.template, generator.size) for face in located.faces]
        if swapper.parser is not None:
            with stopwatch.stage("parse"):
                crops = swapper.parser.look(crops)
        with stopwatch.stage("fit"):
            laid = []
            if swapper.fit is not None:
                laid = swapper.fit.lay(crops)
                crops = [swapper.fit.readied(*each) for each in zip(crops, laid, strict=True)]
        with stopwatch.stage("generate"):
            images = generator.generate(crops, laid)
        with stopwatch.stage("mask"):
            masks = swapper.masker.mask(crops)
        with stopwatch.stage("paste"):
            found = [paste(frame.rgb.shape, *each, 1.0) for each in zip(crops, images, masks, strict=True)]
        with stopwatch.stage("blend and encode"):
            writer.write(Swapped(frame, tuple(patch for patch in found if patch), located.faces_found))
        frames += 1
    return stopwatch, frames


def measure_whole(clip: Clip, swapper: Swapper, writer: ClipWriter, limit: int) -> float:
    """Return frames a second of the pipeline as it is used."""
    began, frames = time.perf_counter(), 0
    with closing(swapper.frames(islice(clip.frames(), limit), Tally())) as swapped:
        for each in swapped:
            writer.write(each)
            frames += 1
    return frames / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    arguments = read_arguments()
    options = Options(model=arguments.model, face_pack=arguments.face_pack, threads=arguments.threads)
    swapper = Swapper([read_photo(arguments.source).frame], options)
    with open_clip(arguments.input) as clip, tempfile.TemporaryDirectory() as folder:
        print(f"{arguments.input.name}: {clip.width}x{clip.height}, {swapper.networks}")
        with ClipWriter(plan_output(clip, Path(folder, "one.mp4"), options)) as writer:
            stopwatch, frames = measure_stages(clip, swapper, writer, arguments.frames)
        for name, seconds in stopwatch.seconds.items():
            print(f"{name:>18} {1000 * seconds / frames:8.1f} ms a frame")
        with ClipWriter(plan_output(clip, Path(folder, "two.mp4"), options)) as writer:
            rate = measure_whole(clip, swapper, writer, arguments.frames)
    print(f"{'side by side':>18} {rate:8.1f} frames a second over {frames} frames")
    print(f"{'peak memory':>18} {peak_megabytes():8.0f} MB")


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("--model", default=Options().model)
    parser.add_argument("--face-pack", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--frames", type=int, default=150)
    return parser.parse_args()


def peak_megabytes() -> float:
    """Return the most memory this process has held; the system counts it in bytes on macOS, in kilobytes elsewhere."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
