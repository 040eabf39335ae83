"""SimSwap's own form, as documented: what training.md and the examples set trains, goes on, is exported and swaps."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from skimage.data import astronaut  # noqa: E402

from faceswap_cli.errors import UsageError, WeightsError  # noqa: E402
from faceswap_cli.networks.arcface import ArcFace, ArcFaceWithMap  # noqa: E402
from faceswap_cli.networks.export import Signature, read_metadata, write_onnx  # noqa: E402
from faceswap_cli.networks.mobilefaceswap import PUBLISHED  # noqa: E402
from faceswap_cli.networks.simswap import OFFICIAL_224, SimSwap, SimSwapConfig, UnitRange  # noqa: E402
from faceswap_cli.options import Options  # noqa: E402
from faceswap_cli.stages.align import TEMPLATES  # noqa: E402
from faceswap_cli.stages.bundle import _part_of  # noqa: E402
from faceswap_cli.store import importing, models  # noqa: E402
from faceswap_cli.training.core import checkpoint  # noqa: E402
from faceswap_cli.training.core.options import DistillOptions, TrainOptions  # noqa: E402
from faceswap_cli.training.core.settings import DistillSettings, SwapSettings, read_record, read_settings  # noqa: E402
from faceswap_cli.training.data.pack import PackWriter  # noqa: E402
from faceswap_cli.training.distil import train as distill  # noqa: E402
from faceswap_cli.training.export import export  # noqa: E402
from faceswap_cli.training.generator import train as swap  # noqa: E402
from faceswap_cli.training.generator.generators import build_generator, read_generator  # noqa: E402
from faceswap_cli.training.generator.plan import make_plan  # noqa: E402
from faceswap_cli.training.teachers.encoders import names_of  # noqa: E402
from faceswap_cli.training.teachers.identity_judge import IdentityJudge  # noqa: E402
from faceswap_cli.training.teachers.spaces import MOBILE, OURS, SIMSWAP  # noqa: E402

from .conftest import assert_same_weights, out_of_time_behind  # noqa: E402
from .test_training_generator_steps import batch_of  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "simswap.toml"
SMALL = "\n[shape]\nwidth = 4\nstages = 2\nblocks = 1\n"
NARROW = {"width": 4, "stages": 2, "blocks": 1, "latent": 512}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    """Eight pictures of two people, and the usual settings for a network that is small."""
    folder = tmp_path_factory.mktemp("paper")
    face = cv2.resize(astronaut()[0:220, 110:330], (96, 96), interpolation=cv2.INTER_AREA)
    points = (TEMPLATES["simswap-frontal"][0] * 96).round(2).tolist()
    with PackWriter(folder / "pack") as writer:
        for number in range(8):
            person = "ab"[number % 2]
            image = np.ascontiguousarray(face[:, ::-1] // 2 + 8 * number) if number % 2 else face + np.uint8(number)
            about = {"person": person, "points": points, "scale": 1.0, "grey": False}
            writer.add(image, None, {"source": f"{person}/{number}.jpg", **about})
    (folder / "paper.toml").write_text(SMALL)
    return TrainOptions(
        data=(folder / "pack",), config=folder / "paper.toml", output=folder / "run", steps=3, batch=1, size=64,
        save_every=3, threads=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(options: TrainOptions) -> Path:
    """A run of three steps that stopped after two and went on without being told its settings and size."""
    with out_of_time_behind(2):
        swap.train(options)
    swap.train(replace(options, resume=True, config=None, size=None))
    return options.output


def test_a_run_that_goes_on_by_what_it_knows_of_itself_equals_one_that_never_stopped(
    options: TrainOptions, run: Path, tmp_path: Path
) -> None:
    swap.train(replace(options, output=tmp_path))
    once, twice = checkpoint.load(tmp_path / "last.pt"), checkpoint.load(run / "last.pt")
    assert (twice["step"], twice["size"], twice["space"]) == (3, 64, OURS.name)
    assert once["settings"] == twice["settings"]
    assert_same_weights(tmp_path, run, *swap.GeneratorState.networks)


@pytest.mark.parametrize("size", [64, 224])
def test_a_run_is_exported_for_crops_of_the_size_it_was_trained_at(run: Path, tmp_path: Path, size: int) -> None:
    state = checkpoint.load(run / "last.pt")
    checkpoint.save(tmp_path / "last.pt", state | {"size": size})
    path = export(tmp_path)
    contract = _part_of(path, "generator").contract
    assert (contract.size, contract.template, contract.space) == (size, "simswap-frontal", OURS.name)
    assert (contract.encoder, contract.identity_template) == ("encoder", "arcface")
    assert json.loads(read_metadata(path)["configuration"])["latent"] == 128


def test_a_size_of_224_is_kept_from_the_command_to_the_checkpoint(options: TrainOptions) -> None:
    encoders = [torch.nn.Identity()]
    assert make_plan(replace(options, size=224), encoders).size == 224
    assert make_plan(replace(options, size=None), encoders).size == 112
    for wrong in (48, 100):
        with pytest.raises(UsageError, match=f"size is {wrong}"):
            make_plan(replace(options, size=wrong), encoders)


def test_the_exported_file_swaps(run: Path, tmp_path: Path, portrait: Path) -> None:
    from faceswap_cli import swap_image

    path = export(run, tmp_path / "paper.onnx")
    result = swap_image(portrait, portrait, tmp_path / "out.png", Options(model=str(path), device="cpu", threads=1))
    assert result.faces_swapped == 1


def test_a_generator_is_begun_from_its_file_its_run_and_its_checkpoint(
    options: TrainOptions, run: Path, tmp_path: Path
) -> None:
    wanted = checkpoint.load(run / "last.pt")["average"]
    encoders = [torch.nn.Identity()]
    for given in (export(run, tmp_path / "paper.onnx"), run, run / "last.pt"):
        plan = make_plan(replace(options, config=None, init_from=given, size=None), encoders)
        assert plan.size == 64
        state = swap.build_state(plan, IdentityJudge(encoders, 64), None, torch.device("cpu"))
        for name, value in state.generator.state_dict().items():
            if not name.endswith("num_batches_tracked"):  # no file keeps how often a norm was fed
                torch.testing.assert_close(value, wanted[name], rtol=1e-3, atol=1e-6)


def imported_official(folder: Path) -> Path:
    """Put a narrow network with the published one's keys into the store, as `models import` would."""
    torch.manual_seed(0)
    config = SimSwapConfig(**NARROW)
    metadata = {"network": "simswap", "configuration": json.dumps(asdict(config)), "size": "224"}
    examples = {"target": torch.rand(1, 3, 224, 224), "identity": torch.randn(1, 512)}
    path = folder / "latest_net_G.onnx"
    write_onnx(UnitRange(SimSwap(config)), examples, path, metadata, Signature(("image",), half=False))
    importing.import_file(path, "simswap-224")
    return path


