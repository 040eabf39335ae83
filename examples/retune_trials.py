"""Try values of a number: swap photos of tuning people with copies of the code that have them, and judge the swaps.

Sources are portraits of CelebA-HQ and US Congress by turns, targets of CelebA-HQ, nobody a target twice, all of the
tuning people (`evaluation/splits.py`); some targets are swapped with themselves too. The draw is fixed, so all values
are judged by the same pairs. What a copy has swapped is kept by a digest of its code, and not swapped again.
"""

import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from tuned import ROOT, Number, Value, write_number

from faceswap_cli import Options
from faceswap_cli.errors import FaceSwapError, NoFaceError, UsageError
from faceswap_cli.evaluation.clips import PHOTO_VIEWS
from faceswap_cli.evaluation.options import EvaluateOptions, JudgeFiles
from faceswap_cli.evaluation.score import Pair, Row, evaluate, means
from faceswap_cli.evaluation.splits import photos_by_person
from faceswap_cli.media.photo import read_photo
from faceswap_cli.stages.detect import open_detector

SEED = 0
TARGETS, OTHERS = ("celebahq", "images"), ("congress", ".")  # set and folder of its pictures
THRESHOLD = 0.5  # the swapper's own 0.75 may miss a portrait that the face fills
MEASURES = {
    "cosine_source": "cosine",
    "cosine_target": "to target",
    "expression": "expression",
    "gaze": "gaze",
    "pose_degrees": "pose",
    "crop_psnr": "self dB",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What one value comes to."""

    value: Value
    swaps: int  # of how many pairs
    selves: int  # and how many photos with themselves
    figures: dict[str, float]  # means, by what the table calls them; NaN where no judge tells
    moved: float  # levels of 255: mean difference of the face's picture from that of today's value
    error: float  # standard error of the cosine's mean difference from that of today's value

    def __str__(self) -> str:
        figures = self.figures | {"moved": self.moved}
        return f"{self.value}: {', '.join(f'{name} {_shown(figure)}' for name, figure in figures.items())}"


def _shown(figure: float) -> str:
    return "-" if np.isnan(figure) else f"{figure:#.3g}".rstrip(".")


def draw_pairs(faces: Path, count: int, selves: int) -> list[tuple[Path, Path]]:
    """Return (source, target) of tuning people, then targets with themselves; raise UsageError for too few people."""
    people, others = (shuffled(faces / name, pictures) for name, pictures in (TARGETS, OTHERS))
    targets = people[:count]
    sources = [each for each in chain(*zip_longest(people[count:], others)) if each is not None][:count]
    if not selves <= count == len(targets) == len(sources):
        raise UsageError(f"{count} pairs and {selves} self-swaps: give 1 to {len(people)} pairs, no more self-swaps")
    return [*zip(sources, targets, strict=True), *((each, each) for each in targets[:selves])]


def shuffled(folder: Path, pictures: str) -> list[Path]:
    """Return a photo of each tuning person of a set, in an order that is always the same."""
    photos = photos_by_person(folder, pictures, ("tuning",))
    people = sorted(photos)
    random.Random(SEED).shuffle(people)
    return [photos[person][0] for person in people]


def try_values(number: Number, values: list[Value], pairs: list[tuple[Path, Path]], output: Path) -> list[Trial]:
    """Swap all pairs with each value and judge them; today's value comes first."""
    made = []
    for value in values:
        with checkout(number, value) as (root, digest):
            made.append(swapped(root, pairs, output / digest))
    judged = [
        [Pair(*each, result, each[0] == each[1]) for each, result in zip(pairs, done, strict=True)] for done in made
    ]
    options = EvaluateOptions(judges=JudgeFiles(threads=1), swap=Options(det_threshold=THRESHOLD, threads=1))
    known = seen({source for source, _ in pairs}, options.swap)
    everywhere = [
        row
        for row in zip(*judged, strict=True)
        if row[0].source in known and all(pair.result.is_file() for pair in row)
    ]
    if all(row[0].is_self for row in everywhere):
        raise NoFaceError(f"no pair could be swapped with all values: see states.jsonl in the folders of {output}")
    rows = evaluate([pair for row in zip(*everywhere, strict=True) for pair in row], options).rows
    count = len(everywhere)
    groups = [rows[start : start + count] for start in range(0, len(rows), count)]
    spent = [milliseconds(done[0].parent / "states") for done in made]
    return [trial(*each, groups[0]) for each in zip(values, spent, groups, strict=True)]


def seen(photos: set[Path], options: Options) -> set[Path]:
    """Return the photos in which the judges see a source; of a tight one a swap may see more than they."""
    detector = open_detector(None, options)
    return {path for path in photos if detector.detect(read_photo(path).frame.rgb, PHOTO_VIEWS)}


def trial(value: Value, spent: float, rows: tuple[Row, ...], today: tuple[Row, ...]) -> Trial:
    """Sum up what a value comes to beside today's; `spent` is in milliseconds a face."""
    found = means(rows)
    figures = {shown: np.nan if found[name] is None else float(found[name]) for name, shown in MEASURES.items()}
    both = [(one, other) for one, other in zip(rows, today, strict=True) if not one.pair.is_self]
    moved = [np.abs(one.thumbnails[-1].astype(int) - other.thumbnails[-1]).mean() for one, other in both]
    gained = np.array([[each.values["cosine_source"] for each in row] for row in both], float) @ [1, -1]
    figures["ms"], error = spent, float(gained.std() / len(gained) ** 0.5)
    return Trial(value, len(both), len(rows) - len(both), figures, float(np.mean(moved)), error)


@contextmanager
def checkout(number: Number, value: Value) -> Iterator[tuple[Path, str]]:
    """Make a copy of the code that has another value, for a while; yield its folder and a digest of it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(ROOT / "faceswap_cli", root / "faceswap_cli")
        (root / "weights").symlink_to(ROOT / "weights")
        write_number(root, number, value)
        files = [*sorted((root / "faceswap_cli").rglob("*.py")), ROOT / "weights" / "catalogue.toml"]
        yield root, hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()[:16]


def swapped(root: Path, pairs: list[tuple[Path, Path]], folder: Path) -> list[Path]:
    """Let a checkout swap all pairs into a folder; return where the results are, those that came to be."""
    folder.mkdir(parents=True, exist_ok=True)
    results = [folder / f"{source.stem}-{target.stem}.png" for source, target in pairs]
    with (folder / "jobs.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("source", "input", "output"))
        rows.writerows([*map(Path.resolve, pair), each.name] for pair, each in zip(pairs, results, strict=True))
    words = (
        "batch",
        "--jobs",
        folder / "jobs.csv",
        "--manifest",
        folder / "states.jsonl",
        "--retry",
        "failed",
        "--quiet",
    )
    options = ("--threads", "1", "--device", "cpu", "--det-threshold", THRESHOLD)
    # -P: without it the folder one stands in, this checkout perhaps, comes before the copy
    line = [sys.executable, "-P", "-m", "faceswap_cli", *map(str, (*words, *options))]
    variables = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(line, capture_output=True, text=True, env=variables, check=False)
    if done.returncode not in (0, NoFaceError.exit_code):
        raise FaceSwapError(f"the swaps in {folder} failed: {(done.stderr.strip() or 'no word').splitlines()[-1]}")
    return results


def milliseconds(folder: Path) -> float:
    """Return how long the corrections took for a face in the swaps of a folder, by their reports."""
    reports = [json.loads(path.read_text()) for path in (folder / "reports").glob("*.json")]
    spent = [each["stage_milliseconds"] for each in reports if "error" not in each]
    return float(np.mean([each.get("fit", 0.0) + each.get("finish", 0.0) for each in spent]))
