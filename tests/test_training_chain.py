"""One command from pictures to a painter: what each stage makes, how it goes on when broken off, what is refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli import Options, swap_image  # noqa: E402
from faceswap_cli.cli.terminal import Terminal  # noqa: E402
from faceswap_cli.cli.train import going_on_told  # noqa: E402
from faceswap_cli.errors import OutputError, UsageError, WeightsError  # noqa: E402
from faceswap_cli.evaluation.splits import part_of  # noqa: E402
from faceswap_cli.networks.painter import PainterConfig  # noqa: E402
from faceswap_cli.training import chain  # noqa: E402
from faceswap_cli.training.core import checkpoint  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions, TripletOptions  # noqa: E402
from faceswap_cli.training.core.run import Run  # noqa: E402
from faceswap_cli.training.core.watch import Moment  # noqa: E402
from faceswap_cli.training.data.pack import PackWriter  # noqa: E402
from faceswap_cli.training.data.triplet_pack import TripletPack, TripletReader  # noqa: E402
from faceswap_cli.training.generator import painter_state  # noqa: E402
from faceswap_cli.training.generator.choice import network_meant  # noqa: E402
from faceswap_cli.training.generator.painter_state import begun  # noqa: E402

TINY = "discriminator_width = 4\n[shape]\nsize = 128\nwidth = 8\nblocks = 1\n"
SCRIPT = Path(sys.executable).with_name("faceswap")


@pytest.fixture(scope="module")
def raw(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures, two of each of two people to train on."""
    root = tmp_path_factory.mktemp("raw") / "vggface2"
    faces = sorted((data / "faces" / "congress").glob("*/*.jpg"))[:4]
    for name, source in zip(("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"), faces, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / name)
    assert {part_of(name) for name in "ab"} == {"training"}
    return root


