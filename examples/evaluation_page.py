"""Measure the shipped networks on people that no training saw, and write the page that says how good they are.

    python examples/evaluation_page.py DATA [--output weights/EVALUATION.md]

DATA is the folder of real photos, clips and judges. 36 sources are swapped into 36 other people (48 drawn pairs, and
each target with itself), every other held-out person fills the gallery, and three people are swapped into three clips.
Sources and targets are of the reporting people alone: what is set by hand is set on the tuning people
(`evaluation/splits.py`), who only stand in the gallery. Seeds are fixed, so the same networks give the same page.
"""

import argparse
import os
import platform
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import numpy as np
from main_job import CLIPS, SOURCES

from faceswap_cli import Options
from faceswap_cli.errors import FaceSwapError, NoFaceError
from faceswap_cli.evaluation import measures
from faceswap_cli.evaluation.clips import Examiner, Portrait
from faceswap_cli.evaluation.dlib_judge import FILES as DLIB_FILES
from faceswap_cli.evaluation.judges import FACE_FILE, GAZE_FILE, MESH_FILE, POSE_FILES, open_judges
from faceswap_cli.evaluation.options import MEASURES, EvaluateOptions, JudgeFiles
from faceswap_cli.evaluation.pairs import draw_pairs, make_self_swaps, make_swaps
from faceswap_cli.evaluation.report import OTHER_DATA, PUBLISHED
from faceswap_cli.evaluation.score import Evaluation, Pair, Value, evaluate, means
from faceswap_cli.evaluation.splits import part_of, photos_by_person
from faceswap_cli.media.photo import read_photo
from faceswap_cli.stages.detect import THRESHOLD as OWN_THRESHOLD
from faceswap_cli.stages.detect import Detect, open_detector
from faceswap_cli.store import models

SEED = 0
SETS = {"celebahq": ("images", 24), "congress": (".", 12)}  # folder of the pictures, sources (and targets) drawn
PAIRS = 48
THRESHOLD = 0.5  # the swapper's own 0.75 may miss a portrait that the face fills
PRESS_PHOTOS = 0.475  # mean cosine MobileFace V2 gives two varied press photos of one person
PACKAGES = ("numpy", "onnxruntime", "opencv-python", "av", "insightface")
GENERATORS = (Options().model, "mobile")  # those that are there are measured
OTHERS = ("encoder", "detector", "parser", "points")

Wanted = TypeVar("Wanted")


@dataclass(frozen=True, slots=True)
class Bar:
    """What a measure should reach, on the portraits or on the clips."""

    what: str
    name: str
    on: str  # "portraits" or "clips"
    limit: float
    at_least: bool
    unit: str = ""
    factor: float = 1.0
    only: str = ""  # the one generator it is for; empty: for each

    def line(self, model: str, found: Value) -> str:
        """Say what a generator reached."""
        sign = ">=" if self.at_least else "<="
        wanted = f"{model}, {self.what}, {self.on}, {sign} {self.limit:g}{self.unit}"
        if found is None:
            return f"- not measured: {wanted}"
        value = self.factor * float(found)
        reached = value >= self.limit if self.at_least else value <= self.limit
        return f"- {'reached' if reached else 'MISSED'}: {wanted}: **{value:.3g}{self.unit}**"


