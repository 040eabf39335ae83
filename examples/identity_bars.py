"""Say how often small portraits swapped into others are taken for their source, by two recognisers.

    python examples/identity_bars.py DATA [--pairs 60] [--output DIR] [--model mine.onnx --shape 0.8 ...]

Portraits of US Congress (66 to 130 px of face) go into portraits of CelebA-HQ, all of the reporting people
(`evaluation/splits.py`); every other held-out person of both sets stands in the gallery. Options this program does not
know are those of `faceswap swap-image`; `--version` takes another checkout or ready results instead, see versions.py.
The draw is fixed, so two versions are judged by the same pairs.
"""

import argparse
import random
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from versions import Version, read_version

from faceswap_cli import Options
from faceswap_cli.errors import FaceSwapError, UsageError
from faceswap_cli.evaluation.options import MEASURES, EvaluateOptions, JudgeFiles
from faceswap_cli.evaluation.score import Evaluation, Pair, evaluate, means
from faceswap_cli.evaluation.splits import photos_by_person

SEED = 0
SOURCES, TARGETS = ("congress", "."), ("celebahq", "images")
THRESHOLD = 0.5  # the swapper's own 0.75 may miss a portrait that the face fills
SHOWN = (
    *("retrieval", "still_target", "cosine_source", "cosine_target"),
    *("dlib_retrieval", "dlib_target", "dlib_distance", "dlib_distance_target"),
    *("pose_degrees", "expression", "gaze", "source_face", "target_face"),
)


@dataclass(frozen=True, slots=True)
class Draw:
    """Which swaps are made and who else may be taken for."""

    pairs: list[tuple[Path, Path]]
    gallery: list[Path]


def main() -> int:
    """Draw, swap, judge, print; return the exit code."""
    arguments, words = parse()
    try:
        version = version_of(arguments.version, words)
        draw = draw_pairs(arguments.data / "faces", arguments.pairs)
        arguments.output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            evaluation, failed = judge(draw, version, arguments, Path(folder))
    except FaceSwapError as error:
        print(f"identity_bars: {error}", file=sys.stderr)
        return error.exit_code
    print(told(evaluation, version, failed))
    return 0


def parse() -> tuple[argparse.Namespace, list[str]]:
    """Read the command line; return what is for the swaps apart."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of real photos and judges")
    parser.add_argument("--pairs", type=int, default=60, help="how many are swapped")
    parser.add_argument("--output", type=Path, default=Path("identity-bars"), help="folder for the swaps")
    parser.add_argument("--reuse", action="store_true", help="judge the swaps that are there, make the others")
    parser.add_argument("--version", help="NAME=WORDS: another checkout, or a folder of ready results")
    parser.add_argument("--threads", type=int, help="CPU threads; all cores without it")
    return parser.parse_known_args()


def version_of(text: str | None, words: list[str]) -> Version:
    """Return what swaps: the named version, or this checkout with the options."""
    if text is None:
        return Version("this", tuple(words))
    if words:
        raise UsageError(
            f"write {shlex.join(words)} behind the version's name: --version 'NAME=PATH {shlex.join(words)}'"
        )
    return read_version(text)


def draw_pairs(faces: Path, count: int) -> Draw:
    """Draw pairs of the reporting people: nobody is a source twice before everybody was one, nor a target."""
    lists = []
    for name, pictures in (SOURCES, TARGETS):
        people = photos_by_person(faces / name, pictures, ("reporting",))
        order = sorted(people)
        random.Random(SEED).shuffle(order)
        lists.append([people[person][0] for person in order])
    sources, targets = ([photos[number % len(photos)] for number in range(count)] for photos in lists)
    held_out = [
        photos[0]
        for name, pictures in (SOURCES, TARGETS)
        for photos in photos_by_person(faces / name, pictures, ("tuning", "reporting")).values()
    ]
    return Draw(list(zip(sources, targets, strict=True)), sorted({*held_out} - {*sources, *targets}))


def judge(draw: Draw, version: Version, arguments: argparse.Namespace, folder: Path) -> tuple[Evaluation, int]:
    """Make the swaps and judge them; return also in how many no face was found."""
    made = []
    threads = () if arguments.threads is None else ("--threads", str(arguments.threads))
    for number, (source, target) in enumerate(draw.pairs, 1):
        result = arguments.output / f"{number:03d}.png"
        swapped = version.swap(source, target, result, ("--det-threshold", str(THRESHOLD), *threads), arguments.reuse)
        made += [Pair(source, target, swapped)] if swapped else []
        if number % 10 == 0:
            print(f"{number}/{len(draw.pairs)} swapped", file=sys.stderr, flush=True)
    for number, photo in enumerate(draw.gallery):
        shutil.copy(photo, folder / f"{number:03d}{photo.suffix}")
    options = Options(det_threshold=THRESHOLD, threads=arguments.threads)
    evaluation = evaluate(
        made, EvaluateOptions(judges=JudgeFiles(threads=options.threads), swap=options, gallery=folder)
    )
    return evaluation, len(draw.pairs) - len(made)


def told(evaluation: Evaluation, version: Version, failed: int) -> str:
    """Say what was found, a line a measure."""
    found = means(evaluation.rows)
    head = f"{version.name}: {shlex.join(version.words) or 'as it is'}"
    lines = [f"{head}; {len(evaluation.rows)} swaps, {failed} without a face, gallery of {evaluation.gallery_size}"]
    for name in SHOWN:
        value, unit = found[name], MEASURES[name].unit
        shown = "-" if value is None else f"{value:.1f}" if unit == "px" else f"{value:.3f}"
        lines.append(f"{name:24s}{shown:>9s} {unit}")
    return "\n".join([*lines, *evaluation.notes])


if __name__ == "__main__":
    sys.exit(main())