@pytest.fixture(scope="module")
def options(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.toml").write_text(TINY)
    return TrainOptions(
        data=(raw,), network="painter", config=folder / "tiny.toml", output=folder / "whole", size=96, triplets=8,
        steps=2, batch=2, save_every=1, threads=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(options: TrainOptions) -> tuple[Path, list[str]]:
    """A run that nothing stopped, and what it said."""
    told: list[Moment] = []
    chain.train(replace(options, watch=told.append))
    return options.output, [moment.found for moment in told if moment.found]


def files_of(run: Path) -> dict[str, bytes]:
    """What the stages before the training made."""
    names = ("index.jsonl", "crops-00000.bin", "rows.jsonl")
    made = {path.name: path.read_bytes() for path in (run / "faces").glob("*/*") if path.name in names}
    return made | {f"triplets/{path.name}": path.read_bytes() for path in (run / "triplets").iterdir()}


def test_every_stage_is_said_in_a_line_with_what_it_made(whole: tuple[Path, list[str]], raw: Path) -> None:
    run, said = whole
    (pack,) = (run / "faces").iterdir()
    assert said[0] == f"faces: those of {raw}, of up to 1000 of its pictures, go to {pack}"
    assert said[1] == "faces: 4 faces of 2 people"
    plan = f"triplets: 8 rows of 4 faces, swapped by lite, go to {run / 'triplets'}; about a minute with 1 of the cores"
    assert said[2].startswith(plan)
    rows = TripletReader(run / "triplets")
    known = int(rows.answered.sum())
    assert said[3].startswith(f"triplets: {known} with an answer, {len(rows) - known} without")
    assert rows.read(0).target.shape == (128, 128, 3)  # 4/3 of what is painted
    assert said[4] == f"painter: losses and measures go to {run / 'log.csv'}, pictures beside it"
    assert len(said) == 5


def stop_at(patch: pytest.MonkeyPatch, owner: Any, name: str, call: int) -> None:
    """Let something be done so often, then stop as a crash would."""
    done, act = [], getattr(owner, name)

    def stopping(*given: Any) -> Any:
        done.append(act(*given))
        if len(done) == call:
            raise KeyboardInterrupt

    patch.setattr(owner, name, stopping)


def test_broken_off_in_each_stage_it_ends_with_the_same_rows_and_weights(
    options: TrainOptions, whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    broken = replace(options, output=tmp_path / "run")
    for owner, name, call in ((PackWriter, "seen", 2), (TripletPack, "add", 3), (Run, "keep", 1)):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            stop_at(patch, owner, name, call)
            chain.train(broken)
        broken = replace(broken, resume=True)
    chain.train(replace(broken, config=None, size=None, triplets=None))  # a run knows its own
    assert files_of(broken.output) == {
        name.replace(str(options.output), str(broken.output)): content for name, content in files_of(whole[0]).items()
    }
    once, twice = (checkpoint.load(run / "last.pt") for run in (whole[0], broken.output))
    assert once["step"] == twice["step"] == 2
    for part in ("network", "average", "discriminator"):
        assert all(torch.equal(value, twice[part][name]) for name, value in once[part].items())
    with pytest.raises(UsageError, match="is finished"):
        chain.train(broken)
    chain.train(replace(broken, steps=3))  # of more steps than before
    assert checkpoint.load(broken.output / "last.pt")["step"] == 3


def test_a_folder_that_was_begun_with_something_else_is_refused_before_anything_is_made(
    options: TrainOptions, whole: tuple[Path, list[str]], raw: Path, tmp_path: Path
) -> None:
    run, _ = whole
    before = files_of(run)
    again = replace(options, resume=True, steps=9)
    cases = [
        (replace(again, triplets=9), "begun with --triplets 8, not 9"),
        (replace(again, seed=1), "begun with --seed 0, not 1"),
        (replace(again, data=(raw / "a",)), "begun with --data"),
        (replace(again, size=64), "begun with shape .*'working': 96.*'working': 64"),
        (replace(again, init_from=Path("lite")), "begun with --init-from None, not lite"),
        (replace(again, output=tmp_path / "nowhere"), "no checkpoint at"),
        (replace(options, sources=(raw,)), "--sources is for --network simswap"),
        (replace(options, data=(raw, run / "triplets")), "give one kind of data"),
        (options, "already holds a run: give --resume"),
    ]
    for wrong, told in cases:
        with pytest.raises((UsageError, OutputError, WeightsError), match=told) as error:
            chain.train(wrong)
        assert "\n" not in str(error.value)
    assert files_of(run) == before
    shutil.copytree(run, tmp_path / "given", ignore=shutil.ignore_patterns("triplets", "faces"))
    (tmp_path / "given" / "stages.json").unlink()
    with pytest.raises(UsageError, match="was begun with triplets as --data"):
        chain.train(replace(again, output=tmp_path / "given"))
    (tmp_path / "given" / "stages.json").write_text("{")
    with pytest.raises(UsageError, match=r"stages\.json cannot be read"):
        chain.train(replace(again, output=tmp_path / "given"))


def test_broken_off_it_says_how_it_goes_on(
    options: TrainOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = replace(options, output=tmp_path)
    for name, resume, told in (
        ("nothing.txt", False, ""),
        ("stages.json", False, f"{tmp_path} keeps what is done: the same command with --resume goes on from there\n"),
        ("last.pt", True, f"{tmp_path} keeps what is done: the same command goes on from there\n"),
    ):
        (tmp_path / name).touch()
        with pytest.raises(KeyboardInterrupt), going_on_told(replace(run, resume=resume), Terminal()):
            signal.raise_signal(signal.SIGTERM)  # a scheduler's
        assert capsys.readouterr().err == told


def test_several_workers_want_triplets(options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(painter_state, "join_workers", lambda device: 0)
    with pytest.raises(UsageError, match="holds no triplets: make them with `faceswap triplets`"):
        chain.train(replace(options, output=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_there_are_as_many_triplets_as_a_run_can_use(options: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = replace(options, steps=None, batch=None)
    assert chain.rows_of(usual, 100_000) == 20_000  # 20,000 steps of 8 see each of them 8 times
    assert chain.rows_of(usual, 1000) == 6000  # 6 of a face
    assert chain.rows_of(replace(usual, steps=400, batch=16), 1000) == 800  # 400 * 16 / 8
    assert chain.rows_of(usual, 4) == chain.rows_of(replace(usual, steps=1), 1000) == 64
    told = replace(usual, device="cpu", minutes=120)  # a core learns from 4 images a second: 28,800, each 8 times
    assert chain.rows_of(told, 100_000) == 3600
    assert chain.rows_of(replace(told, threads=2), 100_000) == 7200
    assert chain.rows_of(replace(told, minutes=6000), 100_000) == 20_000  # no more than of the usual steps
    assert chain.rows_of(replace(told, steps=400), 100_000) == 400  # steps are counted, not reckoned
    monkeypatch.setattr(chain, "device_of", lambda options: torch.device("cuda"))
    assert chain.rows_of(told, 100_000) == 20_000  # how fast a GPU is nobody knows beforehand


def test_a_process_more_is_started_for_every_32_rows_as_far_as_there_are_cores() -> None:
    assert [chain.workers_for(rows, 8) for rows in (1, 63, 64, 255, 256, 9000)] == [1, 1, 2, 7, 8, 8]


def test_two_pictures_are_taken_for_a_row_and_no_fewer_than_a_thousand(options: TrainOptions) -> None:
    def pictures(told: TrainOptions) -> int:
        return chain._stages(told, 96, None).pictures

    assert pictures(replace(options, triplets=501)) == 1002
    assert pictures(replace(options, triplets=499)) == 1000
    assert pictures(replace(options, triplets=None, steps=1000, batch=8)) == 2000  # learns 1000 rows eight times


def test_what_swaps_in_triplets_is_the_painter_a_run_begins_with(options: TrainOptions) -> None:
    assert chain._model(options) == "lite"
    assert chain._model(replace(options, init_from=Path("mobile"))) == "mobile"


def test_what_became_of_rows_and_how_long_they_take_is_said() -> None:
    outcomes = {"pairs": 8, "triplets": 26, "donor is the person": 2}
    assert chain.made_in_words(outcomes) == "26 with an answer, 8 without; left out: 2 donor is the person"
    assert chain.made_in_words({"triplets": 3}) == "3 with an answer, 0 without"
    told = TripletOptions(data=(), count=20_000, workers=2)  # a quarter of a second each: 2500 seconds
    assert "about 42 minutes with 2 of the cores" in chain._plan_in_words(told, 9000)
    assert "about 1.5 hours with 1 of" in chain._plan_in_words(replace(told, count=21_600, workers=1), 9000)
    minutes = {
        0.1: "a minute",
        1.4: "a minute",
        1.5: "2 minutes",
        89.4: "89 minutes",
        90: "1.5 hours",
        600: "10.0 hours",
    }
    assert {number: chain._lasting(number) for number in minutes} == minutes


def test_a_painter_begins_with_any_painters_name_run_and_checkpoint(
    options: TrainOptions, whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    run, _ = whole
    given = replace(options, output=tmp_path / "run", config=None, size=None)
    wanted = checkpoint.load(run / "last.pt")["average"]
    for origin in (run, run / "last.pt"):
        _, state, _ = begun(replace(given, init_from=origin))
        assert state.painter.network.config == PainterConfig(size=128, working=96, width=8, blocks=1)
        assert all(torch.equal(value, wanted[name]) for name, value in state.painter.network.state_dict().items())
    _, state, _ = begun(replace(given, init_from=Path("lite"), size=128))
    assert state.painter.network.working == 128  # the shipped one's shape, told to paint smaller
    (tmp_path / "wide.toml").write_text("[shape]\nwidth = 16\n")
    with pytest.raises(WeightsError, match="do not fit"):
        begun(replace(given, init_from=run, config=tmp_path / "wide.toml"))


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FACESWAP_SLOW"), reason="20 seconds of a core: set FACESWAP_SLOW")
def test_a_run_is_a_model_that_swaps_and_makes_the_triplets_of_the_next(
    options: TrainOptions, whole: tuple[Path, list[str]], tmp_path: Path, portrait: Path
) -> None:
    run, _ = whole
    (pack,) = (run / "faces").iterdir()
    begun = replace(options, data=(pack,), output=tmp_path / "run", init_from=run, triplets=3, steps=1)
    told: list[Moment] = []
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_at(patch, TripletPack, "add", 1)
        chain.train(replace(begun, watch=told.append))
    start = str(tmp_path / "run" / "start.onnx")
    assert f"swapped by {start}," in told[0].found
    result = swap_image(portrait, portrait, tmp_path / "out.png", Options(model=start, device="cpu", threads=1))
    assert result.faces_swapped == 1
    chain.train(replace(begun, resume=True, init_from=None, learning_rate=1e-12))  # it knows with what it began
    wanted, found = (checkpoint.load(each / "last.pt")["average"] for each in (run, tmp_path / "run"))
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-4)


def test_what_is_at_hand_says_which_network_is_meant(
    options: TrainOptions, whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    run, _ = whole
    plain = replace(options, network=None, config=None, output=tmp_path)
    assert network_meant(plain) == network_meant(replace(plain, init_from=Path("lite"))) == "painter"
    assert network_meant(replace(plain, config=options.config)) == "painter"
    assert network_meant(replace(plain, output=run, resume=True)) == "painter"
    example = Path(__file__).resolve().parents[1] / "examples" / "simswap.toml"
    assert network_meant(replace(plain, config=example)) == "simswap"
    assert network_meant(replace(plain, config=example, network="encoder")) == "encoder"
    for kind, network in (("generator", "simswap"), ("parser", "parser"), ("mobile", "painter")):
        checkpoint.save(tmp_path / "last.pt", {"kind": kind})
        assert network_meant(replace(plain, resume=True)) == network
        assert network_meant(plain) == "painter"  # of a new run, what lies there says nothing
    with pytest.raises(WeightsError, match="no generator at"):
        network_meant(replace(plain, init_from=tmp_path / "nothing.onnx"))
    with pytest.raises(WeightsError, match="holds no painter's run"):
        begun(replace(plain, resume=True))


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FACESWAP_SLOW"), reason="five programs with torch: set FACESWAP_SLOW")
def test_as_typed_and_killed_in_each_stage_pictures_become_a_swap(
    data: Path, options: TrainOptions, tmp_path: Path, portrait: Path
) -> None:
    """Forty pictures in VGGFace2's layout; each kill comes when a stage has left something, and before its end."""
    layout = Path(__file__).resolve().parents[1] / "examples" / "vggface2_layout.py"
    folder = (str(data / "faces" / "congress"), "--output", str(tmp_path / "vggface2"), "--pictures", "40")
    subprocess.run([sys.executable, layout, *folder], check=True)
    run = tmp_path / "mine"
    typed = ["train", "--data", tmp_path / "vggface2", "--output", run, "--config", options.config, "--size", 96]
    typed += ["--triplets", 32, "--steps", 12, "--batch", 2, "--save-every", 4, "--threads", 1]
    left: tuple[Callable[[], bool], ...] = (
        lambda: _lines(run / "faces", "*/seen.jsonl") > 5,
        lambda: _lines(run, "triplets/rows.jsonl") > 5,
        lambda: (run / "last.pt").is_file(),
    )
    for enough in left:
        _killed([SCRIPT, *map(str, typed)], enough)
        typed = typed if "--resume" in typed else [*typed, "--resume"]
    done = subprocess.run([SCRIPT, *map(str, typed)], capture_output=True, text=True, check=True)
    assert f"next: faceswap export {run} --output mine.onnx" in done.stderr
    assert checkpoint.load(run / "last.pt")["step"] == 12
    assert _lines(run, "triplets/rows.jsonl") == 32
    subprocess.run([SCRIPT, "export", run, "--output", tmp_path / "mine.onnx"], check=True)
    swap = ("--source", portrait, "--input", portrait, "--output", tmp_path / "out.png")
    subprocess.run([SCRIPT, "swap-image", "--model", tmp_path / "mine.onnx", *swap], check=True)
    assert (tmp_path / "out.png").is_file()


def _lines(folder: Path, pattern: str) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob(pattern))


def _killed(command: list[Any], enough: Callable[[], bool]) -> None:
    """Start a program and kill it once it has left enough."""
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not enough():
        assert program.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    program.send_signal(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL
