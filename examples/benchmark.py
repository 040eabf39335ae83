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
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import Clip, open_clip
from faceswap_cli.media.writer import ClipWriter, plan_output
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.portrait.history import History
from faceswap_cli.stages.tally import Tally
from faceswap_cli.stages.track import Track
from faceswap_cli.stages.watch import Watch
from faceswap_cli.types import Face, Frame


def measure_stages(clip: Clip, swapper: Swapper, writer: ClipWriter, limit: int) -> tuple[dict[str, float], int]:
    """Take frames through the stages one after another; return the seconds of each stage, and how many frames."""
    watch, history, stopwatch = Watch(swapper.equipment.detector), History(), swapper.stopwatch
    stopwatch.seconds.clear()

    def sightings() -> Iterator[tuple[Frame, list[Face]]]:
        decoded = islice(clip.frames(), limit)
        while True:
            with stopwatch.stage("decode"):
                frame = next(decoded, None)
            if frame is None:
                return
            with stopwatch.stage("locate"):
                faces = watch.find(frame.rgb)
            yield frame, faces

    frames = 0
    for located in Track(swapper.options.face_limit).follow(sightings()):
        swapped = swapper.swap(located, [history])
        with stopwatch.stage("blend and encode"):
            writer.write(swapped)
        frames += 1
    return dict(stopwatch.seconds), frames


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
        print(f"{arguments.input.name}: {clip.width}x{clip.height}, {swapper.equipment.networks}")
        with ClipWriter(plan_output(clip, Path(folder, "one.mp4"), options)) as writer:
            seconds, frames = measure_stages(clip, swapper, writer, arguments.frames)
        for name, spent in seconds.items():
            print(f"{name:>18} {1000 * spent / frames:8.1f} ms a frame")
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
