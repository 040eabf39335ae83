"""Make sheets of swaps for graders who know nothing of how they were made, and count their grades.

    python examples/blind_look.py make DATA --output look --version old='--model a.onnx' --version new='--model b.onnx'
    python examples/blind_look.py score look_key/key.json look/grades.csv [MORE.csv ...]

`make` draws photos and clips of the reporting people (blind_pairs.py says which are hard; --pairs takes a list of
yours), swaps each with every version (versions.py says what one is; ready results are named 001.png, 002.png by their
place in the list) and lays source, target and swaps side by side, the swaps numbered in an order that differs from row
to row. Give graders the output folder alone: the key, the swaps and the list of pairs lie in OUTPUT_key. `score` prints
the shares of each version for fair photos, hard photos and clips.
"""

import argparse
import csv
import json
import random
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import permutations
from pathlib import Path

from blind_pairs import Wanted, draw_pairs, read_list, write_list
from blind_sheets import MOST_ROWS, Row, clip_sheets, photo_sheet, save
from versions import Version, read_version

from faceswap_cli.errors import FaceSwapError, UsageError

GRADES = ("as is", "wince", "no")
KINDS = ("fair", "hard", "clip")
GRADED = "grades.csv"
TOLD = """Each row shows a source, a target, and the target with the source's face put in by different means.
The numbers above the pictures mean nothing, and stand for something else in each row. A clip has two sheets, a and b,
with three moments each; there the target and the numbers stand above their lines.

Fill in {table}, a line a row. Under each number write what you would do with that picture of yourself:
  as is   use it as it is: nobody would notice
  wince   use it if need be: something is off (a seam, a patch of colour, wax, a lost brow, a strange eye)
  no      not use it: it is broken, or it is plainly not the source
and under "preferred" the number of the one you would take, or nothing where they are alike. Look at each picture
in its full size. Do not change earlier rows because of later ones.
"""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What the key knows of a row."""

    row: int
    pair: int  # its number in the list of pairs, by which results are named
    kind: str  # fair, hard or clip
    why: tuple[str, ...]
    source: str
    target: str
    order: tuple[str, ...]  # names of the versions as they are numbered, from 1
    failed: tuple[str, ...]  # versions that found no face: counted as no, whatever the grade


@dataclass(frozen=True, slots=True)
class Tally:
    """What the graders said."""

    grades: dict[tuple[str, str], Counter[str]]  # by kind and version
    preferred: dict[str, Counter[str]]  # by kind; "" where none was
    ungraded: tuple[int, ...]  # rows without any grade


def main() -> int:
    """Do as told; return the exit code."""
    arguments = parse()
    try:
        if arguments.command == "make":
            make(arguments)
        else:
            key = read_key(arguments.key)
            print(told(tally(key, [row for path in arguments.grades for row in read_grades(path)]), names_of(key)))
    except FaceSwapError as error:
        print(f"blind_look: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="make swaps, sheets and a key")
    making.add_argument("data", type=Path, metavar="DATA", help="folder of real photos and clips")
    making.add_argument("--version", action="append", required=True, metavar="NAME=WORDS", help="at least two")
    making.add_argument("--output", type=Path, default=Path("blind-look"), help="folder for the graders")
    making.add_argument("--pairs", type=Path, metavar="CSV", help="source, target and, if wanted, kind and why")
    making.add_argument("--photos", type=int, default=40, help="photo pairs drawn, half of them hard")
    making.add_argument("--clips", type=int, default=8, help="clips drawn")
    making.add_argument("--seconds", type=Fraction, default=Fraction(2), help="of each clip")
    making.add_argument("--rows", type=int, default=2, help=f"photo pairs a sheet, 1 to {MOST_ROWS}")
    making.add_argument("--seed", type=int, default=0, help="of the draw and of the orders")
    making.add_argument("--reuse", action="store_true", help="show the swaps that are there, make the others")
    making.add_argument("--threads", type=int, help="CPU threads; all cores without it")
    scoring = commands.add_parser("score", help="count grades")
    scoring.add_argument("key", type=Path)
    scoring.add_argument("grades", type=Path, nargs="+")
    return parser.parse_args()


def make(arguments: argparse.Namespace) -> None:
    """Draw, swap, lay out, and write sheets, an empty table of grades, what graders are told, and the key."""
    versions = read_versions(arguments.version)
    if not 1 <= arguments.rows <= MOST_ROWS:
        raise UsageError(f"{arguments.rows} rows a sheet: give 1 to {MOST_ROWS}, or faces become too small to judge")
    hidden = arguments.output.with_name(f"{arguments.output.name}_key")
    for folder in (arguments.output, hidden):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = chosen(arguments)
    write_list(wanted, hidden / "pairs.csv")
    ordered = shuffled(wanted, arguments.seed)
    rows = [swap_all(number, each, versions, arguments, hidden) for number, each in enumerate(ordered, 1)]
    write_sheets(rows, arguments.output, arguments.rows)
    write_graders_part(arguments.output, len(rows), len(versions))
    write_key(hidden / "key.json", rows, versions)
    print(f"{arguments.output}\n{hidden / 'key.json'}")


def chosen(arguments: argparse.Namespace) -> list[Wanted]:
    """Return the pairs of the list, or drawn ones."""
    if arguments.pairs is not None:
        return read_list(arguments.pairs)
    return draw_pairs(arguments.data, arguments.photos, arguments.clips, arguments.threads, arguments.seed)


def read_versions(texts: list[str]) -> list[Version]:
    """Read what is compared: two or more, of different names."""
    versions = [read_version(text) for text in texts]
    names = [version.name for version in versions]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise UsageError(f"versions {', '.join(names)}: give two or more, of different names")
    return versions


def shuffled(wanted: list[Wanted], seed: int) -> list[Wanted]:
    """Mix fair and hard photos, so that a sheet does not tell which it is of; clips come last."""
    photos = [each for each in wanted if each.kind != "clip"]
    random.Random(f"rows {seed}").shuffle(photos)
    return photos + [each for each in wanted if each.kind == "clip"]


def order_of(row: int, names: list[str], seed: int) -> list[str]:
    """Return in which order a row's versions are numbered.

    Graders have habits (some prefer the last number), so every order comes equally often: twice in each block of rows.
    """
    orders = 2 * list(permutations(names))
    block, place = divmod(row - 1, len(orders))
    random.Random(f"order {seed} {block}").shuffle(orders)
    return list(orders[place])


def swap_all(number: int, wanted: Wanted, versions: list[Version], arguments: argparse.Namespace, hidden: Path) -> Row:
    """Make a row's swaps, in the order it shows them."""
    more = ("--threads", str(arguments.threads)) if arguments.threads else ()
    more += ("--end", str(arguments.seconds)) if wanted.kind == "clip" else ("--det-threshold", "0.5")
    by_name = {version.name: version for version in versions}
    suffix = wanted.target.suffix if wanted.kind == "clip" else ".png"
    results: dict[str, Path | None] = {}
    for name in order_of(number, list(by_name), arguments.seed):
        folder = hidden / "results" / name
        folder.mkdir(parents=True, exist_ok=True)
        result = folder / f"{wanted.number:03d}{suffix}"
        results[name] = by_name[name].swap(wanted.source, wanted.target, result, more, arguments.reuse)
    print(f"row {number} swapped", file=sys.stderr, flush=True)
    return Row(number, wanted, results, arguments.seconds)


