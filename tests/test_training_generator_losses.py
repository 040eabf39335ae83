"""Every term of a generator's loss: its value on numbers worked out by hand, and which way its gradient leads."""

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from torch import Tensor, nn  # noqa: E402

from faceswap_cli.networks.mobilefacenet import MobileFaceNet  # noqa: E402
from faceswap_cli.training.distil.losses import (  # noqa: E402
    mask_loss,
    perceptual,
    quality,
    reconstruction,
    teacher_weight,
)
from faceswap_cli.training.generator.losses import (  # noqa: E402
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
from faceswap_cli.training.teachers.identity_judge import IdentityJudge  # noqa: E402

RIGHT, UP = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])


def stepped(start: Tensor, loss: Callable[[Tensor], Tensor], rate: float = 0.1) -> Tensor:
    """Return a tensor one step down the gradient of a loss."""
    moved = start.clone().requires_grad_(True)
    loss(moved).backward()
    assert moved.grad is not None and moved.grad.any()
    return (moved - rate * moved.grad).detach()


def test_identity_is_one_minus_the_mean_cosine() -> None:
    found = torch.stack([RIGHT, 0.6 * RIGHT + 0.8 * UP, -RIGHT])
    wanted = torch.stack([RIGHT, RIGHT, RIGHT])
    assert identity_loss(found, wanted).item() == pytest.approx(1 - (1 + 0.6 - 1) / 3)
    after = stepped(found, lambda vectors: identity_loss(vectors, wanted))
    assert ((after * wanted).sum(1) > (found * wanted).sum(1)).all()


def test_contrast_is_what_a_cosine_exceeds_a_fifth_by() -> None:
    found = torch.stack([RIGHT, 0.6 * RIGHT + 0.8 * UP, UP])
    target = torch.stack([RIGHT, RIGHT, RIGHT])
    assert contrast_loss(found, target).item() == pytest.approx((0.8 + 0.4 + 0) / 3)
    after = stepped(found, lambda vectors: contrast_loss(vectors, target))
    assert ((after * target).sum(1)[:2] < (found * target).sum(1)[:2]).all()
    assert torch.equal(after[2], found[2])


def test_outside_counts_only_where_nothing_may_change() -> None:
    image, target = torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), 0.2)
    outside = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    assert outside_loss(image, target, outside).item() == pytest.approx(0.3 / 4)
    after = stepped(image, lambda moved: outside_loss(moved, target, outside))
    assert (after[..., 0, 0] < image[..., 0, 0]).all()
    assert torch.equal(after[..., 1, :], image[..., 1, :])


def test_light_is_blind_to_what_lies_within_a_sixteenth_of_the_side() -> None:
    target = torch.full((1, 3, 32, 32), 0.4)
    checks = target + 0.2 * (((torch.arange(32)[:, None] + torch.arange(32)) % 2) - 0.5)
    assert light_loss(checks, target).item() == pytest.approx(0, abs=1e-6)
    lighter = target.clone()
    lighter[..., :16, :] += 0.3
    assert light_loss(lighter, target).item() == pytest.approx(0.15)
    after = stepped(lighter, lambda image: light_loss(image, target))
    assert (after[..., :16, :] < lighter[..., :16, :]).all()


def test_the_discriminators_hinge_has_a_margin_of_one_on_either_side() -> None:
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, -0.5, 1.0])
    assert hinge_discriminator(real, fake).item() == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 0.5 + 2) / 3)
    after = stepped(torch.stack([real, fake]), lambda logits: hinge_discriminator(*logits))
    assert (after[0, 1:] > real[1:]).all() and (after[1, 1:] < fake[1:]).all()
    assert after[0, 0] == 2 and after[1, 0] == -2  # beyond the margin nothing is taught


def test_the_generator_wants_high_logits() -> None:
    fake = torch.tensor([0.5, -1.5, 4.0])
    assert hinge_generator(fake).item() == pytest.approx(-1.0)
    assert (stepped(fake, hinge_generator) > fake).all()


def maps_of(*values: float) -> list[Tensor]:
    """Five hidden maps and the logits, each of one value, of sizes that differ."""
    return [torch.full((1, number + 1, 6 - number, 6 - number), float(value)) for number, value in enumerate(values)]


