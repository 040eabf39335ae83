"""`faceswap train`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..extras import load
from ..training.core.options import NETWORKS, TrainOptions
from .arguments import AsJson, Flag, Quiet, Verbose, read_face_pack, takes
from .ending import ended_in_order
from .terminal import Terminal

FLAGS = {
    "data": Flag("Folder of one folder per person, or of `faceswap prepare` or `triplets`.", list[Path], tuple),
    "sources": Flag("Folder whose faces are sources only (grey, tight, tiny); simswap only.", list[Path], tuple),
    "output": Flag("Folder of the run: checkpoints, log.csv, sample sheets.", Path),
    "network": Flag(
        f"What to train: {', '.join(NETWORKS)}; without it what --config, the run or --init-from is of, else painter."
    ),
    "triplets": Flag(
        "Triplets to make of the faces (painter); without it 6 a face, as far as the steps use them.", int
    ),
    "teacher": Flag("Weights that labels or embeddings come from (painter, simswap: an encoder's, or its name).", Path),
    "landmarks": Flag(
        "Landmark weights: face-api.js's folder (painter, simswap: loss on expression), OpenSeeFace's file (detector).",
        Path,
    ),
    "face_pack": Flag("Folder of ONNX files for insightface, to prepare a raw folder with.", Path, read_face_pack),
    "steps": Flag("Steps of the whole run; without it the network's own number.", int),
    "minutes": Flag("Stop so many minutes after the first step, with a checkpoint; nothing before it counts.", float),
    "batch": Flag("Images a step.", int),
    "size": Flag("Side of the training crop in pixels.", int),
    "learning_rate": Flag("Step size of Adam.", float),
    "config": Flag("TOML file of the network's own settings.", Path),
    "resume": Flag("Go on where the run was broken off.", bool),
    "init_from": Flag("Start from these weights, a run or a model's name, with fresh optimisers.", Path),
    "save_every": Flag("Steps between checkpoints, samples and measures.", int),
    "device": Flag("Where to train: auto, cpu, cuda."),
    "threads": Flag("CPU threads; all cores without it.", int),
    "readers": Flag("Processes that read pictures ahead; without it none on a CPU, up to 8 for a GPU.", int),
    "tensorboard": Flag("Write TensorBoard's events beside log.csv; needs the [tensorboard] extra.", bool),
    "seed": Flag("Seed of everything random.", int),
}
ALIGNED = ("simswap", "encoder", "points", "beard")  # networks that learn from aligned faces
BEGUN = ("last.pt", "stages.json")  # files of a run that can go on
MODULES = {"simswap": "generator.train", "painter": "chain"}  # in training/; others: in supporting/


@takes(TrainOptions, FLAGS)
def train(
    *,
    options: TrainOptions,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on your own pictures: a painter, which `faceswap export` makes a model of.

    Raw pictures are aligned first, then triplets made of them, in the run's folder; the same command with --resume goes
    on wherever it was broken off. --network simswap learns from the faces alone. Needs the [train] extra.

    \b
    Example:
      faceswap train --data vggface2/ --output runs/mine --minutes 120
    """
    network = load("faceswap_cli.training.generator.choice").network_meant(options)
    options = replace(options, network=network)
    module = load(f"faceswap_cli.training.{MODULES.get(network, f'supporting.{network}')}")
    terminal = Terminal(verbose, quiet)
    for folder in options.data if network in ALIGNED else ():
        if not load("faceswap_cli.training.data.pack").is_pack(folder):
            terminal.note(f"{folder} holds raw pictures: their faces are aligned into a cache beside the run first")
    if network != "painter":  # says so when it comes to it
        terminal.note(f"{network}: losses and measures go to {options.output / 'log.csv'}, pictures beside it")
    with going_on_told(options, terminal), terminal.training() as watch:
        module.train(replace(options, watch=watch))
    made = told_of(options.output, terminal)
    terminal.result(options.output, {"run": options.output, "network": network, **made}, as_json)


@contextmanager
def going_on_told(options: TrainOptions, terminal: Terminal) -> Iterator[None]:
    """Say how a run goes on that is broken off, by Ctrl-C or a scheduler."""
    try:
        with ended_in_order():
            yield
    except KeyboardInterrupt:
        begun = [name for name in BEGUN if (options.output / name).is_file()]
        if begun:
            flag = "" if options.resume else " with --resume"
            terminal.note(f"{options.output} keeps what is done: the same command{flag} goes on from there")
        raise


def told_of(run: Path, terminal: Terminal) -> dict[str, Path]:
    """Say what a run has left and how to go on from there; return its checkpoints."""
    made = {path.stem: path for path in (run / "last.pt", run / "best.pt") if path.is_file()}
    best = load("faceswap_cli.training.core.run").best_of(run)
    if "last" not in made:
        return made
    if best:
        terminal.note(f"{run} holds last.pt and best.pt, of step {best['step']}, which scored best")
    else:
        terminal.note(f"{run} holds last.pt")
    terminal.note(f"next: faceswap export {made.get('best', run)} --output mine.onnx")
    return made
