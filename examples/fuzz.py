"""Damage real files and open them: only errors meant for the user may come out, in bounded time and memory.

    python examples/fuzz.py FACESWAP_DATA --cases 2000 --console 100 --seed 0

Clips, photos, networks, checkpoints, manifests of broken runs and tables of pairs are opened in a worker process, which
is watched and replaced when it hangs or dies; then such files go through the command line. A finding names the seed and
number of its case; `--only N` opens that one alone. The exit code is 1 when there was a finding.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

from av.packet import Packet
from PIL import Image

from faceswap_cli.engines.metadata import read_metadata
from faceswap_cli.engines.select import open_network
from faceswap_cli.errors import FaceSwapError
from faceswap_cli.evaluation.pairs import read_pairs
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.provenance import read_provenance
from faceswap_cli.media.reader import open_clip
from faceswap_cli.media.segments import Segment, SegmentStore, file_sha256, part_path, read_packets, write_packet
from faceswap_cli.media.writer import ClipWriter, plan_output
from faceswap_cli.networks.readers.pickles import read_state
from faceswap_cli.options import Options
from faceswap_cli.store import models
from faceswap_cli.store.importing import import_file
from faceswap_cli.types import Swapped

CASE_SECONDS, CONSOLE_SECONDS = 20, 60
ADDRESS_SPACE = 8 << 30  # bytes a worker may map, libraries included
LARGEST_GROWTH = 1 << 30  # bytes of memory one case may add to what its worker ever held
CASES_PER_WORKER = 200
FRAMES_READ = 6
FINGERPRINT = "0" * 64  # of the work whose manifest is damaged
SEED_CLIPS = ("vr_3.mp4", "fs_test_240p_5fps.mp4", "intel_asl_milk.mkv")
SEED_CONTAINERS = (".mp4", ".mov", ".webm", ".gif", ".avi")
SEED_PHOTOS = ("simswap/6.jpg", "simswap/DST_01.jpg", "face_recognition/alex-lacamoire.png", "deepface/img5.jpg")
SEED_NETWORKS = ("detect/yunet_n_dynamic.onnx", "pose/fsanet-1x1-iter-688590.onnx")
SEED_CHECKPOINTS = ("parse/faceparse_unet467k.pth", "identity/mobilefacenet_foamliu.pt")
OTHER_SUFFIXES = (".jpg", ".png", ".tif", ".webp", ".mp4", ".mkv", ".gif", ".onnx", ".pth", ".zip", "")
DOCUMENTED = {0, 2, 3, 4, 5, 6}  # exit codes; 1 is a bug by its own words, and nobody interrupts
Seeds = dict[str, list[Path]]  # whole files by kind
SHARES = {"photo": 30, "clip": 30, "network": 10, "checkpoint": 12, "manifest": 12, "table": 6}
CONSOLE_SHARES = {"clip": 6, "photo": 6, "network": 1, "checkpoint": 1}


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged file."""

    number: int
    kind: str
    path: Path
    wounds: tuple[str, ...]

    def __str__(self) -> str:
        return f"case {self.number}: {self.kind} {self.path.name} ({', '.join(self.wounds)})"


def main() -> int:
    """Run both rounds, print findings and figures."""
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch)
        os.environ["FACESWAP_HOME"] = str(folder / "home")
        seeds = gather(arguments.data, folder / "seeds")
        numbers = [arguments.only] if arguments.only is not None else list(range(arguments.cases))
        findings = run_watched(arguments.seed, seeds, folder, numbers)
        if arguments.only is None:
            findings += run_console(arguments, seeds, folder)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of real clips, photos and weights (FACESWAP_DATA)")
    parser.add_argument("--cases", type=int, default=2000, help="files opened in process")
    parser.add_argument("--console", type=int, default=100, help="files given to the command line")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--only", type=int, help="number of the one case to run in process")
    parser.add_argument("--face-pack", type=Path, help="of swaps and faces, instead of the embedded detector")
    parser.add_argument("--model", help="of swaps, instead of the embedded generator")
    return parser.parse_args()


