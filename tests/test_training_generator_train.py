"""Training a generator from two pictures on a CPU: it runs, resumes exactly and never loses its last checkpoint."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from skimage.data import astronaut  # noqa: E402

from faceswap_cli.engines.torch import load_module  # noqa: E402
from faceswap_cli.errors import OutputError, UsageError, WeightsError  # noqa: E402
from faceswap_cli.networks.mobilefacenet import MobileFaceNet  # noqa: E402
from faceswap_cli.portrait.recipe import RECIPE  # noqa: E402
from faceswap_cli.stages.align import TEMPLATES  # noqa: E402
from faceswap_cli.store import models  # noqa: E402
from faceswap_cli.training.core import checkpoint  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions  # noqa: E402
from faceswap_cli.training.core.watch import Moment  # noqa: E402
from faceswap_cli.training.data.columns import Filling  # noqa: E402
from faceswap_cli.training.data.face_set import crop_at, encoder_crop, points_at  # noqa: E402
from faceswap_cli.training.data.pack import PackWriter, read_crop, read_rows  # noqa: E402
from faceswap_cli.training.data.packs import Packs  # noqa: E402
from faceswap_cli.training.data.portraits import Portraits, PortraitTaker, load_portraits  # noqa: E402
from faceswap_cli.training.export import export  # noqa: E402
from faceswap_cli.training.generator import train as swap  # noqa: E402
from faceswap_cli.training.generator.generators import read_generator  # noqa: E402
from faceswap_cli.training.generator.losses import feature_matching, identity_loss  # noqa: E402
from faceswap_cli.training.generator.measure import NOT_MEASURED, score_of  # noqa: E402
from faceswap_cli.training.teachers.encoders import embed_both_ways, load_embeddings, load_encoders  # noqa: E402
from faceswap_cli.training.teachers.identity_judge import IdentityJudge  # noqa: E402

from .conftest import assert_same_weights, out_of_time_behind, run_two_workers  # noqa: E402

TINY = """
reconstruction_only = 0
adversarial_from = 3
identity_ramp = 2
contrast = 1.0
light = 15.0
discriminator_width = 4
[shape]
width = 4
stages = 2
blocks = 1
norm = "instance"
"""

TWO_WORKERS = """
import sys
from dataclasses import replace
from pathlib import Path
from torch import distributed
from faceswap_cli.training.generator import train as swap
from faceswap_cli.training.core.options import TrainOptions
from faceswap_cli.training.core.run import Run
from faceswap_cli.training.data.swap_data import SwapData

assemble, seen = SwapData.assemble, []
def told(data, read):
    batch = assemble(data, read)
    seen.append(f"{float(batch.target.mean()):.7f}")
    return batch
SwapData.assemble = told

pack, encoder, config, output = map(Path, sys.argv[1:])
options = TrainOptions(data=(pack,), teacher=encoder, config=config, output=output / "whole", steps=4, batch=1,
                       size=96, save_every=2, threads=1)
swap.train(options)
clock, calls = Run.out_of_time, iter(range(100))
Run.out_of_time = lambda run: next(calls) >= 2
halves = replace(options, output=output / "halves")
swap.train(halves)
Run.out_of_time = clock
distributed.barrier()  # until the first worker has written the checkpoint
swap.train(replace(halves, resume=True))
print(*seen)
"""


SHARED_BATCH = """
import os, sys
from dataclasses import fields, replace
from pathlib import Path
import torch
from torch.nn.functional import normalize
from faceswap_cli.training.generator import train as swap
from faceswap_cli.training.core.options import TrainOptions
from faceswap_cli.training.data.swap_data import Batch, SwapData
from faceswap_cli.training.teachers import identity_judge

# a step in proportion to the gradient, in float32: Adam's first steps make as much of what is rounded away
torch.optim.Adam = lambda parameters, betas: torch.optim.SGD(parameters, lr=1.0)
swap.autocast = lambda device: torch.autocast(device.type, enabled=False)
identity_judge._jitter = lambda count, device: torch.eye(3).expand(count, 3, 3)
identity_judge._blurred = lambda faces: faces
rank, workers = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
steps = iter(range(100))

