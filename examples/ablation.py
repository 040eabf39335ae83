"""Leave out the corrections of the warped portrait one by one: what does each earn, and what does it cost?

    python examples/ablation.py SOURCES TARGETS OUTPUT [--count 8] [--model lite] [--only grain,beard]

Draws pairs of two folders of photos (people that nothing was trained on; judges lie below FACESWAP_DATA), swaps each
with the whole recipe and without each correction, and prints a row for each: cosine to the source by the judge,
expression, gaze, milliseconds a face for all corrections together, and how far the picture of the face moved from that
of the whole recipe (mean of the levels, all pairs and the most of one). OUTPUT gets the swaps and `ablation.png`: a row
for each pair, in it source, target, the whole recipe, and without each correction in the order of the table.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from faceswap_cli.evaluation.options import EvaluateOptions, JudgeFiles
from faceswap_cli.evaluation.pairs import draw_pairs
from faceswap_cli.evaluation.score import Pair, Row, evaluate, means
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.sheet import save_sheet
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.portrait.recipe import RECIPE
from faceswap_cli.stages.likeness import swapped_rgb
from faceswap_cli.stages.tally import Tally

MEASURES = ("cosine_source", "expression", "gaze")


def main() -> None:
    """Swap, judge and print."""
    given = read_arguments()
    wanted = draw_pairs(given.sources, given.targets, given.count, given.seed)
    given.output.mkdir(parents=True, exist_ok=True)
    names = [("",), *((name,) for name in (given.only.split(",") if given.only else RECIPE.corrections))]
    made, milliseconds = [], []
    for name in names:
        options = Options(model=given.model, threads=1, device="cpu", without=tuple(filter(None, name)))
        pairs, spent = swap_all(wanted, given.output, options)
        made.append(pairs)
        milliseconds.append(spent)
    rows = evaluate([pair for pairs in made for pair in pairs], EvaluateOptions(judges=JudgeFiles(threads=1))).rows
    groups = [rows[start : start + len(wanted)] for start in range(0, len(rows), len(wanted))]
    print(f"{'without':14s}" + "".join(f"{head:>15s}" for head in (*MEASURES, "ms", "moved", "at most")))
    for (name,), group, spent in zip(names, groups, milliseconds, strict=True):
        print(line(name or "(nothing)", group, groups[0], spent))
    write_strip(groups, given.output / "ablation.png")


def swap_all(wanted: list[tuple[Path, Path]], folder: Path, options: Options) -> tuple[list[Pair], float]:
    """Return the swaps of all pairs and the milliseconds a face that corrections took."""
    pairs, seconds = [], 0.0
    for source, target in wanted:
        swapper = Swapper([read_photo(source).frame], options)
        swapped = swapper.photo(read_photo(target).frame, Tally())
        result = folder / "-".join([source.stem, target.stem, *options.without])
        Image.fromarray(swapped_rgb(swapped)).save(result.with_suffix(".png"))
        pairs.append(Pair(source, target, result.with_suffix(".png")))
        seconds += sum(swapper.stopwatch.seconds.get(stage, 0.0) for stage in ("fit", "finish"))
    return pairs, 1000 * seconds / len(wanted)


def line(name: str, rows: tuple[Row, ...], whole: tuple[Row, ...], milliseconds: float) -> str:
    """Return a row of the table."""
    found = means(rows)
    moved = [
        float(np.abs(shown(one).astype(int) - shown(other)).mean()) for one, other in zip(rows, whole, strict=True)
    ]
    figures = [*(float(found[measure] or np.nan) for measure in MEASURES), milliseconds]
    figures += [float(np.mean(moved)), max(moved)]
    return f"{name:14s}" + "".join(f"{figure:15.3f}" for figure in figures)


def shown(row: Row) -> np.ndarray:
    """Return the picture of a swap's face."""
    return row.thumbnails[-1]


def write_strip(groups: list[tuple[Row, ...]], path: Path) -> None:
    """Write source, target and all swaps of each pair side by side."""

    def tiles() -> Iterator[np.ndarray]:
        for number, first in enumerate(groups[0]):
            yield from first.thumbnails[:2]
            yield from (shown(group[number]) for group in groups)

    save_sheet(list(tiles()), len(groups) + 2, path)


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path)
    parser.add_argument("targets", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default=Options().model)
    parser.add_argument("--only", help="corrections to leave out, separated by commas; all of them without it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
