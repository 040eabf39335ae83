"""What one step teaches: each loss's value and sign in the steps of a generator, a student and their discriminators."""

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from faceswap_cli.networks.mobilefacenet import MobileFaceNet  # noqa: E402
from faceswap_cli.networks.painter import Painter, PainterConfig  # noqa: E402
from faceswap_cli.training.core.run import autocast, set_rate  # noqa: E402
from faceswap_cli.training.core.settings import DistillSettings, SwapSettings  # noqa: E402
from faceswap_cli.training.data.swap_data import Batch  # noqa: E402
from faceswap_cli.training.distil import train as distill  # noqa: E402
from faceswap_cli.training.distil.losses import mask_loss, perceptual, reconstruction, teacher_weight  # noqa: E402
from faceswap_cli.training.generator import train as swap  # noqa: E402
from faceswap_cli.training.generator.losses import (  # noqa: E402
    blend_penalty,
    contrast_loss,
    feature_matching,
    light_loss,
    outside_loss,
    r1_penalty,
)
from faceswap_cli.training.generator.plan import Plan  # noqa: E402
from faceswap_cli.training.teachers.identity_judge import IdentityJudge  # noqa: E402
from faceswap_cli.training.teachers.spaces import OURS  # noqa: E402

CPU, SIZE = torch.device("cpu"), 64
PAINTER = {"width": 4, "stages": 2, "blocks": 1, "latent": 128, "norm": "instance"}
LATE = 10_000  # a step at which every loss has set in
NOTHING = dict.fromkeys(
    [
        "identity",
        "contrast",
        "reconstruction",
        "adversarial",
        "feature_matching",
        "outside",
        "light",
    ],
    0.0,
)


def settings_of(**changes: Any) -> SwapSettings:
    """The paper's network, made small, with no loss but those that are named."""
    return SwapSettings(**{"network": "simswap", "shape": PAINTER, "discriminator_width": 4, **NOTHING, **changes})


@pytest.fixture(scope="module")
def judge() -> IdentityJudge:
    torch.manual_seed(0)
    return IdentityJudge([MobileFaceNet()], SIZE)


def state_of(settings: SwapSettings, judge: IdentityJudge) -> swap.GeneratorState:
    """Networks whose spectral norms stand still, so that what a step saw can be computed again."""
    torch.manual_seed(1)
    state = swap.build_state(Plan(settings, SIZE, OURS, []), judge, None, CPU)
    state.discriminator.eval()
    set_rate(state.generator_optimiser, 1e-3)
    set_rate(state.discriminator_optimiser, 1e-3)
    return state


def batch_of(*, same: bool) -> Batch:
    draw = torch.Generator().manual_seed(2)
    target = functional.interpolate(torch.rand(2, 3, 8, 8, generator=draw), size=SIZE, mode="bilinear")
    outside = torch.zeros(2, 1, SIZE, SIZE)
    outside[:, :, :16] = 1
    who, wanted, unwanted = (functional.normalize(torch.randn(2, 128, generator=draw)) for _ in range(3))
    portrait = torch.cat([target.flip(3), torch.full_like(outside, 0.8)], dim=1)
    return Batch(
        target=target, outside=outside, identity=who, portrait=portrait, wanted=wanted, unwanted=unwanted,
        encoder=0, same=same,
    )  # fmt: skip


def made(state: swap.GeneratorState, batch: Batch) -> Tensor:
    with torch.no_grad():
        return swap.generate(state.generator, batch)


def judged(discriminator: nn.Module, image: Tensor) -> list[list[Tensor]]:
    with torch.no_grad(), autocast(CPU):
        return discriminator(image)


def step(
    settings: SwapSettings, judge: IdentityJudge, *, same: bool, at: int = LATE
) -> tuple[dict[str, float], Tensor]:
    """Return the losses of one step of the generator, and the picture it made before."""
    state, batch = state_of(settings, judge), batch_of(same=same)
    fake = made(state, batch)
    losses, told = swap.generator_step(state, batch, settings, at)
    assert torch.equal(told, fake) and not told.requires_grad
    return {name: loss.item() for name, loss in losses.items()}, fake


def test_only_batches_of_one_person_teach_reconstruction(judge: IdentityJudge) -> None:
    settings = settings_of(reconstruction=7.0)
    losses, fake = step(settings, judge, same=True)
    assert losses["reconstruction"] == pytest.approx(7 * (fake - batch_of(same=True).target).abs().mean().item())
    assert "reconstruction" not in step(settings, judge, same=False)[0]


