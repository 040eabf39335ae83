"""The catalogue keeps its promises; files are found, checked on every load and replaced whole or not at all."""

import re
from pathlib import Path

import pytest

from faceswap_cli.errors import OutputError, UsageError, WeightsError
from faceswap_cli.evaluation.report import PUBLISHED
from faceswap_cli.store import models


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder whose one embedded network is eleven bytes long."""
    folder = tmp_path / "package" / "weights"
    folder.mkdir(parents=True)
    (folder / "lite.onnx").write_bytes(b"eleven byte")
    digest = models.sha256_of(folder / "lite.onnx")
    (folder / "catalogue.toml").write_text(
        f'[lite]\nkind="generator"\nfile="lite.onnx"\nlicence="x"\nsource="y"\nembedded=true\nsha256="{digest}"\n'
    )
    monkeypatch.setattr(models, "PACKAGE", folder.parent)
    return folder / "lite.onnx"


def new_entry(name: str = "mine", file: str = "mine.onnx") -> models.Entry:
    return models.Entry(name=name, kind="generator", file=file, licence="own", source="a test")


def test_every_generator_names_an_encoder_of_its_own_space() -> None:
    known = models.catalogue()
    for bundle in (entry for entry in known.values() if entry.kind == "generator"):
        assert known[bundle.encoder].kind == "encoder"
        assert known[bundle.encoder].space == bundle.space != ""


def test_only_a_complete_address_with_a_digest_is_fetchable() -> None:
    for entry in models.catalogue().values():
        assert entry.fetchable == bool(entry.url)
        if entry.url:
            assert re.fullmatch(r"https://[^\s{}…]+\.(onnx|pth|zip)", entry.url)
            assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)


def test_every_entry_states_licence_and_source() -> None:
    assert all(entry.licence and entry.source for entry in models.catalogue().values())


def test_an_unknown_model_is_answered_with_the_known_names() -> None:
    with pytest.raises(UsageError, match=r"unknown model 'lit'.*lite.*simswap-224"):
        models.entry("lit")


def test_an_embedded_file_that_is_as_promised_is_located(embedded: Path) -> None:
    assert models.locate("lite") == embedded


def test_an_altered_embedded_file_is_refused_with_both_digests(embedded: Path) -> None:
    embedded.write_bytes(b"eleven bytE")
    expected = models.entry("lite").sha256
    with pytest.raises(WeightsError, match=f"sha256 {models.sha256_of(embedded)}, expected {expected}"):
        models.locate("lite")


def test_a_missing_embedded_file_says_how_to_get_one(embedded: Path) -> None:
    embedded.unlink()
    with pytest.raises(WeightsError, match=r"no embedded lite yet: train .* fetch .* import"):
        models.locate("lite")


def test_a_fetchable_entry_that_is_not_here_names_the_command() -> None:
    with pytest.raises(WeightsError, match="faceswap models fetch buffalo_l"):
        models.locate("buffalo_l")


def test_an_import_only_entry_that_is_not_here_names_the_published_file() -> None:
    with pytest.raises(WeightsError, match=r"get latest_net_G\.pth .*faceswap models import latest_net_G\.pth"):
        models.locate("simswap-224")


def test_an_installed_file_is_located_and_listed(tmp_path: Path, home: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"network")
    models.install(new_entry(), [tmp_path / "a.onnx"])
    assert models.locate("mine") == home / "models" / "mine" / "mine.onnx"
    assert models.catalogue()["mine"].licence == "own"


def test_an_installed_file_that_changed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"network")
    models.install(new_entry(), [tmp_path / "a.onnx"])
    models.locate("mine").write_bytes(b"Network")
    with pytest.raises(WeightsError, match="is not the file it should be"):
        models.locate("mine")


def test_a_pack_is_located_as_its_folder(tmp_path: Path, home: Path) -> None:
    files = [tmp_path / "det.onnx", tmp_path / "rec.onnx"]
    for file in files:
        file.write_bytes(file.name.encode())
    models.install(models.Entry(name="faces", kind="pack", licence="x", source="y"), files)
    assert models.locate("faces") == home / "models" / "faces"
    (home / "models" / "faces" / "rec.onnx").unlink()
    with pytest.raises(WeightsError):
        models.locate("faces")


def test_installing_again_replaces_the_older_copy_and_leaves_nothing_else(tmp_path: Path, home: Path) -> None:
    for content in (b"old", b"new"):
        (tmp_path / "a.onnx").write_bytes(content)
        models.install(new_entry(), [tmp_path / "a.onnx"])
    assert models.locate("mine").read_bytes() == b"new"
    assert [path.name for path in (home / "models").iterdir()] == ["mine"]


def test_a_failed_install_keeps_the_older_copy(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"old")
    models.install(new_entry(), [tmp_path / "a.onnx"])
    with pytest.raises(OutputError):
        models.install(new_entry(), [tmp_path / "absent.onnx"])
    assert models.locate("mine").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["../out", "", "a/b", ".hidden"])
def test_a_name_that_leaves_the_store_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.onnx").write_bytes(b"x")
    with pytest.raises(UsageError, match="cannot be the name"):
        models.install(new_entry(name), [tmp_path / "a.onnx"])


def test_the_name_of_an_embedded_network_cannot_be_taken(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"x")
    with pytest.raises(UsageError, match="embedded"):
        models.install(new_entry("lite"), [tmp_path / "a.onnx"])


def test_a_card_that_cannot_be_read_is_named(home: Path) -> None:
    (home / "models" / "broken").mkdir(parents=True)
    (home / "models" / "broken" / "entry.json").write_text("{")
    with pytest.raises(WeightsError, match="broken"):
        models.catalogue()
    assert models.entry("lite").embedded  # what needs nothing of the store goes on


def page_of(part: str, model: str) -> dict[str, float]:
    """Read a generator's measures in a part of weights/EVALUATION.md."""
    text = (models.weights_folder() / "EVALUATION.md").read_text(encoding="utf-8").split(f"## {part}\n")[1]
    head, *rows = [re.split(r" *\| *", row)[1:] for row in text.split("\n## ")[0].splitlines() if row.startswith("| ")]
    found = {row[0].strip("`"): row[head.index(model)] for row in rows}
    return {name: float(value) for name, value in found.items() if re.fullmatch(r"-?\d+\.\d+", value)}


