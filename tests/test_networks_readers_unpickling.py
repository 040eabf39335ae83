"""Checkpoints of few bytes that ask for endless time or memory: each is refused quickly, in little memory, in one line.

Each is written by hand, opcode by opcode. One child process reads them all under a limit of memory; a reader that could
be blown up would hang or die there.
"""

import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable

import pytest

MOST_SECONDS = 20  # of the processor, on a busy machine; each takes less than three
MOST_MEGABYTES = 1500  # beside what reading an honest checkpoint takes
READER = """
import json, resource, sys, time
from pathlib import Path
from faceswap_cli.errors import WeightsError
from faceswap_cli.networks.readers.pickles import read_state

pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + (int(sys.argv[1]) << 20),) * 2)
for path in map(Path, sys.argv[2:]):
    began = time.process_time()
    try:
        read_state(path)
        told = "read"
    except WeightsError as error:
        told = str(error)
    print(json.dumps([path.stem, time.process_time() - began, told]), flush=True)
"""
STORAGE = b"ctorch\nFloatStorage\n"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
MODULE = b"ctorch.nn.modules.container\nSequential\n"
ORDERED = b"ccollections\nOrderedDict\n"


def text(words: str) -> bytes:
    return b"X" + struct.pack("<I", len(words)) + words.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def put(place: int) -> bytes:
    return b"r" + struct.pack("<I", place)


def get(place: int) -> bytes:
    return b"j" + struct.pack("<I", place)


def tensor(length: int) -> bytes:
    """A tensor of storage 0, whole."""
    storage = b"(" + text("storage") + STORAGE + text("0") + text("cpu") + number(length) + b"tQ"
    return TENSOR + b"(" + storage + number(0) + number(length) + b"\x85" + number(1) + b"\x85" + b"\x89" + b"NtR"


def laughs(depth: int = 200) -> bytes:
    """A tuple of a tuple twice, and so on, in place 0: its hash takes 2 ** depth steps."""
    return b")" + put(0) + b"0" + (get(0) + get(0) + b"\x86" + put(0) + b"0") * depth


def nested_modules(levels: int) -> bytes:
    """Modules in modules, the innermost first; the outermost stays."""
    child = get(0) + b")\x81}" + text("_modules") + b"}" + text("a") + get(1) + b"ssb" + put(1)
    return MODULE + put(0) + b"0N" + put(1) + b"0" + (child + b"0") * levels + get(1)


def shared_modules(children: int, levels: int) -> bytes:
    """Every level's children are all the same module of the level below."""
    level = b"}(" + b"".join(text(str(each)) + get(1) for each in range(children)) + b"u" + put(2) + b"0"
    level += get(0) + b")\x81}" + text("_modules") + get(2) + b"sb" + put(1) + b"0"
    return MODULE + put(0) + b"0N" + put(1) + b"0" + level * levels + get(1)


def shared_parameters(tensors: int, modules: int) -> bytes:
    """Many modules with one dict of parameters."""
    body = tensor(4) + put(3) + b"0}(" + b"".join(text(str(each)) + get(3) for each in range(tensors)) + b"u" + put(2)
    body += b"0" + MODULE + put(0) + b")\x81}" + text("_parameters") + get(2) + b"sb" + put(1) + b"0"
    body += get(0) + b")\x81}" + text("_modules") + b"}("
    return body + b"".join(text(str(each)) + get(1) for each in range(modules)) + b"usb"


def long_names(modules: int) -> bytes:
    """Many modules whose one child has a name of a million letters."""
    body = text("n" * 1_000_000) + put(4) + b"0" + MODULE + put(0) + b"0N" + put(1) + b"0"
    body += get(0) + b")\x81}" + text("_modules") + b"}" + get(4) + get(0) + b")\x81ssb" + put(1) + b"0"
    body += get(0) + b")\x81}" + text("_modules") + b"}("
    return body + b"".join(text(str(each)) + get(1) for each in range(modules)) + b"usb"


def called(function: bytes, times: int, argument: bytes) -> bytes:
    """Call something again and again with the same argument, forgetting what it gives."""
    return function + put(0) + b"0" + argument + b"\x85" + put(1) + b"0" + (get(0) + get(1) + b"R0") * times + b"}"


def many_pairs(count: int) -> bytes:
    return b"](" + b"".join(number(each) + b"N\x86" for each in range(count)) + b"e"


def giant(size: int) -> bytes:
    """A whole number of so many bytes."""
    return b"\x8b" + struct.pack("<i", size) + b"\x7f" * size


def alike(count: int) -> bytes:
    """Numbers that hash alike: each a multiple of 2 ** 61 - 1."""
    numbers = (((1 << 61) - 1) * (each + 1) for each in range(count))
    return b"".join(b"\x8a\x0c" + each.to_bytes(12, "little") + b"N" for each in numbers)