def test_outside_and_light_are_the_targets_in_every_batch(judge: IdentityJudge) -> None:
    for same in (True, False):
        losses, fake = step(settings_of(outside=3.0, light=5.0), judge, same=same)
        batch = batch_of(same=same)
        assert losses["outside"] == pytest.approx(3 * outside_loss(fake, batch.target, batch.outside).item())
        assert losses["light"] == pytest.approx(5 * light_loss(fake, batch.target).item())


def cosines(judge: IdentityJudge, fake: Tensor, vectors: Tensor) -> Tensor:
    """Cosines as the step sees them: the judge's looks are drawn at random."""
    with torch.no_grad(), autocast(CPU):
        return (judge(fake, 0) * vectors).sum(1)


def test_the_source_is_wanted_and_counts_its_own_share_where_it_is_the_targets_person(judge: IdentityJudge) -> None:
    settings = settings_of(identity=8.0, same_identity=0.25)
    for same, weight in ((True, 8 * 0.25), (False, 8)):
        batch, state = batch_of(same=same), state_of(settings, judge)
        fake = made(state, batch)
        torch.manual_seed(5)
        wanted = weight * (1 - cosines(judge, fake, batch.wanted).mean().item())
        torch.manual_seed(5)
        losses, _ = swap.generator_step(state, batch, settings, LATE)
        assert losses["identity"].item() == pytest.approx(wanted, rel=1e-4)


def test_the_targets_person_is_unwanted_where_it_is_another(judge: IdentityJudge) -> None:
    settings = settings_of(contrast=4.0)
    batch, state = batch_of(same=False), state_of(settings, judge)
    fake = made(state, batch)
    torch.manual_seed(5)
    with torch.no_grad(), autocast(CPU):
        found = judge(fake, 0)
    batch = replace(
        batch, unwanted=functional.normalize(found + 0.1 * batch.unwanted)
    )  # the swap looks like the target
    torch.manual_seed(5)
    losses, _ = swap.generator_step(state, batch, settings, LATE)
    assert losses["contrast"].item() == pytest.approx(4 * contrast_loss(found, batch.unwanted).item(), rel=1e-4)
    assert losses["contrast"] > 2
    assert "contrast" not in step(settings, judge, same=True)[0]


def test_the_identity_sets_in_after_reconstruction_alone_and_rises(judge: IdentityJudge) -> None:
    settings = settings_of(identity=8.0, same_identity=1.0, reconstruction_only=10, identity_ramp=4)
    assert "identity" not in step(settings, judge, same=False, at=9)[0]
    shares = []
    for at in (10, 11, 13, 14, LATE):
        torch.manual_seed(5)
        state, batch = state_of(settings, judge), batch_of(same=False)
        torch.manual_seed(5)
        shares.append(swap.generator_step(state, batch, settings, at)[0]["identity"].item())
    assert [share / shares[-1] for share in shares] == pytest.approx([0.25, 0.5, 1, 1, 1])


@pytest.mark.parametrize("maps", ["weak", "all", "none"])
def test_the_generators_side_of_the_adversary_is_minus_the_logits_and_matches_the_maps(
    judge: IdentityJudge, maps: Any
) -> None:
    settings = settings_of(adversarial=1.5, feature_matching=4.0, matched_maps=maps, adversarial_from=50)
    batch, state = batch_of(same=False), state_of(settings, judge)
    fakes, reals = (judged(state.discriminator, image) for image in (made(state, batch), batch.target))
    losses, _ = swap.generator_step(state, batch, settings, 50)
    wanted = -1.5 * sum(scale[-1].float().mean().item() for scale in fakes) / 2
    assert losses["adversarial"].item() == pytest.approx(wanted, rel=1e-4)
    if maps == "none":
        assert "feature_matching" not in losses
    else:
        taken = slice(-3, -1) if maps == "weak" else slice(0, -1)
        distances = [
            functional.l1_loss(ours.float(), theirs.float()).item()
            for fake, real in zip(fakes, reals, strict=True)
            for ours, theirs in zip(fake[taken], real[taken], strict=True)
        ]
        assert len(distances) == (4 if maps == "weak" else 8)
        assert losses["feature_matching"].item() == pytest.approx(4 * sum(distances), rel=1e-2)
    assert "adversarial" not in step(settings, judge, same=False, at=49)[0]


def liked(state: swap.GeneratorState, batch: Batch) -> float:
    return sum(maps[-1].float().mean().item() for maps in judged(state.discriminator, made(state, batch)))


def matched(state: swap.GeneratorState, batch: Batch) -> float:
    both = (judged(state.discriminator, image) for image in (made(state, batch), batch.target))
    return sum(feature_matching(fake, real, "weak").item() for fake, real in zip(*both, strict=True))


