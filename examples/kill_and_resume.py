"""Kill swaps of a clip at random moments, run them again, and compare with a swap nobody disturbed.

    python examples/kill_and_resume.py clip.mp4 --source me.jpg --kills 50

Every run is a process of its own that gets SIGKILL; the same command then runs to its end. Held against the bar: the
same bytes, nothing under the final name after a kill, no work folder at the end. Stretches are cut every
two seconds of the clip's own clock, so the default part, seconds 1 to 3, is two. The exit code is 1 when a run missed.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from faceswap_cli.media.segments import file_sha256


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run that was killed and resumed."""

    moment: float  # seconds after its start
    killed: bool  # False: it had ended before
    resumed_frames: int
    missed: tuple[str, ...]  # bars

    def __str__(self) -> str:
        how = "killed" if self.killed else "ended before"
        verdict = "; ".join(self.missed) or "equal"
        return f"{self.moment:6.2f} s  {how:12s}  {self.resumed_frames:4d} frames resumed  {verdict}"


def main() -> int:
    """Swap once in peace, then as often as asked for with a kill."""
    arguments = parse()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        whole = Path(folder, f"whole{arguments.clip.suffix}")
        begun = time.monotonic()
        subprocess.run(command(arguments, whole), check=True, capture_output=True)
        seconds = time.monotonic() - begun
        print(f"undisturbed: {seconds:.2f} s", flush=True)
        outcomes = []
        while len(outcomes) < arguments.kills and time.monotonic() - begun < arguments.minutes * 60:
            moment = chance.uniform(0, 1.05 * seconds)
            outcomes.append(kill_and_resume(arguments, Path(folder, "again", whole.name), moment, file_sha256(whole)))
            print(outcomes[-1], flush=True)
            if not outcomes[-1].killed and not outcomes[-1].missed:
                seconds = min(seconds, moment)  # the machine has become faster: later moments would kill nothing
    return report(outcomes)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--source", type=Path, required=True, help="photo of the face to put in")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=60, help="begin no further run after so long")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--start", default="1", help="seconds of the clip, as swap-video takes them")
    parser.add_argument("--end", default="3", help="seconds of the clip, as swap-video takes them")
    parser.add_argument("--face-pack", help="instead of the embedded detector")
    parser.add_argument("--model", help="instead of the embedded generator")
    return parser.parse_args()


def command(arguments: argparse.Namespace, output: Path) -> list[str]:
    """Return the command line of one run."""
    given = ["--source", arguments.source, "--input", arguments.clip, "--output", output]
    given += ["--start", arguments.start, "--end", arguments.end]
    given += ["--face-pack", arguments.face_pack] if arguments.face_pack else []
    given += ["--model", arguments.model] if arguments.model else []
    return [sys.executable, "-m", "faceswap_cli", "swap-video", "--json", *map(str, given)]


def kill_and_resume(arguments: argparse.Namespace, output: Path, moment: float, wanted: str) -> Outcome:
    """Kill one run after `moment` seconds, run it again to the end, and compare."""
    output.parent.mkdir()
    missed = []
    code = kill_after(command(arguments, output), moment)
    killed = code == -signal.SIGKILL
    if code not in (0, -signal.SIGKILL):
        missed.append(f"the first run ends by itself with code {code}")
    if killed and output.exists() and file_sha256(output) != wanted:
        missed.append("a file that is not whole lay under the final name")
    resumed_frames = 0
    if not output.exists() or len(list(output.parent.iterdir())) > 1:  # else all was done
        force = ["--force"] if output.exists() else []  # killed after the naming, before the cleaning up
        resumed_frames, complaint = run_to_the_end([*command(arguments, output), *force])
        missed += complaint
    if not output.exists() or file_sha256(output) != wanted:
        missed.append("the result differs")
    output.unlink(missing_ok=True)
    missed += [f"{path.name} stays behind" for path in output.parent.iterdir()]
    shutil.rmtree(output.parent)
    return Outcome(moment, killed, resumed_frames, tuple(missed))


def kill_after(words: list[str], moment: float) -> int:
    """Start a run, kill it after so many seconds, and return its exit code, which is minus SIGKILL when it was."""
    process = subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode


def run_to_the_end(words: list[str]) -> tuple[int, list[str]]:
    """Run a command whole; return how many frames it took over, and what went wrong."""
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode != 0:
        return 0, [f"the second run ends with code {done.returncode}: {done.stderr.decode()[-200:]}"]
    return int(json.loads(done.stdout)["resumed_frames"]), []


def report(outcomes: list[Outcome]) -> int:
    """Print the sums; return the exit code."""
    killed = [outcome for outcome in outcomes if outcome.killed]
    resumed = sum(outcome.resumed_frames > 0 for outcome in killed)
    missed = sum(bool(outcome.missed) for outcome in outcomes)
    print(f"{len(outcomes)} runs, {len(killed)} killed, {resumed} of them resumed frames, {missed} missed the bar")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
