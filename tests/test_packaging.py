"""A wheel, an editable install and a bare checkout all find their weights, and a wheel carries all it needs."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
WHERE = "from faceswap_cli.store.models import weights_folder; print(weights_folder())"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the tree ships, without anything a build or a run left behind."""
    folder = tmp_path_factory.mktemp("checkout")
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("faceswap_cli", "weights"):
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    for name in ("setup.py", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the tree, built without the network, and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    words = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, checkout]
    subprocess.run([sys.executable, "-m", *map(str, words)], check=True, timeout=300)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def answer(folder: Path, *words: str) -> str:
    """Run Python where `folder` is what an import sees first, and leave nothing compiled in it."""
    done = subprocess.run(
        [sys.executable, "-B", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_a_wheel_finds_the_weights_inside_the_package(wheel: Path) -> None:
    assert Path(answer(wheel, "-c", WHERE)) == wheel / "faceswap_cli" / "weights"


def test_a_bare_checkout_finds_the_weights_beside_the_package(checkout: Path) -> None:
    assert Path(answer(checkout, "-c", WHERE)) == checkout / "weights"


def test_the_package_these_tests_import_finds_its_weights(tmp_path: Path) -> None:
    """Whatever way it is installed: editable on a developer's machine and in CI."""
    assert (Path(answer(tmp_path, "-c", WHERE)) / "catalogue.toml").is_file()


def test_wheel_and_checkout_answer_alike(wheel: Path, checkout: Path) -> None:
    assert listed(wheel) == listed(checkout)


def listed(where: Path) -> list[dict[str, Any]]:
    """Return what `models list` says, files by their names: they lie elsewhere."""
    rows = json.loads(answer(where, "-m", "faceswap_cli", "models", "list", "--json"))
    for file in (file for row in rows for file in row["files"]):
        file["path"] = Path(file["path"]).name
    return rows


def test_a_wheel_carries_every_module_and_every_weight_and_nothing_else(wheel: Path, checkout: Path) -> None:
    packed = {path.relative_to(wheel).as_posix() for path in wheel.rglob("*") if path.is_file()}
    packed = {name for name in packed if ".dist-info/" not in name}
    package = [path for ending in ("py", "npz") for path in (checkout / "faceswap_cli").rglob(f"*.{ending}")]
    modules = {path.relative_to(checkout).as_posix() for path in package}
    weights = {path.relative_to(checkout).as_posix() for path in (checkout / "weights").rglob("*") if path.is_file()}
    weights = {name for name in weights if not name.startswith("weights/training/")}  # no swap uses those
    assert packed == modules | {"faceswap_cli/py.typed"} | {f"faceswap_cli/{name}" for name in weights}


def test_a_wheel_states_its_console_script_and_licence(wheel: Path) -> None:
    (about,) = wheel.glob("*.dist-info")
    assert "faceswap = faceswap_cli.__main__:main" in (about / "entry_points.txt").read_text()
    assert "Apache License" in next(about.rglob("LICENSE")).read_text()


def test_the_readmes_second_command_is_what_ci_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    install, _, test = "python -m pip install torch==2.13.0 -e '.[dev]' && python -m pytest".partition(" && ")
    assert f"{install} && {test}" in (ROOT / "README.md").read_text()
    assert install.replace("pip install", "pip install --quiet") in script
    assert f"\n{test}\n" in script


def test_forks_run_the_same_on_every_python_that_is_promised() -> None:
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    versions = re.findall(r'"(3\.\d+)"', re.search(r"python-version: \[(.+)\]", workflow).group(0))
    assert versions == re.findall(r"Python :: (3\.\d+)", (ROOT / "setup.cfg").read_text())
    assert "- run: .ci/run\n" in workflow
    assert re.findall(r"torch==\S+ -e '\.\[dev\]'", workflow) == ["torch==2.13.0 -e '.[dev]'"]