def copied(state: swap.GeneratorState, batch: Batch) -> float:
    return (made(state, batch) - batch.target).abs().mean().item()


@pytest.mark.parametrize(
    ("loss", "measure", "better"),
    [("adversarial", liked, 1), ("feature_matching", matched, -1), ("reconstruction", copied, -1)],
)
def test_steps_move_the_generator_where_its_loss_says(
    judge: IdentityJudge, loss: str, measure: Any, better: int
) -> None:
    settings = settings_of(**{loss: 1.0}, adversarial_from=0)
    batch, state = batch_of(same=True), state_of(settings, judge)
    before = measure(state, batch)
    for _ in range(3):
        swap.generator_step(state, batch, settings, LATE)
    assert better * (measure(state, batch) - before) > 0


def test_a_step_of_one_side_leaves_the_other_as_it_is_and_free_to_learn(judge: IdentityJudge) -> None:
    settings = settings_of(adversarial=1.0, feature_matching=1.0, adversarial_from=0, average=0.9)
    batch, state = batch_of(same=False), state_of(settings, judge)
    networks = {"generator": state.generator, "discriminator": state.discriminator, "average": state.average}
    before = {name: _copied(network) for name, network in networks.items()}
    swap.generator_step(state, batch, settings, LATE)
    assert [_moved(networks[name], before[name]) for name in networks] == [True, False, True]
    for mean, own, start in zip(
        state.average.parameters(), state.generator.parameters(), before["average"], strict=True
    ):
        torch.testing.assert_close(mean, 0.9 * start + 0.1 * own)  # an average of nine tenths of what it was
    before = {name: _copied(network) for name, network in networks.items()}
    swap.discriminator_step(state, batch, settings, None)
    assert [_moved(networks[name], before[name]) for name in networks] == [False, True, False]
    assert all(weight.requires_grad for weight in state.discriminator.parameters())


def _copied(network: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for weight in network.parameters()]


def _moved(network: nn.Module, before: list[Tensor]) -> bool:
    return any(not torch.equal(now, then) for now, then in zip(network.parameters(), before, strict=True))


def margins(discriminator: nn.Module, real: Tensor, fake: Tensor) -> list[float]:
    scales = zip(judged(discriminator, real), judged(discriminator, fake), strict=True)
    return [(good[-1].float().mean() - bad[-1].float().mean()).item() for good, bad in scales]


def test_the_discriminator_is_taught_that_targets_are_real_and_swaps_are_not(judge: IdentityJudge) -> None:
    settings = settings_of()
    batch, state = batch_of(same=False), state_of(settings, judge)
    fake = made(state, batch)
    scales = zip(*(judged(state.discriminator, image) for image in (batch.target, fake)), strict=True)
    hinges = [
        (functional.relu(1 - good[-1].float()).mean() + functional.relu(1 + bad[-1].float()).mean()).item()
        for good, bad in scales
    ]
    before = margins(state.discriminator, batch.target, fake)
    losses = swap.discriminator_step(state, batch, settings, None)
    assert set(losses) == {"discriminator"}
    assert losses["discriminator"].item() == pytest.approx(sum(hinges) / 2, rel=1e-3)
    for _ in range(3):
        swap.discriminator_step(state, batch, settings, fake)
    after = margins(state.discriminator, batch.target, fake)
    assert all(now > then for now, then in zip(after, before, strict=True))


def test_the_penalty_is_half_of_r1_or_the_papers_on_blends(judge: IdentityJudge) -> None:
    batch = batch_of(same=False)
    for penalty in ("r1", "blends"):
        settings = settings_of(gradient_penalty=10.0, penalty=penalty)
        state = state_of(settings, judge)
        fake, real = made(state, batch), batch.target.clone().requires_grad_(True)
        torch.manual_seed(5)
        with autocast(CPU):
            if penalty == "r1":
                wanted = 0.5 * r1_penalty([maps[-1] for maps in state.discriminator(real)], real)
            else:
                wanted = blend_penalty(state.discriminator, real, fake)
        torch.manual_seed(5)
        losses = swap.discriminator_step(state, batch, settings, fake)
        assert losses["gradient_penalty"].item() == pytest.approx(10 * wanted.item(), rel=1e-3)
        assert losses["gradient_penalty"] > 0


def test_r1_makes_the_discriminator_flatter(judge: IdentityJudge) -> None:
    settings = settings_of(gradient_penalty=1e4)
    batch, state = batch_of(same=False), state_of(settings, judge)
    penalties = [
        swap.discriminator_step(state, batch, settings, batch.target)["gradient_penalty"].item() for _ in range(4)
    ]
    assert penalties[-1] < penalties[0]


