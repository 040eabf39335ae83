"""Settings files: what is set is what is used, and what cannot be meant is refused in one line that names it."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.errors import UsageError  # noqa: E402
from faceswap_cli.networks.parsing import ParseNetConfig  # noqa: E402
from faceswap_cli.training.core.settings import (  # noqa: E402
    BeardSettings,
    DistillSettings,
    SwapSettings,
    make_record,
    read_record,
    read_settings,
)
from faceswap_cli.training.distil.train import build_student  # noqa: E402
from faceswap_cli.training.generator.generators import build_generator  # noqa: E402


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_what_a_file_sets_is_used_and_the_rest_keeps_its_default(tmp_path: Path) -> None:
    settings = read_settings(written(tmp_path, 'identity = 3\nmatched_maps = "all"\n[shape]\nwidth = 8\n'))
    assert (settings.identity, settings.matched_maps, settings.shape) == (3, "all", {"width": 8})
    assert settings.reconstruction == SwapSettings().reconstruction


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('identity = "eight"', "identity to 'eight': give a number"),
        ("identity = true", "identity to True: give a number"),
        ("identity = nan", "identity to nan: give a number"),
        ("identity = [8.0]", r"identity to \[8.0\]: give a number"),
        ("identity = -8.0", "identity is -8.0: give 0 or more"),
        ("same_every = 2.5", "same_every to 2.5: give a whole number"),
        ("same_every = 1", "same_every is 1: give 2 or more"),
        ('matched_maps = "deep"', "matched_maps to 'deep': give one of 'weak', 'all', 'none'"),
        ("network = 3", "network to 3: give one of 'simswap'"),
        ('network = "lite"', "network to 'lite': give one of 'simswap'"),
        ('shape = "wide"', "shape to 'wide': give a table"),
        ("average = 1.0", "average is 1.0: give less than 1"),
        ("beta1 = 1", "beta1 is 1: give less than 1"),
        ("identitty = 3", "sets identitty: known are .*identity"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(tmp_path: Path, line: str, wanted: str) -> None:
    with pytest.raises(UsageError, match=rf"settings\.toml.*{wanted}"):
        read_settings(written(tmp_path, line))


@pytest.mark.parametrize("line", ['reweighted = "no"', "reweighted = 1", 'reweighted = "false"'])
def test_true_and_false_are_no_words_or_numbers(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match="give true or false"):
        read_record(written(tmp_path, line), DistillSettings)


@pytest.mark.parametrize("value", ['"a.jpg"', "[1, 2]"])
def test_a_list_of_names_is_a_list_of_names(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match=r"bearded to .* give a list"):
        read_record(written(tmp_path, f"bearded = {value}"), BeardSettings)


@pytest.mark.parametrize("content", [b"identity = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.toml is not a readable TOML file"):
        read_settings(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [({"width": "wide"}, "shape sets width to 'wide'"), ({"wide": 8}, "shape sets wide: known are .*width")],
)
def test_a_shape_that_the_network_cannot_have_is_named(shape: dict[str, Any], wanted: str) -> None:
    with pytest.raises(UsageError, match=wanted):
        build_generator(SwapSettings(shape=shape))
    with pytest.raises(UsageError, match=wanted.replace("width", "hidden")):
        build_student(DistillSettings(shape={key.replace("width", "hidden"): value for key, value in shape.items()}))


def test_lists_become_the_tuples_a_network_is_described_by() -> None:
    assert make_record(ParseNetConfig, {"widths": [1, 2, 3, 4]}, "shape").widths == (1, 2, 3, 4)
    for wrong in ([1, 2, 3], [1, 2, 3, "4"], 4):
        with pytest.raises(UsageError, match="give a list of 4"):
            make_record(ParseNetConfig, {"widths": wrong}, "shape")
    assert make_record(SwapSettings, {"identity": 0}, "settings").identity == 0