def test_weak_matching_takes_the_last_two_hidden_maps_and_all_takes_five_but_never_the_logits() -> None:
    fake, real = maps_of(1, 2, 4, 8, 16, 32), maps_of(0, 0, 0, 0, 0, 0)
    assert feature_matching(fake, real, "weak").item() == 8 + 16
    assert feature_matching(fake, real, "all").item() == 1 + 2 + 4 + 8 + 16


def test_matching_pulls_the_made_picture_towards_the_real_one_and_leaves_that_alone() -> None:
    fake, real = maps_of(1, 1, 1, 1, 1, 1), maps_of(0, 0, 0, 0, 3, 0)
    for each in fake + real:
        each.requires_grad_(True)
    feature_matching(fake, real, "weak").backward()
    assert fake[3].grad is not None and (fake[3].grad > 0).all()
    assert fake[4].grad is not None and (fake[4].grad < 0).all()
    assert all(each.grad is None for each in (*real, *fake[:3], fake[5]))


class Slope(nn.Module):
    """Discriminators whose logits are a sum of pixels times a number: their gradient is that number everywhere."""

    def __init__(self, *slopes: float) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.tensor(slopes))

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        return [[slope * image.sum(dim=(1, 2, 3)).reshape(-1, 1, 1, 1)] for slope in self.slopes]


def test_r1_is_the_mean_square_of_the_gradients_norm() -> None:
    """Slopes 2 and 1 add to a gradient of 3 in each of 12 numbers."""
    image, network = torch.rand(2, 3, 2, 2, requires_grad=True), Slope(2.0, 1.0)
    penalty = r1_penalty([maps[-1] for maps in network(image)], image)
    assert penalty.item() == pytest.approx(9 * 12)
    penalty.backward()
    assert network.slopes.grad is not None and (network.slopes.grad > 0).all()


def test_r1_differs_from_picture_to_picture() -> None:
    """Logits of half the square of the pixels have the pixels as their gradient: 4 numbers of 1 and of 2."""
    image = torch.stack([torch.full((1, 2, 2), 1.0), torch.full((1, 2, 2), 2.0)]).requires_grad_(True)
    assert r1_penalty([0.5 * image.square()], image).item() == pytest.approx((4 + 16) / 2)


def test_the_penalty_on_blends_is_the_square_of_what_the_norm_lacks_of_one() -> None:
    """A slope of s in 4 numbers has the norm 2 s: (2 x 2 - 1)^2 and (2 x 0.25 - 1)^2."""
    network = Slope(2.0, 0.25)
    penalty = blend_penalty(network, torch.rand(3, 1, 2, 2), torch.rand(3, 1, 2, 2))
    assert penalty.item() == pytest.approx((3**2 + 0.5**2) / 2)
    penalty.backward()
    assert network.slopes.grad is not None
    assert network.slopes.grad[0] > 0 > network.slopes.grad[1]  # both norms are drawn towards one


def test_blends_lie_between_a_real_and_a_made_picture_and_differ() -> None:
    seen: list[Tensor] = []

    class Watching(Slope):
        def forward(self, image: Tensor) -> list[list[Tensor]]:
            seen.append(image.detach())
            return super().forward(image)

    torch.manual_seed(0)
    real, fake = torch.full((64, 1, 2, 2), 3.0), torch.full((64, 1, 2, 2), 1.0)
    blend_penalty(Watching(1.0), real, fake)
    shares = (seen[0].flatten(1) - 1) / 2
    assert (shares.amin(1) == shares.amax(1)).all()
    assert 0 <= shares.min() < 0.1 and 0.9 < shares.max() <= 1


def test_the_teachers_weight_is_the_square_of_the_likeness_times_the_quality() -> None:
    """Where the swap has a quarter of the target's gradient, + 0.01 each, the quality is the share of the two."""
    target = (0.5 + 0.2 * (torch.arange(32) % 2)).expand(1, 3, 32, 32)
    result = 0.5 + (target - 0.5) / 4
    patch = torch.full((16,), 0.2)
    patch[-1] = 0.1  # the last column has nothing on its right
    quality = ((patch / 4 + 0.01) / (patch + 0.01)).mean().item()
    weight = teacher_weight(result, target, torch.tensor([0.5]))
    assert weight.item() == pytest.approx(0.25 * quality, rel=1e-4)
    assert teacher_weight(target, target, torch.tensor([-0.5])).item() == 0