def share(data, read):
    step = next(steps)
    torch.manual_seed(step)
    pictures = [torch.rand(16, channels, 96, 96) for channels in (3, 1, 4)]
    vectors = [normalize(torch.randn(16, 128)) for _ in range(3)]
    whole = Batch(pictures[0], pictures[1], vectors[0], pictures[2], vectors[1], vectors[2], 0, step % 2 == 0)
    mine = slice(rank * 16 // workers, (rank + 1) * 16 // workers)
    tensors = {field.name: getattr(whole, field.name) for field in fields(Batch)[:6]}
    return replace(whole, **{name: tensor[mine] for name, tensor in tensors.items()})

SwapData.assemble = share
pack, encoder, config, output = map(Path, sys.argv[1:])
swap.train(TrainOptions(data=(pack,), teacher=encoder, config=config, output=output, steps=2, batch=16 // workers,
                        size=96, save_every=2, threads=1))
"""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people: the astronaut's face, and the same mirrored and tinted."""
    folder = tmp_path_factory.mktemp("pack")
    face = np.ascontiguousarray(cv2.resize(astronaut()[0:220, 110:330], (128, 128), interpolation=cv2.INTER_AREA))
    points = (TEMPLATES["simswap-frontal"][0] * 128).round(2).tolist()
    with PackWriter(folder) as writer:
        for person, image in (("a", face), ("b", np.ascontiguousarray(face[:, ::-1] // 2 + 40))):
            about = {"source": f"{person}/1.jpg", "person": person, "points": points, "scale": 1.0, "grey": False}
            writer.add(image, None, about)
    return folder


@pytest.fixture(scope="module")
def bare(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, before anything was found out about it."""
    return shutil.copytree(pack, tmp_path_factory.mktemp("bare") / "pack", ignore=shutil.ignore_patterns("looked"))


@pytest.fixture(scope="module")
def options(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.toml").write_text(TINY)
    torch.manual_seed(3)
    torch.save(MobileFaceNet().state_dict(), folder / "encoder.pt")
    return TrainOptions(
        data=(pack,), teacher=folder / "encoder.pt", config=folder / "tiny.toml", output=folder / "whole",
        steps=8, batch=2, size=96, save_every=4, threads=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole_run(options: TrainOptions) -> Path:
    swap.train(options)
    return options.output


def test_two_pictures_are_enough_and_leave_log_samples_and_checkpoint(whole_run: Path) -> None:
    lines = (whole_run / "log.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["step", "1", "4", "8"]
    rows = [dict(zip(lines[0].split(","), map(float, line.split(",")), strict=True)) for line in lines[1:]]
    assert {"cosine_source", "cosine_target", "self_psnr", "images_per_second"} <= set(rows[0])
    assert all(np.isnan(rows[0][name]) for name in NOT_MEASURED)
    for row in rows[1:]:
        assert np.isfinite(row["score"]) and 0 <= row["retrieval"] <= 1
        assert np.isfinite(row["contrast"])
    assert np.isfinite([rows[0]["reconstruction"], rows[2]["reconstruction"]]).all()  # at steps of different people
    assert cv2.imread(str(whole_run / "samples" / "0000008.png")).shape[0] == 4 * 96


def test_interrupted_run_ends_with_the_same_weights(options: TrainOptions, whole_run: Path, tmp_path: Path) -> None:
    halves = replace(options, output=tmp_path / "halves")
    with out_of_time_behind(5):
        swap.train(halves)
    assert checkpoint.load(halves.output / "last.pt")["step"] == 5
    swap.train(replace(halves, resume=True))
    assert checkpoint.load(halves.output / "last.pt")["step"] == 8
    assert_same_weights(whole_run, halves.output, *swap.GeneratorState.networks)


def test_two_workers_draw_their_own_batches_and_go_on_exactly(options: TrainOptions, tmp_path: Path) -> None:
    first, second = (
        line.split() for line in run_two_workers(TWO_WORKERS, *options.data, options.teacher, options.config, tmp_path)
    )
    assert len(set(first[:4]) | set(second[:4])) == 8  # no batch is like another
    assert (first[4:], second[4:]) == (first[:4], second[:4])
    assert_same_weights(tmp_path / "whole", tmp_path / "halves", *swap.GeneratorState.networks)


def test_two_workers_of_eight_learn_what_one_of_sixteen_does(options: TrainOptions, tmp_path: Path) -> None:
    config = tmp_path / "shared.toml"
    config.write_text("gradient_penalty = 0.1\n" + TINY.replace("adversarial_from = 3", "adversarial_from = 0"))
    given = [options.data[0], options.teacher, config]
    run_two_workers(SHARED_BATCH, *given, tmp_path / "two")
    subprocess.run([sys.executable, "-c", SHARED_BATCH, *map(str, given), str(tmp_path / "one")], check=True)
    swap.train(replace(options, config=config, output=tmp_path / "none", steps=1, save_every=1, learning_rate=1e-12))
    one, two, none = (checkpoint.load(tmp_path / run / "last.pt") for run in ("one", "two", "none"))
    for part in ("generator", "average", "discriminator"):
        learnt, other, start = (
            torch.cat([value.flatten() for value in state[part].values() if value.is_floating_point()])
            for state in (one, two, none)
        )
        assert float((other - learnt).norm()) < 1e-3 * float((learnt - start).norm()), part


def test_init_from_trains_the_discriminator_alone_first(options: TrainOptions, whole_run: Path, tmp_path: Path) -> None:
    config = tmp_path / "at_once.toml"
    config.write_text(TINY.replace("adversarial_from = 3", "adversarial_from = 0"))
    for steps in (1, 4):
        from_last = replace(options, config=config, init_from=whole_run / "last.pt", steps=steps)
        swap.train(replace(from_last, output=tmp_path / str(steps)))
    before, first, last = (
        checkpoint.load(folder / "last.pt") for folder in (whole_run, tmp_path / "1", tmp_path / "4")
    )
    assert all(torch.equal(value, last["generator"][name]) for name, value in before["average"].items())
    assert any(not torch.equal(value, last["discriminator"][name]) for name, value in first["discriminator"].items())


def test_init_from_trains_at_once_where_the_adversary_comes_later(
    options: TrainOptions, whole_run: Path, tmp_path: Path
) -> None:
    swap.train(replace(options, output=tmp_path / "later", init_from=whole_run / "last.pt", steps=1))
    before, after = (checkpoint.load(folder / "last.pt") for folder in (whole_run, tmp_path / "later"))
    assert any(not torch.equal(value, after["generator"][name]) for name, value in before["average"].items())


def test_a_setting_that_is_no_more_is_named_and_not_a_traceback(whole_run: Path, tmp_path: Path) -> None:
    state = torch.load(whole_run / "last.pt", weights_only=True)
    state["settings"]["shut"] = 2.0
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(UsageError, match="the checkpoint sets shut: known are"):
        export(tmp_path)


def test_what_the_generator_before_the_painter_left_is_said_to_be_over(whole_run: Path, tmp_path: Path) -> None:
    state = torch.load(whole_run / "last.pt", weights_only=True)
    state["settings"] |= {"smoothness": 80.0, "closed_gate": 2.0}  # in checkpoints of its time, a SimSwap's too
    torch.save(state, tmp_path / "last.pt")
    assert read_generator(tmp_path).space == "mobilefacenet-128"
    state["settings"]["network"] = "lite"
    torch.save(state, tmp_path / "last.pt")
    for read in (read_generator, export):
        with pytest.raises(WeightsError, match=r"SimSwap-lite, which the painter has replaced: [^\n]*faceswap train"):
            read(tmp_path)
    with pytest.raises(WeightsError, match=r"old\.onnx holds a SimSwap-lite, .* OpenVINO still swap with it"):
        load_module(tmp_path / "old.onnx", {"network": "lite", "configuration": "{}"})


def test_the_best_checkpoint_is_likest_and_loses_least_of_the_target() -> None:
    good = {"cosine_source": 0.6, "self_psnr": 35.0, "pose_degrees": 2.5}
    assert score_of(good) == pytest.approx(0.6 + 0.35 - 0.05)
    for worse in ({"cosine_source": 0.5}, {"self_psnr": 30.0}, {"pose_degrees": 4.0}):
        assert score_of(good | worse) < score_of(good)
    assert score_of(good | {"self_psnr": float("inf")}) == pytest.approx(0.6 + 0.6 - 0.05)


def test_a_run_is_watched_from_its_faces_to_its_last_step(options: TrainOptions, bare: Path, tmp_path: Path) -> None:
    moments: list[Moment] = []
    pack = shutil.copytree(bare, tmp_path / "pack")
    watched = replace(options, data=(pack,), output=tmp_path / "run", steps=2, save_every=1, watch=moments.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faceswap_cli.training.core.watch.WATCHED_EVERY", 0)
        swap.train(watched)
    assert [(moment.unit, moment.done, moment.total) for moment in moments] == [
        *[("faces recognised", 0, 2), ("faces recognised", 2, 2)] * 2,  # by two encoders
        ("steps", 1, 2),
        ("steps", 2, 2),
    ]
    assert not list(pack.glob("looked/portraits-*"))  # which a SimSwap never sees
    assert moments[-1].losses["light"] > 0 and moments[-1].images_per_second > 0
    best = json.loads((tmp_path / "run" / "best.json").read_text())
    assert checkpoint.load(tmp_path / "run" / "best.pt")["step"] == best["step"]


def test_a_run_is_not_overwritten(options: TrainOptions, whole_run: Path) -> None:
    with pytest.raises(OutputError, match="--resume"):
        swap.train(options)


def test_paper_recipe_trains_the_published_network(options: TrainOptions, tmp_path: Path) -> None:
    (tmp_path / "paper.toml").write_text(
        'network = "simswap"\nsame_every = 2\nadversarial = 1.0\nfeature_matching = 10.0\nmatched_maps = "all"\n'
        "gradient_penalty = 1e-5\nadversarial_from = 0\ndiscriminator_width = 4\n"
        '[shape]\nwidth = 4\nblocks = 1\nlatent = 128\nnorm = "instance"\n'
    )
    swap.train(replace(options, output=tmp_path / "paper", config=tmp_path / "paper.toml", steps=2, save_every=2))
    log = (tmp_path / "paper" / "log.csv").read_text().splitlines()
    row = dict(zip(log[0].split(","), map(float, log[1].split(",")), strict=True))
    assert row["gradient_penalty"] > 0
    assert np.isfinite(row["feature_matching"])


def test_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="readable"):
        checkpoint.load(tmp_path / "last.pt")


def test_failed_save_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last.pt", {"step": 1})
    with pytest.raises(Exception, match=r"pickle|local"):
        checkpoint.save(tmp_path / "last.pt", {"step": lambda: 2})
    assert checkpoint.load(tmp_path / "last.pt")["step"] == 1


def test_pack_survives_a_row_cut_off(pack: Path, tmp_path: Path) -> None:
    shutil.copytree(pack, tmp_path, dirs_exist_ok=True)
    index = tmp_path / "index.jsonl"
    index.write_text(index.read_text()[:-30])
    rows = read_rows(tmp_path)
    assert len(rows) == 1
    assert read_crop(tmp_path, rows[0]).shape == (128, 128, 3)


def test_a_pack_that_was_cut_off_goes_on_with_whole_rows(pack: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(pack, broken)
    whole = (broken / "index.jsonl").read_text()
    (broken / "index.jsonl").write_text(whole[:-40])
    row = read_rows(broken)[0]
    about = {"source": "c/1.jpg", "person": "c", "points": row.points, "scale": 1.0, "grey": False}
    with PackWriter(broken) as writer:
        writer.add(read_crop(broken, row), None, about)
    assert [each.person for each in read_rows(broken)] == ["a", "c"]


def test_identity_judge_cuts_the_encoders_template() -> None:
    """A dot drawn at the nose of SimSwap's template is seen where the encoder expects the nose."""
    judge = IdentityJudge([MobileFaceNet()], 224)
    nose = TEMPLATES["simswap-frontal"][0][2] * 224
    crop = torch.zeros(1, 3, 224, 224)
    crop[..., round(nose[1]) - 1 : round(nose[1]) + 2, round(nose[0]) - 1 : round(nose[0]) + 2] = 1
    seen = judge._cut(crop, torch.eye(3)[None])[0, 0]
    row, column = divmod(int(seen.argmax()), 112)
    wanted = TEMPLATES["arcface"][0][2] * 112
    assert np.hypot(column - wanted[0], row - wanted[1]) < 4


def test_identity_loss_is_zero_for_the_wanted_vector_only() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(4, 128))
    assert float(identity_loss(vectors, vectors)) == pytest.approx(0, abs=1e-6)
    assert float(identity_loss(vectors, -vectors)) == pytest.approx(2, abs=1e-6)


def test_weak_matching_ignores_fine_maps() -> None:
    real = [torch.zeros(1, 2, 4, 4) for _ in range(6)]
    fake = [torch.ones(1, 2, 4, 4) if index < 3 else torch.zeros(1, 2, 4, 4) for index in range(6)]
    assert float(feature_matching(fake, real, "weak")) == 0
    assert float(feature_matching(fake, real, "all")) == 3


def test_an_altered_embedded_encoder_is_refused_beside_another_too(
    options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered = tmp_path / "package" / "weights"
    (altered / "faces").mkdir(parents=True)
    for name in ("catalogue.toml", "faces/encoder.onnx"):
        (altered / name).write_bytes((models.weights_folder() / name).read_bytes())
    (altered / "faces" / "encoder.onnx").write_bytes(b"altered")
    monkeypatch.setattr(models, "PACKAGE", altered.parent)
    for teacher in (options.teacher, None):
        with pytest.raises(WeightsError, match="is not the file it should be"):
            load_encoders(teacher)
    (altered / "faces" / "encoder.onnx").unlink()
    assert len(load_encoders(options.teacher)) == 1
    with pytest.raises(WeightsError, match="no embedded encoder yet"):
        load_encoders(None)


def packs_in(folder: Path, pack: Path, *others: Path) -> tuple[Packs, Filling]:
    """Copies of packs that nothing was found out about yet."""
    copies = [shutil.copytree(each, folder / str(number)) for number, each in enumerate((pack, *others))]
    return Packs(tuple(copies)), Filling(folder / "beside", processes=1)


def looks_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which chunks of faces are looked at from now on."""
    looked, look = [], PortraitTaker.__call__
    monkeypatch.setattr(PortraitTaker, "__call__", lambda self, chunk: looked.append(chunk) or look(self, chunk))
    return looked


def test_portraits_are_looked_at_once(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (packs, filling), looked = packs_in(tmp_path, bare, bare), looks_of(monkeypatch)
    first, again = (load_portraits(packs, 96, filling) for _ in range(2))
    assert looked == [0, 0]  # of either pack
    for name in Portraits.__slots__:
        np.testing.assert_array_equal(getattr(again, name)[:], getattr(first, name)[:])
        np.testing.assert_array_equal(getattr(first, name)[2:], getattr(first, name)[:2])  # the same pack twice
    load_portraits(packs, 128, filling)
    assert looked == [0, 0, 0, 0]


def test_portraits_are_looked_at_anew_when_a_number_of_the_recipe_changed(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packs, filling), looked = packs_in(tmp_path, bare), looks_of(monkeypatch)
    load_portraits(packs, 96, filling)
    monkeypatch.setattr("faceswap_cli.training.data.portraits.RECIPE", RECIPE.without(("glasses",)))
    load_portraits(packs, 96, filling)
    assert looked == [0, 0]


def test_portraits_of_a_pack_that_may_not_be_written_to_lie_beside_the_run(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs, filling = packs_in(tmp_path, bare)
    monkeypatch.setattr("faceswap_cli.training.data.columns.os.access", lambda path, mode: path != tmp_path / "0")
    load_portraits(packs, 96, filling)
    assert not (tmp_path / "0" / "looked").exists()
    assert len(list((tmp_path / "beside" / "looked").glob("0-*/portraits-96-*"))) == 1


def test_identities_are_looked_at_once_by_the_same_encoders(bare: Path, tmp_path: Path) -> None:
    packs, filling = packs_in(tmp_path, bare)
    judge, device = IdentityJudge(load_encoders(None), 96), torch.device("cpu")

    def found() -> list[np.ndarray]:
        return [each[:] for each in load_embeddings(packs, 96, judge, device, filling)]

    (first,) = found()
    table = packs.tables[0]
    fives = points_at(table, np.arange(2), 96)
    crops = np.stack([encoder_crop(crop_at(table, row, 96), fives[row]) for row in (0, 1)])
    np.testing.assert_array_equal(first, embed_both_ways(judge, crops, 0, device))
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    columns = list((tmp_path / "0" / "looked").iterdir())
    np.testing.assert_array_equal(found()[0], first)
    assert list((tmp_path / "0" / "looked").iterdir()) == columns
    torch.nn.init.normal_(judge.encoders[0].conv3.weight)
    assert np.abs(found()[0] - first).max() > 0.01
    assert len(list((tmp_path / "0" / "looked").iterdir())) == 2


def test_portraits_are_laid_as_a_swap_lays_them(pack: Path, tmp_path: Path) -> None:
    with PackWriter(tmp_path / "lit") as writer:
        for row in read_rows(pack):
            from_one_side = np.linspace(0.3, 1, row.size)[:, None]
            image = np.rint(read_crop(pack, row) * from_one_side).astype(np.uint8)
            about = {"source": row.source, "person": row.person, "points": row.points, "scale": 1.0, "grey": False}
            writer.add(image, None, about)
    packs, filling = packs_in(tmp_path, tmp_path / "lit")
    known = load_portraits(packs, 96, filling)
    for row in range(2):
        image = crop_at(packs.tables[0], row, 96)
        assert np.abs(known.images[row] - image.astype(int)).mean() < 2  # a JPEG of it
