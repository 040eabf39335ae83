"""Measure what local Ray costs beside the plain batch: to start, and for each clip.

    python examples/ray_overhead.py clips/ --source me.jpg --rounds 2

Both swap the first clip alone, and all; the difference is what a further clip costs. CPU seconds are those of every
process that the command starts, Ray's own included, as Linux counts them; on a busy machine they hold, the clock does
not.
"""

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import time
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
            (wall_of_one, cpu_of_one), (wall, cpu) = (cost(some, [*words, *more]) for some in (clips[:1], clips))
            further = len(clips) - 1
            each = f"each further one {(cpu - cpu_of_one) / further:.2f} s CPU, {(wall - wall_of_one) / further:.1f} s"
            print(f"round {number}, {way}: one clip {cpu_of_one:.1f} s CPU, {wall_of_one:.1f} s; {each}", flush=True)


def cost(clips: list[str], words: list[str]) -> tuple[float, float]:
    """Return the seconds by the clock and of CPU that a batch of clips takes."""
    began, used = time.monotonic(), dict[tuple[int, int], int]()
    with tempfile.TemporaryDirectory(prefix="ray-overhead-") as folder:
        command = [sys.executable, "-m", "faceswap_cli", "batch", *clips, "--output", f"{folder}/{{stem}}.mp4", *words]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None:
            used |= ticks_of_descendants()
            time.sleep(_LOOK_EVERY)
    if run.returncode:
        sys.exit(f"{' '.join(command)} ended with {run.returncode}")
    return time.monotonic() - began, sum(used.values()) / os.sysconf("SC_CLK_TCK")


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


if __name__ == "__main__":
    main()