# --- what is damaged


def gather(data: Path, folder: Path) -> Seeds:
    """Collect real files by kind, some of them written again in further formats."""
    folder.mkdir()
    clips = [data / "clips" / name for name in SEED_CLIPS]
    photos = [data / "photos" / name for name in SEED_PHOTOS]
    embedded = [models.weights_folder() / name for name in ("parser.onnx", "lite.onnx")]
    checkpoints = [data / "weights" / name for name in SEED_CHECKPOINTS]
    work = unfinished_work(folder)
    return {
        "clip": clips + [shortened(clips[0], folder / f"short{suffix}") for suffix in SEED_CONTAINERS],
        "photo": photos + list(rewritten(photos[0], folder)),
        "network": [path for path in embedded if path.is_file()] + [data / "weights" / name for name in SEED_NETWORKS],
        "checkpoint": checkpoints,
        "manifest": [work / "manifest.jsonl"],
        "table": [table_of(photos, folder / "pairs.csv")],
    }


def shortened(clip_path: Path, output: Path) -> Path:
    """Write the first frames of a clip into another container."""
    with open_clip(clip_path) as clip:
        plan = plan_output(clip, output, Options(quality=20))
        with ClipWriter(plan) as writer:
            for frame in islice(clip.frames(), FRAMES_READ):
                writer.write(Swapped(frame, (), faces_found=1))
            writer.finish()
    return output


def rewritten(photo: Path, folder: Path) -> Iterator[Path]:
    """Write a photo in other formats, with and without 16 bits."""
    with Image.open(photo) as image:
        small = image.convert("RGB").resize((96, 96))
    for suffix in (".png", ".tif", ".webp", ".avif", ".bmp", ".gif", ".jpg"):
        path = folder / f"small{suffix}"
        small.save(path, **({"exif": exif()} if suffix in (".jpg", ".webp", ".tif") else {}))
        yield path
    for suffix in (".png", ".tif"):
        small.convert("I;16").save(folder / f"deep{suffix}")
        yield folder / f"deep{suffix}"


def exif() -> Image.Exif:
    """Return EXIF data that names a program and a turn."""
    tags = Image.Exif()
    tags[0x0131], tags[0x0112] = "a program", 6
    return tags


def unfinished_work(folder: Path) -> Path:
    """Leave the work folder of a run that was cut off after some stretches."""
    store = SegmentStore(folder / "work", FINGERPRINT)
    store.open()
    for number in range(5):
        packet = Packet(bytes(range(100)))
        packet.pts = number
        path = part_path(store.folder, number)
        with path.open("wb") as file:
            write_packet(file, packet, 1)
        size, digest = path.stat().st_size, file_sha256(path)
        store.add(Segment(number, 1, number, number, number, number, 0, 1, 1, size, digest), path)
    store.close()
    return store.folder


def table_of(photos: list[Path], path: Path) -> Path:
    """Write a table of pairs."""
    rows = [f"{one},{other},{other},1" for one in photos for other in photos]
    path.write_text("\n".join(["source,target,result,self", *rows]) + "\n")
    return path


def damaged(number: int, seed: int, seeds: Seeds, folder: Path, kinds: dict[str, int]) -> Case:
    """Make the file of one case; the same seed and number give the same file."""
    chance = random.Random(f"{seed} {number}")
    kind = chance.choices(list(kinds), list(kinds.values()))[0]
    whole = chance.choice(seeds[kind])
    content, wounds = wounded(whole.read_bytes(), chance)
    if kind == "manifest" and chance.random() < 0.5:
        content, wounds = misstated(whole.read_bytes(), chance), ("misstated",)
    suffix = whole.suffix
    if chance.random() < 0.1:
        suffix = chance.choice(OTHER_SUFFIXES)
        wounds = (*wounds, f"called {suffix or 'without suffix'}")
    path = folder / f"{number}-{whole.stem}{suffix}"
    path.write_bytes(content)
    if kind == "manifest":
        path = spoiled_work(whole.parent, content, folder / f"{number}-work")
    return Case(number, kind, path, wounds)


