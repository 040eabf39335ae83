"""What a painter's log says of people held out: each measure of the rows and the people it is named for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from skimage.data import astronaut  # noqa: E402
from torch import Tensor  # noqa: E402

from faceswap_cli.networks.painter import Painter, PainterConfig  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions  # noqa: E402
from faceswap_cli.training.data.triplet_data import Batch  # noqa: E402
from faceswap_cli.training.generator import painter_measure as measuring  # noqa: E402
from faceswap_cli.training.generator.painter_state import PainterSettings, PainterState, build_state  # noqa: E402
from faceswap_cli.training.teachers.encoders import load_encoders  # noqa: E402

SIDE = 96


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> PainterState:
    network = Painter(PainterConfig(size=SIDE, working=SIDE, width=8, blocks=1))
    options = TrainOptions(data=(), output=tmp_path_factory.mktemp("run"))
    return build_state("painter", network, PainterSettings(), load_encoders(None)[:1], options)


@pytest.fixture(scope="module")
def rows() -> Batch:
    """Two rows: the astronaut's face, and the same mirrored and much darker."""
    face = torch.from_numpy(np.ascontiguousarray(astronaut()[20:212, 130:322])).permute(2, 0, 1)[None].float() / 255
    face = torch.nn.functional.interpolate(face, size=(SIDE, SIDE), mode="area")
    target = torch.cat([face, face.flip(3) ** 3])
    nothing = torch.zeros(2, 1, SIDE, SIDE)
    small = torch.zeros(2, 3, 112, 112)
    return Batch(
        target=target, portrait=torch.cat([target, nothing], dim=1), answer=target, answered=torch.zeros(2).bool(),
        mask=nothing + 1, identity=torch.ones(2, 128) / 128**0.5, wanted=small, unwanted=small,
    )  # fmt: skip


def seen(state: PainterState, images: Tensor) -> Tensor:
    """What the encoder is shown of pictures."""
    return state.judge._cut(images, torch.eye(3).expand(len(images), 3, 3))


def test_whom_a_swap_looks_like_is_told_by_rows_without_an_answer(state: PainterState, rows: Batch) -> None:
    own, other = seen(state, rows.target), seen(state, rows.target.flip(0))
    with torch.no_grad():
        alike = float((state.judge.embed(own, 0)[0] * state.judge.embed(own, 0)[1]).sum())
        source = measuring._of_unknown(state, replace(rows, wanted=own, unwanted=other), rows.target)
        target = measuring._of_unknown(state, replace(rows, wanted=other, unwanted=own), rows.target)
    assert alike < 0.95
    assert (source["source"], source["target"]) == (pytest.approx(1, abs=1e-4), pytest.approx(alike, abs=1e-4))
    assert (target["source"], target["target"]) == (pytest.approx(alike, abs=1e-4), pytest.approx(1, abs=1e-4))
    assert source["pose_degrees"] == source["apertures"] == 0  # the swap is the target itself
    moved = measuring._of_unknown(state, replace(rows, wanted=own, unwanted=other), rows.target.flip(3))
    assert moved["pose_degrees"] > 1


def test_how_near_to_its_answer_a_swap_comes_is_told_by_value(state: PainterState, rows: Batch, tmp_path: Path) -> None:
    known = replace(rows, answer=torch.full_like(rows.target, 0.2))
    told = measuring._of_known(known, known.answer + 0.2, known.answer + 0.1, tmp_path / "sheet.png")
    assert told["answer"] == pytest.approx(0.2)
    assert told["composite"] == pytest.approx(0.1)
    assert told["answer_psnr"] == pytest.approx(10 * np.log10(255**2 / 51**2))  # 51 levels off everywhere
    assert (tmp_path / "sheet.png").is_file()


def test_what_there_are_no_rows_for_is_no_number(state: PainterState, tmp_path: Path) -> None:
    class Empty:
        def unseen(self, answered: bool, count: int) -> None:
            return None

    told = measuring.measure_painter(state, Empty(), tmp_path / "sheet.png")  # type: ignore[arg-type]
    assert set(told) == set(measuring.unmeasured(state))
    assert all(np.isnan(list(told.values())))
