"""A head learns beards from labelled crops on top of points that stay what they are; a run resumes exactly."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")
from skimage.data import astronaut  # noqa: E402

from faceswap_cli.errors import UsageError  # noqa: E402
from faceswap_cli.networks.points import FacePoints, FacePointsConfig  # noqa: E402
from faceswap_cli.stages.align import TEMPLATES  # noqa: E402
from faceswap_cli.store.models import locate  # noqa: E402
from faceswap_cli.training.core import checkpoint  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions  # noqa: E402
from faceswap_cli.training.core.settings import BeardSettings, read_record  # noqa: E402
from faceswap_cli.training.data.pack import PackWriter  # noqa: E402
from faceswap_cli.training.export import export  # noqa: E402
from faceswap_cli.training.supporting import beard, points  # noqa: E402
from tests.conftest import assert_same_weights, stop_behind_checkpoint  # noqa: E402

LABELS = Path(__file__).resolve().parents[1] / "examples" / "beards.toml"


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return np.ascontiguousarray(cv2.resize(astronaut()[0:220, 110:330], (160, 160), interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def options(face: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    """Four faces without a beard and four with a drawn one."""
    folder = tmp_path_factory.mktemp("beard")
    place = (TEMPLATES["simswap-frontal"][0] * 160).tolist()
    grown = face.copy()
    grown[118:150, 50:110] = np.random.default_rng(0).integers(0, 90, (32, 60, 1), np.uint8)
    with PackWriter(folder / "pack") as writer:
        for number in range(8):
            about = {"source": f"{number}/1.jpg", "person": f"{number}", "points": place, "scale": 1.0, "grey": False}
            writer.add(grown if number < 4 else face, None, about)
    (folder / "labels.toml").write_text(
        'bearded = ["0/1.jpg", "1/1.jpg", "2/1.jpg", "3/1.jpg"]\nunsure = ["7/1.jpg"]\n'
    )
    shipped = points.read_points(locate("points"))
    start = FacePoints(replace(shipped.config, beard=0))  # the same without its head
    start.load_state_dict({name: value for name, value in shipped.state_dict().items() if not name.startswith("beard")})
    points.write_points(start.eval(), folder / "points.onnx")
    return TrainOptions(
        data=(folder / "pack",), network="beard", init_from=folder / "points.onnx", config=folder / "labels.toml",
        output=folder / "whole", steps=60, batch=8, threads=1, save_every=30,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole_run(options: TrainOptions) -> Path:
    beard.train(options)
    return options.output


def test_a_drawn_beard_is_learnt_and_the_points_stay(options: TrainOptions, whole_run: Path, tmp_path: Path) -> None:
    path = export(whole_run, tmp_path / "points.onnx")
    before, after = (points.read_points(each).state_dict() for each in (options.init_from, path))
    for name, value in before.items():
        assert torch.equal(value, after[name]), name
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_outputs()] == ["points", "beard"]
    images = _pictures(options)
    _, sure = session.run(None, {"image": images})
    assert sure.shape == (8, 1)
    assert sure[:4].min() > 0.5 > sure[4:].max()


def test_an_interrupted_run_ends_with_the_same_weights(
    options: TrainOptions, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = replace(options, output=tmp_path / "halves")
    stop_behind_checkpoint(monkeypatch, beard, halves)
    assert checkpoint.load(halves.output / "last.pt")["step"] == 30
    beard.train(replace(halves, resume=True, init_from=None))
    assert_same_weights(whole_run, halves.output, "network")


def test_a_batch_has_beards_hard_ones_and_others() -> None:
    generator = np.random.default_rng(0)
    rows, wanted = beard.draw(np.arange(10), np.arange(100, 200), np.arange(100, 105), 32, generator)
    assert wanted.sum() == (rows < 10).sum() == 12
    assert (rows[12:20] < 105).all()
    assert rows[20:].max() > 105


def test_scores_tell_what_is_found_and_mistaken(tmp_path: Path) -> None:
    network = FacePoints(FacePointsConfig(beard=8)).eval()
    pictures, rows = np.random.default_rng(0).integers(0, 255, (9, 144, 144, 3), np.uint8), np.arange(9)
    order = np.argsort(-beard.tell(network, pictures, rows))
    marks = np.zeros(9, bool)
    marks[order[:3]] = True
    assert beard.measure(network, pictures, (rows, marks), tmp_path / "sheet.png")["area"] == 1
    assert beard.measure(network, pictures, (rows, ~marks), tmp_path / "sheet.png")["area"] == 0
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    np.testing.assert_array_equal(beard.hardest(network, pictures, order)[0], order[0])


def test_what_is_missing_is_said(options: TrainOptions, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--init-from"):
        beard.train(replace(options, init_from=None, output=tmp_path / "a"))
    (tmp_path / "none.toml").write_text('bearded = ["elsewhere.jpg"]\n')
    with pytest.raises(UsageError, match="of 8 pictures 0 are named"):
        beard.train(replace(options, config=tmp_path / "none.toml", output=tmp_path / "b"))


def test_the_labels_and_the_shipped_network_belong_to_it() -> None:
    labels = read_record(LABELS, BeardSettings)
    assert len(labels.bearded) > 100 < len(labels.unsure)
    assert not set(labels.bearded) & set(labels.unsure)
    assert points.read_points(locate("points")).beard is not None


def _pictures(options: TrainOptions) -> np.ndarray:
    faces = beard.load_packs(options.data, 112)
    return faces.images[:].transpose(0, 3, 1, 2).astype(np.float32) / 255
