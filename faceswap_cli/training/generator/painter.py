"""Train the painter (networks/painter.py) on triplets: `faceswap train --network painter --data TRIPLETS`.

Rows with an answer teach colour, shading, brows, lips and skin pixel by pixel; rows without one (real targets) keep who
the source is, what the target does, and, with all others, what pictures of faces look like.
"""

import time
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.checkpoint import load
from ..core.options import TrainOptions
from ..core.parallel import average_gradients
from ..core.run import Means, Run, autocast, seed_step, set_rate
from ..data.triplet_data import Batch, TripletData
from .adversarial import Journal
from .losses import CONTRAST_MARGIN, hinge_discriminator, hinge_generator, light_loss
from .painter_losses import (
    answer_distance,
    broad_distance,
    colourless,
    edge_distance,
    held,
    map_distance,
    mean_over,
    natural_distance,
    texture_distance,
)
from .painter_measure import measure_painter, unmeasured
from .painter_state import PainterSettings, PainterState, begun
from .painting import learnt_from, paint

STEPS, BATCH, LEARNING_RATE = 20_000, 8, 5e-4
WARM_UP = 0.03  # share of a run in which the discriminator learns before it counts
ALONE = (0.05, 0.3)  # shares of a run between which rows without an answer come to count
LOSSES = (  # every one a step can have: the columns of the log
    "near", "broad", "edges", "texture", "maps", "same_identity", "identity", "contrast", "natural", "light",
    "expression", "discriminator", "adversarial",
)  # fmt: skip


def train(options: TrainOptions) -> None:
    """Train until the steps or the minutes are used up, then leave the last checkpoint in the run's folder."""
    run_painter(options, *begun(options))


def run_painter(options: TrainOptions, settings: PainterSettings, state: PainterState, worker: int) -> None:
    """Train a painter on the triplets of `options.data`, a student beside its teacher; the first worker writes."""
    run = Run(options)
    device = next(state.painter.network.parameters()).device
    data = TripletData(options.data, (state.teacher or state.painter.network).working, options.seed)
    if options.resume:
        state.restore(load(run.last), options, STEPS)
    painter, batch_size = state.painter, options.batch or BATCH
    journal = Journal(
        run=run,
        worker=worker,
        save_every=options.save_every,
        steps=STEPS,
        means=Means(LOSSES),
        measure=partial(measure_painter, state, data),
        checkpoint=lambda step, progress: state.checkpoint(settings),
        unmeasured=unmeasured(state),
    )
    began = (time.monotonic(), painter.progress)
    with run.steps_from(painter.step, batch_size, painter.progress):
        for batch in _on(device, data.batches(batch_size, painter.step, worker)):
            if painter.progress >= 1 or run.out_of_time():
                break
            seed_step(options, worker, painter.step)  # the encoders' jitter: a run goes on exactly
            losses = _step(state, learnt_from(state, batch), settings, painter.rate(options, LEARNING_RATE))
            painter.advance(options, STEPS, began)
            journal.add(painter.step, painter.progress, losses)
        journal.end(painter.step, painter.progress)


def _step(state: PainterState, batch: Batch, settings: PainterSettings, rate: float) -> dict[str, Tensor]:
    """Teach painter and discriminator one batch; return the painter's losses."""
    progress = state.painter.progress
    image, painting = paint(state.painter.network, batch)
    losses = painter_losses(state, batch, settings, image, painting.composite)
    if progress >= settings.adversarial_from - WARM_UP:
        losses |= _teach_discriminator(state, batch, image, settings.discriminator_rate * rate / LEARNING_RATE)
    if progress >= settings.adversarial_from:
        state.discriminator.requires_grad_(False)
        with autocast(image.device):
            scales = state.discriminator(colourless(image))
        state.discriminator.requires_grad_(True)
        sides = torch.stack([hinge_generator(maps[-1].float()) for maps in scales])
        losses["adversarial"] = settings.adversarial * sides.mean()
    total = torch.stack([loss for name, loss in losses.items() if name != "discriminator"]).sum()
    state.painter.descend(total, rate)
    return losses


def painter_losses(
    state: PainterState, batch: Batch, settings: PainterSettings, image: Tensor, composite: Tensor
) -> dict[str, Tensor]:
    """Return the losses, weighted as they are summed, the adversary's left out.

    Where nobody knows the answer an encoder alone would ask for a caricature: brows drawn black, noses outlined. There
    what is next to what stays as the composite has it, or as a teacher painted it.
    """
    answered, alone = batch.answered.float(), 1 - batch.answered.float()
    shown = answered if state.teacher is None else torch.ones_like(answered)  # rows whose answer is a picture
    ramp = min(1.0, max(0.0, (state.painter.progress - ALONE[0]) / (ALONE[1] - ALONE[0])))
    encoder = state.painter.step % len(state.judge.encoders)
    with autocast(image.device):
        found = state.judge(image, encoder)
        early = map_distance(image, batch.answer, state.judge.encoders[encoder])
        with torch.no_grad():
            wanted, unwanted = (state.judge.embed(faces, encoder) for faces in (batch.wanted, batch.unwanted))
    to_wanted = 1 - (found * torch.where(batch.answered[:, None], unwanted, wanted)).sum(dim=1)
    to_unwanted = functional.relu((found * unwanted).sum(dim=1) - CONTRAST_MARGIN)
    losses = {
        "near": settings.near * mean_over(answer_distance(image, batch.answer, batch.mask), shown),
        "broad": settings.broad * mean_over(broad_distance(image, batch.answer), shown),
        "edges": settings.edges * mean_over(edge_distance(image, batch.answer), shown),
        "texture": settings.texture * mean_over(texture_distance(image, batch.answer, batch.mask), shown),
        "maps": settings.maps * mean_over(early, shown),
        "same_identity": settings.same_identity * mean_over(to_wanted, answered),
        "identity": ramp * settings.identity * mean_over(to_wanted, alone),
        "contrast": ramp * settings.contrast * mean_over(to_unwanted, alone),
        "natural": ramp * settings.natural * mean_over(natural_distance(image, composite), alone),
    }
    share = mean_over(torch.ones_like(alone), alone)  # of what all workers' rows say: this one's, 1 where it is alone
    if (rows := alone.nonzero()[:, 0]).numel():
        losses["light"] = ramp * settings.light * share * light_loss(image[rows], batch.target[rows])
        if state.expression is not None:
            with autocast(image.device):
                distance = state.expression(held(image[rows], settings.steepest_expression), batch.target[rows])
                losses["expression"] = ramp * settings.expression * share * distance
    return losses


def _teach_discriminator(state: PainterState, batch: Batch, image: Tensor, rate: float) -> dict[str, Tensor]:
    """Teach the discriminator to tell real pictures (the answers, and real targets) from painted ones."""
    set_rate(state.discriminator_optimiser, rate)
    with autocast(image.device):
        real, fake = (state.discriminator(colourless(each)) for each in (batch.answer, image.detach()))
    pairs = zip(real, fake, strict=True)
    loss = torch.stack([hinge_discriminator(r[-1].float(), f[-1].float()) for r, f in pairs]).mean()
    state.discriminator_optimiser.zero_grad(set_to_none=True)
    loss.backward()
    average_gradients(state.discriminator)
    nn.utils.clip_grad_norm_(state.discriminator.parameters(), 5.0)
    state.discriminator_optimiser.step()
    return {"discriminator": loss.detach()}


def _on(device: torch.device, batches: Iterator[Batch]) -> Iterator[Batch]:
    for batch in batches:
        yield batch if device.type == "cpu" else Batch(*(getattr(batch, name).to(device) for name in batch.__slots__))
