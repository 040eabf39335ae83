"""What a person types: help, results, and one clear line when something is wrong.

What depends on how a program starts and ends goes through the real console script.
"""

import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from faceswap_cli.__main__ import main
from faceswap_cli.cli.app import COMMANDS
from faceswap_cli.cli.doctor import Finding, _verdict
from faceswap_cli.stages.track import AHEAD
from faceswap_cli.store import models

from .conftest import write_clip
from .test_media_photo import EXIF_CUT_OFF
from .warm import faceswap

SCRIPT = Path(sys.executable).with_name("faceswap")
HEAVY = ("torch", "cv2", "numpy", "av", "onnxruntime", "insightface")


def script(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start the program as a shell does."""
    return subprocess.run(
        [SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | environment,
    )


@pytest.fixture(scope="module")
def swap_with(tinting_generator: Path, whole_pack: Path) -> tuple[object, ...]:
    """The options that make a swap possible without embedded weights."""
    return ("--model", tinting_generator, "--face-pack", whole_pack, "--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def plain_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "wall.png"
    cv2.imwrite(str(path), np.full((240, 320, 3), 128, np.uint8))
    return path


@pytest.fixture(scope="module")
def plain_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("plain") / "wall.mp4", [np.full((240, 320, 3), 128, np.uint8)] * 5)


@pytest.fixture(scope="module")
def film(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of 12 seconds: six stretches of the output."""
    with av.open(str(short_clip)) as container:
        views = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", [*views, *views[::-1]] * 2 + views, rate=5)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_shows_what_the_command_is_for_and_a_real_example_and_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from faceswap_cli.cli.app import run; code = run(sys.argv[1:]); "
        f"print(code, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    words = [*command.split(), "--help"]
    shown = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
    assert shown.stderr == "0 []\n"
    is_group = command in ("models", "identity")
    assert re.search("Commands:" if is_group else r"^ +faceswap [a-z]+", shown.stdout, re.MULTILINE)


def test_help_says_how_far_ahead_a_clip_is_known_and_what_goes_through_it_twice() -> None:
    told = " ".join(faceswap("swap-video", "--help").stdout.split())
    assert f"A clip is gone through once, looking {AHEAD} frames ahead to tell whom to swap; where --who" in told
    assert "--ray go through it twice" in told


@pytest.mark.parametrize("command", ["list", "fetch", "verify", "import", "remove"])
def test_help_of_each_models_command_shows_an_example(command: str) -> None:
    assert f"faceswap models {command}" in faceswap("models", command, "--help").stdout


def test_help_of_identity_save_shows_an_example() -> None:
    assert "faceswap identity save anna.jpg" in faceswap("identity", "save", "--help").stdout


@pytest.mark.parametrize(("words", "usage"), [(("batch",), "[INPUT]..."), (("identity", "save"), "{PHOTO}...")])
def test_help_says_once_that_a_word_may_be_repeated(words: tuple[str, ...], usage: str) -> None:
    assert f"[OPTIONS] {usage}\n" in faceswap(*words, "--help").stdout


def test_help_takes_little_more_work_than_any_program_of_the_same_library() -> None:
    """Counted in processor time, the best of three of each: how fast the machine is must not decide a test."""
    smallest = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"
    library, ours = [], []
    for _ in range(3):
        library.append(spent(lambda: subprocess.run([sys.executable, "-c", smallest], check=True, capture_output=True)))
        ours.append(spent(lambda: script("swap-video", "--help")))
    assert min(ours) < 2.5 * min(library)


def spent(work: Callable[[], object]) -> float:
    """Processor time, seconds, of the processes that a piece of work starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("words", [(), ("models",), ("identity",)])
def test_a_command_without_words_shows_its_help(words: tuple[str, ...]) -> None:
    assert faceswap(*words).stdout == faceswap(*words, "--help").stdout != ""


def test_the_version_is_printed() -> None:
    assert re.fullmatch(r"faceswap \d+\.\d+\.\d+\n", script("--version").stdout)


def test_python_m_is_the_same_program() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "faceswap_cli", "--version"], capture_output=True, text=True, timeout=60
    )
    assert shown.stdout == faceswap("--version").stdout


def test_the_shell_is_told_which_options_there_are() -> None:
    asked = {"_FACESWAP_COMPLETE": "complete_bash", "COMP_WORDS": "faceswap swap-video --mas", "COMP_CWORD": "2"}
    assert "--mask-blur" in faceswap(**asked).stdout


@pytest.mark.parametrize(
    "typed, offered",
    [
        ("faceswap swap-video --model ", {"lite", "mobile"}),
        ("faceswap swap-video --codec h", {"h264", "hevc"}),
        ("faceswap swap-image --faces ", {"largest", "all"}),
        ("faceswap models fetch buffalo_s", {"buffalo_s", "buffalo_sc"}),
        ("faceswap models remove ", set()),
    ],
)
def test_the_shell_is_told_which_values_there_are(tmp_path: Path, typed: str, offered: set[str]) -> None:
    place = str(len(typed.split()) - (not typed.endswith(" ")))
    asked = {"_FACESWAP_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": place}
    assert set(faceswap(**asked, FACESWAP_HOME=str(tmp_path)).stdout.split()) == offered


def test_a_swapped_photo_lands_beside_the_input_and_its_path_is_all_of_stdout(
    tmp_path: Path, portrait: Path, swap_with: tuple[object, ...]
) -> None:
    photo = tmp_path / "party.jpg"
    photo.write_bytes(portrait.read_bytes())
    done = faceswap("swap-image", "--source", portrait, "--input", photo, *swap_with)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'party_swapped.jpg'}\n")
    assert cv2.imread(str(tmp_path / "party_swapped.jpg")).shape == cv2.imread(str(photo)).shape


def test_a_swapped_clip_lands_in_the_folder_given_and_is_described_as_json(
    tmp_path: Path, portrait: Path, short_clip: Path, swap_with: tuple[object, ...]
) -> None:
    report = tmp_path / "report.json"
    words = ("--source", portrait, "--source", portrait, "--input", short_clip, "--output", tmp_path, "--json")
    done = faceswap("swap-video", *words, *swap_with, "--report", report, "--end", "0:00:00.2")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["schema_version"] == 1
    assert Path(told["output"]) == tmp_path / "portrait_swapped.mp4"
    assert told["frames"] == 5
    assert json.loads(report.read_text()) == told


def test_quiet_says_nothing_but_the_path(
    tmp_path: Path, portrait: Path, short_clip: Path, swap_with: tuple[object, ...]
) -> None:
    words = ("--source", portrait, "--input", short_clip, "--output", tmp_path / "a.mp4", "--end", "0.1", "-q")
    done = faceswap("swap-video", *words, *swap_with)
    assert (done.stdout, done.stderr) == (f"{tmp_path / 'a.mp4'}\n", "")


def test_prepare_aligns_a_folder_and_tells_what_became_of_each_picture(
    tmp_path: Path, data: Path, portrait: Path, face_pack: Path, plain_photo: Path
) -> None:
    for name, picture in (("someone/a.jpg", portrait), ("someone/b.png", plain_photo)):
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.read_bytes())
    words = ("--input", tmp_path / "raw", "--output", tmp_path / "aligned", "--face-pack", face_pack, "--json")
    done = faceswap("prepare", *words)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["kept"], sum(told["outcomes"].values())) == (1, 2)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("name", ["\u0444\u043e\u0442\u043e.jpg", os.fsdecode(b"old \xff.jpg")])
def test_a_path_of_any_letters_is_printed_whatever_encoding_stdout_has(
    tmp_path: Path, portrait: Path, swap_with: tuple[object, ...], encoding: str, name: str
) -> None:
    """As the file system has it, so that a script finds the file; it was written, and then a bug of ours was told."""
    photo = tmp_path / name
    photo.write_bytes(portrait.read_bytes())
    words = ("swap-image", "--source", portrait, "--input", photo, *swap_with)
    done = faceswap(*words, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert os.fsencode(done.stdout) == os.fsencode(tmp_path / name.replace(".jpg", "_swapped.jpg")) + b"\n"


def bad_files(folder: Path) -> dict[str, Path]:
    """Every kind of file that cannot be a photo or clip."""
    made = {name: folder / name for name in ("empty.jpg", "text.jpg", "broken.jpg", "text.mp4", "broken.mp4")}
    made["empty.jpg"].write_bytes(b"")
    for name in ("text.jpg", "text.mp4"):
        made[name].write_text("a shopping list\n" * 50)
    made["broken.jpg"].write_bytes(b"\xff\xd8\xff\xe0" + bytes(500))
    made["broken.mp4"].write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    return made | {"missing.jpg": folder / "missing.jpg", "a folder": folder}


@pytest.mark.parametrize(
    "command, role, name",
    [
        *(
            ("swap-image", "source", name)
            for name in ("missing.jpg", "empty.jpg", "text.jpg", "broken.jpg", "a folder")
        ),
        *(("swap-image", "input", name) for name in ("missing.jpg", "broken.jpg")),
        *(("swap-video", "input", name) for name in ("missing.jpg", "empty.jpg", "text.mp4", "broken.mp4")),
    ],
)
def test_a_file_that_is_no_picture_is_media_error_5(
    tmp_path: Path, portrait: Path, swap_with: tuple[object, ...], command: str, role: str, name: str
) -> None:
    roles = {"source": portrait, "input": portrait} | {role: bad_files(tmp_path)[name]}
    output = tmp_path / ("out.png" if command == "swap-image" else "out.mp4")
    words = ("--source", roles["source"], "--input", roles["input"], "--output", output)
    assert_refused(faceswap(command, *words, *swap_with), 5, ".")
    assert not output.exists()


def assert_refused(done: subprocess.CompletedProcess[str], code: int, pattern: str) -> None:
    """Check the exit code, and that one line said why."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line]
    assert re.match("faceswap: ", lines[-1])
    assert re.search(pattern, lines[-1]), lines[-1]
    assert "Traceback" not in done.stderr


# what is typed, exit code, what the line says
CASES = {
    "a photo as clip": ("swap-video --source {face} --input {face}", 2, "swap-image"),
    "a clip as photo": ("swap-image --source {face} --input {clip}", 2, "swap-video"),
    "a face that is not in the source": (
        "swap-image --source {face}#2 --input {face}",
        2,
        "#2 cannot be: .* shows 1 face",
    ),
    "sources of different people": (
        "swap-image --source {face} --source {other} --input {face}",
        2,
        "different people: obama.jpg / biden.jpg .*--force-average",
    ),
    "a clip as source": ("swap-image --source {clip} --input {face}", 2, "is a clip: give a photo of the person"),
    "a clip as source of a clip": (
        "swap-video --source {clip} --input {clip}",
        2,
        "is a clip: give a photo of the person",
    ),
    "a folder as input": ("swap-video --source {face} --input {tmp}", 5, "is a folder: give a photo or clip"),
    "no face in the source": ("swap-image --source {wall} --input {face}", 3, "no face"),
    "no face in the photo": ("swap-image --source {face} --input {wall}", 3, "no face"),
    "no face in the clip": ("swap-video --source {face} --input {still}", 3, "no face"),
    "a missing folder": ("swap-video --source {face} --input {clip} --output {tmp}/no/out.mp4", 6, "no"),
    "output equal to input": ("swap-video --source {face} --input {clip} --output {clip}", 2, "input itself"),
    "an unknown ending": ("swap-video --source {face} --input {clip} --output {tmp}/out.xyz", 2, "xyz"),
    "an unknown model": ("swap-image --source {face} --input {face} --model nobody", 2, "unknown model 'nobody'"),
    "a missing model": ("swap-image --source {face} --input {face} --model simswap-512", 4, "import 550000_net_G.pth"),
    "faces of nobody": ("swap-image --source {face} --input {face} --faces some", 2, "largest, all, or how many"),
    "faces by gender": ("swap-image --source {face} --input {face} --faces man", 2, "guesses age or gender"),
    "a value out of range": ("swap-image --source {face} --input {face} --opacity 2", 2, "opacity is 2"),
    "a blur that leaves no swap": ("swap-image --source {face} --input {face} --mask-blur 0.2", 2, "from 0 to 0.15"),
    "a number that is none": ("swap-image --source {face} --input {face} --min-face many", 2, "swap-image --help"),
    "an unknown option": ("swap-image --sauce {face}", 2, "No such option"),
    "an unknown command": ("swap-everything", 2, "swap-everything"),
    "a forgotten source": ("swap-image --input {face}", 2, "--source"),
    "a map of nobody": ("swap-image --map {face} --input {face}", 2, "map is .*give WHO=PHOTO"),
    "somebody mapped twice": (
        "swap-video --map left={face} --map left={other} --input {clip}",
        2,
        "map names left twice: give all photos at once",
    ),
    "somebody mapped by two names": (
        "swap-video --map like:{other}={face} --map like:{other}={other} --input {clip}",
        2,
        "twice",
    ),
    "a person without people": (
        "swap-video --map p1={face} --input {clip}",
        2,
        "map is 'p1': .*with people, their name",
    ),
    "somebody meant beside a map": (
        "swap-video --map left={face} --who right --input {clip}",
        2,
        "leave one of them out",
    ),
    "a source beside a map": ("swap-image --map left={face} --source {face} --input {face}", 2, "give one of them"),
    "people who are not there": (
        "swap-video --source {face} --input {clip} --who p1 --people {tmp}",
        2,
        "no people in .*faceswap faces",
    ),
    "short words and an unknown ending": ("swap-video -s {face} -t {clip} --output {tmp}/out.xyz", 2, "xyz"),
    "an identity of another ending": ("identity save {face} -o {tmp}/anna.npz", 2, r"let it end in \.face"),
    "an identity that is not there": ("swap-image -s {tmp}/no.face -i {face}", 5, "does not exist"),
    "a photo of the one meant that is not there": (
        "swap-video -s {face} -i {clip} --who like:{tmp}/no.jpg",
        5,
        "no.jpg cannot be read: No such file",
    ),
    "a source of a clip that is not there": ("swap-video -s {tmp}/no.jpg -i {clip}", 5, "no.jpg does not exist"),
    "a plan that is none": ("swap-video -s {face} -i {clip} --plan {face}", 2, "is no plan of tracks"),
    "a plan into nowhere": ("swap-video -s {face} -i {clip} --plan {tmp}/no/t.json", 6, "t.json cannot be written: No"),
    "only a plan, and no name for it": ("swap-video -s {face} -i {clip} --only-plan", 2, "give --plan FILE"),
    "no workers": ("swap-video -s {face} -i {clip} --workers 0", 2, "workers is 0"),
    "a time that is none": ("swap-video --source {face} --input {clip} --start soon", 2, "'soon' is no time"),
    "an end before the start": ("swap-video --source {face} --input {clip} --start 2 --end 0:01", 2, "not after start"),
    "a preview of nothing": ("swap-video --source {face} --input {clip} --preview 0", 2, "from 1 to 100"),
    "a dry run of a photo as clip": ("swap-video --source {face} --input {face} --dry-run", 2, "swap-image"),
    "a dry run without a face": ("swap-image --source {face} --input {wall} --dry-run", 3, "no face"),
    "a dry run into nowhere": ("swap-video --source {face} --input {clip} --output {tmp}/no/o.mp4 --dry-run", 6, "no"),
    "a file as folder": (
        "swap-video --source {face} --input {clip} --output {wall}/o.mp4",
        6,
        "is a file, not a folder",
    ),
    "a photo into a file": (
        "swap-image --source {face} --input {face} --output {wall}/o.png",
        6,
        "is a file, not a folder",
    ),
    "a name of 300 letters": (
        f"swap-video --source {{face}} --input {{clip}} --output {{tmp}}/{'n' * 296}.mp4",
        6,
        "too long",
    ),
    "a name with no room for its unfinished file": (
        f"swap-video --source {{face}} --input {{clip}} --output {{tmp}}/{'n' * 246}.mp4 --dry-run",
        6,
        "name too long",
    ),
    "a photo's name of 300 letters": (
        f"swap-image --source {{face}} --input {{face}} --output {{tmp}}/{'n' * 296}.png",
        6,
        "name too long",
    ),
    "a fetch offline": ("models fetch bisenet --offline", 4, "offline"),
    "a pack of no networks": ("models import {tmp}", 4, "no ONNX files"),
    "a checkpoint that is none": ("models import {face}", 4, "is a photo or clip, not a checkpoint"),
    "a clip as checkpoint": ("models import {clip}", 4, "is a photo or clip, not a checkpoint"),
    "a run that is none": ("export {tmp}", 4, "give the folder of a run"),
    "faces of no folder": ("prepare --input {tmp}/no --output {tmp}/aligned", 2, "not a folder"),
    "a report into nowhere": ("swap-image -s {face} -i {face} --report {tmp}/no/r.json", 6, "in a folder"),
    "a clip's report into nowhere": ("swap-video -s {face} -i {clip} --report {tmp}/no/r", 6, "in a folder"),
    "a folder as report": ("swap-image -s {face} -i {face} --report {tmp}", 6, "give the name of a file"),
    "the source as report": (
        "swap-image -s {other} -i {face} --report {other} --force",
        6,
        "is the input, a source or the output",
    ),
    "the result as report": (
        "swap-video -s {face} -i {clip} --report {tmp}/out.mp4",
        6,
        "is the input, a source or the output",
    ),
    "a photo as report": ("swap-image -s {face} -i {face} --report {wall}", 6, "and is no report"),
    "a start beyond counting": (
        "swap-video -s {face} -i {clip} --start 1e400",
        5,
        r"no picture lies within start 1.00000e\+400 s",
    ),
    "a training without a folder": ("train --data {tmp}/no", 2, "not a folder"),
}


@pytest.fixture
def places(
    tmp_path: Path, data: Path, portrait: Path, short_clip: Path, plain_photo: Path, plain_clip: Path
) -> dict[str, Path]:
    other = data / "photos" / "face_recognition" / "biden.jpg"
    return {
        "tmp": tmp_path,
        "face": portrait,
        "other": other,
        "clip": short_clip,
        "wall": plain_photo,
        "still": plain_clip,
    }


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_its_exit_code_and_one_line(
    places: dict[str, Path], swap_with: tuple[object, ...], case: str
) -> None:
    typed, code, pattern = CASES[case]
    words: tuple[object, ...] = tuple(typed.format(**places).split())
    if words[0] in ("swap-image", "swap-video"):
        words += () if "--model" in words else swap_with
        result = "out.png" if words[0] == "swap-image" else "out.mp4"
        words += () if "--output" in words else ("--output", places["tmp"] / result)
    before = sorted(places["tmp"].rglob("*"))
    assert_refused(faceswap(*words, FACESWAP_HOME=str(places["tmp"] / "home")), code, pattern)
    assert sorted(places["tmp"].rglob("*")) == before


def test_metadata_that_is_a_little_broken_is_no_news_to_a_user(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (32, 32)).save(path, exif=EXIF_CUT_OFF)
    done = faceswap("verify", path)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_existing_output_is_never_overwritten_without_force(
    tmp_path: Path, portrait: Path, swap_with: tuple[object, ...]
) -> None:
    words = ("swap-image", "--source", portrait, "--input", portrait, "--output", tmp_path / "out.png", *swap_with)
    (tmp_path / "out.png").write_bytes(b"precious")
    assert_refused(faceswap(*words), 6, "--force")
    assert (tmp_path / "out.png").read_bytes() == b"precious"
    assert faceswap(*words, "--force").returncode == 0
    assert cv2.imread(str(tmp_path / "out.png")) is not None


def test_an_altered_model_is_refused_with_its_digest(tmp_path: Path, portrait: Path, tinting_generator: Path) -> None:
    home = {"FACESWAP_HOME": str(tmp_path)}
    assert faceswap("models", "import", tinting_generator, "--as", "mine", **home).returncode == 0
    (tmp_path / "models" / "mine" / tinting_generator.name).open("ab").write(b"x")
    words = ("swap-image", "--source", portrait, "--input", portrait, "--model", "mine", "--output", tmp_path / "a.png")
    assert_refused(faceswap(*words, **home), 4, r"sha256 [0-9a-f]{64}, expected [0-9a-f]{64}")
    verified = faceswap("models", "verify", **home)
    assert verified.returncode == 4
    assert "altered" in verified.stdout


def test_several_faces_in_the_source_are_told(tmp_path: Path, data: Path, swap_with: tuple[object, ...]) -> None:
    two = data / "photos" / "face_recognition" / "obama_and_biden.jpg"
    done = faceswap("swap-image", "--source", two, "--input", two, "--output", tmp_path / "a.png", *swap_with)
    assert done.returncode == 0
    assert "largest" in done.stderr
    assert re.search(r"\b\d+ more face", done.stderr)


def test_different_people_are_averaged_where_that_is_meant(
    tmp_path: Path, data: Path, portrait: Path, swap_with: tuple[object, ...]
) -> None:
    other = data / "photos" / "face_recognition" / "biden.jpg"
    words = ("--source", portrait, "--source", other, "--input", portrait, "--force-average")
    done = faceswap("swap-image", *words, "--output", tmp_path / "a.png", *swap_with)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'a.png'}\n"), done.stderr


