"""Train a SimSwap: `faceswap train --network simswap`.

Read `train` top to bottom; `discriminator_step` and `generator_step` return named losses. Batches of different people
teach the identity, batches of one person teach what must stay. Source: SimSwap (Chen et al. 2020), sections 3.2 to
3.4; SwapSettings says where a default leaves the paper.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...networks.discriminator import DiscriminatorConfig, TwoScaleDiscriminator
from ...networks.simswap import UnitRange
from ..core.options import TrainOptions
from ..core.parallel import join_workers
from ..core.run import (
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
from ..core.settings import SwapSettings
from ..data.swap_data import Batch
from ..teachers.encoders import load_encoders
from ..teachers.expression import ExpressionJudge, load_expression_judge
from ..teachers.identity_judge import IdentityJudge
from ..teachers.known_faces import Wanted, open_data
from .adversarial import WARM_UP, Journal, TrainState
from .generators import build_generator, copy_weights
from .losses import (
    blend_penalty,
    contrast_loss,
    feature_matching,
    hinge_discriminator,
    hinge_generator,
    identity_loss,
    light_loss,
    outside_loss,
    r1_penalty,
)
from .measure import measure
from .plan import Plan, make_plan

STEPS, BATCH = 5000, 16
HALVED_FOUR_TIMES = 96  # pixels; below it the coarse discriminator, with a fourth halving, has no patch left
LOSSES = (  # every one a step can have: the columns of the log
    "discriminator", "gradient_penalty", "outside", "light", "reconstruction", "expression", "identity", "contrast",
    "adversarial", "feature_matching",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class GeneratorState(TrainState):
    """The networks of a run and their optimisers."""

    kind = "generator"
    networks = ("generator", "average", "discriminator")
    optimisers = ("generator_optimiser", "discriminator_optimiser")

    generator: UnitRange
    expression: ExpressionJudge | None
    generator_optimiser: torch.optim.Optimizer


def train(options: TrainOptions) -> None:
    """Train until the steps or the minutes are used up, then leave the last checkpoint in the run's folder."""
    encoders = load_encoders(options.teacher)
    plan = make_plan(options, encoders)
    settings, run = plan.settings, Run(options)
    device = start_torch(options)
    worker = join_workers(device)
    judge = IdentityJudge(encoders, plan.size).to(device)
    data = open_data(options, judge, Wanted(plan.size, settings.balance), device)
    state = build_state(plan, judge, options.landmarks, device)
    journal = Journal(
        run=run,
        worker=worker,
        save_every=options.save_every,
        steps=STEPS,
        means=Means(LOSSES),
        measure=partial(measure, state.average, judge, data),
        checkpoint=partial(state.checkpoint, plan),
    )
    step, done = state.restore(plan.kept) if plan.kept is not None else (0, 0.0)
    batch_size = options.batch or BATCH
    drawn = data.batches(options, worker, step, count=batch_size, same_every=settings.same_every)
    with run.steps_from(step, batch_size, done):
        while (progress := run.progress(step, STEPS)) < 1 and not run.out_of_time():
            seed_step(options, worker, step)
            rate = rate_factor(step, progress) if settings.schedule == "cosine" else 1.0
            set_rate(state.generator_optimiser, (options.learning_rate or settings.generator_rate) * rate)
            set_rate(state.discriminator_optimiser, settings.discriminator_rate * rate)
            batch = data.assemble(next(drawn))
            waits = options.init_from is not None and settings.adversarial_from <= step < WARM_UP
            losses, fake = ({}, None) if waits else generator_step(state, batch, settings, step)
            if step >= settings.adversarial_from - WARM_UP:
                losses |= discriminator_step(state, batch, settings, fake)
            step += 1
            journal.add(step, progress, losses)
        drawn.close()
        journal.end(step, progress)


def build_state(plan: Plan, judge: IdentityJudge, landmarks: Path | None, device: torch.device) -> GeneratorState:
    """Return fresh networks, the generator with the weights of the plan's origin where it has one."""
    settings = plan.settings
    generator, average = build_generator(settings), build_generator(settings)
    if plan.origin is not None:
        copy_weights(plan.origin, generator)
    average.load_state_dict(generator.state_dict())
    average.requires_grad_(False).eval()
    discriminator = build_discriminator(settings, plan.size)
    for network in (generator, average, discriminator):
        channels_last(network.to(device))
    betas = settings.beta1, settings.beta2
    return GeneratorState(
        generator=generator,
        average=average,
        discriminator=discriminator,
        judge=judge,
        expression=None if landmarks is None else load_expression_judge(landmarks).to(device),
        generator_optimiser=torch.optim.Adam(generator.parameters(), betas=betas),
        discriminator_optimiser=torch.optim.Adam(discriminator.parameters(), betas=betas),
    )


