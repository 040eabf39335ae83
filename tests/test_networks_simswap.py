import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from faceswap_cli.errors import WeightsError
from faceswap_cli.networks.simswap import (
    OFFICIAL_224,
    OFFICIAL_512,
    TRAIN_DEEP,
    TRAIN_SHALLOW,
    SimSwap,
    SimSwapConfig,
    UnitRange,
    load_simswap,
)

from .golden import functional, recipes

SMALL = SimSwapConfig(width=8, max_width=24, stages=2, blocks=2, latent=16, norm="instance")


@pytest.fixture(scope="module", params=["A", "B"])
def watched_224(request):
    golden = recipes.arrays("224")
    names = [str(name) for name in golden[f"stage_names_{request.param}"]]
    network = recipes.fill(SimSwap(OFFICIAL_224), request.param)
    output, stages = recipes.run_watched(network, names, recipes.image(224), recipes.latent())
    return {key[:-2]: golden[key] for key in golden if key.endswith(f"_{request.param}")}, output, stages


@pytest.mark.parametrize(
    "name, config",
    [("224", OFFICIAL_224), ("512", OFFICIAL_512), ("224", TRAIN_SHALLOW), ("train_deep", TRAIN_DEEP)],
)
def test_keys_and_shapes_are_the_published_ones(name, config):
    with torch.device("meta"):
        assert recipes.keys_of(SimSwap(config)) == recipes.published_keys(name)


@pytest.mark.parametrize(
    "config, size, parameters, giga_macs",
    [
        (OFFICIAL_224, 224, 55_051_779, 48.121),
        (OFFICIAL_512, 512, 55_079_427, 70.121),
        (TRAIN_DEEP, 256, 59_773_443, 33.253),
        (TRAIN_DEEP, 512, 59_773_443, 132.986),
    ],
)
def test_parameters_and_multiplications_are_as_many_as_published(config, size, parameters, giga_macs):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = SimSwap(config).eval()
        network(torch.empty(1, 3, size, size), torch.empty(1, 512))
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert counter.get_total_flops() / 2e9 == pytest.approx(giga_macs, abs=6e-4)


def test_the_recipe_gives_the_recorded_weights():
    golden = recipes.arrays("224")
    values = recipes.weight(str(golden["probe_key"]), (64, 3, 7, 7), "A", ()).ravel()[:8]
    recipes.assert_close(values, golden["probe_values_A"], 1e-7)
    recipes.assert_close(recipes.latent(), golden["latent"], 1e-7)
    recipes.assert_close(recipes.image(224).flatten()[:8], golden["image_first8"], 1e-7)


def test_224_picture_equals_the_official_one(watched_224):
    golden, output, _ = watched_224
    recipes.assert_close(output, golden["out"])


def test_the_reference_for_the_others_paints_the_official_224_picture():
    golden = recipes.arrays("224")["out_B"]
    state = recipes.fill(SimSwap(OFFICIAL_224), "B").state_dict()
    recipes.assert_close(functional.simswap(state, recipes.image(224), recipes.latent(), tanh=True), golden, 1e-5)


def test_every_stage_of_224_equals_the_official_one(watched_224):
    golden, _, stages = watched_224
    recipes.assert_close([stage.mean() for stage in stages], golden["stage_mean"])
    recipes.assert_close([stage.std(correction=0) for stage in stages], golden["stage_std"])
    recipes.assert_close(torch.stack([stage.flatten()[:16] for stage in stages]), golden["stage_first16"])


@pytest.mark.parametrize("recipe, mean, std", [("A", 0.5075539, 0.0234032), ("B", 0.6299317, 0.2335077)])
def test_512_picture_has_the_official_mean_and_spread(recipe, mean, std):
    network = recipes.fill(SimSwap(OFFICIAL_512), recipe)
    with torch.no_grad():
        output = network(recipes.image(512), recipes.latent())
    assert output.mean().item() == pytest.approx(mean, abs=1e-5)
    assert output.std(correction=0).item() == pytest.approx(std, abs=1e-5)


def test_train_variant_is_the_224_network_without_tanh():
    config = SimSwapConfig(width=8, stages=2, blocks=1, latent=16)
    unit = SimSwap(config).eval()
    linear = SimSwap(SimSwapConfig(width=8, stages=2, blocks=1, latent=16, convention="imagenet")).eval()
    linear.load_state_dict(unit.state_dict())
    with torch.no_grad():
        inputs = torch.randn(1, 3, 32, 32), torch.randn(1, 16)
        torch.testing.assert_close((torch.tanh(linear(*inputs)) + 1) / 2, unit(*inputs))


def test_both_conventions_look_alike_from_outside():
    linear = SimSwap(SimSwapConfig(width=8, stages=2, blocks=1, latent=16, convention="imagenet")).eval()
    image, identity = recipes.image(32), torch.randn(1, 16)
    with torch.no_grad():
        inner = linear(recipes.imagenet_image(32), identity).double().numpy()
        outer = UnitRange(linear)(image, identity)
    recipes.assert_close(outer, (inner * recipes.IMAGENET_STD + recipes.IMAGENET_MEAN).clip(0, 1))


def test_identity_changes_the_picture_and_its_zero_style_does_not():
    network = SimSwap(SMALL).eval()
    target, first, second = torch.rand(1, 3, 32, 32), torch.randn(1, 16), torch.randn(1, 16)
    with torch.no_grad():
        assert (network(target, first) - network(target, second)).abs().max() > 1e-4
        for block in network.BottleNeck:
            block.style1.linear.weight.zero_()
            block.style2.linear.weight.zero_()
        torch.testing.assert_close(network(target, first), network(target, second))


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_each_norm_trains_and_keeps_the_size(norm):
    network = SimSwap(SimSwapConfig(width=4, stages=3, blocks=1, latent=8, norm=norm, skip_scale=2))
    image = network(torch.rand(2, 3, 64, 64), torch.randn(2, 8))
    image.mean().backward()
    assert image.shape == (2, 3, 64, 64)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_skips_exist_only_at_the_asked_scale_and_coarser():
    def skips(scale):
        network = SimSwap(SimSwapConfig(width=4, stages=4, blocks=1, latent=8, skip_scale=scale))
        return [name for name, _ in network.named_children() if name.startswith("skip")]

    assert skips(0) == []
    assert skips(4) == ["skip3", "skip4"]
    assert skips(1) == ["skip1", "skip2", "skip3", "skip4"]


def test_a_file_of_another_variant_is_refused():
    with torch.device("meta"):
        shallow = SimSwap(TRAIN_SHALLOW).state_dict()
    with pytest.raises(WeightsError, match="down4"):
        load_simswap(shallow, TRAIN_DEEP)


def test_surplus_keys_are_ignored_for_the_512_file_alone():
    state = SimSwap(OFFICIAL_512).state_dict()
    state["BottleNeck.0.conv3.1.weight"] = torch.zeros(1)
    loaded = load_simswap(state, OFFICIAL_512)
    assert torch.equal(loaded.up0[1].weight, state["up0.1.weight"])
    small = SimSwap(SMALL).state_dict()
    with pytest.raises(WeightsError, match="conv3"):
        load_simswap({**small, "BottleNeck.0.conv3.1.weight": torch.zeros(1)}, SMALL)
    del state["up0.1.weight"]
    with pytest.raises(WeightsError, match=r"up0\.1\.weight"):
        load_simswap(state, OFFICIAL_512)
