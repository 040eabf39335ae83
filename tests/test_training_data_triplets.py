"""Triplets: what a row holds, that a pack goes on where it broke off, and that a painter learns from it."""

import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from skimage.data import astronaut  # noqa: E402

import faceswap_cli.portrait  # noqa: E402
from faceswap_cli.engines.metadata import read_metadata  # noqa: E402
from faceswap_cli.errors import UsageError, WeightsError  # noqa: E402
from faceswap_cli.networks.mobile_painter import MobilePainter, MobilePainterConfig  # noqa: E402
from faceswap_cli.networks.painter import Painter, PainterConfig  # noqa: E402
from faceswap_cli.stages.align import TEMPLATES  # noqa: E402
from faceswap_cli.training.core.options import DistillOptions, TrainOptions, TripletOptions  # noqa: E402
from faceswap_cli.training.core.run import Run  # noqa: E402
from faceswap_cli.training.core.settings import read_record  # noqa: E402
from faceswap_cli.training.data.pack import PackWriter  # noqa: E402
from faceswap_cli.training.data.relight import relit, strands  # noqa: E402
from faceswap_cli.training.data.triplet_data import TripletData, _dimmed  # noqa: E402
from faceswap_cli.training.data.triplet_pack import (  # noqa: E402
    BYTES,
    ROWS,
    Triplet,
    TripletPack,
    TripletReader,
    are_triplets,
)
from faceswap_cli.training.data.triplets import TripletMaker, make_triplets  # noqa: E402
from faceswap_cli.training.data.worn import with_beard, with_glasses, worn_alike  # noqa: E402
from faceswap_cli.training.distil import painter as distil  # noqa: E402
from faceswap_cli.training.export import export  # noqa: E402
from faceswap_cli.training.generator import painter as training  # noqa: E402
from faceswap_cli.training.generator.painter_losses import (  # noqa: E402
    answer_distance,
    broad_distance,
    edge_distance,
    mean_over,
    texture_distance,
)
from faceswap_cli.training.generator.painter_state import PainterSettings, build_state  # noqa: E402
from faceswap_cli.training.generator.painting import learnt_from, paint  # noqa: E402
from faceswap_cli.training.teachers.encoders import load_encoders  # noqa: E402

from .conftest import assert_same_weights, run_two_workers  # noqa: E402

TINY = """
discriminator_width = 4
adversarial_from = 0.5
[shape]
size = 96
working = 96
width = 8
blocks = 1
"""


def encoder() -> torch.nn.Module:
    return load_encoders(None)[0]


# the rows of a batch of eight, shared by the workers there are: three of the first four have an answer, one of the last
SHARED_ROWS = """
import os, sys
from dataclasses import replace
from pathlib import Path
import torch
from faceswap_cli.training.core.options import TrainOptions
from faceswap_cli.training.data.triplet_data import Batch, TripletData
from faceswap_cli.training.generator import painter, painting
from faceswap_cli.training.teachers import identity_judge

# a step in proportion to the gradient, in float32: Adam's first steps make as much of what is rounded away
torch.optim.AdamW = lambda parameters, weight_decay: torch.optim.SGD(parameters, lr=1.0)
torch.optim.Adam = lambda parameters, betas: torch.optim.SGD(parameters, lr=1.0)
painter.autocast = painting.autocast = lambda device: torch.autocast(device.type, enabled=False)
identity_judge._jitter = lambda count, device: torch.eye(3).expand(count, 3, 3)
identity_judge._blurred = lambda faces: faces
rank, workers = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
drawn = TripletData.batches

def shared(data, count, first, worker):
    for whole in drawn(data, 8, first):
        whole = replace(whole, answered=torch.tensor([True] * 3 + [False] + [True] + [False] * 3))
        mine = slice(rank * 8 // workers, (rank + 1) * 8 // workers)
        yield Batch(*(getattr(whole, name)[mine] for name in Batch.__slots__))

TripletData.batches = shared
pack, config, output = map(Path, sys.argv[1:])
painter.train(TrainOptions(data=(pack,), network="painter", config=config, output=output, steps=3, batch=8 // workers,
                           threads=1, learning_rate=0.05))
"""