def build_discriminator(settings: SwapSettings, size: int) -> TwoScaleDiscriminator:
    """Return fresh discriminators for crops of `size`; the published ones are 64 to 512 wide, with batch norms."""
    config = DiscriminatorConfig(
        width=settings.discriminator_width,
        max_width=settings.discriminator_max_width,
        halvings=4 if size >= HALVED_FOUR_TIMES else 3,
        norm=settings.discriminator_norm,
    )
    return TwoScaleDiscriminator(config)


def generate(generator: nn.Module, batch: Batch) -> Tensor:
    """Return the swapped crops (N, 3, S, S)."""
    with autocast(batch.target.device):
        swapped: Tensor = generator(batch.target, batch.identity).float()
    return swapped


def discriminator_step(
    state: GeneratorState, batch: Batch, settings: SwapSettings, fake: Tensor | None
) -> dict[str, Tensor]:
    """Teach the discriminator to tell targets from swaps (those of the generator's step, if any); return its losses."""
    if fake is None:
        with torch.no_grad():
            fake = generate(state.generator, batch)
    real = batch.target.detach().requires_grad_(settings.gradient_penalty > 0)
    with autocast(real.device):
        real_scales, fake_scales = state.discriminator(real), state.discriminator(fake)
    pairs = zip(real_scales, fake_scales, strict=True)
    losses = {
        "discriminator": torch.stack([hinge_discriminator(r[-1].float(), f[-1].float()) for r, f in pairs]).mean()
    }
    if settings.gradient_penalty and settings.penalty == "r1":
        penalty = r1_penalty([scale[-1] for scale in real_scales], real)
        losses["gradient_penalty"] = 0.5 * settings.gradient_penalty * penalty
    elif settings.gradient_penalty:
        with autocast(real.device):
            losses["gradient_penalty"] = settings.gradient_penalty * blend_penalty(state.discriminator, real, fake)
    descend(losses, state.discriminator, state.discriminator_optimiser)
    return losses


def generator_step(
    state: GeneratorState, batch: Batch, settings: SwapSettings, step: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Teach the generator; return its losses, weighted as they were summed, and the swaps it made (detached)."""
    fake = generate(state.generator, batch)
    losses = _attribute_losses(fake, batch, settings)
    ramp = min(1.0, max(0.0, (step - settings.reconstruction_only + 1) / max(1, settings.identity_ramp)))
    if ramp > 0:
        losses |= {name: ramp * loss for name, loss in _identity_losses(fake, batch, state.judge, settings).items()}
    if state.expression is not None:
        with autocast(fake.device):
            losses["expression"] = settings.expression * state.expression(fake, batch.target)
    if step >= settings.adversarial_from:
        losses |= _adversarial_losses(fake, batch, state.discriminator, settings)
    descend(losses, state.generator, state.generator_optimiser)
    update_average(state.average, state.generator, min(settings.average, (step + 1) / (step + 10)))
    return losses, fake.detach()


def _attribute_losses(fake: Tensor, batch: Batch, settings: SwapSettings) -> dict[str, Tensor]:
    """Return what keeps the picture the target's."""
    losses = {
        "outside": settings.outside * outside_loss(fake, batch.target, batch.outside),
        "light": settings.light * light_loss(fake, batch.target),
    }
    if batch.same:
        losses["reconstruction"] = settings.reconstruction * functional.l1_loss(fake, batch.target)
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
        "adversarial": settings.adversarial * torch.stack([hinge_generator(m[-1].float()) for m in fake_scales]).mean()
    }
    if settings.matched_maps != "none":
        pairs = zip(fake_scales, real_scales, strict=True)
        matching = torch.stack([feature_matching(f, r, settings.matched_maps) for f, r in pairs]).sum()
        losses["feature_matching"] = settings.feature_matching * matching
    return losses
