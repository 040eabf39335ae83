"""Distilling the encoder from two pictures, and the file insightface opens."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from insightface.model_zoo import get_model  # noqa: E402
from skimage.data import astronaut  # noqa: E402

from faceswap_cli.errors import UsageError, WeightsError  # noqa: E402
from faceswap_cli.networks.mobilefacenet import Depthwise, FaceEncoder, MobileFaceNet, imagenet_normalise  # noqa: E402
from faceswap_cli.stages.align import TEMPLATES  # noqa: E402
from faceswap_cli.training.core import checkpoint  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions  # noqa: E402
from faceswap_cli.training.data.face_set import encoder_crop, load_packs  # noqa: E402
from faceswap_cli.training.data.pack import PackWriter  # noqa: E402
from faceswap_cli.training.export import export  # noqa: E402
from faceswap_cli.training.supporting import encoder  # noqa: E402
from faceswap_cli.training.teachers.encoders import load_encoder  # noqa: E402

from .conftest import assert_same_weights  # noqa: E402


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    folder = tmp_path_factory.mktemp("encoder")
    face = np.ascontiguousarray(cv2.resize(astronaut()[0:220, 110:330], (160, 160), interpolation=cv2.INTER_AREA))
    points = (TEMPLATES["simswap-frontal"][0] * 160).tolist()
    with PackWriter(folder / "pack") as writer:
        for person in ("a", "b"):
            about = {"source": f"{person}.jpg", "person": person, "points": points, "scale": 1.0, "grey": False}
            writer.add(face if person == "a" else 255 - face, None, about)
    torch.manual_seed(1)
    torch.save(MobileFaceNet().state_dict(), folder / "teacher.pt")
    return TrainOptions(
        network="encoder", data=(folder / "pack",), teacher=folder / "teacher.pt", output=folder / "run",
        steps=4, batch=4, save_every=2, threads=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(options: TrainOptions) -> Path:
    encoder.train(options)
    return options.output


def test_run_reports_each_damage(run: Path) -> None:
    lines = (run / "measures.csv").read_text().splitlines()
    names = [line.split(",")[0] for line in lines[1:]]
    assert names == ["none", "blur", "jpeg_30", "half_dark", "scale_plus_10", "shift_10"]


def test_run_stopped_and_resumed_ends_with_the_same_weights(
    options: TrainOptions, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = replace(options, output=tmp_path / "halves")
    draw_batch, calls = encoder.draw_batch, iter(range(100))

    def crash_in_fourth_step(*arguments: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return draw_batch(*arguments)

    with monkeypatch.context() as crash:
        crash.setattr(encoder, "draw_batch", crash_in_fourth_step)
        with pytest.raises(KeyboardInterrupt):
            encoder.train(halves)
    assert checkpoint.load(halves.output / "last.pt")["step"] == 2
    encoder.train(replace(halves, resume=True))
    assert_same_weights(run, halves.output, "network", "average")


def test_insightface_feeds_the_exported_file_as_it_expects(run: Path, tmp_path: Path) -> None:
    """The file must not look as if it normalised raw pixels itself, and must answer as the network does."""
    path = export(run, tmp_path / "encoder.onnx")
    model = get_model(str(path), providers=["CPUExecutionProvider"])
    assert (model.input_mean, model.input_std, model.input_size) == (127.5, 127.5, (112, 112))
    picture = np.random.default_rng(0).integers(0, 255, (112, 112, 3), np.uint8)
    fed = model.get_feat(picture[..., ::-1])[0]
    unit = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        wanted = load_encoder(path)(imagenet_normalise(unit))[0].numpy()
    assert np.abs(fed - wanted).max() < 2e-3 * max(1, np.abs(wanted).max())


def test_encoder_behind_the_door_equals_the_network(run: Path) -> None:
    network = load_encoder(run / "last.pt")
    image = torch.rand(1, 3, 112, 112)
    with torch.no_grad():
        assert torch.allclose(FaceEncoder(network)(2 * image - 1), network(imagenet_normalise(image)), atol=1e-4)


def test_maps_end_where_the_embedding_begins() -> None:
    network = MobileFaceNet().eval()
    image = torch.rand(1, 3, 112, 112)
    with torch.no_grad():
        maps = network.maps(image)
        assert torch.equal(network.embed(maps[-1]), network(image))
    assert [tuple(map_.shape[1:]) for map_ in (maps[0], maps[-1])] == [(64, 56, 56), (512, 7, 7)]


def test_published_parameters_load_by_name(data: Path) -> None:
    network = load_encoder(data / "weights" / "identity" / "mobilefacenet_foamliu.pt")
    assert sum(parameter.numel() for parameter in network.parameters()) == 999_936


def test_run_may_start_from_a_file(options: TrainOptions, run: Path, tmp_path: Path) -> None:
    path = export(run, tmp_path / "encoder.onnx")
    further = replace(options, output=tmp_path / "further", init_from=path, steps=1, learning_rate=1e-9)
    encoder.train(further)
    kept, went_on = load_encoder(path).state_dict(), checkpoint.load(further.output / "last.pt")["network"]
    names = [name for name in kept if name.endswith(("weight", "bias"))]
    assert all(torch.allclose(kept[name], went_on[name], atol=1e-6) for name in names)


def test_stride_taken_by_leaving_out_is_the_same_convolution() -> None:
    layer = Depthwise(8, stride=2)
    x = torch.rand(2, 8, 15, 15)
    trained = layer.train()(x)
    assert trained.shape == (2, 8, 8, 8)
    assert torch.allclose(trained, layer.eval()(x), atol=1e-6)


def test_second_half_of_a_batch_is_poorer_for_the_student(options: TrainOptions) -> None:
    faces = load_packs(options.data, 160)
    clean, shown = encoder.draw_batch(faces, 16, np.random.default_rng(0))
    assert torch.equal(clean[:8], shown[:8])
    assert all(not torch.equal(one, other) for one, other in zip(clean[8::2], shown[8::2], strict=True))  # moved


def test_hint_counts_the_first_rows_only() -> None:
    torch.manual_seed(0)
    wanted, map_ = torch.rand(4, 2, 3, 3), torch.rand(4, 2, 3, 3)
    spoiled = torch.cat([map_[:2], map_[2:] + 9])
    assert torch.allclose(encoder._hint(map_, wanted, rows=2), encoder._hint(spoiled, wanted, rows=2))
    everywhere = encoder._hint(map_, wanted)
    assert torch.allclose(everywhere, (map_ - wanted).square().mean() / wanted.var())


def test_encoder_needs_a_teacher(options: TrainOptions) -> None:
    with pytest.raises(UsageError, match="--teacher"):
        encoder.train(replace(options, teacher=None))


def test_foreign_teacher_is_refused(tmp_path: Path) -> None:
    (tmp_path / "teacher.pt").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="MobileFaceNet"):
        load_encoder(tmp_path / "teacher.pt")


def test_encoder_crop_brings_points_to_the_arcface_template() -> None:
    image = np.zeros((160, 160, 3), np.uint8)
    points = TEMPLATES["simswap-frontal"][0] * 160
    x, y = points[2].round().astype(int)
    image[y - 1 : y + 2, x - 1 : x + 2] = 255
    row, column = divmod(int(encoder_crop(image, points)[..., 0].argmax()), 112)
    wanted = TEMPLATES["arcface"][0][2] * 112
    assert np.hypot(column - wanted[0], row - wanted[1]) < 4