def write_sheets(rows: list[Row], folder: Path, count: int) -> None:
    """Write photo pairs so many to a sheet, and each clip's two."""
    photos = [row for row in rows if row.wanted.kind != "clip"]
    for number, start in enumerate(range(0, len(photos), count), 1):
        save(photo_sheet(photos[start : start + count]), folder / f"photos_{number:02d}.png")
    for number, row in enumerate((row for row in rows if row.wanted.kind == "clip"), 1):
        for letter, sheet in zip("ab", clip_sheets(row), strict=True):
            save(sheet, folder / f"clip_{number:02d}{letter}.png")


def write_graders_part(folder: Path, rows: int, versions: int) -> None:
    """Write the table to fill in and what graders are told."""
    head = ["row", *map(str, range(1, versions + 1)), "preferred"]
    with (folder / GRADED).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *([row, *[""] * (versions + 1)] for row in range(1, rows + 1))])
    (folder / "read_me.txt").write_text(TOLD.format(table=GRADED), encoding="utf-8")


def write_key(path: Path, rows: list[Row], versions: list[Version]) -> None:
    """Write what each number stands for."""
    known = [
        KeyRow(
            row.number,
            row.wanted.number,
            row.wanted.kind,
            row.wanted.why,
            str(row.wanted.source),
            str(row.wanted.target),
            tuple(row.results),
            tuple(name for name, result in row.results.items() if result is None),
        )
        for row in rows
    ]
    words = {version.name: list(version.words) for version in versions}
    key = {"versions": words, "rows": [asdict(row) for row in known]}
    path.write_text(json.dumps(key, indent=1), encoding="utf-8")


