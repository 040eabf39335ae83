"""What makes swaps that are compared: this checkout, another one, another Python, or a folder of ready results.

A version is written NAME=WORDS. WORDS are options of `faceswap swap-image` and `swap-video`, such as
"--model mine.onnx", behind the folder of another checkout or the path of another Python where those shall swap; or they
are a folder alone, in which results lie ready under the names the asking program gives them.
"""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from faceswap_cli.errors import FaceSwapError, UsageError
from faceswap_cli.media.sniff import kind_of

NO_FACE = 3  # the command's exit code
HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Version:
    """Something that makes swaps."""

    name: str
    words: tuple[str, ...]  # options of the command
    checkout: Path | None = HERE  # whose faceswap_cli is run; None: the one the Python has installed
    python: str = sys.executable
    ready: Path | None = None  # folder of finished results; nothing is run then

    def swap(
        self, source: Path, target: Path, result: Path, more: tuple[str, ...] = (), reuse: bool = False
    ) -> Path | None:
        """Return a swap made at `result`, None where no face was found; `reuse` takes what is there already.

        `more` are further options. Raises UsageError for a ready result that is missing, FaceSwapError with the
        command's last line for one that fails.
        """
        if self.ready is not None:
            return _there(self.ready / result.name)
        if not (reuse and result.is_file()):
            files = ("--source", source, "--input", target, "--output", result, "--force")
            done = self._run("swap-image" if kind_of(target) == "photo" else "swap-video", (*files, *more))
            if done.returncode == NO_FACE:
                return None
            if done.returncode:
                raise FaceSwapError(f"version {self.name}: {(done.stderr.strip() or 'no word').splitlines()[-1]}")
        return result

    def _run(self, command: str, words: tuple[str | Path, ...]) -> subprocess.CompletedProcess[str]:
        variables = dict(os.environ) | ({"PYTHONPATH": str(self.checkout)} if self.checkout else {})
        # -P: without it the folder one stands in, a checkout perhaps, comes before the version's own code
        line = [self.python, "-P", "-m", "faceswap_cli", command, *map(str, words), "--quiet", *self.words]
        return subprocess.run(line, capture_output=True, text=True, env=variables, check=False)


def read_version(text: str) -> Version:
    """Read NAME=WORDS; raise UsageError for what cannot be meant."""
    name, equals, rest = text.partition("=")
    if not (equals and name.strip() and name.replace("-", "").replace("_", "").isalnum()):
        raise UsageError(f"{text!r} is no version: give NAME=OPTIONS, such as new='--model mine.onnx'")
    words = tuple(shlex.split(rest))
    if not words or words[0].startswith("-"):
        return Version(name, words)
    first, options = Path(words[0]), words[1:]
    if (first / "faceswap_cli").is_dir():
        return Version(name, options, checkout=first.resolve())
    if first.is_dir() and not options:
        return Version(name, (), ready=first)
    if first.is_file() and os.access(first, os.X_OK):
        return Version(name, options, checkout=None, python=str(first))
    raise UsageError(f"version {name}: {words[0]} is neither a checkout, nor a Python, nor a folder of results alone")


def _there(result: Path) -> Path:
    if not result.is_file():
        raise UsageError(f"no such result: {result}")
    return result