def test_imported_official_weights_begin_a_run_in_their_own_space(
    options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path / "home"))
    imported_official(tmp_path)
    with torch.device("meta"):
        arcface = ArcFace()
    options = replace(options, init_from=Path("simswap-224"), size=None, config=EXAMPLE)
    with pytest.raises(UsageError, match=r"understands identities of 'simswap-arcface-512'.*--teacher"):
        make_plan(options, [torch.nn.Identity()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faceswap_cli.training.generator.plan.names_of", lambda encoders: ["a name"])
        plan = make_plan(options, [arcface])
    assert (plan.size, plan.space, plan.settings.shape["latent"]) == (224, SIMSWAP, 512)
    began = build_generator(plan.settings)
    assert plan.origin is not None
    swap.copy_weights(plan.origin, began)
    own = read_generator(Path("simswap-224")).generator.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in began.state_dict().items())


def test_what_does_not_belong_together_is_said_in_one_line(options: TrainOptions, run: Path, tmp_path: Path) -> None:
    encoders = [torch.nn.Identity()]
    wide = tmp_path / "wide.toml"
    wide.write_text("[shape]\nwidth = 8\nstages = 2\nblocks = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("[shape]\nlatent = 512\n")
    again = replace(options, resume=True)
    cases = [
        (replace(options, config=other), "identities of 512 numbers, those of mobilefacenet-128 have 128"),
        (replace(again, config=wide), "was begun with shape .*, not"),
        (replace(again, size=80), "was begun with size 64, not 80"),
        (again, r"was begun with encoders \(--teacher\)"),
        (replace(again, output=tmp_path / "nowhere"), "no checkpoint at"),
        (replace(options, init_from=tmp_path / "nothing.onnx"), "no generator at"),
        (replace(options, init_from=models.weights_folder() / "parser.onnx"), "holds no generator to train"),
        (
            replace(options, init_from=models.weights_folder() / "lite.onnx", config=wide),
            "holds a painter, which learns from triplets: say --network painter",
        ),
    ]
    for wrong, told in cases:
        with pytest.raises((UsageError, WeightsError), match=told) as error:
            make_plan(wrong, encoders)
        assert "\n" not in str(error.value)
    plan = make_plan(replace(options, init_from=run, config=wide), encoders)
    with pytest.raises(WeightsError, match=r"last\.pt: These weights do not fit"):
        swap.build_state(plan, IdentityJudge(encoders, 64), None, torch.device("cpu"))


def test_losses_may_change_where_a_run_goes_on(options: TrainOptions, run: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.toml"
    changed.write_text("identity = 3.0\n" + SMALL)
    state = checkpoint.load(run / "last.pt")
    state["encoders"] = names_of([torch.nn.Identity()])
    (tmp_path / "on").mkdir()
    checkpoint.save(tmp_path / "on" / "last.pt", state)
    plan = make_plan(replace(options, resume=True, config=changed, output=tmp_path / "on"), [torch.nn.Identity()])
    assert plan.settings.identity == 3.0


def test_the_usual_settings_are_the_papers_losses_for_the_published_network() -> None:
    settings, example = SwapSettings(), read_settings(EXAMPLE)
    losses = ("identity", "same_identity", "contrast", "reconstruction", "adversarial", "feature_matching", "light")
    for name in (*losses, "matched_maps", "outside", "same_every", "beta1", "beta2"):
        assert getattr(settings, name) == getattr(example, name)
    with torch.device("meta"):
        built = build_generator(replace(settings, shape=settings.shape | {"latent": OURS.dimension}))
    assert built.generator.config == replace(OFFICIAL_224, latent=128)


def test_the_example_is_the_paper() -> None:
    settings = read_settings(EXAMPLE)
    with torch.device("meta"):
        assert build_generator(settings).generator.config == OFFICIAL_224
        both = swap.build_discriminator(settings, 224)
    assert sum(weight.numel() for weight in both.fine.parameters()) == 6_962_369
    paper = {
        "same_every": 2, "identity": 10, "same_identity": 1, "reconstruction": 10, "adversarial": 1,
        "feature_matching": 10, "matched_maps": "weak", "gradient_penalty": 1e-5, "penalty": "blends",
        "beta1": 0, "beta2": 0.999, "schedule": "constant", "generator_rate": 2e-4, "discriminator_rate": 2e-4,
    }  # fmt: skip
    assert {name: getattr(settings, name) for name in paper} == paper
    ours = ("contrast", "light", "outside", "expression", "average", "reconstruction_only")
    assert not any(getattr(settings, name) for name in ours)


def test_a_generator_of_simswaps_space_says_so_and_where_its_encoder_sees_a_face(run: Path, tmp_path: Path) -> None:
    settings = SwapSettings(network="simswap", shape=NARROW)
    average = build_generator(settings).state_dict()
    state = {"kind": "generator", "settings": asdict(settings), "size": 64, "space": SIMSWAP.name, "average": average}
    checkpoint.save(tmp_path / "last.pt", state)
    contract = _part_of(export(tmp_path), "generator").contract
    assert (contract.space, contract.encoder) == ("simswap-arcface-512", "simswap-arcface")
    assert (contract.identity_template, contract.identity_size) == ("simswap-frontal", 112)
    assert importing.SAID[-1] == "identity_template"


def test_simswaps_encoder_sees_the_whole_crop() -> None:
    """Its template is the crop's own: a dot at the nose stays at the nose's share of the side."""
    arcface = ArcFace()
    arcface.layer3, arcface.layer4 = torch.nn.Sequential(), torch.nn.Sequential()
    judge = IdentityJudge([arcface], 224)
    assert judge.space is SIMSWAP
    crop = torch.zeros(1, 3, 224, 224)
    crop[..., 136, 112] = 1
    row, column = divmod(int(judge._cut(crop, torch.eye(3)[None])[0, 0].argmax()), 112)
    assert (row, column) == (68, 56)


def test_the_published_student_is_reached_by_the_example_and_taught_by_simswaps_own_vectors() -> None:
    example = ROOT / "examples" / "mobilefaceswap.toml"
    settings = read_record(example, DistillSettings)
    student = distill.build_student(settings)
    assert student.config == PUBLISHED
    with torch.device("meta"):
        mapped = ArcFaceWithMap(ArcFace())
    options = DistillOptions(data=(), config=example, size=224)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distill, "names_of", lambda encoders: ["a name"])
        assert distill.make_plan(options, [mapped]).space is MOBILE
        with pytest.raises(UsageError, match="give mobilefaceswap-arcface as --encoder"):
            distill.make_plan(options, [torch.nn.Identity()])
    joint = torch.randn(2, MOBILE.dimension)
    vectors = distill._for_teacher(joint, MOBILE)
    torch.testing.assert_close(vectors, torch.nn.functional.normalize(joint[:, :512]))
    assert torch.equal(distill._for_teacher(joint, OURS), joint)


def test_the_published_student_learns_from_a_simswap(tmp_path: Path) -> None:
    """One step of the map's injection network; the encoder is ArcFace without its deep layers, cut to 512 channels."""
    arcface = ArcFace()
    arcface.layer3 = torch.nn.Sequential(torch.nn.Conv2d(128, 512, 1, 4))
    arcface.layer4 = torch.nn.Sequential()
    judge = IdentityJudge([ArcFaceWithMap(arcface)], 96)
    teacher = UnitRange(SimSwap(SimSwapConfig(**NARROW))).requires_grad_(False).eval()
    settings = DistillSettings(shape={"injection": "map", "norm": "batch"}, discriminator_width=4)
    state = distill.build_state(settings, teacher, judge, None, torch.device("cpu"))
    small = batch_of(same=False)
    pictures = {
        name: torch.nn.functional.interpolate(getattr(small, name), size=96)
        for name in ("target", "outside", "portrait")
    }
    with torch.no_grad():
        who = judge.look(pictures["target"].flip(0), 0)
    batch = replace(small, **pictures, identity=who, wanted=who, unwanted=who)
    before = state.student.predictor.first.weight.detach().clone()
    losses, fake = distill.student_step(state, batch, settings, 0)
    assert fake.shape == (2, 3, 96, 96)
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert not torch.equal(state.student.predictor.first.weight, before)