def spoiled_work(work: Path, manifest: bytes, folder: Path) -> Path:
    """Lay a damaged manifest beside whole packet files."""
    folder.mkdir()
    for path in work.glob("*.packets"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "manifest.jsonl").write_bytes(manifest)
    return folder


def wounded(content: bytes, chance: random.Random) -> tuple[bytes, tuple[str, ...]]:
    """Damage a file in one to three ways; one in a hundred loses everything."""
    if chance.random() < 0.01:
        return b"", ("emptied",)
    broken, done = bytearray(content), []
    for wound in chance.choices(WOUNDS, k=chance.choice([1, 1, 1, 2, 3])):
        if broken:
            wound(broken, place_in(broken, chance), chance)
            done.append(wound.__name__)
    return bytes(broken), tuple(done)


def misstated(manifest: bytes, chance: random.Random) -> bytes:
    """Change one value of a manifest, and leave it a manifest."""
    records = [json.loads(line) for line in manifest.splitlines()]
    record = chance.choice(records)
    wrong = [None, "x", "../x", [], {}, -1, 0, 1 << 70, 1.5, True]
    record[chance.choice([*record, "unheard of"])] = chance.choice(wrong)
    return b"".join(json.dumps(each).encode() + b"\n" for each in records)


def place_in(broken: bytearray, chance: random.Random) -> int:
    """Draw where to strike: half of the times near the beginning, a tenth near the end."""
    size = len(broken)
    near = chance.choices(["anywhere", "head", "tail"], [40, 50, 10])[0]
    reach = min(size, 2048)
    place = chance.randrange(reach if near == "head" else size)
    return size - 1 - place % reach if near == "tail" else place


def flip_bits(broken: bytearray, place: int, chance: random.Random) -> None:
    """Flip some bits near a place."""
    for _ in range(chance.choice([1, 1, 4, 30])):
        broken[min(len(broken) - 1, place + chance.randrange(200))] ^= 1 << chance.randrange(8)


def cut_off(broken: bytearray, place: int, chance: random.Random) -> None:
    """End the file at a place."""
    del broken[place:]


def put_in(broken: bytearray, place: int, chance: random.Random) -> None:
    """Put in random bytes."""
    broken[place:place] = chance.randbytes(chance.choice([1, 4, 300]))


def take_out(broken: bytearray, place: int, chance: random.Random) -> None:
    """Take a span out."""
    del broken[place : place + chance.choice([1, 4, 300, 5000])]


def double(broken: bytearray, place: int, chance: random.Random) -> None:
    """Repeat a span, perhaps many times."""
    span = broken[place : place + chance.choice([1, 8, 300, 5000])]
    broken[place:place] = span * chance.choice([1, 2, 40])


def blank_out(broken: bytearray, place: int, chance: random.Random) -> None:
    """Fill a span with zeros or ones."""
    span = broken[place : place + chance.choice([1, 4, 300, 5000])]
    broken[place : place + len(span)] = chance.choice([b"\0", b"\xff"]) * len(span)


