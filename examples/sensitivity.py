"""Say how far each of the numbers a portrait is warped by moves a swap, halved and doubled, on tuning people.

    python examples/sensitivity.py [NAME ...] [--pairs 6]

Photos lie below FACESWAP_DATA; pairs, and copies of the code that have other values, are those of retune.py. Without a
name all numbers that the record says a range of are tried. A row has the value, and by how many levels of 255 swapped
pixels differ from today's: the mean of all pairs, that of the pair that moves most, and the largest 99.9th
percentile. What hangs on earlier frames of a clip moves nothing here.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from retune import chosen, faces_folder
from retune_trials import checkout, draw_pairs, swapped
from tuned import Number, Value, entry_of, numbers_of, read_record

from faceswap_cli.errors import FaceSwapError, NoFaceError
from faceswap_cli.media.photo import read_photo

FACTORS = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Moved:
    """By how many levels of 255 swaps differ from today's."""

    mean: float
    worst: float  # mean of the pair that moves most
    top: float  # most of the pairs' 99.9th percentiles


def main() -> int:
    """Try all, print; return the exit code."""
    given = parse()
    try:
        numbers = [chosen(name) for name in given.names or with_a_range()]
        pairs = draw_pairs(faces_folder(), given.pairs, 0)
        print(f"{'number':36s}{'value':>16s}{'mean':>9s}{'worst':>9s}{'99.9 %':>9s}")
        today = swaps(numbers[0][0], numbers[0][0].value, pairs, given.output)
        for number, entry in numbers:
            for value in scaled(number.value, entry["range"]):
                found = moved(pairs, today, swaps(number, value, pairs, given.output))
                print(f"{number.name:36s}{value!s:>16s}{found.mean:9.2f}{found.worst:9.2f}{found.top:9.1f}", flush=True)
    except FaceSwapError as error:
        print(f"sensitivity: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="numbers, such as beard.sure; all without one")
    parser.add_argument("--pairs", type=int, default=6, help="photos swapped into other people's")
    folder = Path(tempfile.gettempdir()) / "faceswap-retune"
    parser.add_argument("--output", type=Path, default=folder, help="folder for the swaps; those there are used again")
    return parser.parse_args()


def with_a_range() -> list[str]:
    """Return the names of all numbers that are chosen, and told by a single photo."""
    record = read_record()
    entries = {name: entry_of(record, name) or {} for name in numbers_of()}
    return [name for name, entry in entries.items() if "range" in entry and not name.endswith(".history")]


def scaled(value: Any, ends: list[float]) -> list[Value]:
    """Return half of a value, or of several, and twice it, as far as its range goes; today's is none of them."""
    found = [times(value, factor, ends) for factor in FACTORS]
    return [each for each in dict.fromkeys(found) if each != value]


def times(value: Any, factor: float, ends: list[float]) -> Any:
    """Return a value, or each of several, times a factor, within its range and of its own kind."""
    if isinstance(value, tuple):
        return tuple(times(each, factor, ends) for each in value)
    return type(value)(np.clip(value * factor, *ends))


def swaps(number: Number, value: Value, pairs: list[tuple[Path, Path]], folder: Path) -> list[Path]:
    """Return where the swaps of all pairs are by a copy of the code in which a number has a value."""
    with checkout(number, value) as (root, digest):
        return swapped(root, pairs, folder / digest)


def moved(pairs: list[tuple[Path, Path]], today: list[Path], other: list[Path]) -> Moved:
    """Compare swaps with today's; pairs of which either did not come to be are left out."""
    found = [
        difference(*(read_photo(path).frame.rgb for path in (target, *both)))
        for (_, target), *both in zip(pairs, today, other, strict=True)
        if all(path.is_file() for path in both)
    ]
    if not found:
        raise NoFaceError(f"no pair could be swapped: see states.jsonl in {today[0].parent}")
    means, tops = zip(*found, strict=True)
    return Moved(float(np.mean(means)), max(means), max(tops))


def difference(target: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return mean and 99.9th percentile of what two swaps (H, W, 3) differ by where either changed the target."""
    changed = (one != target).any(axis=2) | (other != target).any(axis=2)
    levels = np.abs(one.astype(int) - other).max(axis=2)[changed]
    return (float(levels.mean()), float(np.percentile(levels, 99.9))) if levels.size else (0.0, 0.0)


if __name__ == "__main__":
    sys.exit(main())
