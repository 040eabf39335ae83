import pytest
import torch
from torch.nn import functional

from faceswap_cli.networks.discriminator import (
    OFFICIAL,
    DiscriminatorConfig,
    PatchDiscriminator,
    TwoScaleDiscriminator,
)

from .golden import recipes

NARROW = DiscriminatorConfig(width=4, max_width=16, halvings=3)


@pytest.fixture(scope="module", params=["A", "B"])
def judged(request):
    golden = recipes.arrays("224")
    network = recipes.fill(PatchDiscriminator(OFFICIAL), request.param)
    both = TwoScaleDiscriminator(OFFICIAL).eval()
    both.fine.load_state_dict(network.state_dict())
    both.coarse.load_state_dict(network.state_dict())
    with torch.no_grad():
        scales = both(recipes.image(224))
    return scales, {key[:-2]: golden[key] for key in golden if key.endswith(f"_{request.param}")}


def test_keys_and_shapes_are_the_published_ones():
    assert recipes.keys_of(PatchDiscriminator(OFFICIAL)) == recipes.published_keys("D_224")


@pytest.mark.parametrize("scale, name", [(0, "D1"), (1, "D2")])
def test_logits_and_all_six_maps_equal_the_official_ones(judged, scale, name):
    scales, golden = judged
    recipes.assert_close(scales[scale][-1], golden[f"{name}_logit"])
    recipes.assert_close([one.mean() for one in scales[scale]], golden[f"{name}_feat_mean"])
    recipes.assert_close([one.std(correction=0) for one in scales[scale]], golden[f"{name}_feat_std"])


def test_maps_have_the_published_sizes(judged):
    scales, _ = judged
    assert [[one.shape[-1] for one in maps] for maps in scales] == [[112, 56, 28, 14, 13, 12], [56, 28, 14, 7, 6, 5]]


def test_ours_carries_no_batch_norm_and_bounds_every_convolution():
    network = PatchDiscriminator(NARROW)
    with torch.no_grad():
        for _ in range(30):
            network(torch.rand(2, 3, 64, 64))
    convolutions = [part for part in network.modules() if isinstance(part, torch.nn.Conv2d)]
    assert len(convolutions) == 5
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in network.modules())
    for convolution in convolutions:
        assert torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_one_image_of_a_batch_does_not_touch_another():
    network = TwoScaleDiscriminator(NARROW).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        together, alone = network(images), network(images[:1])
    for scale in range(2):
        for many, one in zip(together[scale], alone[scale], strict=True):
            torch.testing.assert_close(many[:1], one)


def test_a_second_derivative_exists_for_the_gradient_penalty():
    network = PatchDiscriminator(NARROW)
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    (slope,) = torch.autograd.grad(network(image)[-1].sum(), image, create_graph=True)
    slope.square().sum().backward()
    assert network.down1[0].parametrizations.weight.original.grad.abs().sum() > 0


def test_it_learns_to_tell_flat_from_rough():
    torch.manual_seed(0)
    network = TwoScaleDiscriminator(NARROW)
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(60):
        real, fake = torch.rand(4, 3, 64, 64), torch.full((4, 3, 64, 64), 0.5)
        losses = [
            functional.relu(1 - good[-1]).mean() + functional.relu(1 + bad[-1]).mean()
            for good, bad in zip(network(real), network(fake), strict=True)
        ]
        optimiser.zero_grad()
        sum(losses).backward()
        optimiser.step()
    with torch.no_grad():
        assert all(
            good[-1].mean() > bad[-1].mean() + 0.5 for good, bad in zip(network(real), network(fake), strict=True)
        )
