"""The terms of a painter's loss: values worked out by hand where the first test of each leaves something open."""

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from torch import Tensor, nn  # noqa: E402

from faceswap_cli.networks.mobilefacenet import MobileFaceNet  # noqa: E402
from faceswap_cli.training.generator.painter_losses import (  # noqa: E402
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


def chequered(side: int, cell: int) -> Tensor:
    """Squares of -1 and 1, (side, side)."""
    places = torch.arange(side) // cell
    return ((places[:, None] + places) % 2) * 2.0 - 1


def test_each_picture_has_a_distance_of_its_own_as_a_share_of_its_own_weight() -> None:
    """A mask over a quarter: of its two rows the second holds brows and eyes (its middle is at 0.375 of the height)."""
    image, answer, mask = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4)
    image[:, :, :2, :2], mask[0, :, :2, :2] = 0.4, 1
    within = 2 * 1.15 + 2 * 3.15
    wanted = [0.4 * within / (within + 12 * 0.15), 0.1]  # without a mask all weigh alike
    assert answer_distance(image, answer, mask).tolist() == pytest.approx(wanted)


def test_broad_is_what_is_left_over_four_and_over_twelve_pixels() -> None:
    """Squares of four are seen whole at four; of nine of them, at twelve, one is left over."""
    answer = torch.full((1, 3, 24, 24), 0.5)
    image = answer + 0.3 * chequered(24, 4)
    assert broad_distance(image, answer).item() == pytest.approx(0.3 + 0.3 / 9)
    assert broad_distance(answer + 0.3 * chequered(24, 1), answer).item() == pytest.approx(0, abs=1e-6)


def test_edges_count_across_and_down() -> None:
    """A square of 12 in the corner of 24: a step of 0.4 in 12 of 24 x 23 places across, and in as many down."""
    answer = torch.rand(1, 3, 24, 24)
    image = answer.clone()
    image[..., :12, :12] += 0.4
    assert edge_distance(image, answer).item() == pytest.approx(2 * 0.4 * 12 / (24 * 23), rel=1e-4)
    assert edge_distance(answer + 0.3, answer).item() == pytest.approx(0, abs=1e-6)


def test_edges_of_brows_and_eyes_count_three_times_where_they_are_to_be_natural() -> None:
    """Of ten rows the fourth and fifth (middles at 0.35 and 0.45 of the height) hold brows and eyes.

    A stripe 0.4 brighter along the fourth: of 9 x 10 steps down ten lead into it, at 3, and ten out of it, at 3 too;
    along the second all twenty count 1. A stripe down the picture: of 10 x 9 steps across 16 count 1, 4 count 3.
    """
    composite = torch.rand(1, 3, 10, 10)
    for place, wanted in (((3, ...), 60 / 90), ((1, ...), 20 / 90), ((..., 5), 28 / 90)):
        image = composite.clone()
        image[(0, slice(None), *place)] += 0.4
        assert natural_distance(image, composite).item() == pytest.approx(0.4 * wanted, rel=1e-4)


def test_a_steep_gradient_is_held_and_a_gentle_one_comes_through() -> None:
    """Of two pictures of 12 values one gets 5 for each, a norm of 17.32 that is held to 2, the other 0.1, of 0.346."""
    image = torch.rand(2, 3, 2, 2, requires_grad=True)
    kept = held(image, 2.0)
    assert torch.equal(kept, image)
    (kept * torch.tensor([5.0, 0.1])[:, None, None, None]).sum().backward()
    assert image.grad is not None
    assert image.grad[0].norm().item() == pytest.approx(2) and image.grad[0].std().item() == pytest.approx(0, abs=1e-6)
    assert image.grad[1].flatten().tolist() == pytest.approx([0.1] * 12)


def test_an_adversary_sees_brightness_alone() -> None:
    """BT.601: red gives 0.299 of it, green 0.587, blue 0.114."""
    for channel, brightness in enumerate((0.299, 0.587, 0.114)):
        image = torch.zeros(1, 3, 2, 2)
        image[:, channel] = 1
        assert colourless(image).flatten().tolist() == pytest.approx([brightness] * 12)


def test_texture_is_the_deviation_from_the_nearest_neighbours_where_the_mask_is() -> None:
    """Nine pixels of a chequer have a ninth of it in common; the root of 1e-5 is there without any texture."""
    flat, mask = torch.full((1, 3, 40, 40), 0.5), torch.zeros(1, 1, 40, 40)
    mask[..., 20, 20] = 1
    strength = ((0.05 * 8 / 9) ** 2 + 1e-5) ** 0.5
    found = texture_distance(flat + 0.05 * chequered(40, 1), flat, mask)
    assert found.item() == pytest.approx((strength - 1e-5**0.5) / 1600, rel=1e-3)
    half = flat.clone()
    half[..., :20] += 0.05 * chequered(40, 1)[:, :20]
    assert texture_distance(half, flat, mask).item() < found.item(), "eight of fifteen columns are flat"
    mask[..., 20, 20], mask[..., 20, 30] = 0, 1
    assert texture_distance(half, flat, mask).item() == 0


class Adding(nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def forward(self, image: Tensor) -> Tensor:
        return image + self.number


class Stairs(MobileFaceNet):
    """An encoder whose block k adds k to what it is given."""

    def blocks(self) -> Iterator[nn.Module]:
        return (Adding(number) for number in range(6))


def test_maps_are_a_share_of_the_answers_own_size_after_the_first_block_and_the_fourth() -> None:
    """0.6 beside 0.5 in ImageNet's numbers; the fourth block's maps are larger by 0 + 1 + 2 + 3."""
    image, answer = torch.full((2, 3, 32, 32), 0.6, requires_grad=True), torch.full((2, 3, 32, 32), 0.5)
    apart = (0.1 / 0.229 + 0.1 / 0.224 + 0.1 / 0.225) / 3
    size = (0.015 / 0.229 + 0.044 / 0.224 + 0.094 / 0.225) / 3
    found = map_distance(image, answer, Stairs())
    assert found.tolist() == pytest.approx([apart / size + apart / (size + 6)] * 2, rel=1e-4)
    found.sum().backward()
    assert image.grad is not None and (image.grad >= 0).all() and image.grad.any(), "a lower value is nearer"


def test_a_mean_over_rows_is_of_those_alone() -> None:
    values = torch.tensor([1.0, 3.0, 8.0])
    assert mean_over(values, torch.tensor([True, False, True])).item() == pytest.approx(4.5)
    assert mean_over(values, torch.tensor([False, False, False])).item() == 0
