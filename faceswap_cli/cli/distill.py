"""`faceswap distill`."""

from dataclasses import replace
from pathlib import Path

from ..extras import load
from ..training.core.options import DistillOptions
from .arguments import AsJson, Flag, Quiet, Verbose, takes
from .terminal import Terminal
from .train import FLAGS as TRAIN_FLAGS
from .train import going_on_told, told_of

FLAGS = {
    "teacher": Flag("Generator to learn from: its ONNX file, checkpoint or name; the embedded one without it.", Path),
    "encoder": Flag("Encoder the identity is judged by, its file or name; one of ours beside the embedded one.", Path),
}
FLAGS |= {name: flag for name, flag in TRAIN_FLAGS.items() if name not in ("network", "triplets", *FLAGS)}
FLAGS |= {
    "data": Flag(
        "Folder made by `faceswap triplets` or `faceswap prepare`, or one folder per person.", list[Path], tuple
    ),
    "landmarks": Flag("face-api.js's weights, a folder: loss on expression, for triplets.", Path),
}


@takes(DistillOptions, FLAGS)
def distill(
    *,
    options: DistillOptions,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Teach a small network, made anew for every source, to swap as a large generator does.

    From triplets (`faceswap triplets`) it learns to paint over the source's portrait, as `mobile` does; from faces,
    MobileFaceSwap's way, to paint a face from an identity alone.
    `faceswap export` then writes its file. Needs the [train] extra.

    \b
    Example:
      faceswap distill --data triplets/ --output runs/mobile --minutes 600
    """
    terminal = Terminal(verbose, quiet)
    triplets = load("faceswap_cli.training.data.triplet_pack").are_triplets(options.data)
    for folder in () if triplets else options.data:
        if not load("faceswap_cli.training.data.pack").is_pack(folder):
            terminal.note(f"{folder} holds raw pictures: their faces are aligned into a cache beside the run first")
    terminal.note(f"losses and measures go to {options.output / 'log.csv'}, pictures beside it")
    with going_on_told(options, terminal), terminal.training() as watch:
        load(f"faceswap_cli.training.distil.{'painter' if triplets else 'train'}").distill(
            replace(options, watch=watch)
        )
    made = told_of(options.output, terminal)
    terminal.result(options.output, {"run": options.output, **made}, as_json)
