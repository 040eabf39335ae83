"""Locks that die with their process: the system frees them however it ends, kill -9 included.

They are flock's. On a network file system they hold between machines where it carries them (NFS from version 4, CIFS,
Lustre with `-o flock`); where it does not, each machine only sees its own, and a batch is to be cut by `--shard`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: nothing is guarded
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Wait for a lock and hold it for as long as the block takes."""
    with path.open("ab") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class RunLock:
    """The lock by which others see that a run is alive; one file each, named after the run."""

    def __init__(self, folder: Path, run: str) -> None:
        self._path = folder / run
        self._file: BinaryIO = self._path.open("ab")
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Let go: the run has ended in order."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def is_alive(folder: Path, run: str) -> bool:
    """Tell whether a run still holds its lock; what a dead one left is cleared away."""
    try:
        with (folder / run).open("rb") as file:
            if fcntl is None:
                return True
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    with suppress(OSError):
        os.unlink(folder / run)
    return False
