"""The painter that is made anew for every source: what it begins as, what a source changes, and what it costs."""

import pytest

torch = pytest.importorskip("torch", reason="the networks' modules need the [train] extra")
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from faceswap_cli.networks.mobile_painter import MobilePainter, MobilePainterConfig  # noqa: E402

SMALL = MobilePainterConfig(size=64, working=32, latent=16, hidden=8)


def inputs(config: MobilePainterConfig, count: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    identity = torch.nn.functional.normalize(torch.randn(count, config.latent))
    return torch.rand(count, 3, config.size, config.size), identity, torch.rand(count, 4, config.size, config.size)


def test_untrained_it_returns_its_composite_and_the_target_where_no_portrait_lies() -> None:
    target, identity, portrait = inputs(SMALL)
    portrait[:, 3] = 0
    with torch.no_grad():
        image = MobilePainter(SMALL)(target, identity, portrait)
    assert float((image - target).abs().max()) < 0.02


def test_a_batch_of_sources_is_as_each_alone() -> None:
    target, identity, portrait = inputs(SMALL, 3)
    network = MobilePainter(SMALL).eval()
    torch.nn.init.normal_(network.paint.weight, std=0.5)
    with torch.no_grad():
        together = network(target, identity, portrait)
        alone = torch.cat([network(target[i : i + 1], identity[i : i + 1], portrait[i : i + 1]) for i in range(3)])
        one_source = network(target, identity[:1], portrait)
    assert torch.allclose(together, alone, atol=1e-5)
    assert torch.allclose(one_source[0], alone[0], atol=1e-5)
    assert float((one_source[1] - alone[1]).abs().max()) > 0.01


def test_it_multiplies_a_tenth_of_what_the_painter_does() -> None:
    """0.28 G, of which 0.16 G are of its first and last convolutions at half the working size."""
    config = MobilePainterConfig()
    network = MobilePainter(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs(config))
    # stem 64^2 * 9 * 40 * 32, mix 64^2 * 9 * 64 * 32, paint 64^2 * 9 * 32 * 24, colour 16^2 * 9 * 256 * 12
    first_and_last = 64**2 * 9 * (40 * 32 + 64 * 32 + 32 * 24) + 16**2 * 9 * 256 * 12
    assert 0.5 < first_and_last / (counter.get_total_flops() / 2) < 0.6
    assert 0.25e9 < counter.get_total_flops() / 2 < 0.3e9
