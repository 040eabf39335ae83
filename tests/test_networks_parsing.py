import pytest
import torch
from torch.nn import functional

from faceswap_cli.errors import WeightsError
from faceswap_cli.networks.parsing import CLASSES, BiSeNet, ParseNet, ParseNetConfig, load_bisenet

from .golden import recipes

SMALL = ParseNetConfig(size=32, widths=(8, 8, 16, 16), blocks=(1, 1, 1), head_width=8)


def test_keys_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        assert recipes.keys_of(BiSeNet()) == recipes.published_keys("bisenet")


@pytest.mark.parametrize("recipe", ["A", "B"])
def test_the_logits_equal_the_official_ones(recipe):
    golden = recipes.arrays("misc")
    network = recipes.fill(BiSeNet(), recipe)
    with torch.no_grad():
        logits = network(recipes.imagenet_image(512))[0]
    recipes.assert_close(logits.mean((1, 2)), golden[f"bisenet_out0_mean_{recipe}"])
    recipes.assert_close(logits.std((1, 2), correction=0), golden[f"bisenet_out0_std_{recipe}"])
    recipes.assert_close(logits[:, ::64, ::64], golden[f"bisenet_out0_grid64_{recipe}"])


def test_all_three_heads_have_the_size_of_the_picture():
    with torch.no_grad():
        heads = BiSeNet().eval().heads(torch.rand(1, 3, 64, 96))
    assert [tuple(head.shape) for head in heads] == [(1, 19, 64, 96)] * 3


def test_a_file_of_another_network_is_refused():
    with pytest.raises(WeightsError, match="BiSeNet"):
        load_bisenet(ParseNet(SMALL).state_dict())


def test_our_parser_stays_within_a_million_parameters():
    with torch.device("meta"):
        assert sum(weight.numel() for weight in ParseNet().parameters()) < 1_000_000


@pytest.mark.parametrize("size", [32, 48, 160])
def test_our_parser_keeps_the_size_at_any_multiple_of_16(size):
    with torch.no_grad():
        assert ParseNet(SMALL).eval()(torch.rand(2, 3, size, size)).shape == (2, len(CLASSES), size, size)


def test_our_parser_learns_where_a_patch_lies():
    torch.manual_seed(0)
    network = ParseNet(SMALL)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    image = torch.rand(4, 3, 32, 32) * 0.2
    labels = torch.zeros(4, 32, 32, dtype=torch.long)
    for index, (x, y) in enumerate([(2, 2), (18, 4), (4, 16), (16, 16)]):
        image[index, :, y : y + 12, x : x + 12] += 0.7
        labels[index, y : y + 12, x : x + 12] = 1
    for _ in range(60):
        loss = functional.cross_entropy(network(image), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        assert (network.eval()(image).argmax(1) == labels).float().mean() > 0.97
