"""Imports point down only, and what is heavy is imported only where it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def python(code: str, *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_the_layers_hold() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", "setup.cfg", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
def test_the_types_hold() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, faceswap_cli; print(sorted({'torch', 'cv2', 'numpy', 'av', 'insightface'} & set(sys.modules)))"
    assert python(code) == "[]"


def test_the_api_is_there_when_it_is_asked_for() -> None:
    code = "from faceswap_cli import swap_image, swap_video, Options, Result, FaceSwapError, __version__; print('all')"
    assert python(code) == "all"


def test_an_unknown_name_is_an_attribute_error() -> None:
    import faceswap_cli

    with pytest.raises(AttributeError, match="swap_everything"):
        faceswap_cli.swap_everything  # noqa: B018


def test_a_swap_on_a_cpu_imports_no_torch(
    portrait: Path, short_clip: Path, whole_pack: Path, tinting_generator: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; from faceswap_cli import swap_video, Options\n"
        "source, clip, pack, model, output = sys.argv[1:]\n"
        "swap_video(source, clip, output, Options(model=model, face_pack=Path(pack), threads=1))\n"
        "print([name for name in ('torch', 'kornia', 'openvino') if name in sys.modules])"
    )
    paths = (portrait, short_clip, whole_pack, tinting_generator, tmp_path / "out.mp4")
    assert python(code, *map(str, paths)) == "[]"
