"""Augmentation on the device: every damage stays a picture, hits only some, and moves do what their numbers say."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.portrait.landmarks import MIRRORED  # noqa: E402
from faceswap_cli.training.data import augment  # noqa: E402
from faceswap_cli.training.data.augment import degrade_batch, draw_moves, move_points, moved  # noqa: E402
from faceswap_cli.training.data.face_set import FaceSet  # noqa: E402
from faceswap_cli.training.data.portraits import Portraits  # noqa: E402
from faceswap_cli.training.data.swap_data import Known, SwapData  # noqa: E402


@pytest.fixture
def pictures() -> torch.Tensor:
    torch.manual_seed(0)
    coarse = torch.rand(16, 3, 8, 8)
    return torch.nn.functional.interpolate(coarse, size=(56, 56), mode="bilinear")


def test_standing_still_only_resamples(pictures: torch.Tensor) -> None:
    moves = torch.eye(2, 3).expand(16, 2, 3)
    assert torch.allclose(moved(pictures, moves, 56), pictures, atol=1e-5)


def test_half_of_the_moves_mirror() -> None:
    torch.manual_seed(1)
    moves = draw_moves(2000, torch.device("cpu"), degrees=0, scale=0, shift=0)
    assert 0.45 < float((moves[:, 0, 0] < 0).float().mean()) < 0.55
    assert torch.allclose(moves[:, 0, 0].abs(), torch.ones(2000))


def test_spread_of_the_moves_is_the_asked_one() -> None:
    torch.manual_seed(2)
    moves = draw_moves(4000, torch.device("cpu"), degrees=3, scale=0.04, shift=0.015)
    angle = torch.rad2deg(torch.atan2(moves[:, 1, 0].abs(), moves[:, 1, 1]))
    assert float(moves[:, :, 2].std()) == pytest.approx(0.03, rel=0.05)  # [-1, 1] is twice the side
    assert float(angle.square().mean().sqrt()) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("name", ["_light", "_colour", "_shrink", "_blur", "_noise", "_compress"])
def test_each_damage_changes_and_keeps_the_shape(pictures: torch.Tensor, name: str) -> None:
    damaged = getattr(augment, name)(pictures)
    assert damaged.shape == pictures.shape
    assert bool(torch.isfinite(damaged).all())
    assert float((damaged - pictures).abs().amax(dim=(1, 2, 3)).min()) > 1e-3


def test_no_strength_changes_nothing_and_full_strength_only_some(pictures: torch.Tensor) -> None:
    assert torch.equal(degrade_batch(pictures, strength=0), pictures)
    many = pictures.repeat(8, 1, 1, 1)
    damaged = degrade_batch(many)
    untouched = (damaged == many).flatten(1).all(dim=1).float().mean()
    # four damages at 0.35, two at half of it, all missed: 0.65^4 * 0.825^2 = 0.12
    assert 0.02 < float(untouched) < 0.3
    assert float(damaged.min()) >= 0 and float(damaged.max()) <= 1


def test_sources_are_of_one_person_or_of_two_as_asked() -> None:
    people = np.array([0, 1, 0, 2, 1, 0, 2])
    faces = FaceSet(
        images=np.zeros((7, 40, 40, 3), np.uint8),
        points=np.zeros((7, 5, 2), np.float32),
        people=people,
        grey=np.zeros(7, bool),
        watched=np.zeros(7, bool),
        held_out=np.zeros(7, bool),
        outside=np.zeros((7, 64, 64), np.uint8),
    )
    numbers = torch.eye(7)[None]  # each face's vector is its own number
    points = np.random.default_rng(1).uniform(0.2, 0.8, (7, 66, 2)).astype(np.float32)
    whole = np.full((7, 40, 40), 255, np.uint8)
    known = Known(np.ones(7, bool), numbers, Portraits(faces.images, points, whole, whole))
    data = SwapData(faces, known, 32, torch.device("cpu"), balance=0.5)
    generator = np.random.default_rng(0)
    seen = set()
    for same in (True, False):
        for _ in range(60):
            batch = data.draw(8, same=same, generator=generator)
            wanted, target = batch.wanted.argmax(dim=1).numpy(), batch.unwanted.argmax(dim=1).numpy()
            assert ((people[wanted] == people[target]) == same).all()
            assert batch.portrait.shape == (8, 4, 32, 32)
            seen |= set(zip(target.tolist(), wanted.tolist(), strict=True))
    assert len(seen) == 49  # every pair of faces comes up


def test_points_move_with_their_pictures_and_change_sides_where_those_are_mirrored() -> None:
    """A dot lies where the point says, before and after; a mirrored left eye is a right one."""
    torch.manual_seed(3)
    moves = draw_moves(12, torch.device("cpu"), degrees=8, scale=0.1, shift=0.03)
    mirrors = moves[:, 0, 0] < 0
    assert 0 < mirrors.sum() < 12
    rows, columns = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    points = torch.full((12, 66, 2), 0.5)
    points[:, 36] = torch.tensor([0.375, 0.625])
    dot = torch.exp(-((columns - 24) ** 2 + (rows - 40) ** 2) / 8).expand(12, 1, 64, 64)
    seen, there = moved(dot, moves, 64), move_points(points, moves)
    weights = seen / seen.sum(dim=(2, 3), keepdim=True)
    found = torch.stack([(weights * columns).sum((1, 2, 3)), (weights * rows).sum((1, 2, 3))], 1) / 64
    for number, is_mirrored in enumerate(mirrors.tolist()):
        point = int(MIRRORED[36]) if is_mirrored else 36
        torch.testing.assert_close(there[number, point], found[number], atol=0.004, rtol=0)


def test_light_is_a_gain_that_may_fall_off_to_one_side() -> None:
    torch.manual_seed(4)
    gains = augment._light(torch.ones(2000, 1, 1, 16)).flatten(1)  # one to any power is one
    bright, dark = gains.amax(dim=1), gains.amin(dim=1)
    assert 0.45 <= bright.min() < 0.5 and 1.3 < bright.max() <= 1.35
    assert 0.25 <= (dark / bright).min() < 0.3
    falls = dark / bright < 0.999
    assert float(falls.float().mean()) == pytest.approx(0.4, abs=0.04)
    assert float((gains[falls, 0] > gains[falls, -1]).float().mean()) == pytest.approx(0.5, abs=0.06)
    shades = augment._light(torch.full((2000, 1, 1, 1), 0.5))[:, 0, 0, 0]  # 0.5 to a power of 0.7 to 1.5
    assert shades.min() >= 0.45 * 0.5**1.5 * 0.25 and shades.max() <= 1.35 * 0.5**0.7


def test_colour_is_taken_away_from_half_and_tinted_in_all() -> None:
    torch.manual_seed(5)
    image = torch.tensor([0.6, 0.3, 0.3])[None, :, None, None].expand(2000, 3, 1, 1)
    tints = augment._colour(torch.full((2000, 3, 1, 1), 0.5)) / 0.5
    assert 0.85 <= tints.min() < 0.86 and 1.14 < tints.max() <= 1.15
    ratio = (augment._colour(image)[:, 0] / augment._colour(image)[:, 1]).flatten()
    assert float(ratio.max()) <= 2 * 1.15 / 0.85
    torch.manual_seed(6)
    first = augment._colour(image)
    torch.manual_seed(6)
    greys = augment._colour(torch.full_like(image, 0.4))  # the same draws on the mean of it
    assert float(((first - greys).abs().amax(dim=(1, 2, 3)) < 1e-6).float().mean()) == pytest.approx(0.5, abs=0.04)


def test_noise_deviates_by_two_to_twelve_levels() -> None:
    torch.manual_seed(7)
    levels = 255 * augment._noise(torch.full((300, 3, 24, 24), 0.5)).flatten(1).std(dim=1)
    assert 1.9 < float(levels.min()) < 2.6 and 11.4 < float(levels.max()) < 12.8


def test_a_smaller_picture_in_between_has_a_quarter_to_four_fifths_of_the_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sides = []
    resample = torch.nn.functional.interpolate
    monkeypatch.setattr(
        augment.functional,
        "interpolate",
        lambda images, size, **way: sides.append(size) or resample(images, size, **way),
    )
    for share in (0.0, 1.0):
        monkeypatch.setattr(augment.torch, "rand", lambda shape, share=share: torch.tensor(share))
        assert augment._shrink(torch.zeros(1, 3, 100, 100)).shape[2:] == (100, 100)
    assert [tuple(side) for side in sides] == [(25, 25), (100, 100), (80, 80), (100, 100)]