def lie_about_length(broken: bytearray, place: int, chance: random.Random) -> None:
    """Put an extreme number where a length, count or offset may lie."""
    width = chance.choice([1, 2, 4, 8])
    largest = (1 << 8 * width) - 1
    number = chance.choice([0, 1, largest, largest >> 1, largest // 3, len(broken), chance.randrange(largest)])
    broken[place : place + width] = (number & largest).to_bytes(width, chance.choice(["little", "big"]))


def swap_spans(broken: bytearray, place: int, chance: random.Random) -> None:
    """Exchange two spans of four bytes, such as length fields."""
    other = place_in(broken, chance)
    one, two = broken[place : place + 4], broken[other : other + 4]
    broken[place : place + len(two)] = two
    broken[other : other + len(one)] = one


def change_letters(broken: bytearray, place: int, chance: random.Random) -> None:
    """Put in what text formats trip over."""
    broken[place : place + chance.choice([0, 1, 6])] = chance.choice(
        [b'"', b"{", b"[" * 3000, b"null", b"-1", b"1e999", b'"x"', b"\0", b"\xff\xfe", b"\n", b",,,,", b"9" * 5000]
    )


WOUNDS: list[Callable[[bytearray, int, random.Random], None]] = [
    flip_bits, cut_off, put_in, take_out, double, blank_out, lie_about_length, swap_spans, change_letters,
]  # fmt: skip


# --- in process


def run_watched(seed: int, seeds: Seeds, folder: Path, numbers: list[int]) -> list[str]:
    """Open every case in a worker that is replaced when it hangs or dies; return the findings."""
    findings, outcomes, largest, begun = [], Counter[str](), 0, time.monotonic()
    waiting = list(numbers)
    while waiting:
        for answer in in_worker(seed, seeds, folder, waiting[:CASES_PER_WORKER]):
            waiting.pop(0)
            outcomes[answer["kind"] + " " + answer["outcome"]] += 1
            largest = max(largest, answer["peak"])
            if answer["finding"]:
                findings.append(f"seed {seed}, {answer['case']}: {answer['finding']}")
                print(findings[-1], flush=True)
    print(f"in process: {len(numbers)} cases in {time.monotonic() - begun:.0f} s, largest worker {largest >> 20} MiB")
    print(*(f"  {count:5d} {outcome}" for outcome, count in sorted(outcomes.items())), sep="\n", flush=True)
    return findings


def in_worker(seed: int, seeds: Seeds, folder: Path, numbers: list[int]) -> Iterator[dict[str, object]]:
    """Yield one answer a case, the last of them for the case that hung or killed the worker."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=work_through, args=(theirs, seed, seeds, folder, numbers))
    worker.start()
    theirs.close()
    lost = {"kind": "?", "case": f"case {numbers[0]}", "peak": 0, "outcome": "lost the worker"}
    try:
        ours.recv()  # ready: what it takes to import is no case's own time
        for number in numbers:
            lost |= {"case": f"case {number}"}
            if not ours.poll(CASE_SECONDS):
                yield lost | {"finding": f"hangs for {CASE_SECONDS} s"}
                return
            yield ours.recv()
    except EOFError:
        worker.join()
        yield lost | {"finding": f"ends the interpreter ({worker.exitcode})"}
    finally:
        worker.kill()
        worker.join()


def work_through(answers: Connection, seed: int, seeds: Seeds, folder: Path, numbers: list[int]) -> None:
    """Open case after case and answer what became of each."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the libraries' own words about broken files
    for path in seeds["photo"][-1:]:
        read_photo(path)
    answers.send("ready")
    for number in numbers:
        before = peak_bytes()
        case = damaged(number, seed, seeds, folder, SHARES)
        outcome, finding = opened(case)
        if peak_bytes() - before > LARGEST_GROWTH:
            finding = finding or f"takes {(peak_bytes() - before) >> 20} MiB of memory"
        clear(folder)
        answers.send(
            {"kind": case.kind, "case": str(case), "outcome": outcome, "finding": finding, "peak": peak_bytes()}
        )


def opened(case: Case) -> tuple[str, str]:
    """Open a case in every way that fits its kind; return the outcome and the finding, if it is one."""
    outcome = "opened"
    for way in WAYS[case.kind]:
        try:
            way(case.path)
        except FaceSwapError as error:
            outcome = "refused"
            if error.exit_code == 1 or not str(error):
                return "finding", f"{way.__name__}: {type(error).__name__}: {error}"
        except BaseException as error:
            return "finding", f"{way.__name__}: {type(error).__name__}: {str(error)[:200]}"
    return outcome, ""


def read_frames(path: Path) -> None:
    """Decode the first frames of a clip."""
    with open_clip(path) as clip:
        for _ in islice(clip.frames(), FRAMES_READ):
            pass


def bring_in(path: Path) -> None:
    """Import a network, then check and find it."""
    entry = import_file(path)
    models.locate(entry.name)


def run_network(path: Path) -> None:
    """Open a network as the swapper opens one."""
    read_metadata(path)
    open_network(path, "cpu", threads=1)


def resume(folder: Path) -> None:
    """Take up the work a manifest names, as a writer does."""
    store = SegmentStore(folder, FINGERPRINT)
    store.open()
    for segment in store.finished:
        list(read_packets(store.path(segment)))
    next_pts = [segment.last_input_pts + segment.last_pts + 1 for segment in store.finished]
    assert store.resumed_frames >= len(next_pts), "a stretch without frames"
    store.close()


def peak_bytes() -> int:
    """Return the most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def clear(folder: Path) -> None:
    """Delete what a case left, the seeds apart."""
    for path in folder.iterdir():
        if path.name == "seeds":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


WAYS: dict[str, list[Callable[[Path], object]]] = {
    "clip": [read_frames, read_provenance],
    "photo": [read_photo, read_provenance],
    "network": [run_network, bring_in],
    "checkpoint": [read_state, bring_in],
    "manifest": [resume],
    "table": [read_pairs],
}


# --- through the command line


def run_console(arguments: argparse.Namespace, seeds: Seeds, folder: Path) -> list[str]:
    """Give damaged files to the program itself; return the findings."""
    findings, codes, begun = [], Counter[str](), time.monotonic()
    for number in range(arguments.console):
        case = damaged(
            number, arguments.seed + 1, seeds, folder, {"clip": 6, "photo": 6, "network": 1, "checkpoint": 1}
        )
        output = folder / f"{number}-result{case.path.suffix}"
        words = command_for(case, number, arguments, output)
        finding, code = judged(words, output)
        codes[f"{words[0]} {code}"] += 1
        if finding:
            findings.append(f"console, seed {arguments.seed + 1}, {case}: {words[0]}: {finding}")
            print(findings[-1], flush=True)
        clear(folder)
    print(f"console: {arguments.console} cases in {time.monotonic() - begun:.0f} s; exit codes:")
    print(*(f"  {count:5d} {outcome}" for outcome, count in sorted(codes.items())), sep="\n", flush=True)
    return findings


def command_for(case: Case, number: int, arguments: argparse.Namespace, output: Path) -> list[str]:
    """Choose a command for a case: for pictures verify, faces or a swap in turn."""
    if case.kind in ("network", "checkpoint"):
        return ["models", "import", str(case.path)]
    if number % 3 == 0:
        return ["verify", str(case.path)]
    given = ["--face-pack", str(arguments.face_pack)] if arguments.face_pack else []
    given += ["--end", "0.2"] if case.kind == "clip" else []
    if number % 3 == 1:
        return ["faces", str(case.path), *given]
    given += ["--model", arguments.model] if arguments.model else []
    source = str(arguments.data / "photos" / SEED_PHOTOS[0])
    command = "swap-video" if case.kind == "clip" else "swap-image"
    return [command, "--source", source, "--input", str(case.path), "--output", str(output), *given]


def judged(words: list[str], output: Path) -> tuple[str, int | None]:
    """Run one command line; return the finding, if it is one, and the exit code."""
    program = [sys.executable, "-m", "faceswap_cli", *words]
    try:
        done = subprocess.run(program, capture_output=True, timeout=CONSOLE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"hangs for {CONSOLE_SECONDS} s", None
    said = done.stderr.decode(errors="replace")
    if "Traceback" in said or done.returncode not in DOCUMENTED:
        return f"exit code {done.returncode}: {said[-300:]}", done.returncode
    if done.returncode != 0 and output.exists():
        return f"exit code {done.returncode}, yet there is a result", done.returncode
    return "", done.returncode


if __name__ == "__main__":
    sys.exit(main())
