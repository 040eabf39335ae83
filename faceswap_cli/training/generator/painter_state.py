"""A painter's training as it starts: its settings, its networks, and what a run that goes on keeps of them."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import UsageError, WeightsError
from ...networks.discriminator import DiscriminatorConfig, TwoScaleDiscriminator
from ...networks.layers import load_strictly
from ...networks.painter import Painter, PainterConfig, PortraitPainter
from ..core.averaged import Averaged, begin
from ..core.checkpoint import LAST, load
from ..core.options import TrainOptions
from ..core.parallel import join_workers
from ..core.run import share_done, start_torch
from ..core.settings import make_record, read_record
from ..teachers.encoders import load_encoders
from ..teachers.expression import ExpressionJudge, load_expression_judge
from ..teachers.identity_judge import IdentityJudge
from .generators import read_generator

KIND = "painter"  # of its checkpoints
DECAY = 0.998  # of the moving average
BETAS, STEEPEST = (0.5, 0.99), 1.0  # of Adam, and the norm to which gradients are clipped


@dataclass(frozen=True, slots=True, kw_only=True)
class PainterSettings:
    """Network and losses of a painter's training; `--config FILE.toml` overrides them."""

    shape: dict[str, Any] = field(default_factory=dict)  # fields of PainterConfig
    near: float = 10.0  # L1 to the answer, within the mask above all
    broad: float = 6.0  # the same of averages
    edges: float = 8.0  # the same of differences between neighbours
    texture: float = 20.0  # strength of fine detail
    maps: float = 1.0  # an identity encoder's early maps
    same_identity: float = 2.0  # 1 - cosine to the answer
    identity: float = 1.0  # 1 - cosine to the source, where there is no answer
    contrast: float = 0.6  # cosine to the target's own person above a margin, where there is no answer
    expression: float = 12.0  # landmarks against the target's, where there is no answer, with --landmarks
    steepest_expression: float = 0.15  # norm to which its gradient is held in each picture
    light: float = 6.0  # L1 to the target after strong averaging, where there is no answer
    natural: float = 6.0  # edges against the composite's, brows and eyes above all, where there is no answer
    adversarial: float = 0.15  # hinge, generator's side, on greys; with 0.3 shading is harsh
    adversarial_from: float = 0.35  # share of the run from which the adversary counts
    discriminator_width: int = 24
    discriminator_rate: float = 3e-4


@dataclass(slots=True, kw_only=True)
class PainterState:
    """The networks of a painter's training and their optimisers."""

    kind: str  # of its checkpoint
    painter: Averaged[Any]  # of a PortraitPainter with a `config`
    discriminator: TwoScaleDiscriminator
    discriminator_optimiser: torch.optim.Optimizer
    judge: IdentityJudge
    expression: ExpressionJudge | None
    teacher: PortraitPainter | None = None  # frozen: its pictures are the answers of rows without one

    def checkpoint(self, settings: PainterSettings) -> dict[str, Any]:
        """Return everything the run needs to go on exactly."""
        kept = self.painter.checkpoint(self.kind, asdict(self.painter.network.config)) | {"settings": asdict(settings)}
        return kept | {name: getattr(self, name).state_dict() for name in ("discriminator", "discriminator_optimiser")}

    def restore(self, kept: dict[str, Any], options: TrainOptions, usual: int) -> None:
        """Put a checkpoint back, in a run that may have more steps than it began with; `usual` where none are told."""
        painter = self.painter
        painter.restore(kept)
        painter.progress = share_done(options, painter.step, options.steps or usual, 0.0, painter.progress)
        for name in ("discriminator", "discriminator_optimiser"):
            getattr(self, name).load_state_dict(kept[name])


def begun(options: TrainOptions) -> tuple[PainterSettings, PainterState, int]:
    """Return a run's settings, its networks as they start, and which worker this is.

    Raises UsageError for what does not belong together, WeightsError for weights or a run of another network.
    """
    settings, config, origin = _goes_on(options) if options.resume else _told(options)
    device = start_torch(options)
    worker = join_workers(device)
    network = Painter(config).to(device)
    if origin is not None:
        load_strictly(network, origin.state_dict())
    encoders = load_encoders(options.teacher)
    return settings, build_state(KIND, network, settings, encoders, options), worker


def _told(options: TrainOptions) -> tuple[PainterSettings, PainterConfig, Painter | None]:
    """Return settings and shape of a new run, and the painter it begins with: its shape holds where none is set."""
    settings = read_record(options.config, PainterSettings)
    origin = None if options.init_from is None else read_painter(options.init_from)
    shape = {} if origin is None else asdict(origin.config)
    return settings, make_record(PainterConfig, shape | settings.shape | _working(options), "shape"), origin


def _goes_on(options: TrainOptions) -> tuple[PainterSettings, PainterConfig, None]:
    """Return settings and shape of the run that is there; --config may change its losses, not its network."""
    kept = load(options.output / LAST)
    if kept.get("kind") != KIND:
        raise WeightsError(f"{options.output} holds no painter's run (it holds {kept.get('kind', 'something else')})")
    settings, shape = read_record(options.config, PainterSettings), kept["configuration"]
    if options.config is None:
        settings = make_record(PainterSettings, kept["settings"], "the checkpoint")
    config = make_record(PainterConfig, shape | settings.shape | _working(options), "shape")
    if asdict(config) != shape:
        raise UsageError(f"{options.output} was begun with shape {shape}, not {asdict(config)}: --resume keeps it")
    return settings, config, None


def _working(options: TrainOptions) -> dict[str, int]:
    """Return the side at which a painter paints, where the run is told one."""
    return {} if options.size is None else {"working": options.size}


def build_state(
    kind: str, network: PortraitPainter, settings: PainterSettings, encoders: list[nn.Module], options: TrainOptions
) -> PainterState:
    """Return a painter at the start of its training, on the device its network is on, and who judges it.

    Raises UsageError for a size it cannot paint at.
    """
    if network.working % 32:
        raise UsageError(f"working is {network.working}: give a multiple of 32")
    device = next(network.parameters()).device
    discriminator = TwoScaleDiscriminator(DiscriminatorConfig(width=settings.discriminator_width)).to(device)
    painter = begin(network, device, DECAY)
    painter.steepest = STEEPEST
    for group in painter.optimiser.param_groups:
        group["betas"] = BETAS
    return PainterState(
        kind=kind,
        painter=painter,
        discriminator=discriminator,
        discriminator_optimiser=torch.optim.Adam(discriminator.parameters(), betas=BETAS),
        judge=IdentityJudge(encoders, network.working).to(device),
        expression=None if options.landmarks is None else load_expression_judge(options.landmarks).to(device),
    )


def read_painter(path: Path) -> Painter:
    """Return a painter from its ONNX file, run, checkpoint or name; raise WeightsError where it is another network."""
    origin = read_generator(path)
    if not isinstance(origin.generator, Painter):
        raise WeightsError(f"{origin.path} holds a simswap, which learns from faces alone: say --network simswap")
    return origin.generator
