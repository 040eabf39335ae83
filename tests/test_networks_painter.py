"""The painter: what each part of a painting does to a picture, and that torch and ONNX Runtime agree."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks' modules need the [train] extra")
from faceswap_cli.engines.select import open_network  # noqa: E402
from faceswap_cli.engines.torch import TorchNetwork  # noqa: E402
from faceswap_cli.networks.export import Signature, write_onnx  # noqa: E402
from faceswap_cli.networks.light import luma  # noqa: E402
from faceswap_cli.networks.painter import (  # noqa: E402
    ADDED,
    MIX,
    SHIFT,
    Painter,
    PainterConfig,
    Painting,
    carried,
    laid_over,
    painted,
)

TINY = PainterConfig(size=128, working=64, width=8, blocks=1)


def painting(composite: torch.Tensor, colour: float = 0.0, detail: float = 0.0, added: float = 0.0) -> Painting:
    """Return a painting that does the same everywhere; `colour` is the change of every matrix's first entry alone."""
    count, side = len(composite), composite.shape[-1]
    matrix = torch.zeros(count, 12, side // 8, side // 8)
    matrix[:, 0] = colour
    details, additions, hue = (torch.full((count, n, side, side), v) for n, v in ((2, detail), (3, added), (1, -1.0)))
    return Painting(composite, matrix, details, additions, hue)


def grid(side: int) -> torch.Tensor:
    """Return a fine chequered picture around 0.5."""
    places = torch.arange(side)
    return (0.5 + 0.1 * (((places[:, None] + places[None]) % 2) * 2.0 - 1)).expand(1, 3, side, side).contiguous()


def test_an_untouched_painting_is_its_composite() -> None:
    composite = torch.rand(2, 3, 64, 64)
    assert torch.allclose(painted(painting(composite)), composite, atol=1e-6)


def test_colours_are_mixed_by_the_matrix_and_shifted_by_its_last_column() -> None:
    composite = torch.full((1, 3, 64, 64), 0.4)
    mixed = painted(painting(composite, colour=0.5))
    assert mixed[0, 0].mean().item() == pytest.approx(0.4 + MIX * 0.5 * 0.4)  # 0.5
    assert mixed[0, 1].mean().item() == pytest.approx(0.4)
    shifted = painting(composite)
    shifted.colour[:, 7] = 1.0  # the second row's fourth entry: green
    assert painted(shifted)[0, :, 0, 0].tolist() == pytest.approx([0.4, 0.4 + SHIFT, 0.4])


def test_detail_is_taken_away_and_doubled() -> None:
    composite = grid(64)
    inner = (..., slice(8, -8), slice(8, -8))
    assert painted(painting(composite, detail=-1.0))[inner].std() < 0.01
    assert painted(painting(composite, detail=1.0))[inner].std().item() == pytest.approx(0.2, abs=0.01)


def test_what_is_added_is_limited() -> None:
    composite = torch.full((1, 3, 64, 64), 0.2)
    assert painted(painting(composite, added=1.0)).mean().item() == pytest.approx(0.2 + ADDED)


def test_a_line_that_is_painted_over_takes_the_hue_around_it() -> None:
    skin = torch.tensor([0.6, 0.4, 0.3])[:, None, None]
    composite = skin.expand(1, 3, 96, 96).clone()
    composite[..., 47:49] = torch.tensor([0.02, 0.02, 0.1])[:, None, None]  # a dark blue rim
    over = painting(composite)
    over.added[..., 47:49] = (luma(skin[None]) - luma(composite[..., 47:49])) / ADDED  # as bright as the skin

    def redness(hue: float) -> float:
        picture = painted(over._replace(hue=torch.full_like(over.hue, hue)))[0, :, 48, 48]
        return (picture[0] / picture[2]).item()

    assert redness(1.0) > 1.8  # of 0.6 / 0.3: what was painted, without a hue, counts in the broad
    assert redness(-1.0) < 1.2


def test_detail_finer_than_the_painting_comes_from_the_full_composite() -> None:
    full = grid(128)
    small = torch.nn.functional.avg_pool2d(full, 2)  # flat: the grid is finer than it can show
    assert carried(full, painting(small)).std().item() == pytest.approx(0.1, abs=0.01)
    assert carried(full, painting(small, detail=-1.0)).std() < 0.01


def test_a_portrait_is_laid_where_it_may_be_used() -> None:
    target, face = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    usable = torch.tensor([[0.0, 0.25], [0.5, 1.0]])[None, None]
    laid = laid_over(target, torch.cat([face, usable], dim=1), face)
    assert torch.equal(laid[0, 0], usable[0, 0])


def test_the_identity_changes_what_is_painted() -> None:
    torch.manual_seed(0)
    network = Painter(TINY)
    torch.nn.init.normal_(network.paint.weight, std=0.1)
    target, portrait = torch.rand(1, 3, 128, 128), torch.rand(1, 4, 128, 128)
    first, second = torch.nn.functional.normalize(torch.randn(2, 1, 128), dim=2)
    assert (network(target, first, portrait) - network(target, second, portrait)).abs().max() > 1e-3


def test_every_engine_computes_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Painter(TINY).eval()
    torch.nn.init.normal_(network.paint.weight, std=0.05)
    inputs = {
        "target": torch.rand(1, 3, 128, 128),
        "identity": torch.randn(1, 128),
        "portrait": torch.rand(1, 4, 128, 128),
    }
    inputs["identity"] /= inputs["identity"].norm()
    metadata = {"network": "painter", "configuration": json.dumps(asdict(TINY))}
    write_onnx(network, inputs, tmp_path / "painter.onnx", metadata, Signature(("image",)))
    arrays = {name: value.numpy() for name, value in inputs.items()}
    there = open_network(tmp_path / "painter.onnx", "cpu", 1).run(**arrays)[0]
    torch_there = TorchNetwork(tmp_path / "painter.onnx").run(**arrays)[0]
    with torch.no_grad():
        here = network(*inputs.values()).numpy()
    assert np.abs(there - here).max() < 2e-3  # weights are kept as float16
    assert np.abs(torch_there - there).max() < 2e-3