def test_reconstruction_is_a_mean_for_each_picture() -> None:
    student, teacher = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    teacher[1, :, 0, 0] = -0.4
    assert reconstruction(student, teacher).tolist() == pytest.approx([0, 0.1])
    after = stepped(student, lambda image: reconstruction(image, teacher).sum())
    assert (after[1, :, 0, 0] < 0).all()


def test_perceptual_falls_when_the_students_picture_moves_towards_the_teachers() -> None:
    torch.manual_seed(0)
    encoder, teacher = MobileFaceNet().eval(), torch.rand(1, 3, 32, 32)
    student = torch.rand(1, 3, 32, 32)
    before = perceptual(student, teacher, encoder)
    after = stepped(student, lambda image: perceptual(image, teacher, encoder).sum(), rate=1.0)
    assert perceptual(after, teacher, encoder) < before
    assert perceptual(teacher, teacher, encoder).item() == 0


def test_the_mask_is_drawn_to_the_face_of_the_class_map() -> None:
    outside = torch.tensor([[[[1.0, 0.0]]]])
    mask = torch.tensor([[[[0.3, 0.6]]]])
    assert mask_loss(mask, outside).item() == pytest.approx((0.3 + 0.4) / 2)
    after = stepped(mask, lambda moved: mask_loss(moved, outside))
    assert after[..., 0].item() < 0.3 and after[..., 1].item() > 0.6


def test_a_judge_draws_the_picture_to_the_wanted_vector() -> None:
    torch.manual_seed(0)
    judge, crop = IdentityJudge([MobileFaceNet()], 64), torch.rand(1, 3, 64, 64)
    wanted = nn.functional.normalize(torch.randn(1, 128))
    before = identity_loss(judge.look(crop, 0), wanted)
    after = stepped(crop, lambda image: identity_loss(judge.look(image, 0), wanted), rate=1e4)
    assert identity_loss(judge.look(after, 0), wanted) < before


def test_a_picture_without_a_class_map_says_nothing_of_its_mask() -> None:
    """The second's map has nothing outside the face: there is none."""
    outside, mask = torch.zeros(2, 1, 1, 2), torch.tensor([0.3, 0.6]).expand(2, 1, 1, 2)
    outside[0, ..., 0] = 1
    assert mask_loss(mask, outside).item() == pytest.approx((0.3 + 0.4) / 2)
    assert mask_loss(mask[1:], outside[1:]).item() == 0


def test_sharpness_added_counts_as_much_as_sharpness_lost() -> None:
    """Stripes of 0.2 and of 0.05, across and down, with 0.01 beside each."""
    stripes = (torch.arange(32) % 2 - 0.5).expand(1, 3, 32, 32)
    for sharp, soft in ((stripes * 0.2, stripes * 0.05), (stripes.mT * 0.2, stripes.mT * 0.05)):
        lost, added = quality(0.5 + soft, 0.5 + sharp).item(), quality(0.5 + sharp, 0.5 + soft).item()
        assert lost == pytest.approx(added)
        assert lost == pytest.approx((15 * 0.06 / 0.21 + 0.035 / 0.11) / 16, rel=1e-4)  # the last patch has half


class Adding(nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def forward(self, image: Tensor) -> Tensor:
        return image + self.number


class Stairs(MobileFaceNet):
    """An encoder whose block k adds k to what it is given."""

    def blocks(self) -> list[nn.Module]:  # type: ignore[override]
        return [Adding(number) for number in range(8)]


def test_perceptual_is_the_share_of_the_squares_after_the_first_third_and_sixth_block() -> None:
    """0.6 beside 0.5 in ImageNet's numbers; 3 is added by the third block, 15 by the sixth."""
    deviations, sizes = (0.229, 0.224, 0.225), (0.015 / 0.229, 0.044 / 0.224, 0.094 / 0.225)
    apart = sum((0.1 / each) ** 2 for each in deviations)
    wanted = sum(apart / sum((size + added) ** 2 for size in sizes) for added in (0, 3, 15))
    student, teacher = torch.full((2, 3, 32, 32), 0.6), torch.full((2, 3, 32, 32), 0.5)
    assert perceptual(student, teacher, Stairs()).tolist() == pytest.approx([wanted] * 2, rel=1e-4)
