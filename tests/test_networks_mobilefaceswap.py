"""MobileFaceSwap: the published network's names, numbers and pictures, and our lighter injection side.

The golden figures were made by running the official Paddle modules with the weights of golden/recipes.py (recipes A
and B) on a random picture, latent and feature map.
"""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from faceswap_cli.networks.arcface import ArcFace, ArcFaceWithMap
from faceswap_cli.networks.injection import IDENTITY, Kernels, join_identity, split_identity
from faceswap_cli.networks.layers import load_strictly
from faceswap_cli.networks.mobilefaceswap import PUBLISHED, MobileConfig, MobileFaceSwap
from faceswap_cli.networks.readers.paddle import _as_torch

from .golden import recipes

SMALL = MobileConfig(latent=16, hidden=8)


def identities(count: int, length: int = 16) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(count, length))


@pytest.mark.parametrize(
    "recipe, mean, spread, mask_mean",
    [("A", 0.499619, 0.146011, None), ("B", 0.552946, 0.202969, 0.476883)],
)
def test_picture_and_mask_have_the_official_mean_and_spread(recipe, mean, spread, mask_mean):
    network = MobileFaceSwap(PUBLISHED).eval()
    load_strictly(network, _as_torch(recipes.paddle_arrays(recipe)))
    with torch.no_grad():
        kernels = network.inject(join_identity(recipes.latent(), recipes.source_map()))
        image, mask = network.swap(recipes.image(224), kernels)
    assert image.mean().item() == pytest.approx(mean, abs=1e-6)
    assert image.std(correction=0).item() == pytest.approx(spread, abs=1e-6)
    if mask_mean is not None:
        assert mask.mean().item() == pytest.approx(mask_mean, abs=1e-6)


def test_the_published_form_has_the_weights_of_the_paper():
    with torch.device("meta"):
        network = MobileFaceSwap(PUBLISHED)
        assert sum(weight.numel() for weight in network.parameters()) == 20_699_710
        kernels = network.inject(torch.empty(1, IDENTITY))
    assert runtime_shapes(network, kernels) == {
        key: shape for key, (shape, _) in recipes.published_keys("mobile_IDN").items() if not is_silent(key)
    }


def runtime_shapes(network: MobileFaceSwap, kernels: Kernels) -> dict[str, tuple[int, ...]]:
    """Name what one source's frames are computed with as the official runtime network does."""
    shapes = {}
    for number, (depthwise, pointwise) in enumerate(zip(kernels.depthwise, kernels.pointwise, strict=True)):
        part = f"Encoder.{number}" if number < 5 else f"Decoder.{number - 5}"
        _, channels, *sides = depthwise.shape
        shapes[f"{part}.0.weight"] = (channels, 1, *sides)
        shapes[f"{part}.1.weight"] = (*pointwise.shape[1:], 1, 1)
    for key, value in network.state_dict().items():
        if key.startswith(("final.", "mask.")) and not key.endswith("num_batches_tracked"):
            shapes[key.replace("running_mean", "_mean").replace("running_var", "_variance")] = tuple(value.shape)
    return shapes


def is_silent(key: str) -> bool:
    """Tell a bias of the dynamic convolutions: the official network keeps them at zero, ours has none."""
    return key.startswith(("Encoder.", "Decoder.")) and key.endswith(".bias")


def test_a_frame_costs_what_the_paper_says():
    keys = recipes.published_keys("mobile_IDN")
    learned = [
        torch.Size(shape).numel() for key, (shape, _) in keys.items() if not key.endswith(("_mean", "_variance"))
    ]
    assert sum(learned) == 499_825
    for config, length in ((PUBLISHED, IDENTITY), (MobileConfig(), 128)):
        with torch.device("meta"):
            network = MobileFaceSwap(config).eval()
            kernels = network.inject(torch.empty(1, length))
            with FlopCounterMode(display=False) as counter:
                network.swap(torch.empty(1, 3, 224, 224), kernels)
        saved = 32 * 8 * (224**2 - 112**2) / 1e6  # the last pointwise convolution, before the doubling and not after
        assert counter.get_total_flops() / 2e6 + saved == pytest.approx(305.7, abs=0.05)


def test_ours_fits_into_eight_megabytes_of_float16():
    weights = sum(weight.numel() for weight in MobileFaceSwap().parameters())
    assert weights == 3_417_031
    assert 2 * weights < 8e6


@pytest.mark.parametrize("config, length", [(SMALL, 16), (replace(PUBLISHED, norm="none"), IDENTITY)])
def test_each_picture_gets_its_own_identity(config, length):
    network = MobileFaceSwap(config).eval()
    target, who = torch.rand(2, 3, 32, 32), identities(2, length)
    with torch.no_grad():
        both = network(target, who)
        for number in range(2):
            alone = network(target[number : number + 1], who[number : number + 1])
            torch.testing.assert_close(both[number : number + 1], alone, atol=1e-5, rtol=1e-4)
        assert (network(target[:1], who[:1]) - network(target[:1], who[1:])).abs().max() > 1e-4


def test_one_identity_serves_a_whole_batch():
    network = MobileFaceSwap(SMALL).eval()
    target, who = torch.rand(3, 3, 32, 32), identities(1)
    with torch.no_grad():
        torch.testing.assert_close(network(target, who), network(target, who.repeat(3, 1)), atol=1e-5, rtol=1e-4)


def test_where_the_mask_is_zero_the_target_stays():
    network = MobileFaceSwap(SMALL).eval()
    network.mask[-1].weight.data.zero_()
    network.mask[-1].bias.data.fill_(-100)
    target = torch.rand(1, 3, 64, 64)
    assert torch.equal(network(target, identities(1)).detach(), target)


def test_every_weight_learns_and_the_mask_leaves_the_features_alone():
    network = MobileFaceSwap(SMALL)
    image, mask = network.swap(torch.rand(2, 3, 32, 32), network.inject(identities(2)))
    mask.sum().backward(retain_graph=True)
    assert network.predictor.trunk[0].weight.grad is None
    image.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_rows_of_pointwise_weights_have_length_one():
    network = MobileFaceSwap(SMALL)
    for weights in network.inject(identities(3)).pointwise:
        lengths = weights.norm(dim=2)
        torch.testing.assert_close(lengths, torch.ones_like(lengths))


def test_embedding_and_map_come_out_of_the_joint_vector_at_any_length():
    embedding, features = torch.randn(2, 512), recipes.source_map().repeat(2, 1, 1, 1)
    joint = join_identity(embedding, features)
    assert joint.norm(dim=1).max() < 1.001
    for scale in (1.0, 0.37):
        vector, found = split_identity(joint * scale)
        torch.testing.assert_close(vector, torch.nn.functional.normalize(embedding), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(found, features, atol=1e-4, rtol=1e-4)


def test_the_encoder_gives_its_embedding_with_its_last_map():
    encoder = ArcFace().eval()
    face = torch.rand(1, 3, 112, 112)
    with torch.no_grad():
        vector, features = split_identity(ArcFaceWithMap(encoder).eval()(face))
        torch.testing.assert_close(vector, torch.nn.functional.normalize(encoder(face)), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(features, encoder.last_map(face), atol=1e-3, rtol=1e-3)
