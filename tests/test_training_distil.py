"""Distilling from two pictures on a CPU: it runs, resumes exactly, heeds the teacher and ends as a model's file."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from skimage.data import astronaut  # noqa: E402

from faceswap_cli import Options, swap_image  # noqa: E402
from faceswap_cli.errors import OutputError, UsageError, WeightsError  # noqa: E402
from faceswap_cli.networks.export import Signature, read_state_dict, write_onnx  # noqa: E402
from faceswap_cli.networks.mobilefacenet import MobileFaceNet  # noqa: E402
from faceswap_cli.networks.painter import Painter, PainterConfig  # noqa: E402
from faceswap_cli.networks.simswap import SimSwap, SimSwapConfig, UnitRange  # noqa: E402
from faceswap_cli.stages.align import TEMPLATES  # noqa: E402
from faceswap_cli.stages.bundle import find_bundle  # noqa: E402
from faceswap_cli.stages.specialise import open_generator  # noqa: E402
from faceswap_cli.training.core import checkpoint  # noqa: E402
from faceswap_cli.training.core.options import DistillOptions  # noqa: E402
from faceswap_cli.training.core.run import Run, set_rate  # noqa: E402
from faceswap_cli.training.core.settings import DistillSettings, SwapSettings, read_record  # noqa: E402
from faceswap_cli.training.data.pack import PackWriter  # noqa: E402
from faceswap_cli.training.data.swap_data import Batch  # noqa: E402
from faceswap_cli.training.distil import train as distill  # noqa: E402
from faceswap_cli.training.distil.losses import mask_loss, perceptual, quality, reconstruction, teacher_weight  # noqa: E402
from faceswap_cli.training.distil.painter import StudentSettings  # noqa: E402
from faceswap_cli.training.export import export  # noqa: E402
from faceswap_cli.training.generator.generators import read_generator, settings_from  # noqa: E402
from faceswap_cli.training.teachers.identity_judge import IdentityJudge  # noqa: E402
from faceswap_cli.types import Identity  # noqa: E402

from .conftest import assert_same_weights, out_of_time_behind  # noqa: E402

TINY = "adversarial_from = 3\ndiscriminator_width = 4\n[shape]\nhidden = 8\n"
SMALL = SimSwapConfig(width=4, stages=2, blocks=1, latent=128, norm="instance")


def astronaut_crop(size: int) -> np.ndarray:
    return np.ascontiguousarray(cv2.resize(astronaut()[0:220, 110:330], (size, size), interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people: the astronaut's face, and the same mirrored and tinted; the first has a class map."""
    folder = tmp_path_factory.mktemp("pack")
    face = astronaut_crop(128)
    points = (TEMPLATES["simswap-frontal"][0] * 128).round(2).tolist()
    label = np.zeros((128, 128), np.uint8)
    label[32:112, 32:96] = 1
    with PackWriter(folder) as writer:
        for person, image in (("a", face), ("b", np.ascontiguousarray(face[:, ::-1] // 2 + 40))):
            about = {"source": f"{person}/1.jpg", "person": person, "points": points, "scale": 1.0, "grey": False}
            writer.add(image, label if person == "a" else None, about)
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported SimSwap, small, that changes what it is given."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("teacher") / "teacher.onnx"
    return write_teacher(path, UnitRange(SimSwap(SMALL)), "simswap", asdict(SMALL))


def write_teacher(
    path: Path, network: torch.nn.Module, name: str, shape: dict[str, object], space: str = "mobilefacenet-128"
) -> Path:
    examples = {"target": torch.rand(1, 3, 96, 96), "identity": torch.randn(1, 128)}
    if name == "painter":
        examples["portrait"] = torch.rand(1, 4, 96, 96)
    metadata = {"network": name, "configuration": json.dumps(shape), "size": "96", "space": space}
    write_onnx(network, examples, path, metadata, Signature(("image",)))
    return path


def test_a_painter_teaches_and_begins_no_other_network(tmp_path: Path) -> None:
    torch.manual_seed(1)
    shape = PainterConfig(size=96, working=96, width=8, blocks=1)
    network = Painter(shape)
    torch.nn.init.normal_(network.paint.weight, std=0.1)
    path = write_teacher(tmp_path / "painter.onnx", network, "painter", asdict(shape))
    teacher = distill.load_teacher(path, 96)
    target, portrait = torch.rand(1, 3, 96, 96), torch.rand(1, 4, 96, 96)
    identity = torch.nn.functional.normalize(torch.randn(1, 128))
    with torch.no_grad():
        assert torch.allclose(teacher(target, identity, portrait), network(target, identity, portrait), atol=2e-3)
    with pytest.raises(UsageError, match="--network painter"):
        settings_from(read_generator(path), SwapSettings())


def batch_of(target: torch.Tensor, vector: torch.Tensor, seen: torch.Tensor) -> Batch:
    """Pictures whose sources nobody sees a portrait of."""
    nothing = torch.zeros(len(target), 1, 96, 96)
    portrait = torch.cat([target, nothing], dim=1)
    return Batch(
        target=target, outside=nothing, identity=vector, portrait=portrait, wanted=seen, unwanted=seen,
        encoder=0, same=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def options(pack: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> DistillOptions:
    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.toml").write_text(TINY)
    torch.manual_seed(3)
    torch.save(MobileFaceNet().state_dict(), folder / "encoder.pt")
    return DistillOptions(
        data=(pack,), teacher=teacher, encoder=folder / "encoder.pt", config=folder / "tiny.toml",
        output=folder / "whole", steps=8, batch=2, size=96, save_every=4, threads=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole_run(options: DistillOptions) -> Path:
    distill.distill(options)
    return options.output


def test_two_pictures_are_enough_and_leave_log_samples_and_checkpoint(whole_run: Path) -> None:
    lines = (whole_run / "log.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["step", "1", "4", "8"]
    row = dict(zip(lines[0].split(","), map(float, lines[3].split(",")), strict=True))
    assert np.isfinite(list(row.values())).all()
    assert 0 <= row["teacher_weight"] <= 1
    assert cv2.imread(str(whole_run / "samples" / "0000008.png")).shape[0] == 4 * 96


def test_interrupted_run_ends_with_the_same_weights(options: DistillOptions, whole_run: Path, tmp_path: Path) -> None:
    halves = replace(options, output=tmp_path / "halves")
    with out_of_time_behind(5):
        distill.distill(halves)
    assert checkpoint.load(halves.output / "last.pt")["step"] == 5
    distill.distill(replace(halves, resume=True))
    assert checkpoint.load(halves.output / "last.pt")["step"] == 8
    assert_same_weights(whole_run, halves.output, *distill.StudentState.networks)


def test_the_student_comes_nearer_to_its_teacher(teacher: Path) -> None:
    torch.manual_seed(0)
    settings = DistillSettings(shape={"hidden": 8}, identity=0.0, discriminator_width=4)
    judge = IdentityJudge([MobileFaceNet()], 96)
    state = distill.build_state(settings, distill.load_teacher(teacher, 96), judge, None, torch.device("cpu"))
    set_rate(state.student_optimiser, 5e-3)
    target, vector = picture().repeat(2, 1, 1, 1), torch.nn.functional.normalize(torch.randn(2, 128))
    with torch.no_grad():
        taught = state.teacher(target, vector)
        batch = batch_of(target, vector, judge.look(taught, 0))  # wanted: what the teacher made is the source exactly
    losses = [distill.student_step(state, batch, settings, 0)[0]["reconstruction"].item() for _ in range(20)]
    assert min(losses[-5:]) < 0.8 * losses[0]


def test_without_reweighting_every_picture_of_the_teacher_counts_fully(teacher: Path) -> None:
    judge = IdentityJudge([MobileFaceNet()], 96)
    settings = DistillSettings(shape={"hidden": 8}, discriminator_width=4)
    state = distill.build_state(settings, distill.load_teacher(teacher, 96), judge, None, torch.device("cpu"))
    vector = torch.nn.functional.normalize(torch.randn(2, 128))
    batch = batch_of(picture().repeat(2, 1, 1, 1), vector, vector)
    assert distill.teach(state, batch, reweighted=False)[1].tolist() == [1, 1]
    assert (distill.teach(state, batch, reweighted=True)[1] < 0.5).all()


def test_the_exported_file_paints_what_the_average_does(whole_run: Path, tmp_path: Path) -> None:
    path = export(whole_run, tmp_path / "mobile.onnx")
    bundle = find_bundle(Options(model=str(path), device="cpu"))
    contract = bundle.generator.contract
    assert (contract.space, contract.template, contract.size) == ("mobilefacenet-128", "simswap-frontal", 96)
    assert not contract.points
    student = distill.build_student(DistillSettings(**checkpoint.load(whole_run / "last.pt")["settings"])).eval()
    student.load_state_dict(checkpoint.load(whole_run / "last.pt")["average"])
    vector = torch.nn.functional.normalize(torch.randn(1, 128))
    target = torch.from_numpy(astronaut_crop(96)).permute(2, 0, 1)[None] / 255
    who = Identity(vector[0].numpy(), contract.space)
    opened = open_generator(bundle.generator, who, Options(device="cpu", threads=1))
    image = opened.run(target=target.numpy())[0]
    with torch.no_grad():
        assert np.abs(image - student(target, vector).numpy()).max() < 5e-3  # weights are stored as float16


def test_a_photo_is_swapped_with_the_exported_file(whole_run: Path, tmp_path: Path, portrait: Path) -> None:
    path = export(whole_run, tmp_path / "mobile.onnx")
    result = swap_image(portrait, portrait, tmp_path / "out.png", Options(model=str(path), device="cpu", threads=1))
    assert result.faces_swapped == 1


def test_init_from_starts_with_the_exported_weights(options: DistillOptions, whole_run: Path, tmp_path: Path) -> None:
    path = export(whole_run, tmp_path / "mobile.onnx")
    wanted = read_state_dict(path)
    distill.distill(replace(options, output=tmp_path / "on", init_from=path, steps=1, learning_rate=1e-12))
    begun = checkpoint.load(tmp_path / "on" / "last.pt")["student"]
    for name, value in wanted.items():
        torch.testing.assert_close(begun[name], value, atol=1e-6, rtol=0)


def test_a_run_is_not_overwritten(options: DistillOptions, whole_run: Path) -> None:
    with pytest.raises(OutputError, match="--resume"):
        distill.distill(options)


def test_a_generators_checkpoint_can_teach(tmp_path: Path) -> None:
    settings = SwapSettings(shape=asdict(SMALL))
    network = UnitRange(SimSwap(SMALL))
    state = {"kind": "generator", "settings": asdict(settings), "average": network.state_dict()}
    checkpoint.save(tmp_path / "last.pt", state)
    teacher = distill.load_teacher(tmp_path / "last.pt", 96)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in teacher.state_dict().items())
    assert not any(weight.requires_grad for weight in teacher.parameters())


def test_what_cannot_teach_is_refused_in_one_line(whole_run: Path, teacher: Path, tmp_path: Path) -> None:
    foreign = write_teacher(tmp_path / "f.onnx", UnitRange(SimSwap(SMALL)), "simswap", asdict(SMALL), "arcface-512")
    (tmp_path / "damaged.onnx").write_bytes(b"not a graph")
    false = onnx.load(teacher)
    onnx.helper.set_model_props(false, {one.key: one.value for one in false.metadata_props} | {"network": "parsenet"})
    onnx.save(false, tmp_path / "false.onnx")
    wrong = [
        foreign,
        tmp_path / "absent.onnx",
        tmp_path / "damaged.onnx",
        tmp_path / "false.onnx",
        whole_run / "last.pt",
    ]
    for path in wrong:
        with pytest.raises(WeightsError) as told:
            distill.load_teacher(path, 96)
        assert path.name in str(told.value)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("size", [64, 100])
def test_a_size_that_teacher_or_student_cannot_take_is_refused(teacher: Path, size: int) -> None:
    with pytest.raises(UsageError, match=f"size is {size}: give a multiple of"):
        distill.load_teacher(teacher, size)


def test_a_checkpoint_of_another_network_does_not_go_on(options: DistillOptions, tmp_path: Path) -> None:
    run = Run(replace(options, output=tmp_path / "other"))
    checkpoint.save(run.last, {"kind": "generator"})
    with pytest.raises(WeightsError, match="no distillation's"):
        distill.distill(replace(options, output=tmp_path / "other", resume=True))
    with pytest.raises(WeightsError, match="holds no student"):
        distill.read_student(run.last)


def test_unknown_settings_and_shapes_are_named(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("identitty = 3\n")
    with pytest.raises(UsageError, match="identitty"):
        read_record(tmp_path / "wrong.toml", DistillSettings)
    with pytest.raises(UsageError, match="depth"):
        distill.build_student(DistillSettings(shape={"depth": 3}))


def test_the_examples_settings_are_readable() -> None:
    examples = Path(__file__).resolve().parents[1] / "examples"
    settings = read_record(examples / "mobilefaceswap.toml", DistillSettings)
    assert distill.build_student(settings).config.injection == "map"
    assert read_record(examples / "mobile.toml", StudentSettings).shape == {"hidden": 128}


def picture() -> torch.Tensor:
    return torch.from_numpy(astronaut_crop(96)).permute(2, 0, 1)[None] / 255


def test_quality_falls_with_blur_and_with_grain_but_not_with_shade() -> None:
    target = picture()
    blurred = torch.from_numpy(cv2.GaussianBlur(astronaut_crop(96), (0, 0), 2)).permute(2, 0, 1)[None] / 255
    grainy = (target + 0.1 * torch.randn(target.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert float(quality(target, target)) == pytest.approx(1)
    assert float(quality(0.9 * target, target)) > 0.9
    assert float(quality(blurred, target)) < 0.7
    assert float(quality(grainy, target)) < 0.7


def test_a_teacher_who_lost_the_source_counts_for_nothing() -> None:
    target = picture().repeat(3, 1, 1, 1)
    weights = teacher_weight(target, target, torch.tensor([0.6, 0.0, -0.6]))
    torch.testing.assert_close(weights, torch.tensor([0.36, 0.0, 0.0]))


def test_distances_to_the_teacher_are_zero_only_for_its_own_picture() -> None:
    encoder = MobileFaceNet().eval()
    pair = picture().repeat(2, 1, 1, 1)
    other = torch.cat([pair[:1], pair[1:].flip(3)])
    with torch.no_grad():
        for distance in (reconstruction(pair, other), perceptual(pair, other, encoder)):
            assert float(distance[0]) == pytest.approx(0, abs=1e-6)
            assert float(distance[1]) > 0.01


def test_only_class_maps_teach_the_mask() -> None:
    outside = torch.zeros(2, 1, 8, 8)
    outside[0, :, :4] = 1
    mask = torch.full((2, 1, 8, 8), 0.25, requires_grad=True)
    loss = mask_loss(mask, outside)
    assert loss.item() == pytest.approx((0.25 + 0.75) / 2)
    loss.backward()
    assert not mask.grad[1].any()
    assert mask_loss(mask, torch.zeros_like(outside)).item() == 0
