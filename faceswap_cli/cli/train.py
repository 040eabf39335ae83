"""`faceswap train`."""

from pathlib import Path

from ..extras import load
from ..training.core.options import NETWORKS, TrainOptions
from .arguments import AsJson, Flag, Quiet, Verbose, read_face_pack, takes
from .terminal import Terminal

FLAGS = {
    "data": Flag("Folder of one folder per person, or one that `faceswap prepare` made.", list[Path], tuple),
    "sources": Flag("Folder whose faces are sources only (grey, tight, tiny); generator only.", list[Path], tuple),
    "output": Flag("Folder of the run: checkpoints, log.csv, sample sheets.", Path),
    "network": Flag(f"What to train: {', '.join(NETWORKS)}."),
    "teacher": Flag("Weights that labels or embeddings come from (generator: an encoder's, or its name).", Path),
    "landmarks": Flag(
        "Landmark weights: face-api.js's folder (generator: loss on expression), OpenSeeFace's file (detector).", Path
    ),
    "face_pack": Flag("Folder of ONNX files for insightface, to prepare a raw folder with.", Path, read_face_pack),
    "steps": Flag("Steps of the whole run; without it the network's own number.", int),
    "minutes": Flag("Stop so many minutes after the first step, with a checkpoint; loading does not count.", float),
    "batch": Flag("Images a step.", int),
    "size": Flag("Side of the training crop in pixels.", int),
    "learning_rate": Flag("Step size of Adam.", float),
    "config": Flag("TOML file of the network's own settings.", Path),
    "resume": Flag("Go on from the last checkpoint of the run.", bool),
    "init_from": Flag("Start from these weights (generator: or from its name), with fresh optimisers.", Path),
    "save_every": Flag("Steps between checkpoints, samples and measures.", int),
    "device": Flag("Where to train: auto, cpu, cuda."),
    "threads": Flag("CPU threads; all cores without it.", int),
    "seed": Flag("Seed of everything random.", int),
}
ALIGNED = ("generator", "encoder", "points", "beard")  # networks that learn from aligned faces
MODULES = {"generator": "generator.train", "painter": "generator.painter"}  # in training/; others: in supporting/


@takes(TrainOptions, FLAGS)
def train(
    *,
    options: TrainOptions,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on your own pictures.

    A folder of raw pictures is prepared into a cache first. Needs the [train] extra.

    \b
    Example:
      faceswap train --data vggface2/ --output runs/mine --minutes 120
    """
    module = load(f"faceswap_cli.training.{MODULES.get(options.network, f'supporting.{options.network}')}")
    terminal = Terminal(verbose, quiet)
    for folder in options.data if options.network in ALIGNED else ():
        if not load("faceswap_cli.training.data.pack").is_pack(folder):
            terminal.note(f"{folder} holds raw pictures: their faces are aligned into a cache beside the run first")
    terminal.note(f"{options.network}: losses and measures go to {options.output / 'log.csv'}, pictures beside it")
    module.train(options)
    terminal.result(options.output, {"run": options.output, "network": options.network}, as_json)
