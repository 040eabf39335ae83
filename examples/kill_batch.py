"""Kill a batch at random moments, start it again each time, and hold the results against a batch nobody disturbed.

    python examples/kill_batch.py clip.mp4 --source me.jpg --clips 50 --broken 3 --kills 10

Short clips are cut out of one; some are broken on purpose. Every run is a process of its own that gets SIGKILL; the
last one may end. Held against the bar: each good clip is done exactly once, with the bytes of the undisturbed batch and
a report; each broken one has failed exactly once; nothing else lies in the folder. The exit code is 1 when that is
missed.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import av

from faceswap_cli.media.segments import file_sha256

MANIFEST = "faceswap-batch.jsonl"
UNREADABLE = 5  # exit code of a clip that cannot be read


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in the folder of results at the end."""

    good: int
    broken: int
    begun_again: int  # jobs whose first process was killed
    missed: tuple[str, ...]  # bars


def main() -> int:
    """Do the batch in peace, then with kills, and compare."""
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="kill-batch-") as folder:
        clips = cut(arguments, Path(folder, "clips"))
        peace, storm = Path(folder, "peace"), Path(folder, "storm")
        began = time.monotonic()
        code = subprocess.run(command(arguments, clips, peace), capture_output=True, check=False).returncode
        seconds = time.monotonic() - began
        print(f"undisturbed: {seconds:.1f} s, code {code}", flush=True)
        kills = kill(arguments, command(arguments, clips, storm), seconds)
        last = subprocess.run(command(arguments, clips, storm), capture_output=True, check=False, text=True)
        found = compare(peace, storm)
    missed = list(found.missed)
    if last.returncode != code:
        missed.append(f"the last run ends with code {last.returncode}: {last.stderr[-300:]}")
    print(f"{kills} kills, {found.begun_again} jobs begun again; {found.good} good, {found.broken} broken")
    print("\n".join(missed) or "every good one exactly once and whole")
    return 1 if missed else 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--source", type=Path, required=True, help="photo of the face to put in")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--broken", type=int, default=3, help="of them")
    parser.add_argument("--frames", type=int, default=12, help="of each clip")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument(
        "--option", action="append", default=[], help="of faceswap batch, as in --option=--model=mobile"
    )
    return parser.parse_args()


def cut(arguments: argparse.Namespace, folder: Path) -> Path:
    """Cut short clips out of the one given, and break the last of them, each in a way of its own."""
    folder.mkdir()
    pictures = []
    with av.open(str(arguments.clip)) as container:
        for picture in container.decode(video=0):
            pictures.append(picture.to_ndarray(format="rgb24"))
            if len(pictures) >= arguments.frames + arguments.clips:
                break
    for number in range(arguments.clips):
        first = number % max(1, len(pictures) - arguments.frames)
        write(folder / f"{number:03d}.mp4", pictures[first : first + arguments.frames])
    for number, path in enumerate(sorted(folder.iterdir())[arguments.clips - arguments.broken :]):
        content = path.read_bytes()
        path.write_bytes((content[: len(content) // 2], b"", b"no clip at all\n")[number % 3])
    return folder


def write(path: Path, pictures: list) -> None:
    """Encode pictures as a clip."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"preset": "ultrafast"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def command(arguments: argparse.Namespace, clips: Path, output: Path) -> list[str]:
    """Return the command line of one run."""
    words = [sys.executable, "-m", "faceswap_cli", "batch", "--source", str(arguments.source), str(clips)]
    return [*words, "--output", f"{output}/{{stem}}.{{ext}}", *arguments.option]


def kill(arguments: argparse.Namespace, words: list[str], seconds: float) -> int:
    """Start a run as often as asked for and kill it after a while; return how often that was before its end.

    The whiles are such that together they reach about as far as an undisturbed run.
    """
    chance, kills = random.Random(arguments.seed), 0
    for _ in range(arguments.kills):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        moment = chance.uniform(0, 2 * seconds / arguments.kills)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            print(f"killed after {moment:.1f} s", flush=True)
    return kills


def compare(peace: Path, storm: Path) -> Found:
    """Hold what the killed runs made against what the undisturbed one did."""
    wanted, missed = states(peace), []
    records = [json.loads(line) for line in (storm / MANIFEST).read_bytes().splitlines()]
    done, failed, begun = (
        Counter(record["job"] for record in records if record.get("name") == name)
        for name in ("done", "failed", "running")
    )
    good = {job for job, state in wanted.items() if state["name"] == "done"}
    broken = set(wanted) - good
    missed += [f"{job} was done {done[job]} times" for job in good if done[job] != 1]
    missed += [f"{job} failed {failed[job]} times" for job in broken if failed[job] != 1]
    for job in good:
        if not (storm / job).exists() or file_sha256(storm / job) != file_sha256(peace / job):
            missed.append(f"{job} is not what the undisturbed batch made")
        report = states(storm)[job].get("report", "")
        if not (storm / report).is_file() or json.loads((storm / report).read_text())["frames"] < 1:
            missed.append(f"{job} has no report")
    missed += [f"{name} stays behind" for name in names(storm) - names(peace)]
    return Found(len(good), len(broken), sum(count > 1 for count in begun.values()), tuple(missed))


def states(folder: Path) -> dict[str, dict]:
    """Return each job's last record."""
    records = [json.loads(line) for line in (folder / MANIFEST).read_bytes().splitlines()]
    return {record["job"]: record for record in records if "job" in record}


def names(folder: Path) -> set[str]:
    """Name what lies in a folder of results."""
    return {path.name for path in folder.iterdir()}


if __name__ == "__main__":
    sys.exit(main())