def test_the_published_discriminators_are_two_lines_of_settings() -> None:
    settings = settings_of(discriminator_width=64, discriminator_max_width=512, discriminator_norm="batch")
    both = swap.build_discriminator(settings, 224)
    assert both.fine.config == swap.DiscriminatorConfig(width=64, max_width=512, halvings=4, norm="batch")
    assert sum(weight.numel() for weight in both.fine.parameters()) == 6_962_369  # as published
    assert swap.build_discriminator(settings, 64).fine.config.halvings == 3


# ---- a student ----


def student_settings(**changes: Any) -> DistillSettings:
    nothing = dict.fromkeys(["reconstruction", "perceptual", "identity", "mask", "adversarial"], 0.0)
    small = {"shape": {"hidden": 8}, "discriminator_width": 4, "adversarial_from": 50}
    return DistillSettings(**{**small, **nothing, **changes})


def student_state(settings: DistillSettings) -> tuple[distill.StudentState, Batch]:
    """A student, a teacher that changes what it is given, and a batch of 96 pixels."""
    torch.manual_seed(1)
    judge = IdentityJudge([MobileFaceNet()], 96)
    teacher = Painter(PainterConfig(size=96, working=96, width=8, blocks=1))
    nn.init.normal_(teacher.paint.weight, std=0.1)
    state = distill.build_state(settings, teacher.requires_grad_(False).eval(), judge, None, CPU)
    state.discriminator.eval()
    set_rate(state.student_optimiser, 1e-3)
    set_rate(state.discriminator_optimiser, 1e-3)
    small = batch_of(same=False)
    pictures = {
        name: functional.interpolate(getattr(small, name), size=96) for name in ("target", "outside", "portrait")
    }
    return state, replace(small, **pictures)


def painted(state: distill.StudentState, batch: Batch) -> tuple[Tensor, Tensor]:
    with torch.no_grad(), autocast(CPU):
        image, mask = state.student.swap(batch.target, state.student.inject(batch.identity))
    return image.float(), mask.float()


def test_every_loss_of_a_student_is_the_weight_times_what_it_names() -> None:
    weights = {"reconstruction": 30.0, "perceptual": 5.0, "identity": 3.0, "mask": 10.0, "adversarial": 2.0}
    settings = student_settings(**weights)
    state, batch = student_state(settings)
    fake, mask = painted(state, batch)
    with torch.no_grad(), autocast(CPU):
        taught = state.teacher(batch.target, batch.identity, batch.portrait).float()
        counts = teacher_weight(taught, batch.target, (state.judge.look(taught, 0) * batch.wanted).sum(1))
        distance = perceptual(fake, taught, state.judge.encoders[0])
        logits = [maps[-1].float() for maps in state.discriminator(fake)]
        torch.manual_seed(5)
        found = state.judge(fake, 0)
    wanted = {
        "reconstruction": 30 * (counts * reconstruction(fake, taught)).mean(),
        "perceptual": 5 * (counts * distance).mean(),
        "identity": 3 * (1 - (found * batch.wanted).sum(1).mean()),
        "mask": 10 * mask_loss(mask, batch.outside),
        "adversarial": -2 * (logits[0].mean() + logits[1].mean()) / 2,
    }
    torch.manual_seed(5)
    losses, told = distill.student_step(state, batch, settings, 50)
    torch.testing.assert_close(told, fake)
    for name, value in wanted.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=2e-2, abs=1e-6), name
    assert losses["teacher_weight"].item() == pytest.approx(counts.mean().item(), rel=1e-2)


def test_a_student_meets_the_adversary_when_it_is_told_and_tries_to_please_it() -> None:
    settings = student_settings(adversarial=1.0)
    state, batch = student_state(settings)
    assert "adversarial" not in distill.student_step(state, batch, settings, 49)[0]

    def pleased() -> float:
        return sum(maps[-1].float().mean().item() for maps in judged(state.discriminator, painted(state, batch)[0]))

    before = pleased()
    for _ in range(3):
        distill.student_step(state, batch, settings, 50)
    assert pleased() > before


def test_a_students_discriminator_is_taught_that_targets_are_real() -> None:
    settings = student_settings()
    state, batch = student_state(settings)
    fake, _ = painted(state, batch)
    before = margins(state.discriminator, batch.target, fake)
    first = distill.discriminator_step(state, batch, fake)["discriminator"].item()
    for _ in range(3):
        last = distill.discriminator_step(state, batch, fake)["discriminator"].item()
    assert last < first
    after = margins(state.discriminator, batch.target, fake)
    assert all(now > then for now, then in zip(after, before, strict=True))