@pytest.mark.parametrize("name", ["-dash", "two words", "two\nlines", "smile😀", "%d", "--input"])
@pytest.mark.parametrize("kind", ["photo", "clip"])
def test_files_may_be_called_anything(
    tmp_path: Path, portrait: Path, short_clip: Path, swap_with: tuple[object, ...], name: str, kind: str
) -> None:
    command, whole, suffix = ("swap-image", portrait, ".jpg") if kind == "photo" else ("swap-video", short_clip, ".mp4")
    shutil.copy(portrait, tmp_path / f"{name} me.jpg")
    shutil.copy(whole, tmp_path / f"{name}{suffix}")
    words = (command, "--source", f"{name} me.jpg", "--input", f"{name}{suffix}", "--output", f"{name} out{suffix}")
    done = faceswap(*words, *swap_with, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{name} out{suffix}\n"), done.stderr
    assert "edited" in faceswap("verify", "--", f"{name} out{suffix}", folder=tmp_path).stdout
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("size", [(40_000, 1), (1, 40_000)])  # OpenCV counts some sides to 32,767 only
def test_a_photo_of_one_line_shows_no_face(
    tmp_path: Path, portrait: Path, swap_with: tuple[object, ...], size: tuple[int, int]
) -> None:
    cv2.imwrite(str(tmp_path / "line.png"), np.full(size, 128, np.uint8))
    words = ("--source", portrait, "--input", tmp_path / "line.png", "--output", tmp_path / "out.png")
    assert_refused(faceswap("swap-image", *words, *swap_with), 3, "no face")
    assert [path.name for path in tmp_path.iterdir()] == ["line.png"]


def test_two_runs_at_once_give_what_one_gives(
    tmp_path: Path, portrait: Path, short_clip: Path, swap_with: tuple[object, ...]
) -> None:
    def typed(name: str) -> list[str]:
        words = ("swap-video", "--source", portrait, "--input", short_clip, "--output", tmp_path / name, *swap_with)
        return [str(word) for word in (SCRIPT, *words)]

    names = ("one.mp4", "other.mp4")
    running = [subprocess.Popen(typed(name), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for name in names]
    told = [each.communicate(timeout=300) for each in running]
    assert [each.returncode for each in running] == [0, 0], told
    subprocess.run(typed("alone.mp4"), capture_output=True, check=True, timeout=300)
    alone = (tmp_path / "alone.mp4").read_bytes()
    assert [(tmp_path / name).read_bytes() == alone for name in names] == [True, True]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.mp4", *names]


def test_a_full_disk_is_an_output_error_and_leaves_nothing(
    tmp_path: Path, portrait: Path, swap_with: tuple[object, ...]
) -> None:
    """A limit on the size of files stands for the full disk: writing fails in the middle either way."""
    words = ("swap-image", "--source", portrait, "--input", portrait, "--output", tmp_path / "a.png", *swap_with)
    done = subprocess.run(
        [SCRIPT, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert_refused(done, 6, "a.png")
    assert list(tmp_path.iterdir()) == []


WITHOUT_POWERS = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all") if os.geteuid() == 0 else ()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be written to, by root without its powers either."""
    folder = tmp_path / "read only"
    folder.mkdir()
    folder.chmod(0o555)
    if WITHOUT_POWERS and shutil.which(WITHOUT_POWERS[0]) is None:
        pytest.skip("root may write anywhere, and setpriv, which takes that away, is not there")
    tried = subprocess.run([*WITHOUT_POWERS, "touch", folder / "a"], capture_output=True)
    if tried.returncode == 0:
        pytest.skip("this system lets every user write anywhere")
    yield folder
    folder.chmod(0o755)


@pytest.mark.parametrize("words", [(), ("--dry-run",), ("--preview", "2")])
@pytest.mark.parametrize("kind", ["photo", "clip"])
def test_a_read_only_folder_is_refused_in_one_line(
    read_only: Path, portrait: Path, short_clip: Path, swap_with: tuple[object, ...], kind: str, words: tuple[str, ...]
) -> None:
    if kind == "photo" and "--preview" in words:
        pytest.skip("photos have no preview")
    command, target, name = (
        ("swap-image", portrait, "o.png") if kind == "photo" else ("swap-video", short_clip, "o.mp4")
    )
    typed = (command, "--source", portrait, "--input", target, "--output", read_only / name, *swap_with, *words)
    done = subprocess.run([*WITHOUT_POWERS, SCRIPT, *map(str, typed)], capture_output=True, text=True, timeout=300)
    assert_refused(done, 6, "read only is read-only")
    assert list(read_only.iterdir()) == []


@pytest.mark.parametrize("words", [("models", "list"), ("models", "verify"), ("doctor",)])
def test_ctrl_c_ends_every_command_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """Wherever it comes: here when a command first asks for the weights."""

    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "weights_folder", pressed)
    monkeypatch.setattr(sys, "argv", ["faceswap", *words])
    assert main() == 130
    assert capsys.readouterr() == ("", "faceswap: interrupted\n")


@pytest.mark.parametrize("after", [0, 1])
def test_ctrl_c_ends_with_130_tells_what_is_kept_and_the_same_command_goes_on(
    tmp_path: Path, portrait: Path, film: Path, swap_with: tuple[object, ...], after: int
) -> None:
    """Before the first stretch of two seconds is located nothing is kept."""
    output = tmp_path / "out.mp4"
    words = ("swap-video", "--source", portrait, "--input", film, "--output", output, *swap_with)
    running = started(*words, heeding=heed_interrupts)
    stretches = tmp_path / ".out.mp4.faceswap" / "manifest.jsonl"
    wait_for(lambda: count_lines(stretches) > after or running.poll() is not None)
    if after:
        time.sleep(0.5)  # until what was written down is known to the writer too
    os.killpg(running.pid, signal.SIGINT)
    told, errors = running.communicate(timeout=60)
    assert (running.returncode, told) == (130, ""), errors
    last = errors.splitlines()[-1]
    if after:
        kept = re.fullmatch(r"faceswap: interrupted; (\d+) finished frames are kept in (.+), the same command .*", last)
        assert 10 <= int(kept[1]) < 60
        assert list(tmp_path.iterdir()) == [Path(kept[2])] == [stretches.parent]
    else:
        assert last == "faceswap: interrupted"
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)
    done = faceswap(*words)
    assert (done.returncode, done.stdout) == (0, f"{output}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def count_lines(path: Path) -> int:
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def started(*words: object, heeding: Callable[[], object]) -> subprocess.Popen[str]:
    """Start the script in a session of its own, which says first what signals it heeds."""
    return subprocess.Popen(
        [SCRIPT, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heeding,
    )


def heed_interrupts() -> None:
    """Undo what a shell does to jobs in the background, tests among them: they are started deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(happened: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_bug_of_ours_is_code_1_with_one_line_and_a_traceback_only_when_asked(tmp_path: Path) -> None:
    """A package folder without its engines is a bug no check foresees."""
    (tmp_path / "onnxruntime.py").write_text("raise RuntimeError('the runtime is broken')")
    words = ("doctor",)
    plain = script(*words, PYTHONPATH=str(tmp_path))
    assert_refused(plain, 1, "a bug of ours: RuntimeError: the runtime is broken")
    assert "Traceback" in script(*words, "-v", PYTHONPATH=str(tmp_path)).stderr


def test_doctor_names_the_engine_encoders_weights_and_disk() -> None:
    found = {one["what"] for one in json.loads(faceswap("doctor", "--json").stdout)}
    assert {"python", "packages", "engine", "encoders", "hardware", "weights", "disk"} <= found


@pytest.mark.parametrize(
    ("states", "state", "verdict"),
    [
        (["ok", "ok"], "ok", "faceswap can swap here"),
        (["ok", "note"], "ok", "faceswap can swap here; 1 note above"),
        (["bad", "note", "note"], "bad", "1 of these must be mended first; 2 notes above"),
    ],
)
def test_doctor_ends_with_a_verdict(states: list[str], state: str, verdict: str) -> None:
    last = _verdict([Finding(each, "anything", "") for each in states])
    assert (last.what, last.state, last.seen) == ("verdict", state, verdict)


def test_models_list_states_licence_source_and_digest_of_each() -> None:
    rows = json.loads(faceswap("models", "list", "--json").stdout)
    assert {"lite", "encoder", "detector", "parser", "simswap-224", "buffalo_l"} <= {row["name"] for row in rows}
    assert all(row["licence"] and row["source"] for row in rows)


def test_models_list_shows_cost_and_quality_and_fits_a_terminal() -> None:
    shown = faceswap("models", "list").stdout
    lite = models.entry("lite")
    assert (
        f"{lite.multiplications} G multiplications; retrieval {lite.retrieval} %, cosine {lite.cosine:.3f}, " in shown
    )
    assert "retrieval 92.83 %, pose 1.53 degrees (FaceForensics++" in shown
    assert max(map(len, shown.splitlines())) <= 100
    (row,) = (row for row in json.loads(faceswap("models", "list", "--json").stdout) if row["name"] == "lite")
    assert (row["retrieval"], row["pose"]) == (lite.retrieval, lite.pose)


def test_the_demo_makes_its_clip_and_swaps_the_faces_in_it(tmp_path: Path, swap_with: tuple[object, ...]) -> None:
    done = faceswap("demo", "--output", tmp_path / "demo", *swap_with)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'demo' / 'swapped.mp4'}\n"), done.stderr
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["swapped.mp4", "target.mp4"]
    commands = re.findall(r"^  faceswap (.+)$", done.stderr, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        name, *words = shlex.split(command)
        known = faceswap(name, "--help").stdout
        assert all(word in known for word in words if word.startswith("--"))
    assert str(tmp_path / "demo" / "target.mp4") in shlex.split(commands[0])