def read_key(path: Path) -> list[KeyRow]:
    """Read what `write_key` wrote."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return [KeyRow(**{name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read as a key: {error}") from error


def read_grades(path: Path) -> list[dict[str, str]]:
    """Read a filled-in table; UsageError where it has no row column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a table: {error}") from error
    if not rows or "row" not in rows[0]:
        raise UsageError(f"{path.name} needs the columns row, 1, 2, ... and preferred, and at least one row")
    return [{name: (value or "").strip() for name, value in row.items() if name} for row in rows]


def names_of(key: list[KeyRow]) -> list[str]:
    """Return the versions' names, in the order of the alphabet."""
    return sorted({name for row in key for name in row.order})


def tally(key: list[KeyRow], graded: list[dict[str, str]]) -> Tally:
    """Count the grades of all graders; UsageError for a row, grade or number that is not there."""
    by_number = {row.row: row for row in key}
    grades: dict[tuple[str, str], Counter[str]] = {}
    preferred: dict[str, Counter[str]] = {}
    seen = set[int]()
    for line in graded:
        if not line["row"].isdigit() or int(line["row"]) not in by_number:
            raise UsageError(f"row {line['row']!r} is not in the key, which has {len(key)} rows")
        row = by_number[int(line["row"])]
        given = {name: grade_of(line, row, name) for name in row.order}
        if not any(given.values()):
            continue
        seen.add(row.row)
        for name, grade in given.items():
            grades.setdefault((row.kind, name), Counter())[grade or "ungraded"] += 1
        preferred.setdefault(row.kind, Counter())[preferred_of(line, row)] += 1
    return Tally(grades, preferred, tuple(number for number in by_number if number not in seen))


def grade_of(line: dict[str, str], row: KeyRow, name: str) -> str:
    """Return what a version got in a row, empty where nothing is written."""
    grade = " ".join(line.get(str(row.order.index(name) + 1), "").lower().split())
    if grade not in ("", *GRADES):
        raise UsageError(f"row {row.row}: grade {grade!r}: give one of {', '.join(GRADES)}")
    return "no" if grade and name in row.failed else grade


def preferred_of(line: dict[str, str], row: KeyRow) -> str:
    """Return the name of the version that was preferred, empty for none."""
    number = line.get("preferred", "")
    if number in ("", "-", "none"):
        return ""
    if not number.isdigit() or not 1 <= int(number) <= len(row.order):
        raise UsageError(f"row {row.row}: preferred {number!r}: give a number from 1 to {len(row.order)}, or nothing")
    return row.order[int(number) - 1]


def told(found: Tally, names: list[str]) -> str:
    """Say the shares, a line a version and kind, and what was preferred."""
    lines = [f"{'':6s}{'version':16s}{'n':>4s}" + "".join(f"{grade:>9s}" for grade in GRADES)]
    for kind in KINDS:
        for name in names:
            if (kind, name) in found.grades:
                lines.append(f"{kind:6s}{name:16s}{shares(found.grades[kind, name])}")
    for kind in (kind for kind in KINDS if kind in found.preferred):
        votes = found.preferred[kind]
        words = ", ".join(f"{name} {votes[name]}" for name in names)
        lines.append(f"{kind:6s}preferred: {words}, neither {votes['']}, of {votes.total()}")
    if found.ungraded:
        lines.append(f"rows without a grade: {', '.join(map(str, found.ungraded))}")
    return "\n".join(lines)


def shares(counts: Counter[str]) -> str:
    """Show how many were graded, and the share of each grade in percent."""
    total = sum(counts[grade] for grade in GRADES)
    return f"{total:4d}" + "".join(f"{100 * counts[grade] / max(total, 1):7.1f} %" for grade in GRADES)


if __name__ == "__main__":
    sys.exit(main())