GENERATORS = [each for each in models.catalogue().values() if each.embedded and each.kind == "generator"]


@pytest.mark.parametrize("name", [each.name for each in GENERATORS if models.is_present(each)])
def test_the_embedded_generators_figures_are_those_of_the_evaluation_page(name: str) -> None:
    entry, portraits = models.entry(name), page_of("Portraits", name)
    page = (models.weights_folder() / "EVALUATION.md").read_text(encoding="utf-8")
    assert f"{name} `{entry.sha256[:12]}`" in page, "the page is of another network"
    assert entry.retrieval == round(100 * portraits["retrieval"], 1)
    assert entry.cosine == portraits["cosine_source"]
    assert entry.pose == round(portraits["pose_l2"], 2)
    assert f"\n{entry.measured.split()[0]} swaps" in page


@pytest.mark.parametrize(
    ("name", "method"),
    [("simswap-224", "SimSwap"), ("mobilefaceswap-224", "MobileFaceSwap (SimSwap teacher)")],
)
def test_published_figures_are_those_that_evaluate_prints(name: str, method: str) -> None:
    ((size, retrieval, pose),) = (row[1:] for row in PUBLISHED if row[0] == method)
    entry = models.entry(name)
    assert (entry.size, entry.retrieval, entry.pose, entry.cosine) == (size, retrieval, pose, 0.0)
    assert "FaceForensics++" in entry.measured


def test_a_figure_of_quality_says_where_it_comes_from() -> None:
    for entry in models.catalogue().values():
        assert bool(entry.measured) == bool(entry.retrieval or entry.cosine or entry.pose), entry.name
        assert entry.kind == "generator" or not entry.measured


def test_multiplications_are_those_of_the_weights_page() -> None:
    page = Path(__file__).parents[1].joinpath("weights", "README.md").read_text(encoding="utf-8")
    rows = [re.split(r" *\| *", line)[1:] for line in page.splitlines() if re.match(r"\| `[a-z].*\d+ px \|", line)]
    said = {
        name: float(count)
        for names, _, _, counts, *_ in rows
        for name, count in zip(re.findall(r"`(.+?)`", names), re.findall(r"[\d.]+", counts), strict=True)
    }
    assert said == {each.name: each.multiplications for each in models.catalogue().values() if each.multiplications}
