"""Type commands into processes that have the imports of Python and the libraries behind them.

`faceswap` is the console script's own `main`, in a process of its own with its words, variables, folder and streams.
What it costs to start is spent once, in a server that forks: it opens nothing and runs no thread. How the program
starts by itself (what it imports, which signals it heeds) is for tests that start the script.
"""

import io
import os
import subprocess
import sys
import tempfile
from multiprocessing import forkserver, get_context
from pathlib import Path

from faceswap_cli.__main__ import main

_OURS = ("faceswap_cli.app.swap", "faceswap_cli.app.dry_run", "faceswap_cli.app.film", "faceswap_cli.cli.swap_request")
_THEIRS = ("cv2", "av", "onnxruntime", "insightface.model_zoo", "typer", "rich")
_PATIENCE = 300  # seconds
_warm = get_context("forkserver")
_warm.set_forkserver_preload([__name__, *_OURS, *_THEIRS])


def faceswap(*words: object, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command line, in a folder; streams are read as names of files are, so no byte is lost."""
    _serve()
    around = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | variables
    with tempfile.TemporaryDirectory() as kept:
        streams = [os.path.join(kept, name) for name in ("stdout", "stderr")]
        typed = [os.fspath(word) if isinstance(word, Path) else str(word) for word in words]
        command = _warm.Process(target=_run, args=(typed, dict(around), os.fspath(folder or Path.cwd()), streams))
        command.start()
        command.join(_PATIENCE)
        if command.exitcode is None:
            command.kill()
            raise subprocess.TimeoutExpired(typed, _PATIENCE)
        said = [os.fsdecode(Path(stream).read_bytes()) for stream in streams]
    return subprocess.CompletedProcess(typed, command.exitcode, *said)


def _serve() -> None:
    """Start the server, unless it runs; libraries that read it at import make no threads."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _run(words: list[str], variables: dict[str, str], folder: str, streams: list[str]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for number, path in enumerate(streams, 1):
        stream = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(stream, number)
        os.close(stream)
    encoding = variables.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding, write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding, "backslashreplace", write_through=True)
    sys.argv = ["faceswap", *words]
    sys.exit(main())
