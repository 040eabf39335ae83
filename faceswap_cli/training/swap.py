"""Train a SimSwap: `faceswap train`.

Read `train` top to bottom; `discriminator_step` and `generator_step` return named losses. Batches of different people
teach the identity, batches of one person teach what must stay. Source: SimSwap (Chen et al. 2020), sections 3.2 to
3.4; SwapSettings says where the lite recipe leaves the paper.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UsageError, WeightsError
from ..networks.discriminator import DiscriminatorConfig, TwoScaleDiscriminator
from ..networks.export import read_state_dict
from ..networks.lite import Changes, LiteConfig, SimSwapLite, apply_changes
from ..networks.simswap import SimSwap, SimSwapConfig, UnitRange
from .checkpoint import load, save
from .encoders import load_embeddings, load_encoders
from .expression import ExpressionJudge, load_expression_judge
from .losses import (
    ALL_MAPS,
    WEAK_MAPS,
    IdentityJudge,
    contrast_loss,
    feature_matching,
    gradient_penalty,
    hinge_discriminator,
    identity_loss,
    light_loss,
    outside_loss,
    shut_loss,
    smoothness_loss,
)
from .options import TrainOptions
from .parallel import is_first, join_workers
from .portraits import load_portraits
from .run import (
    Means,
    Run,
    autocast,
    channels_last,
    descend,
    rate_factor,
    seed_step,
    set_rate,
    start_torch,
    update_average,
)
from .settings import SwapSettings, make_record, read_settings
from .swap_data import Batch, Known, SwapData, load_swap_faces
from .swap_measure import measure

STEPS, BATCH, SIZE, LEARNING_RATE = 5000, 16, 112, 1e-3
SMALLEST = 96  # below it the coarse discriminator has no patch left
BETA2 = 0.999  # paper, section 4
WARM_UP = 100  # steps the discriminator trains alone before it counts
NETWORKS = ("generator", "average", "discriminator")
OPTIMISERS = ("generator_optimiser", "discriminator_optimiser")
LOSSES = (  # every one a step can have: the columns of the log
    "discriminator", "gradient_penalty", "outside", "light", "reconstruction", "smoothness", "shut", "expression",
    "identity", "contrast", "adversarial", "feature_matching",
)  # fmt: skip


@dataclass(slots=True)
class Players:
    """The networks of a run and their optimisers."""

    generator: nn.Module
    average: nn.Module  # moving average of the generator: what is measured and exported
    discriminator: TwoScaleDiscriminator
    judge: IdentityJudge
    expression: ExpressionJudge | None
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer


def train(options: TrainOptions) -> None:
    """Train until the steps or the minutes are used up, then leave the last checkpoint in the run's folder."""
    settings = read_settings(options.config)
    run = Run(options)
    device = start_torch(options)
    worker = join_workers(device)
    size = options.size or SIZE
    if size % 16 or size < SMALLEST:
        raise UsageError(f"size is {size}: give a multiple of 16 from {SMALLEST} on")
    judge = IdentityJudge(load_encoders(options.teacher), size).to(device)
    faces, targets = load_swap_faces(options, size)
    portraits = load_portraits(faces, run.folder / "portraits.npz", options.threads)
    known = Known(load_embeddings(faces, judge, device, run.folder / "embeddings.npz"), portraits)
    data = SwapData(faces, targets, known, size, device)
    players = build_players(settings, judge, options, device)
    batch_size, means = options.batch or BATCH, Means(LOSSES)
    step, done = resume(run, players) if options.resume else (0, 0.0)
    run.start(step, batch_size, done)

    while (progress := run.progress(step, STEPS)) < 1 and not run.out_of_time():
        generator = seed_step(options, worker, step)
        rate = rate_factor(step, progress)
        set_rate(players.generator_optimiser, (options.learning_rate or LEARNING_RATE) * rate)
        set_rate(players.discriminator_optimiser, settings.discriminator_rate * rate)
        batch = data.draw(batch_size, same=step % settings.same_every == 0, generator=generator)
        waits = options.init_from is not None and settings.adversarial_from <= step < WARM_UP
        losses, fake = ({}, None) if waits else generator_step(players, batch, settings, step)
        if step >= settings.adversarial_from - WARM_UP:
            losses |= discriminator_step(players, batch, settings, fake)
        means.add(losses)
        step += 1
        if is_first(worker) and step % options.save_every == 0:
            row = measure(players.average, judge, data, run.folder / "samples" / f"{step:07d}.png")
            run.log({"step": step, "images_per_second": run.images_per_second(step), **row, **means.take()})
            checkpoint(run.last, players, settings, step, progress)
    if is_first(worker):
        checkpoint(run.last, players, settings, step, progress)


