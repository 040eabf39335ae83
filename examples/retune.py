"""Measure other values of one of the numbers a portrait is warped by, on people nothing is reported of, and write one.

    python examples/retune.py geometry.BROWS_UP --values 0.3 0.9
    python examples/retune.py geometry.BROWS_UP --values 0.3 0.9 --write 0.6

`faceswap_cli/portrait/tuning.toml` lists the numbers; photos and judges lie below FACESWAP_DATA. Without --values,
those half-way to either end of the number's range are tried beside today's. Printed are the judges' means, the
milliseconds a face of all corrections together, and how far the face's picture moved from today's (levels of 255); what
stands behind +- is the standard error of the cosine's difference from today's. --write puts a value into the code, and
the figures into the record. The expression is told from 20 targets on; photos say nothing of what needs earlier
frames: look at clips for that.
"""

import argparse
import os
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from retune_trials import SEED, Trial, draw_pairs, try_values
from tuned import (
    RECORD,
    ROOT,
    Number,
    Value,
    entry_of,
    numbers_of,
    read_record,
    read_value,
    write_number,
    write_record,
)

from faceswap_cli.errors import FaceSwapError, UsageError


def main() -> int:
    """Try, print, write; return the exit code."""
    given = parse()
    try:
        number, entry = chosen(given.name)
        write = None if given.write is None else within(read_value(given.write, number), entry["range"])
        values = tried(number, entry, given.values, write)
        trials = try_values(number, values, draw_pairs(faces_folder(), given.pairs, given.selves), given.output)
        print(table(trials))
        if write is not None:
            keep(ROOT, number, noted(trials, write))
    except FaceSwapError as error:
        print(f"retune: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the number, such as geometry.BROWS_UP")
    parser.add_argument("--values", nargs="+", default=[], metavar="VALUE", help='what is tried; "(0.1, 0.2)" for two')
    parser.add_argument("--write", metavar="VALUE", help="the value that code and record shall have")
    parser.add_argument("--pairs", type=int, default=24, help="photos swapped into other people's")
    parser.add_argument("--selves", type=int, default=6, help="how many of the targets are swapped with themselves")
    folder = Path(tempfile.gettempdir()) / "faceswap-retune"
    parser.add_argument("--output", type=Path, default=folder, help="folder for the swaps; those there are used again")
    return parser.parse_args()


def chosen(name: str, root: Path = ROOT) -> tuple[Number, dict[str, Any]]:
    """Return a number and its entry; raise UsageError for what is none, is not chosen or is written down wrongly."""
    numbers, entry = numbers_of(root), entry_of(read_record(root), name)
    if name not in numbers:
        near = [each for each in numbers if name.rpartition(".")[2].lower() in each.lower()]
        raise UsageError(f"no number is called {name!r}: choose of {', '.join(near or numbers)}")
    if entry is None:
        raise UsageError(f"{name} is not written down: give it a value and a range in {RECORD} first")
    if "range" not in entry:
        raise UsageError(f"{name} is not chosen but follows from this: {entry.get('defined')}")
    return numbers[name], entry


def within(value: Value, ends: list[float]) -> Value:
    """Return a value; raise UsageError where it, or one of several, is outside of its range."""
    low, high = ends
    if not all(low <= each <= high for each in (value if isinstance(value, tuple) else [value])):
        raise UsageError(f"{value} is outside of {low} to {high}: change the range in the record first")
    return value


def tried(number: Number, entry: dict[str, Any], values: list[str], write: Value | None) -> list[Value]:
    """Return the values that are tried, today's first."""
    asked = [read_value(each, number) for each in values]
    if not asked:
        asked = [half_way(number.value, end) for end in entry["range"]]
    return list(dict.fromkeys([number.value, *asked, *([] if write is None else [write])]))


def half_way(value: Any, end: float) -> Any:
    """Return what lies between a value, or several, and an end of its range."""
    if isinstance(value, tuple):
        return tuple(half_way(each, end) for each in value)
    return round((value + end) / 2) if isinstance(value, int) else float(f"{(value + end) / 2:.3g}")


def faces_folder() -> Path:
    """Return the folder of real photos; raise UsageError where nobody says where the data lie."""
    if not os.environ.get("FACESWAP_DATA"):
        raise UsageError("FACESWAP_DATA is not set: let it name the folder of real photos and judges")
    return Path(os.environ["FACESWAP_DATA"]) / "faces"


def table(trials: list[Trial]) -> str:
    """Return a row for each value."""
    heads = (*trials[0].figures, "moved", "+-")
    width = max(len(str(each.value)) for each in trials) + 2
    lines = [f"{'value':{width}s}" + "".join(f"{head:>12s}" for head in heads)]
    for each in trials:
        figures = (*each.figures.values(), each.moved, each.error)
        lines.append(f"{each.value!s:{width}s}" + "".join(f"{figure:12.3f}" for figure in figures))
    return "\n".join(lines)


def noted(trials: list[Trial], value: Value) -> dict[str, Any]:
    """Return what the record says of a number that gets one of the values that were tried, today's first."""
    today, by_value = trials[0], {each.value: each for each in trials}
    others = [str(each) for each in trials if each.value not in (today.value, value)]
    pictures = (
        f"photos of tuning people: {today.swaps} into others, {today.selves} into themselves (retune.py, seed {SEED})"
    )
    return {
        "value": value,
        "on": pictures,
        "before": f"{value}, kept" if value == today.value else str(today),
        "after": str(by_value[value]),
        "tried": others,
        "date": date.today(),
    }


def keep(root: Path, number: Number, entry: dict[str, Any]) -> None:
    """Write into a checkout's code and record what is known now of a number, and its value."""
    record = read_record(root)
    file, _, own = number.name.partition(".")
    record[file][own] = {"value": entry["value"], "range": record[file][own]["range"]} | entry
    write_number(root, number, entry["value"])
    write_record(root, record)


if __name__ == "__main__":
    sys.exit(main())
