"""Which network `faceswap train` means where --network does not say: what is at hand knows it, else the painter."""

from pathlib import Path

from ...networks.painter import Painter
from ..core.checkpoint import LAST, load
from ..core.options import NETWORKS, TrainOptions
from ..core.settings import read_toml
from .generators import read_generator

USUAL = "painter"
CALLED = {"generator": "simswap"}  # kinds of checkpoints that are not called as their network


def network_meant(options: TrainOptions) -> str:
    """Return the network that is told, or that of the settings, of the run that goes on, of the weights it begins with.

    Raises UsageError for settings, WeightsError for a checkpoint or weights that cannot be read.
    """
    if options.network is not None:
        return options.network
    if options.config is not None and "network" in read_toml(options.config):
        return "simswap"  # whose settings name it
    if options.resume and (options.output / LAST).is_file():
        return _of_run(options.output / LAST)
    if options.init_from is not None:
        return USUAL if isinstance(read_generator(options.init_from).generator, Painter) else "simswap"
    return USUAL


def _of_run(checkpoint: Path) -> str:
    kind = str(load(checkpoint).get("kind"))
    network = CALLED.get(kind, kind)
    return network if network in NETWORKS else USUAL