TWO_WORKERS = """
import sys
from dataclasses import replace
from pathlib import Path
from torch import distributed
from faceswap_cli.training.core.options import TrainOptions
from faceswap_cli.training.core.run import Run
from faceswap_cli.training.generator import painter

step, seen = painter._step, []
def told(state, batch, *rest):
    seen.append(f"{float(batch.target.mean() + batch.portrait.mean()):.7f}")
    return step(state, batch, *rest)
painter._step = told

pack, config, output = map(Path, sys.argv[1:])
options = TrainOptions(data=(pack,), network="painter", config=config, output=output / "whole", steps=4, batch=1,
                       save_every=4, threads=1)
painter.train(options)
clock, calls = Run.out_of_time, iter(range(100))
Run.out_of_time = lambda run: next(calls) >= 2
halves = replace(options, output=output / "halves")
painter.train(halves)
Run.out_of_time = clock
distributed.barrier()  # until the first worker has written the checkpoint
painter.train(replace(halves, resume=True))
print(*seen)
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people with two photos each: the astronaut, and the astronaut mirrored and tinted."""
    folder = tmp_path_factory.mktemp("faces")
    face = np.ascontiguousarray(cv2.resize(astronaut()[0:220, 110:330], (192, 192), interpolation=cv2.INTER_AREA))
    points = (TEMPLATES["simswap-frontal"][0] * 192).round(2).tolist()
    with PackWriter(folder) as writer:
        for person, image in (("a", face), ("b", np.ascontiguousarray(face[:, ::-1] // 2 + 40))):
            for number in (1, 2):
                about = {
                    "source": f"{person}/{number}.jpg",
                    "person": person,
                    "points": points,
                    "scale": 1.0,
                    "grey": False,
                }
                writer.add(np.clip(image.astype(int) + 5 * number, 0, 255).astype(np.uint8), None, about)
    return folder


@pytest.fixture(scope="module")
def options(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> TripletOptions:
    return TripletOptions(data=(faces,), output=tmp_path_factory.mktemp("made") / "triplets", count=24, size=96)


@pytest.fixture(scope="module")
def triplets(options: TripletOptions) -> Path:
    make_triplets(options)
    return options.output


def test_every_number_becomes_a_row_or_a_reason(options: TripletOptions, triplets: Path) -> None:
    lines = (triplets / ROWS).read_text().splitlines()
    assert len(lines) == options.count
    reader = TripletReader(triplets)
    assert set(reader.answered) == {True, False}
    assert all(reader.line(row)["number"] % options.pairs == 0 for row in np.flatnonzero(~reader.answered))


def test_the_answer_is_the_target_outside_the_mask(triplets: Path) -> None:
    reader = TripletReader(triplets)
    triplet = reader.read(int(np.flatnonzero(reader.answered)[0]))
    assert triplet.answer is not None
    far = cv2.dilate(triplet.mask, np.ones((9, 9), np.uint8)) == 0
    change = np.abs(triplet.answer.astype(int) - triplet.target).mean(axis=2)
    assert change[far].mean() < 4  # JPEG and no more
    assert change[triplet.mask > 128].mean() > 2 * change[far].mean()  # somebody else's face
    assert (triplet.warped[..., 3] > 128).mean() > 0.03


def test_a_broken_pack_goes_on_to_the_same_rows(options: TripletOptions, triplets: Path, tmp_path: Path) -> None:
    again = replace(options, output=tmp_path / "again", count=6)
    make_triplets(again)
    whole = again.output / ROWS
    kept = whole.read_text().splitlines()
    whole.write_text("\n".join([*kept[:3], kept[3][:20]]))  # cut off in the middle of a line
    make_triplets(again)
    ours, theirs = TripletReader(again.output), TripletReader(triplets)
    numbers, wanted = ([reader.line(row)["number"] for row in range(len(reader))] for reader in (ours, theirs))
    assert numbers == [number for number in wanted if number < 6]
    for index in range(len(ours)):
        assert np.array_equal(ours.read(index).target, theirs.read(index).target)


def test_two_processes_make_the_same_rows(options: TripletOptions, triplets: Path, tmp_path: Path) -> None:
    other = replace(options, output=tmp_path / "other", count=4, workers=2)
    make_triplets(other)
    ours, theirs = TripletReader(other.output), TripletReader(triplets)
    assert np.array_equal(ours.read(0).warped, theirs.read(0).warped)


def test_one_person_makes_no_triplets(tmp_path: Path) -> None:
    with PackWriter(tmp_path) as writer:
        about = {"source": "a.jpg", "person": "a", "points": [[1, 1]] * 5, "scale": 1.0, "grey": False}
        writer.add(np.zeros((64, 64, 3), np.uint8), None, about)
    with pytest.raises(UsageError, match="two people"):
        TripletMaker(TripletOptions(data=(tmp_path,)))


def test_another_light_changes_brightness_and_keeps_edges() -> None:
    face = np.ascontiguousarray(astronaut()[0:220, 110:330])
    changed = [relit(face, np.random.default_rng(seed)) for seed in range(8)]
    assert all(each.shape == face.shape and each.dtype == np.uint8 for each in changed)
    assert np.mean([np.abs(each.astype(int) - face).mean() for each in changed]) > 8
    assert np.array_equal(relit(face, np.random.default_rng(3)), changed[3])


def test_strands_lie_on_the_forehead_alone() -> None:
    face = np.full((200, 200, 3), 200, np.uint8)
    points = np.array([[70, 100], [130, 100], [100, 130], [80, 160], [120, 160]], np.float32)
    changed = np.abs(strands(face, points, np.random.default_rng(0)).astype(int) - face).max(axis=2) > 0
    assert changed.any() and not changed[150:].any()


def test_distances_by_hand() -> None:
    answer, mask = torch.zeros(1, 3, 24, 24), torch.zeros(1, 1, 24, 24)
    image = answer.clone()
    image[..., :12] = 0.4
    mask[..., :12] = 1.0
    # of 24 rows 4 hold brows and eyes (8 to 11, whose middles lie from 0.32 to 0.52): within the mask they count three
    # times, so a row of it weighs 20 * 1.15 + 4 * 3.15 = 35.6 in all, one outside 24 * 0.15 = 3.6
    assert answer_distance(image, answer, mask).item() == pytest.approx(0.4 * 35.6 / (35.6 + 3.6))
    assert broad_distance(image, answer).item() == pytest.approx(0.4)  # half of the cells, at both scales
    assert edge_distance(image, answer).item() == pytest.approx(0.4 / 23)  # one column of 23 steps, none down
    assert mean_over(torch.tensor([1.0, 3.0, 8.0]), torch.tensor([1.0, 1.0, 0.0])).item() == pytest.approx(2.0)
    assert mean_over(torch.tensor([1.0]), torch.tensor([0.0])).item() == 0.0


def test_texture_counts_by_strength_not_by_place() -> None:
    mask = torch.ones(1, 1, 32, 32)
    places = torch.arange(32)
    grain = (0.5 + 0.05 * (((places[:, None] + places[None]) % 2) * 2.0 - 1)).expand(1, 3, 32, 32)
    moved = grain.roll(1, dims=3)
    flat = torch.full_like(grain, 0.5)
    assert texture_distance(moved, grain, mask).item() < 0.002
    # a chequer of 0.05 less its 3 x 3 mean (a ninth of it) is 0.0444 or 0.0556 strong
    assert texture_distance(flat, grain, mask).item() == pytest.approx(0.047, abs=0.006)


def test_a_painter_trains_resumes_exactly_and_is_exported(triplets: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(TINY)
    whole = TrainOptions(
        data=(triplets,), output=tmp_path / "whole", network="painter", steps=4, batch=4, save_every=2, config=config
    )
    training.train(whole)
    broken = replace(whole, output=tmp_path / "broken", steps=4, save_every=2)
    _train_to(broken, 2)
    training.train(replace(broken, resume=True))
    first, second = (torch.load(run / "last.pt", weights_only=True) for run in (whole.output, broken.output))
    assert first["step"] == second["step"] == 4
    for name, value in first["average"].items():
        assert torch.equal(value, second["average"][name]), name
    with (whole.output / "log.csv").open(newline="") as file:
        rows = {int(row["step"]): {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)}
    assert list(rows) == [1, 2, 4]
    assert math.isnan(rows[1]["score"]) and math.isfinite(rows[1]["near"])  # losses from the first step on
    for step in (2, 4):
        told = rows[step]
        score = told["source"] + min(told["answer_psnr"], 60) / 100 - told["pose_degrees"] / 50
        assert told["score"] == pytest.approx(score, abs=1e-3)
    best = json.loads((whole.output / "best.json").read_text())
    assert rows[best["step"]]["score"] == max(rows[step]["score"] for step in (2, 4))  # to the log's digits
    assert torch.load(whole.output / "best.pt", weights_only=True)["step"] == best["step"]
    assert (whole.output / "samples" / "0000002.png").is_file()
    assert export(whole.output).is_file()


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FACESWAP_SLOW"), reason="four processes with torch: set FACESWAP_SLOW")
def test_two_painters_of_four_rows_learn_what_one_of_eight_does(triplets: Path, tmp_path: Path) -> None:
    """The rows with an answer are three on one worker and one on the other: the mean over all four counts."""
    config = tmp_path / "tiny.toml"
    config.write_text(TINY.replace("adversarial_from = 0.5", "adversarial_from = 0.0"))
    run_two_workers(SHARED_ROWS, triplets, config, tmp_path / "two")
    subprocess.run([sys.executable, "-c", SHARED_ROWS, *map(str, (triplets, config, tmp_path / "one"))], check=True)
    hardly = {"output": tmp_path / "none", "steps": 1, "batch": 1, "learning_rate": 1e-12}
    training.train(TrainOptions(data=(triplets,), network="painter", config=config, threads=1, **hardly))
    one, two, none = (torch.load(tmp_path / run / "last.pt", weights_only=True) for run in ("one", "two", "none"))
    for part in ("network", "average", "discriminator"):
        learnt, other, start = (
            torch.cat([value.flatten() for value in state[part].values() if value.is_floating_point()])
            for state in (one, two, none)
        )
        assert float((other - learnt).norm()) < 1e-3 * float((learnt - start).norm()), part


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FACESWAP_SLOW"), reason="four processes with torch: set FACESWAP_SLOW")
def test_two_painters_draw_their_own_rows_and_go_on_exactly(triplets: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(TINY)
    first, second = (line.split() for line in run_two_workers(TWO_WORKERS, triplets, config, tmp_path))
    assert len(set(first[:4]) | set(second[:4])) == 8  # no batch is like another
    assert (first[4:], second[4:]) == (first[:4], second[:4])
    assert len((tmp_path / "whole" / "log.csv").read_text().splitlines()) == 3  # one worker wrote it
    assert_same_weights(tmp_path / "whole", tmp_path / "halves", "network", "average", "discriminator")


def test_where_no_answer_is_known_edges_stay_the_composites(triplets: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(TINY)
    options = TrainOptions(data=(triplets,), output=tmp_path, network="painter", config=config)
    settings = read_record(config, PainterSettings)
    state = build_state("painter", Painter(PainterConfig(**settings.shape)), settings, [encoder()], options)
    state.painter.progress = 1.0
    batch = TripletData((triplets,), 96, seed=3).unseen(False, 2)
    composite = batch.target / 2
    striped = composite + 0.1 * (torch.arange(96) % 2)  # 95 steps of 0.1 across, none down, in a row of 96 pixels
    rows = (96 + 2 * 19) / 96  # 19 of 96 rows hold brows and eyes and count three times
    same, caricature = (
        float(training.painter_losses(state, batch, settings, image, composite)["natural"])
        for image in (composite, striped)
    )
    assert same == 0
    assert caricature == pytest.approx(settings.natural * 0.1 * rows, rel=1e-4)
    answered = replace(batch, answered=torch.ones(2, dtype=torch.bool))
    assert float(training.painter_losses(state, answered, settings, striped, composite)["natural"]) == 0


def test_a_student_is_answered_by_its_teacher_where_nobody_knows_better(triplets: Path, tmp_path: Path) -> None:
    """A teacher that adds 0.6 of light everywhere: rows with an answer keep theirs, the others get what it paints."""
    teacher = Painter(PainterConfig(size=96, working=96, width=8, blocks=1)).requires_grad_(False)
    with torch.no_grad():
        teacher.paint.bias[4 * 2 : 4 * 5] = 20.0  # tanh 1 in each channel that is added
    student = MobilePainter(MobilePainterConfig(size=64, working=32, hidden=8))
    options = TrainOptions(data=(triplets,), output=tmp_path, network="painter")
    state = build_state("mobile_painter", student, PainterSettings(), [encoder()], options)
    batch = TripletData((triplets,), 96, seed=3).unseen(False, 2)
    batch = replace(batch, answered=torch.tensor([True, False]), answer=torch.zeros_like(batch.answer))
    assert learnt_from(state, batch) is batch
    state.teacher = teacher
    taught = learnt_from(state, batch)
    assert taught.target.shape[-1] == taught.answer.shape[-1] == 32
    assert float(taught.answer[0].abs().max()) == 0
    assert float((taught.answer[1] - paint(teacher, batch)[0][1].view(3, 32, 3, 32, 3).mean((2, 4))).abs().max()) < 1e-5
    assert float(taught.answer[1].mean()) > 0.6
    assert torch.equal(taught.answered, batch.answered)
    image = taught.answer + torch.tensor([0.0, 0.1]).view(2, 1, 1, 1)  # off where the teacher answers, and there alone
    composite = torch.zeros_like(image)
    assert float(training.painter_losses(state, taught, PainterSettings(), image, composite)["near"]) > 0.4
    state.teacher = None
    assert float(training.painter_losses(state, taught, PainterSettings(), image, composite)["near"]) == 0


def test_a_student_is_distilled_resumed_exactly_and_exported(triplets: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text("[shape]\nsize = 64\nworking = 32\nhidden = 8\n")
    teacher = tmp_path / "teacher"
    (tmp_path / "teacher.toml").write_text(TINY)
    taught = TrainOptions(
        data=(triplets,), output=teacher, network="painter", steps=1, batch=2, config=tmp_path / "teacher.toml"
    )
    training.train(taught)
    whole = DistillOptions(
        data=(triplets,), output=tmp_path / "whole", teacher=teacher, steps=4, batch=2, save_every=2, config=config
    )
    distil.distill(whole)
    broken = replace(whole, output=tmp_path / "broken")
    _train_to(broken, 2, distil.distill)
    distil.distill(replace(broken, resume=True))
    first, second = (torch.load(run / "last.pt", weights_only=True) for run in (whole.output, broken.output))
    assert all(torch.equal(value, second["average"][name]) for name, value in first["average"].items())
    exported = export(whole.output)
    assert read_metadata(exported)["network"] == "mobile_painter"
    assert all(
        torch.allclose(value, first["average"][name], rtol=1e-3, atol=1e-3)
        for name, value in distil.read_student(exported).items()
    )
    with pytest.raises(WeightsError, match="holds no painter's student"):
        distil.read_student(teacher / "last.pt")
    with pytest.raises(UsageError, match="working is 128, the teacher paints at 96"):
        distil.distill(replace(whole, config=None))


def test_triplets_and_faces_are_not_mixed(triplets: Path, faces: Path) -> None:
    assert are_triplets((triplets,)) and not are_triplets((faces,))
    with pytest.raises(UsageError, match="give one kind of data"):
        are_triplets((triplets, faces))


def _train_to(options: TrainOptions, steps: int, train: Callable[..., None] = training.train) -> None:
    """Train a run of so many steps and stop it before, as a crash would."""
    keep = Run.keep

    def stop_behind(run: Run, kept: dict[str, Any], score: float | None = None) -> None:
        keep(run, kept, score)
        if kept["step"] == steps:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "keep", stop_behind)
        train(options)


def test_a_batch_depends_on_its_number_alone(triplets: Path) -> None:
    data = TripletData((triplets,), 96, seed=3)
    batches = data.batches(2, first=0)
    next(batches)
    second = next(batches)
    again = next(TripletData((triplets,), 96, seed=3).batches(2, first=1))
    assert torch.equal(second.target, again.target) and torch.equal(second.portrait, again.portrait)
    others = TripletData((triplets,), 96, seed=3).batches(2, first=1, worker=1)
    assert not torch.equal(second.portrait, next(others).portrait)
    assert second.target.shape == (2, 3, 96, 96) and second.portrait.shape == (2, 4, 96, 96)


def test_a_portrait_is_now_and_then_of_another_complexion() -> None:
    """A grey of 128 stays within 25 % or so in another light alone; gammas of 0.5 and 2 make it 181 and 64."""
    warped = np.full((32, 32, 4), 128, np.uint8)
    medians = [float(np.median(_dimmed(warped, np.random.default_rng(seed))[..., :3])) for seed in range(200)]
    assert np.mean([median < 85 or median > 165 for median in medians]) == pytest.approx(0.15, abs=0.08)
    assert min(medians) < 75
    assert max(medians) > 170


def test_packs_keep_what_they_are_given(tmp_path: Path) -> None:
    picture = np.full((32, 32, 3), 90, np.uint8)
    warped = np.dstack([picture + 20, np.arange(1024, dtype=np.uint32).reshape(32, 32).astype(np.uint8)])
    given = Triplet(
        target=picture,
        warped=warped,
        answer=None,
        mask=warped[..., 3].T.copy(),
        identity=np.float32([0.6, 0.8]),
        faces=np.full((112, 224, 3), 33, np.uint8),
        person="p",
        held_out=True,
        landmarks=mean_face().astype(np.float32),
    )
    with TripletPack(tmp_path) as pack:
        pack.add(7, given)
        pack.add(8, "donor is the person")
    with TripletPack(tmp_path) as pack:
        assert [number for number in range(20) if number in pack] == [7, 8]
        assert pack.outcomes() == {"pairs": 1, "donor is the person": 1}
    kept = TripletReader(tmp_path).read(0)
    assert kept.answer is None and kept.held_out and kept.person == "p"
    assert np.array_equal(kept.warped[..., 3], warped[..., 3]) and np.array_equal(kept.mask, given.mask)
    assert np.abs(kept.warped[..., :3].astype(int) - 110).max() <= 2 and np.allclose(kept.identity, [0.6, 0.8])
    assert kept.landmarks is not None and np.abs(kept.landmarks - mean_face()).max() < 1e-4


def test_rows_of_older_packs_have_no_landmarks(triplets: Path, tmp_path: Path) -> None:
    (tmp_path / BYTES).write_bytes((triplets / BYTES).read_bytes())
    lines = [json.loads(line) for line in (triplets / ROWS).read_text().splitlines()]
    (tmp_path / ROWS).write_text(
        "".join(json.dumps({name: line[name] for name in line if name != "landmarks"}) + "\n" for line in lines)
    )
    now, before = TripletReader(triplets).read(0), TripletReader(tmp_path).read(0)
    assert now.landmarks is not None and now.landmarks.shape == (66, 2) and before.landmarks is None
    assert np.array_equal(now.target, before.target)


def mean_face() -> np.ndarray:
    """Return the landmarks (66, 2) of a face that looks ahead, in a crop's middle, as shares of its side."""
    points = np.load(Path(faceswap_cli.portrait.__file__).parent / "mean_face.npz")["face"][:, :2]
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    return (0.5 + 0.6 * points / np.ptp(points[:, 1])).astype(np.float32)


def test_a_borrowed_beard_takes_the_colour_of_the_skin() -> None:
    face, lender = np.full((160, 160, 3), 180, np.uint8), np.full((160, 160, 3), 90, np.uint8)
    landmarks = mean_face()
    lender[int(0.55 * 160) :] = 30  # dark from under the nose on
    changed = with_beard(face, landmarks, lender, landmarks)
    chin = changed[int(0.73 * 160), 80]
    # skin of 180 over skin of 90 doubles the beard: (180 + 1) / (90 + 1) * 30
    assert np.allclose(chin, 30 * 181 / 91, atol=3)
    assert np.array_equal(changed[:64], face[:64])  # nothing above the nose's root


def test_what_is_worn_is_worn_by_target_and_answer_alike() -> None:
    target = np.ascontiguousarray(astronaut()[0:220, 110:330])
    answer = np.clip(target.astype(int) + 9, 0, 255).astype(np.uint8)
    points = np.array([[90, 95], [140, 95], [115, 120], [95, 150], [135, 150]], np.float32)
    nothing = np.zeros((19, 32, 32), np.float32)  # all background: no eyes to wear glasses before
    kinds = set()
    for seed in range(60):
        pair = worn_alike(target, answer, points, nothing, np.random.default_rng(seed))
        changed = [(now != before).any(axis=2) for now, before in zip(pair, (target, answer), strict=True)]
        kinds.add((bool(changed[0].any()), bool(changed[1].any())))
        if changed[0].any():
            where = changed[0] & changed[1]
            assert where.sum() > 0.8 * max(each.sum() for each in changed)
    assert kinds == {(False, False), (True, True)}


def test_glasses_are_drawn_before_the_eyes() -> None:
    face = np.ascontiguousarray(astronaut()[0:220, 110:330])
    probs = np.zeros((19, 220, 220), np.float32)
    probs[1] = 0.5  # skin, but for two eyes
    for eye, x in ((4, 90), (5, 140)):
        probs[eye, 90:100, x - 8 : x + 8] = 1
    changed = [(with_glasses(face, probs, np.random.default_rng(seed)) != face).any(axis=2) for seed in range(6)]
    assert sum(each.any() for each in changed) >= 4
    assert not any(each[170:].any() for each in changed)