BODIES: dict[str, Callable[[], bytes]] = {
    "a key of tuples": lambda: laughs() + b"}" + get(0) + b"Ns",
    "an item of a set of tuples": lambda: laughs() + b"c__builtin__\nset\n]" + get(0) + b"a\x85R",
    "an item of a new set": lambda: laughs() + b"\x8f(" + get(0) + b"\x90",
    "an item of a frozen set": lambda: laughs() + b"(" + get(0) + b"\x91",
    "a pair's key of tuples": lambda: laughs() + ORDERED + b"]" + get(0) + b"N\x86a\x85R",
    "a storage's name of tuples": lambda: (
        laughs() + b"(" + text("storage") + STORAGE + get(0) + text("cpu") + b"K\x04tQ"
    ),
    "an id's kind of tuples": lambda: laughs() + b"(" + get(0) + b"NtQ",
    "a shape of tuples": lambda: (
        laughs() + tensor(4).replace(number(4) + b"\x85" + number(1) + b"\x85", get(0) + get(0))
    ),
    "a dict copied often": lambda: called(ORDERED, 200_000, many_pairs(100_000)),
    "a stub called often": lambda: called(MODULE, 600_000, b"N"),
    "a stub called with much": lambda: (
        MODULE + put(0) + b"0(" + b"N" * 1_000_000 + b"t" + put(1) + b"0" + (get(0) + get(1) + b"R0") * 300_000 + b"}"
    ),
    "a million classes": lambda: b"".join(b"ctorch.nn.modules.a\nA%d\n0" % each for each in range(100_000)) + b"}",
    "lists in lists": lambda: b"]" * 3_000_000 + b"a" * 2_999_999,
    "modules in modules": lambda: nested_modules(60_000),
    "modules twice in modules": lambda: shared_modules(2, 30),
    "modules often in modules": lambda: shared_modules(9_000, 9),
    "parameters shared by modules": lambda: shared_parameters(50_000, 9_000),
    "a name of a million letters": lambda: long_names(9_000),
    "a tensor named often": lambda: (
        tensor(1 << 20) + put(0) + b"0}(" + b"".join(text(str(each)) + get(0) for each in range(90_000)) + b"u"
    ),
    "a tensor written to often": lambda: (
        tensor(1 << 20) + put(0) + b"0K\x00" + put(1) + b"0" + (get(0) + get(1) + get(1) + b"s0") * 200_000 + b"}"
    ),
    "a shape of giant numbers": lambda: tensor(4).replace(
        number(4) + b"\x85" + number(1) + b"\x85", (b"(" + giant(400_000) * 9 + b"t") * 2
    ),
    "numbers that hash alike": lambda: b"}(" + alike(300_000) + b"u",
    "a pickle of endless length": lambda: b"N0" * 10_000_000 + b"}",
    "bytes of 1 TB": lambda: b"\x8e" + struct.pack("<Q", 1 << 40),
    "a bytearray of 64 GB": lambda: b"\x96" + struct.pack("<Q", 1 << 36),
    "a frame of 1 EB": lambda: b"\x95" + struct.pack("<Q", 1 << 60),
    "a memo with a gap": lambda: b"}" + put((1 << 32) - 1),
    "a message of a million letters": lambda: b"c" + b"m" * 1_000_000 + b"\nname\n",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[float, str]]:
    """What the reader made of each: seconds of the processor, and its words."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, body in BODIES.items():
        with zipfile.ZipFile(folder / f"{name}.pth", "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + body() + b".")
            archive.writestr("archive/data/0", bytes(4 << 20 if "a tensor" in name else 16))
    paths = [str(folder / f"{name}.pth") for name in BODIES]
    command = [sys.executable, "-c", READER, str(MOST_MEGABYTES), *paths]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS * len(BODIES))
        lines, errors = done.stdout, done.stderr
    except subprocess.TimeoutExpired as expired:
        lines, errors = (expired.stdout or b"").decode(), "it took too long"
    told = {name: (seconds, words) for name, seconds, words in map(json.loads, lines.splitlines())}
    return {name: told.get(name, (float("inf"), f"it never came to an end: {errors}")) for name in BODIES}


@pytest.mark.parametrize("name", BODIES)
def test_a_checkpoint_that_asks_for_much_is_refused_quickly_in_one_line(
    outcomes: dict[str, tuple[float, str]], name: str
) -> None:
    seconds, words = outcomes[name]
    assert f"{name}.pth" in words, words
    assert seconds < MOST_SECONDS
    assert "\n" not in words
    assert len(words) < 600
    assert "MemoryError" not in words
