"""Options on the command line are the option records: same defaults, exact times, one error for a bad value."""

import inspect
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Annotated

import pytest
import typer

from faceswap_cli.cli import prepare, train
from faceswap_cli.cli.arguments import CLIP_FLAGS, SWAP_FLAGS, read_faces, read_names, read_time, takes
from faceswap_cli.errors import UsageError
from faceswap_cli.options import Options
from faceswap_cli.training.core.options import PrepareOptions, TrainOptions


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("0", Fraction(0)),
        ("12.5", Fraction(25, 2)),
        ("1:30.5", Fraction(181, 2)),
        ("0:01:30.5", Fraction(181, 2)),
        ("100:00", Fraction(6000)),
        ("0.1", Fraction(1, 10)),  # a float would not be a tenth
    ],
)
def test_a_time_is_read_exactly(text: str, seconds: Fraction) -> None:
    assert read_time(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-5", "1:-5", " 5", "1::5", "inf", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        read_time(text)


@pytest.mark.parametrize("text, choice", [("largest", "largest"), ("all", "all"), ("3", 3), ("-1", "-1"), ("x", "x")])
def test_faces_are_read_as_a_word_or_a_number(text: str, choice: object) -> None:
    assert read_faces(text) == choice


@pytest.mark.parametrize("texts", [["grain,beard"], ["grain", "beard"], ["grain, beard"]])
def test_names_are_read_with_commas_or_one_by_one(texts: list[str]) -> None:
    assert read_names(texts) == ("grain", "beard")
    assert read_names([]) == ()


def test_every_option_of_a_swap_can_be_typed() -> None:
    assert CLIP_FLAGS.keys() == {field.name for field in fields(Options)}
    assert SWAP_FLAGS.keys() < CLIP_FLAGS.keys()


def test_every_option_of_training_and_preparing_can_be_typed() -> None:
    assert train.FLAGS.keys() | {"watch"} == {field.name for field in fields(TrainOptions)}  # that is the terminal
    assert prepare.FLAGS.keys() == {field.name for field in fields(PrepareOptions)}


def test_a_command_gets_the_records_defaults_and_what_was_typed() -> None:
    seen: list[Options] = []

    @takes(Options, CLIP_FLAGS)
    def command(*, options: Options) -> None:
        seen.append(options)

    defaults = {field.name: field.default for field in fields(Options)}
    command(**defaults)
    command(**defaults | {"start": "1:00", "faces": "2", "opacity": 0.5})
    assert [(one.start, one.faces, one.opacity) for one in seen] == [(None, "largest", 1.0), (Fraction(60), 2, 0.5)]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What two commands could share."""

    input: Annotated[str, typer.Option("--input", "-i")]
    strict: Annotated[bool, typer.Option("--strict")] = False
    quiet: Annotated[bool, typer.Option("--quiet")] = False


def test_a_record_that_a_command_takes_is_typed_field_by_field_in_its_place() -> None:
    seen: list[tuple[Asked, Options, int]] = []

    @takes(Options, {"quality": CLIP_FLAGS["quality"]})
    def command(*, asked: Asked, options: Options, frames: Annotated[int, typer.Option("--frames")] = 8) -> None:
        seen.append((asked, options, frames))

    assert list(inspect.signature(command).parameters) == ["input", "strict", "frames", "quality", "quiet"]
    app = typer.Typer()
    app.command()(command)
    app(["-i", "a.jpg", "--strict", "--quality", "7"], standalone_mode=False)
    assert seen == [(Asked(input="a.jpg", strict=True), Options(quality=7), 8)]


@pytest.mark.parametrize(("typed", "wanted"), [([], True), (["--no-disclosure"], False), (["--disclosure"], True)])
def test_what_is_on_by_default_can_be_turned_off(typed: list[str], wanted: bool) -> None:
    seen: list[Options] = []

    @takes(Options, CLIP_FLAGS)
    def command(*, options: Options) -> None:
        seen.append(options)

    app = typer.Typer()
    app.command()(command)
    app(typed, standalone_mode=False)
    assert [options.disclosure for options in seen] == [wanted]
