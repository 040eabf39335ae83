"""Measure what a SimSwap's training reads: memory and pictures a second, for packs of any number of rows.

    faceswap prepare --input photos/ --output pack/
    python examples/training_speed.py pack/ --work /tmp/speed --rows 10000 100000

Rows are made by repeating those of the pack, under as many names as VGGFace2 has for so many. Each size runs in a
process of its own and prints: the seconds in which the set opens, pictures that a core reads and learns from a second,
the share of the steps' own speed that is left where the same core reads, too (1 is all), and the memory that the
process took at most, in MB. Seconds are those of the core, whatever else the machine does.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from faceswap_cli.training.core.options import TrainOptions
from faceswap_cli.training.core.run import seed_step
from faceswap_cli.training.core.settings import SwapSettings
from faceswap_cli.training.data.columns import rows_of
from faceswap_cli.training.data.pack import INDEX, read_rows
from faceswap_cli.training.data.swap_data import SwapData
from faceswap_cli.training.data.table import open_table
from faceswap_cli.training.generator import train
from faceswap_cli.training.generator.plan import Plan
from faceswap_cli.training.teachers import encoders, known_faces
from faceswap_cli.training.teachers.encoders import load_encoders, names_of
from faceswap_cli.training.teachers.identity_judge import IdentityJudge
from faceswap_cli.training.teachers.spaces import OURS

PICTURES_OF_ONE = 362  # in VGGFace2, in the mean
DIFFERENT = 64  # faces that are repeated
CPU = torch.device("cpu")


def main() -> None:
    """Read the command line, measure, print a line for each size."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("pack", type=Path)
    arguments.add_argument("--work", type=Path, required=True, help="folder for the repeated packs: 22 kB a row")
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    arguments.add_argument("--steps", type=int, default=5)
    arguments.add_argument("--size", type=int, default=112)
    arguments.add_argument("--batch", type=int, default=16)
    told = arguments.parse_args()
    if len(told.rows) == 1:
        print(json.dumps(measured(told)))
        return
    for rows in told.rows:
        one = [word for word in sys.argv if word != "--rows" and not word.isdigit()] + ["--rows", str(rows)]
        same = [f"--{name}={getattr(told, name)}" for name in ("steps", "size", "batch")]
        subprocess.run([sys.executable, *one, *same], check=True)


def measured(told: argparse.Namespace) -> dict[str, float]:
    """Return what is measured with one number of rows."""
    rows = told.rows[0]
    pack = told.work / str(rows)
    if not (pack / INDEX).is_file():
        repeat(told.pack, pack, rows)
    torch.set_num_threads(1)
    options = TrainOptions(data=(pack,), output=told.work / "run", threads=1, readers=0)
    judge = IdentityJudge(load_encoders(None), told.size)
    with patch.multiple(encoders, CropCutter=Blank, embed_both_ways=invented):
        known_faces.open_data(options, judge, known_faces.Wanted(told.size, 0.5), CPU)
        began = time.process_time()
        data = known_faces.open_data(options, judge, known_faces.Wanted(told.size, 0.5), CPU)
        opened = time.process_time() - began
    reading, stepping, both = paces(data, options, judge, told)
    return {
        "rows": rows,
        "opened_s": round(opened, 2),
        "read_images_per_s": round(reading, 1),
        "step_images_per_s": round(stepping, 2),
        "loop_over_step": round(both / stepping, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def paces(data: SwapData, options: TrainOptions, judge: IdentityJudge, told: argparse.Namespace) -> list[float]:
    """Return images a second: of reading alone, of steps alone on one batch, of both together."""
    plan = Plan(SwapSettings(shape={"latent": OURS.dimension}), told.size, OURS, names_of(judge.encoders))
    state = train.build_state(plan, judge, None, CPU)
    drawn = data.batches(options, 0, 0, count=told.batch, same_every=4)

    def step(read: object) -> None:
        seed_step(options, 0, 0)
        batch = data.assemble(read)
        _, fake = train.generator_step(state, batch, plan.settings, 1000)
        train.discriminator_step(state, batch, plan.settings, fake)

    kept = next(drawn)
    step(kept)
    loops = ((drawn, lambda read: None), (cycle([kept]), step), (drawn, step))
    return [told.steps * told.batch / seconds(islice(reads, told.steps), act) for reads, act in loops]


def seconds(reads: object, act: object) -> float:
    """Return how long it takes to do something with all that is read."""
    began = time.process_time()
    for read in reads:
        act(read)
    return time.process_time() - began


def repeat(pack: Path, output: Path, count: int) -> None:
    """Write a pack of so many rows that all point to the crops of another."""
    output.mkdir(parents=True)
    for shard in pack.glob("crops-*.bin"):
        (output / shard.name).symlink_to(shard.resolve())
    known = [asdict(row) for row in islice(read_rows(pack), DIFFERENT)]
    with (output / INDEX).open("w", encoding="utf-8") as index:
        for number, row in enumerate(islice(cycle(known), count)):
            person = f"n{number // PICTURES_OF_ONE:06d}"
            index.write(json.dumps(row | {"person": person, "source": f"{person}/{number}.jpg"}) + "\n")
    open_table(output)


class Blank(encoders.CropCutter):
    """Cuts nothing: who is seen changes no speed."""

    def __call__(self, chunk: int) -> np.ndarray:
        """Return a chunk's crops, all black."""
        return np.zeros((len(range(len(self._table))[rows_of(chunk)]), 1, 1, 3), np.uint8)


def invented(judge: IdentityJudge, crops: np.ndarray, *_: object) -> np.ndarray:
    """Return vectors of nobody."""
    vectors = np.random.default_rng(0).standard_normal((len(crops), judge.space.dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