BARS = (
    Bar("retrieval, trained on a CPU alone", "retrieval", "portraits", 40, True, " %", 100, "lite"),
    Bar("retrieval, trained on a GPU", "retrieval", "portraits", 90, True, " %", 100, "lite"),
    Bar("retrieval, trained on a GPU", "retrieval", "portraits", 85, True, " %", 100, "mobile"),
    Bar("retrieval by dlib", "dlib_retrieval", "portraits", 80, True, " %", 100, "lite"),
    Bar("still the target by dlib", "dlib_target", "portraits", 5, False, " %", 100, "lite"),
    Bar("gain of the cosine to the source", "cosine_gain", "portraits", 0.12, True),
    Bar("gain of the cosine to the source", "cosine_gain", "clips", 0.12, True),
    Bar("pose change", "pose_degrees", "portraits", 2.5, False, " degrees"),
    Bar("pose change", "pose_degrees", "clips", 2.5, False, " degrees"),
    Bar("expression change", "expression", "portraits", 15, False, " %", 100),
    Bar("expression change", "expression", "clips", 15, False, " %", 100),
    Bar("self-swap PSNR in the crop", "crop_psnr", "portraits", 28, True, " dB"),
    Bar("self-swap PSNR in the crop", "crop_psnr", "clips", 28, True, " dB"),
    Bar("steadiness, landmark jitter", "jitter", "clips", 1.5, False, " x"),
    Bar("steadiness, flicker", "flicker", "clips", 1.5, False, " x"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """What was measured of the portraits, or of the clips."""

    values: dict[str, Value]  # means by name of MEASURES
    swaps: int
    self_swaps: int
    gallery: int
    failed: int = 0  # pairs in which the swapper found no face


@dataclass(frozen=True, slots=True)
class Judged:
    """What was measured of one generator."""

    portraits: Part
    clips: Part
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything the page says."""

    generators: dict[str, Judged]  # by name
    same_person: tuple[float | None, float | None]  # mean cosine, and dlib's distance, of two of a held-out person
    same_people: int  # people it is the mean of
    passed_over: int  # portraits drawn in which the detector found no face
    seconds: float | None  # of each clip that were used; None means all
    versions: dict[str, str]
    networks: dict[str, str]  # first digits of the SHA-256 by name


@dataclass(slots=True)
class Drawn:
    """Who is judged: folders of sources, targets and the gallery."""

    folder: Path
    passed_over: int = 0
    repeated: list[list[Path]] = field(default_factory=list)  # photos of the people who have two or more

    def place(self, role: str) -> Path:
        """Return the folder of a role, made where it is not there."""
        path = self.folder / role
        path.mkdir(parents=True, exist_ok=True)
        return path


def main() -> int:
    """Measure, write; return the exit code."""
    arguments = parse()
    os.environ["FACESWAP_DATA"] = str(arguments.data)
    try:
        with tempfile.TemporaryDirectory() as folder:
            page = render(measure(arguments.data, Path(folder), arguments))
    except FaceSwapError as error:
        print(f"evaluation_page: {error}", file=sys.stderr)
        return error.exit_code
    arguments.output.write_text(page, encoding="utf-8")
    print(arguments.output)
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of real photos, clips and judges")
    usual = Path(__file__).resolve().parents[1] / "weights" / "EVALUATION.md"
    parser.add_argument("--output", type=Path, default=usual, help="the page")
    parser.add_argument("--seconds", type=Fraction, default=Fraction(2), help="of each clip that are used; 0 for all")
    parser.add_argument("--threads", type=int, help="CPU threads; all cores without it")
    return parser.parse_args()


def measure(data: Path, folder: Path, arguments: argparse.Namespace) -> Figures:
    """Draw the people, make every generator's swaps and judge them."""
    seconds = arguments.seconds or None
    options = Options(det_threshold=THRESHOLD, threads=arguments.threads, force=True)
    detector = open_detector(None, options)
    drawn = draw_people(data, folder / "people", detector)
    same, people = same_person(drawn, detector)
    judging = EvaluateOptions(judges=JudgeFiles(same_person=same[0]), swap=options, gallery=drawn.place("gallery"))
    generators = {}
    for name in present(GENERATORS):
        on_photos = replace(judging, swap=replace(options, model=name))
        on_clips = replace(judging, swap=replace(options, model=name, end=seconds))
        portraits = judge_portraits(drawn, folder / name, on_photos)
        generators[name] = Judged(portraits, *judge_clips(data, folder / name, on_clips))
    return Figures(
        generators,
        same,
        people,
        drawn.passed_over,
        float(seconds) if seconds else None,
        {"Python": platform.python_version()} | {name: version(name) for name in ("faceswap-cli", *PACKAGES)},
        {name: models.entry(name).sha256[:12] for name in present((*GENERATORS, *OTHERS))},
    )


def present(names: tuple[str, ...]) -> list[str]:
    """Return the embedded networks that are there."""
    return [name for name in names if models.is_present(models.entry(name))]


def draw_people(data: Path, folder: Path, detector: Detect) -> Drawn:
    """Copy one portrait of each held-out person into a role; those without a face for the detector are passed over.

    The reporting people come first: they are the sources and the targets, the rest of them and the tuning people the
    gallery.
    """
    drawn = Drawn(folder)
    for name, (pictures, count) in SETS.items():
        people = photos_by_person(data / "faces" / name, pictures, ("tuning", "reporting"))
        order = reporting_first(list(people))
        usable = []
        for person in order:
            seen = bool(detector.detect(read_photo(people[person][0]).frame.rgb))
            usable += [person] if seen else []
            drawn.passed_over += not seen
        for index, person in enumerate(usable):
            role = "sources" if index < count else "targets" if index < 2 * count else "gallery"
            shutil.copy(people[person][0], drawn.place(role) / f"{person}{people[person][0].suffix}")
        drawn.repeated += [people[person] for person in usable if len(people[person]) > 1]
    return drawn


def reporting_first(people: list[str]) -> list[str]:
    """Return held-out people shuffled with the seed, those of the reporting part before those of the tuning part."""
    order = sorted(people)
    random.Random(SEED).shuffle(order)
    return sorted(order, key=lambda person: part_of(person) == "tuning")


def same_person(drawn: Drawn, detector: Detect) -> tuple[tuple[float | None, float | None], int]:
    """Return the mean cosine and dlib's mean distance of two photos of one person, and how many have several."""
    examiner = Examiner(open_judges(JudgeFiles()), detector)
    found = []
    for photos in drawn.repeated:
        seen = [portrait for portrait in (looked_at(examiner, photo) for photo in photos) if portrait is not None]
        pairs = list(combinations(seen, 2))
        if pairs:
            cosines = [measures.cosine(one.embedding, other.embedding) for one, other in pairs]
            distances = [measures.distance(one.descriptor[None], other.descriptor) for one, other in pairs]
            found.append((np.mean(cosines), np.mean(distances)))
    cosine, apart = np.mean(found, axis=0) if found else (np.nan, np.nan)
    return (known(cosine), known(apart)), len(found)


def looked_at(examiner: Examiner, photo: Path) -> Portrait | None:
    """Return what the judges see in a photo, None where no face is found."""
    try:
        return examiner.source(photo)
    except NoFaceError:
        return None


def known(value: float) -> float | None:
    """Return a figure, None where a judge was not there."""
    return float(value) if np.isfinite(value) else None


def judge_portraits(drawn: Drawn, folder: Path, judging: EvaluateOptions) -> Part:
    """Make and judge the drawn pairs of portraits and the self-swaps."""
    wanted = draw_pairs(drawn.place("sources"), drawn.place("targets"), PAIRS, SEED)
    output = made_folder(folder / "portraits")
    targets = sorted(drawn.place("targets").iterdir())
    pairs, failed = attempt(wanted, lambda pair: make_swaps([pair], output, judging.swap, False), "portraits swapped")
    again, lost = attempt(targets, lambda path: make_self_swaps([path], output, judging.swap, False), "self-swaps")
    return part(evaluate(pairs + again, judging, told("portraits judged")), failed + lost)


def judge_clips(data: Path, folder: Path, judging: EvaluateOptions) -> tuple[Part, tuple[str, ...]]:
    """Make and judge the swaps of the clips."""
    clips = [data / "clips" / name for name in CLIPS]
    wanted = [(data / "photos" / source, clip) for clip in clips for source in SOURCES]
    output = made_folder(folder / "clips")
    pairs, failed = attempt(wanted, lambda pair: make_swaps([pair], output, judging.swap, False), "clips swapped")
    again, lost = attempt(clips, lambda path: make_self_swaps([path], output, judging.swap, False), "self-swaps")
    evaluation = evaluate(pairs + again, judging, told("clips judged"))
    return part(evaluation, failed + lost), evaluation.notes


def attempt(wanted: list[Wanted], make: Callable[[Wanted], list[Pair]], what: str) -> tuple[list[Pair], int]:
    """Make each swap; return those made and in how many no face was found."""
    made: list[Pair] = []
    failed, tell = 0, told(what)
    for number, each in enumerate(wanted, 1):
        try:
            made += make(each)
        except NoFaceError as error:
            print(f"evaluation_page: {error}", file=sys.stderr)
            failed += 1
        tell(number, len(wanted))
    return made, failed


def part(evaluation: Evaluation, failed: int) -> Part:
    """Sum an evaluation up."""
    again = sum(row.pair.is_self for row in evaluation.rows)
    return Part(means(evaluation.rows), len(evaluation.rows) - again, again, evaluation.gallery_size, failed)


def render(figures: Figures) -> str:
    """Return the page as Markdown; the same figures give the same text."""
    files = (FACE_FILE, *POSE_FILES, MESH_FILE, GAZE_FILE, *DLIB_FILES)
    judges = ", ".join(f"`{Path(name).name}`" for name in files)
    used = ", ".join(f"{name} {number}" for name, number in figures.versions.items())
    networks = ", ".join(f"{name} `{digest}`" for name, digest in figures.networks.items())
    length = f"the first {figures.seconds:g} seconds of each" if figures.seconds else "each whole"
    portraits = {name: judged.portraits for name, judged in figures.generators.items()}
    clips = {name: judged.clips for name, judged in figures.generators.items()}
    ceiling, apart = ("not measured" if value is None else f"{value:.3f}" for value in figures.same_person)
    blocks = [
        "# How good the shipped networks are",
        "Written by one command with fixed seeds, not by hand:\n\n"
        "```sh\npython examples/evaluation_page.py DATA --output weights/EVALUATION.md\n```",
        f"- **Networks** (SHA-256) {networks}\n- **Judges**, which no training used: {judges}\n- **Versions** {used}\n"
        "- **People** the portraits are of people whom no training saw in these sets: one in ten is kept out by a hash "
        "of the name (whether one of them is in another set under another name is not known). Sources and targets are "
        "the reporting half of these; the tuning half, on which whatever is set by hand is set, only fills the gallery "
        "(`faceswap_cli/evaluation/splits.py`). Clips, and the photos put into them, are in no training set\n"
        f"- **Detector threshold** {THRESHOLD} instead of the default {OWN_THRESHOLD}, which may miss a "
        f"portrait that the face fills; portraits passed over because no face was found even so: "
        f"{figures.passed_over}\n"
        f"- **Same person** two photos of one held-out person have a mean cosine of {ceiling} ({figures.same_people} "
        f"people; varied press photos have {PRESS_PHOTOS}); `same_person_share` is over that. It is high: a recogniser "
        f"sorted these sets into people, and some pairs are two scans of one photo. dlib's distance of them is {apart}",
        "## Bars",
        "\n".join(
            bar.line(name, getattr(judged, bar.on).values.get(bar.name))
            for name, judged in figures.generators.items()
            for bar in BARS
            if bar.only in ("", name)
        ),
        "## Portraits",
        told_part(portraits, "CelebA-HQ and US Congress, two thirds and one third"),
        table(portraits),
        "## Clips",
        told_part(clips, f"three people in three clips, {length}, every frame judged"),
        table(clips),
        "## Published figures",
        f"{OTHER_DATA[0].upper()}{OTHER_DATA[1:]}. As a review of MobileFaceSwap (AAAI 2022) quotes them; `retrieval` "
        "and `pose_l2` above are the same measures.",
        published(figures),
        *[f"Note on {name}: {note}." for name, judged in figures.generators.items() for note in judged.notes],
    ]
    return "\n\n".join(blocks) + "\n"


def told_part(parts: dict[str, Part], what: str) -> str:
    """Say what was judged: the same of every generator, but for swaps in which no face was found."""
    part = next(iter(parts.values()))
    failed = ", ".join(f"{name} {each.failed}" for name, each in parts.items())
    return (
        f"{part.swaps} swaps and {part.self_swaps} self-swaps: {what}. Gallery of {part.gallery} faces. "
        f"Swaps not made because no face was found: {failed}. Self-swaps enter `crop_psnr`, `outside_psnr` and "
        "the yes/no rows; the other rows are of the swaps. Cosines and retrieval lie in -1..1 and 0..1."
    )


def table(parts: dict[str, Part]) -> str:
    """Return every measure's mean for each generator, with its unit, the better direction and its meaning."""
    lines = [f"| measure | {' | '.join(parts)} | unit | better | meaning |", f"|---|{'---:|' * len(parts)}---|---|---|"]
    for name, measure in MEASURES.items():
        found = " | ".join(cell(part.values.get(name)) for part in parts.values())
        lines.append(f"| `{name}` | {found} | {measure.unit} | {measure.better} | {measure.meaning} |")
    return "\n".join(lines)


def published(figures: Figures) -> str:
    """Put the review's table beside ours."""
    lines = ["| method | size | id retrieval % | pose |", "|---|---:|---:|---:|"]
    lines += [f"| {name} | {size} | {found:.2f} | {pose:.2f} |" for name, size, found, pose in PUBLISHED]
    for model, judged in figures.generators.items():
        size = models.entry(model).size
        for name, ours in (("portraits", judged.portraits), ("clips", judged.clips)):
            found, pose = ours.values.get("retrieval"), ours.values.get("pose_l2")
            share = "-" if found is None else f"{100 * float(found):.2f}"
            lines.append(f"| **{model}, {name}** (gallery of {ours.gallery}) | {size} | {share} | {cell(pose)} |")
    return "\n".join(lines)


def cell(value: Value) -> str:
    """Show a figure."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def made_folder(path: Path) -> Path:
    """Make a folder."""
    path.mkdir(parents=True)
    return path


def told(what: str) -> Callable[[int, int | None], None]:
    """Return a progress callback that prints now and then to stderr."""

    def tell(done: int, total: int | None) -> None:
        if done % 12 == 0 or done == total:
            print(f"{done}/{total} {what}", file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