def build_players(settings: SwapSettings, judge: IdentityJudge, options: TrainOptions, device: torch.device) -> Players:
    """Return fresh networks, the generator from `options.init_from` where it is given."""
    fresh = build_generator(settings)
    if options.init_from is not None:
        fresh.load_state_dict(read_generator(options.init_from))
    generator, average = fresh, build_generator(settings)
    average.load_state_dict(generator.state_dict())
    average.requires_grad_(False).eval()
    discriminator = TwoScaleDiscriminator(DiscriminatorConfig(width=settings.discriminator_width))
    for network in (generator, average, discriminator):
        channels_last(network.to(device))
    return Players(
        generator,
        average,
        discriminator,
        judge,
        None if options.landmarks is None else load_expression_judge(options.landmarks).to(device),
        torch.optim.Adam(generator.parameters(), betas=(settings.beta1, BETA2)),
        torch.optim.Adam(discriminator.parameters(), betas=(settings.beta1, BETA2)),
    )


def build_generator(settings: SwapSettings) -> SimSwapLite | UnitRange:
    """Return the network the settings name, untrained; images in [0, 1] both ways."""
    if settings.network == "lite":
        return SimSwapLite(make_record(LiteConfig, settings.shape, "shape"))
    return UnitRange(SimSwap(make_record(SimSwapConfig, settings.shape, "shape")))


def generate(generator: nn.Module, batch: Batch) -> tuple[Tensor, Changes | None]:
    """Return the swapped crops and, from the lite network, what it did to target and portrait."""
    with autocast(batch.target.device):
        if not isinstance(generator, SimSwapLite):
            return generator(batch.target, batch.identity).float(), None
        changes = generator.changes(batch.target, batch.identity, batch.portrait)
    return apply_changes(batch.target, batch.portrait, changes), changes


def discriminator_step(
    players: Players, batch: Batch, settings: SwapSettings, fake: Tensor | None
) -> dict[str, Tensor]:
    """Teach the discriminator to tell targets from swaps (those of the generator's step, if any); return its losses."""
    if fake is None:
        with torch.no_grad():
            fake, _ = generate(players.generator, batch)
    real = batch.target.detach().requires_grad_(settings.gradient_penalty > 0)
    with autocast(real.device):
        real_scales, fake_scales = players.discriminator(real), players.discriminator(fake)
    pairs = zip(real_scales, fake_scales, strict=True)
    losses = {
        "discriminator": torch.stack([hinge_discriminator(r[-1].float(), f[-1].float()) for r, f in pairs]).mean()
    }
    if settings.gradient_penalty:
        penalty = gradient_penalty([scale[-1] for scale in real_scales], real)
        losses["gradient_penalty"] = 0.5 * settings.gradient_penalty * penalty
    descend(losses, players.discriminator, players.discriminator_optimiser)
    return losses


