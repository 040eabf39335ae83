"""Fetch one file over the network: resumed, checked against its SHA-256, in place only when whole.

Knows nothing about networks or catalogues. A download that breaks off stays beside its final name as `.part`; the next
call goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError, WeightsError
from .models import sha256_of

if TYPE_CHECKING:
    import requests

BLOCK = 1 << 16  # bytes at a time; of a broken connection at most so much is lost
TIMEOUT = (10.0, 60.0)  # seconds to connect, seconds without a byte
PARTIAL, NOTHING_LEFT = 206, 416  # HTTP answers to a request for the rest

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0 when unknown)


@dataclass(frozen=True, slots=True)
class Remote:
    """A published file: where it is and what it must be."""

    url: str
    sha256: str
    bytes: int = 0


def download(remote: Remote, target: Path, progress: Progress | None = None) -> Path:
    """Bring a published file to `target` and return it; a whole file already there is only checked.

    Raises WeightsError when the server fails or sends another file, OutputError when it cannot be written.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and sha256_of(target) == remote.sha256:
            return target
        resumed = part.is_file() and part.stat().st_size > 0
        _receive(remote, part, progress)
        if resumed and sha256_of(part) != remote.sha256:
            part.unlink()  # the half of an earlier day may belong to another version: once more from the start
            _receive(remote, part, progress)
        _accept(remote, part, target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _receive(remote: Remote, part: Path, progress: Progress | None) -> None:
    import requests

    have = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(remote.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == NOTHING_LEFT:
                return
            response.raise_for_status()
            _append(response, part, have if response.status_code == PARTIAL else 0, progress)
    except requests.RequestException as error:
        kept = part.stat().st_size if part.is_file() else 0
        raise WeightsError(
            f"could not fetch {remote.url}: {_reason(error)}; {kept} bytes are kept, run the same command to go on"
        ) from error


def _append(response: "requests.Response", part: Path, have: int, progress: Progress | None) -> None:
    total = have + int(response.headers.get("Content-Length", 0))
    with part.open("r+b" if have else "wb") as file:
        file.seek(have)
        for block in response.iter_content(BLOCK):
            file.write(block)
            have += len(block)
            if progress is not None:
                progress(have, total)


def _accept(remote: Remote, part: Path, target: Path) -> None:
    found = sha256_of(part)
    if found != remote.sha256:
        length = part.stat().st_size
        part.unlink()
        raise WeightsError(
            f"{remote.url} sent another file than the catalogue promises ({length} bytes, sha256 {found}, expected "
            f"{remote.sha256}): nothing was kept; try later, or get the file elsewhere and `faceswap models import` it"
        )
    part.replace(target)


def _reason(error: Exception) -> str:
    return str(error.args[0] if error.args else error).splitlines()[0][:200]
