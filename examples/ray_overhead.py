"""Measure what local Ray costs beside the plain batch: to start, and for each clip.

    python examples/ray_overhead.py clips/ --source me.jpg --rounds 2

Both swap the first clip alone, and all; the difference is what a further clip costs. CPU seconds are as Linux counts
them, and hold on a busy machine, where the clock does not: those of the command and of the workers that swap, and those
of Ray's own processes, which go on whether anything is swapped or not, and so are told by the second of the clock.
"""

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from faceswap_cli.batch.inputs import find_inputs

_ORPHANS_ARE_OURS = 36  # PR_SET_CHILD_SUBREAPER
_LOOK_EVERY = 0.2  # seconds; what a process uses behind the last look at it is missed
WAYS = {"plain": [], "ray": ["--ray", "local", "--workers", "1"]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips")
    parser.add_argument("--source", type=Path, required=True, help="photo of the face to put in")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(_ORPHANS_ARE_OURS, 1)
    clips = [str(found.path) for found in find_inputs([arguments.clips])[0]]
    words = ["-s", str(arguments.source), "--model", arguments.model, "--device", "cpu", "--threads", "1"]
    for number in range(arguments.rounds):
        for way, more in WAYS.items():
            one, every = (cost(some, [*words, *more]) for some in (clips[:1], clips))
            each = (every.swapping - one.swapping) / (len(clips) - 1)
            print(
                f"round {number}, {way}: one clip {one.swapping:.1f} s of CPU, each further one {each:.2f} s; "
                f"Ray's own {one.ray:.1f} s in {one.wall:.0f} s by the clock, {every.ray:.1f} s in {every.wall:.0f} s",
                flush=True,
            )


@dataclass(frozen=True, slots=True)
class Cost:
    """The seconds a batch of clips takes."""

    wall: float  # by the clock
    swapping: float  # of CPU: the command's and its workers'
    ray: float  # of CPU: all that Ray starts beside them


def cost(clips: list[str], words: list[str]) -> Cost:
    """Swap clips in a process of its own and return what that costs."""
    began, used, ours = time.monotonic(), dict[tuple[int, int], int](), set[tuple[int, int]]()
    with tempfile.TemporaryDirectory(prefix="ray-overhead-") as folder:
        command = [sys.executable, "-m", "faceswap_cli", "batch", *clips, "--output", f"{folder}/{{stem}}.mp4", *words]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None:
            used |= ticks_of_descendants()
            ours |= {process for process in used if swaps(process[0])}
            time.sleep(_LOOK_EVERY)
    if run.returncode:
        sys.exit(f"{' '.join(command)} ended with {run.returncode}")
    seconds = {process: ticks / os.sysconf("SC_CLK_TCK") for process, ticks in used.items()}
    swapping = sum(seconds[process] for process in ours)
    return Cost(time.monotonic() - began, swapping, sum(seconds.values()) - swapping)


def ticks_of_descendants() -> dict[tuple[int, int], int]:
    """Return the CPU ticks of every process below this one, by number and start."""
    processes = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        processes[int(path.parent.name)] = (int(fields[1]), int(fields[19]), int(fields[11]) + int(fields[12]))
    below = {os.getpid()}
    while more := {pid for pid, (parent, _, _) in processes.items() if parent in below} - below:
        below |= more
    return {(pid, processes[pid][1]): processes[pid][2] for pid in below - {os.getpid()}}


def swaps(pid: int) -> bool:
    """Tell whether a process is the command or one of its workers; until they are given their actor those are Ray's."""
    with suppress(OSError):  # it has ended
        return any(name in Path(f"/proc/{pid}/cmdline").read_bytes() for name in (b"faceswap_cli", b"ray::SwapActor"))
    return False


if __name__ == "__main__":
    main()
