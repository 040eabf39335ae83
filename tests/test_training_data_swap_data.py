"""Batches: who is source and who is target, whose vectors go with them, and that nobody held out is drawn."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from torch import Tensor  # noqa: E402

from faceswap_cli.networks.parsing import CLASSES  # noqa: E402
from faceswap_cli.training.data import swap_data  # noqa: E402
from faceswap_cli.training.data.face_set import FaceSet, _outside  # noqa: E402
from faceswap_cli.training.data.portraits import Portraits  # noqa: E402
from faceswap_cli.training.data.swap_data import Batch, Known, SwapData  # noqa: E402

SIDE, SIZE = 32, 24
COLOURS = np.array(list(itertools.product((0, 255), repeat=3)), np.uint8)  # one for each of eight faces
PEOPLE = np.array([0, 0, 0, 1, 1, 2, 3, 3])
HELD_OUT = PEOPLE == 3
GREY = np.array([0, 0, 0, 0, 1, 0, 0, 0], bool)  # the second face of person 1 is no target


@pytest.fixture(autouse=True)
def undamaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave colours as they are, since they tell the faces apart; damages have their own tests."""
    monkeypatch.setattr(swap_data, "degrade_batch", lambda images, strength: images)


@pytest.fixture(scope="module")
def data() -> SwapData:
    """Eight faces, each of one colour; each encoder gives each a vector of its own."""
    images = np.repeat(COLOURS[:, None, None], SIDE, 1).repeat(SIDE, 2)
    outside = np.zeros((8, 64, 64), np.uint8)
    outside[5] = 1
    points = np.zeros((8, 5, 2), np.float32)
    faces = FaceSet(images, points, PEOPLE, GREY, np.ones(8, np.float32), HELD_OUT, outside)
    marks = np.random.default_rng(0).uniform(0.2, 0.8, (1, 66, 2)).astype(np.float32).repeat(8, 0)
    everywhere = np.full((8, SIDE, SIDE), 255, np.uint8)
    vectors = torch.eye(16).reshape(2, 8, 16)  # encoder, face
    known = Known(vectors, Portraits(images, marks, everywhere, everywhere))
    return SwapData(faces, ~GREY, known, SIZE, torch.device("cpu"))


def faces_of(pictures: Tensor) -> list[int]:
    """Tell by their colours which faces pictures (N, 3, S, S) show."""
    seen = pictures[..., 8:16, 8:16].mean(dim=(2, 3)).numpy()
    return np.abs(seen[:, None] - COLOURS / 255).sum(2).argmin(1).tolist()


def drawn(data: SwapData, *, same: bool) -> list[Batch]:
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    return [data.draw(16, same=same, generator=generator) for _ in range(8)]


@pytest.mark.parametrize("same", [True, False])
def test_vectors_are_the_sources_and_the_targets_own_as_the_drawn_encoder_sees_them(data: SwapData, same: bool) -> None:
    batches = drawn(data, same=same)
    assert {batch.encoder for batch in batches} == {0, 1}
    for batch in batches:
        targets, sources = faces_of(batch.target), faces_of(batch.portrait[:, :3])
        assert torch.equal(batch.unwanted, data.embeddings[batch.encoder, targets])
        assert torch.equal(batch.wanted, data.embeddings[batch.encoder, sources])
        assert batch.same == same
        assert all((PEOPLE[source] == PEOPLE[target]) == same for source, target in zip(sources, targets, strict=True))
        mixed = batch.identity.reshape(-1, 2, 8)  # the source's vectors, as either encoder sees it, between the two
        assert (mixed.abs().sum(1).argmax(1) == torch.tensor(sources)).all()
        torch.testing.assert_close(batch.identity.norm(dim=1), torch.ones(16))


def test_everyone_in_colour_is_a_target_everyone_a_source_and_nobody_held_out(data: SwapData) -> None:
    for same, sources in ((True, {0, 1, 2, 3, 4, 5}), (False, {0, 1, 2, 3, 4, 5})):
        batches = drawn(data, same=same)
        assert {face for batch in batches for face in faces_of(batch.target)} == {0, 1, 2, 3, 5}
        assert {face for batch in batches for face in faces_of(batch.portrait[:, :3])} == sources
    assert (data.unseen_sources.tolist(), data.unseen_targets.tolist()) == ([6, 7], [6, 7])


def test_where_nothing_may_change_goes_with_the_target(data: SwapData) -> None:
    for batch in drawn(data, same=False):
        known = batch.outside.mean(dim=(1, 2, 3)).tolist()
        assert known == [float(face == 5) for face in faces_of(batch.target)]


@pytest.mark.parametrize(
    "name", ["skin", "left_brow", "right_eye", "glasses", "nose", "mouth", "upper_lip", "lower_lip"]
)
def test_every_part_of_a_face_may_change(name: str) -> None:
    label = np.zeros((64, 64), np.uint8)
    label[20:40, 20:40] = CLASSES.index(name)
    assert not _outside(label)[18:42, 18:42].any()
    assert _outside(label)[:17].all()


@pytest.mark.parametrize("name", ["background", "left_ear", "neck", "cloth", "hair", "hat"])
def test_what_is_no_part_of_a_face_may_not(name: str) -> None:
    assert _outside(np.full((64, 64), CLASSES.index(name), np.uint8)).all()
