"""Augmentation on the device: every damage stays a picture, hits only some, and moves do what their numbers say."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.training.data import augment  # noqa: E402
from faceswap_cli.training.data.augment import degrade_batch, draw_moves, moved  # noqa: E402
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
        scale=np.ones(7, np.float32),
        held_out=np.zeros(7, bool),
        outside=np.zeros((7, 64, 64), np.uint8),
    )
    numbers = torch.eye(7)[None]  # each face's vector is its own number
    points = np.random.default_rng(1).uniform(0.2, 0.8, (7, 66, 2)).astype(np.float32)
    whole = np.full((7, 40, 40), 255, np.uint8)
    known = Known(numbers, Portraits(faces.images, points, whole, whole))
    data = SwapData(faces, np.ones(7, bool), known, 32, torch.device("cpu"))
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
