"""Reading ahead: batches come by the number of their step, whoever reads them."""

import os
from itertools import islice
from typing import NamedTuple

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.errors import MediaError  # noqa: E402
from faceswap_cli.training.core import loader  # noqa: E402
from faceswap_cli.training.core.loader import read_ahead, usual_readers  # noqa: E402

CPU = torch.device("cpu")


class Read(NamedTuple):
    values: torch.Tensor
    same: bool
    process: int


def read(step: int) -> Read:
    return Read(torch.full((2, 3), step, dtype=torch.uint8), step % 4 == 0, os.getpid())


@pytest.mark.parametrize("readers", [0, 2])
def test_batches_are_those_of_the_steps_from_the_first_on(readers: int) -> None:
    found = list(islice(read_ahead(read, 5, readers, CPU), 6))
    assert [int(each.values[0, 0]) for each in found] == [5, 6, 7, 8, 9, 10]
    assert [bool(each.same) for each in found] == [step % 4 == 0 for step in range(5, 11)]
    assert len({int(each.process) for each in found} - {os.getpid()}) == readers


def damaged(step: int) -> Read:
    raise MediaError("crops-00000.bin is damaged")


@pytest.mark.parametrize("readers", [0, 1])
def test_what_cannot_be_read_is_told_in_its_own_line(readers: int) -> None:
    with pytest.raises(MediaError, match=r"\Acrops-00000\.bin is damaged\Z"):
        next(read_ahead(damaged, 0, readers, CPU))


def test_a_gpu_has_readers_and_workers_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "cores", lambda: 64)
    assert (usual_readers(CPU), usual_readers(torch.device("cuda"))) == (0, 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "16")
    assert usual_readers(torch.device("cuda")) == 3
    monkeypatch.setattr(loader, "cores", lambda: 2)
    assert usual_readers(torch.device("cuda")) == 1