def generator_step(
    players: Players, batch: Batch, settings: SwapSettings, step: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Teach the generator; return its losses, weighted as they were summed, and the swaps it made (detached)."""
    fake, changes = generate(players.generator, batch)
    losses = _attribute_losses(fake, changes, batch, settings)
    ramp = min(1.0, max(0.0, (step - settings.reconstruction_only + 1) / settings.identity_ramp))
    if ramp > 0:
        losses |= {name: ramp * loss for name, loss in _identity_losses(fake, batch, players.judge, settings).items()}
    if players.expression is not None:
        with autocast(fake.device):
            losses["expression"] = settings.expression * players.expression(fake, batch.target)
    if step >= settings.adversarial_from:
        losses |= _adversarial_losses(fake, batch, players.discriminator, settings)
    descend(losses, players.generator, players.generator_optimiser)
    update_average(players.average, players.generator, min(settings.average, (step + 1) / (step + 10)))
    return losses, fake.detach()


def _attribute_losses(fake: Tensor, changes: Changes | None, batch: Batch, settings: SwapSettings) -> dict[str, Tensor]:
    """Return what keeps the picture the target's."""
    losses = {
        "outside": settings.outside * outside_loss(fake, batch.target, batch.outside),
        "light": settings.light * light_loss(fake, batch.target),
    }
    if batch.same:
        losses["reconstruction"] = settings.reconstruction * functional.l1_loss(fake, batch.target)
    if changes is not None:
        losses["smoothness"] = settings.smoothness * smoothness_loss(changes.residual, fake)
        losses["shut"] = settings.shut * shut_loss(changes.gate, batch.portrait)
    return losses


def _identity_losses(fake: Tensor, batch: Batch, judge: IdentityJudge, settings: SwapSettings) -> dict[str, Tensor]:
    """Return what makes the face the source's."""
    with autocast(fake.device):
        found = judge(fake, batch.encoder)
    weight = settings.identity * (settings.same_identity if batch.same else 1.0)
    losses = {"identity": weight * identity_loss(found, batch.wanted)}
    if not batch.same:
        losses["contrast"] = settings.contrast * contrast_loss(found, batch.unwanted)
    return losses


def _adversarial_losses(
    fake: Tensor, batch: Batch, discriminator: nn.Module, settings: SwapSettings
) -> dict[str, Tensor]:
    """Return what makes the picture look taken, not made, and (weak feature matching) keeps the target's attributes."""
    discriminator.requires_grad_(False)
    with autocast(fake.device):
        fake_scales = discriminator(fake)
        with torch.no_grad():
            real_scales = discriminator(batch.target)
    discriminator.requires_grad_(True)
    losses = {
        "adversarial": -settings.adversarial * torch.stack([maps[-1].float().mean() for maps in fake_scales]).mean()
    }
    if settings.matched_maps != "none":
        maps = WEAK_MAPS if settings.matched_maps == "weak" else ALL_MAPS
        pairs = zip(fake_scales, real_scales, strict=True)
        matching = torch.stack([feature_matching(f, r, maps) for f, r in pairs]).sum()
        losses["feature_matching"] = settings.feature_matching * matching
    return losses


def checkpoint(path: Path, players: Players, settings: SwapSettings, step: int, progress: float) -> None:
    """Write everything the run needs to go on exactly."""
    state: dict[str, Any] = {"kind": "generator", "step": step, "progress": progress, "settings": asdict(settings)}
    save(path, state | {name: getattr(players, name).state_dict() for name in (*NETWORKS, *OPTIMISERS)})


def resume(run: Run, players: Players) -> tuple[int, float]:
    """Put a checkpoint back and return its step and which share of its run was done."""
    state = load(run.last)
    for name in (*NETWORKS, *OPTIMISERS):
        getattr(players, name).load_state_dict(state[name])
    return state["step"], state.get("progress", 0.0)


def read_generator(path: Path) -> dict[str, Tensor]:
    """Return a generator's parameters from a shipped ONNX file or a checkpoint (its moving average)."""
    if path.suffix == ".onnx":
        return read_state_dict(path)
    state = load(path)
    if state.get("kind") != "generator":
        raise WeightsError(f"{path} holds no generator (it holds {state.get('kind', 'something else')})")
    return state["average"]
