"""Reach a Ray cluster and hire workers on it, for a batch as for one clip in parts.

What is wrong with an address or a machine of the cluster is told in a line. All machines must see the files under the
same paths; a worker begins in the caller's folder where its machine has one of that name, so that relative paths hold.
Only modules that are opened by `extras.load` import this one.
"""

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ray
from ray.exceptions import RayError

from ._version import __version__
from .errors import UsageError
from .options import Options

LOCAL, AUTO = "local", "auto"
MOST_LOSSES = 3  # workers that may be lost at one piece of work before it counts as failed
_REACHED = 5.0  # seconds to connect
_NO_SETTINGS = b"\0\0\0\x04\0\0\0\0\0"  # a frame of HTTP/2: three bytes length, type 4, flags, stream 0
_STORE_BYTES = 100 << 20  # of the local object store: nothing large goes through it
_MISSING = re.compile(r"No module named '([\w.]+)'")


class Worker:
    """What every worker of ours is: somebody who says who they are."""

    def __init__(self, folder: Path) -> None:
        with suppress(OSError):  # absolute paths hold all the same
            os.chdir(folder)

    @ray.method(max_task_retries=-1)  # asked again of a worker that was lost, it answers once that is back
    def about(self) -> tuple[str, str]:
        """Return our version there, and the machine's name."""
        return __version__, socket.gethostname()


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Hold a connection: to `local`, this machine alone, `auto`, the cluster it belongs to, or an address.

    Raises UsageError where no cluster answers, or none can be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # swapping tells nobody anything
    _refuse_unreachable(address)
    asked: dict[str, Any] = {"address": address}
    if address == LOCAL:
        asked |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what matters comes as an error
    try:
        ray.init(**asked, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:  # Ray raises bare ones too, where a machine is too busy to start it, say
        raise UsageError(_unreachable(address, first_line(error) + _on_token(address))) from error
    try:
        yield
    finally:
        ray.shutdown()


def _refuse_unreachable(address: str) -> None:
    """Knock before Ray does, which takes minutes to give up."""
    if address in (LOCAL, AUTO):
        return
    try:
        place = urlsplit(address if "://" in address else f"//{address}")
        host, port = place.hostname, place.port
        if not host or not port:
            raise ValueError
    except ValueError:
        raise UsageError(f"ray is {address!r}: give local, auto, ray://host:10001 or host:6379") from None
    try:
        with socket.create_connection((host, port), _REACHED) as knocking:
            if os.environ.get("RAY_USE_TLS") != "1":
                _refuse_other_servers(knocking)
    except OSError as error:
        raise UsageError(_unreachable(address, error.strerror or str(error))) from error


def _refuse_other_servers(knocking: socket.socket) -> None:
    """Raise OSError for what does not answer as HTTP/2 does (RFC 9113, 3.4), which Ray speaks: with its settings."""
    knocking.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _NO_SETTINGS)
    answer = knocking.recv(len(_NO_SETTINGS))
    if answer[3:4] != _NO_SETTINGS[3:4]:
        raise OSError("something else than Ray answers there")


def _on_token(address: str) -> str:
    """Say what a cluster may want that asks for a token: Ray gives one unasked to the machine's own alone."""
    if address in (LOCAL, AUTO) or "RAY_AUTH_MODE" in os.environ:
        return ""
    return "; if it asks for a token, set RAY_AUTH_MODE=token"


def _unreachable(address: str, why: str) -> str:
    if address == LOCAL:
        return f"Ray does not start on this machine ({why}): give it more room, or swap without --ray"
    return f"no Ray cluster answers at {address} ({why}): start one with `ray start --head`, or give --ray local"


def hired(kind: type[Worker], options: Options, *given: object) -> Any:
    """Ask Ray for a worker with what the options want; it is restarted for ever, what it was at is ours to repeat."""
    # The second thread of a worker answers while the first one works.
    wanted = {"max_restarts": -1, "max_task_retries": 0, "max_concurrency": 2} | needs(options)
    return ray.remote(kind).options(**wanted).remote(Path.cwd(), *given)


def greeted(answer: Any, is_only_hope: bool) -> bool:
    """Tell whether a worker is there that says who it is; refuse a machine that lacks faceswap, or has another.

    One that cannot be started is an error only where it `is_only_hope`: others do its work.
    """
    try:
        version, host = ray.get(answer)
    except RayError as error:
        refuse_bare_machine(error)
        if is_only_hope:
            raise UsageError(f"Ray could start no worker: {first_line(error)}") from error
        return False
    if version != __version__:
        raise UsageError(f"{host} has faceswap {version}, this is {__version__}: install one version everywhere")
    return True


def refuse_bare_machine(error: RayError) -> None:
    """Raise UsageError where a worker could not import what a swap needs."""
    missing = _MISSING.search(str(error))
    if missing:
        wanted = f"install faceswap-cli[ray] {__version__} on every one"
        raise UsageError(f"a machine of the cluster has no {missing[1]}: {wanted}") from error


def first_line(error: BaseException) -> str:
    """Return the beginning of what Ray says, which goes on for pages; with the end where it leads up to a traceback."""
    first, *others = str(error).strip().splitlines() or [type(error).__name__]
    return f"{first} {others[-1]}" if first.endswith(":") and others else first


def threads_of(options: Options) -> int:
    """Return how many CPU threads a worker's networks get: one, where nothing is said; more workers gain more."""
    return options.threads or 1


def needs(options: Options) -> dict[str, float]:
    """Return what a worker takes of a machine, in Ray's words."""
    has_gpu = options.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1
    return {"num_cpus": threads_of(options), "num_gpus": 1 if has_gpu or options.device == "cuda" else 0}


def places(options: Options) -> int:
    """Return how many workers the cluster has room for, at least one."""
    has, wanted = ray.cluster_resources(), needs(options)
    per_cpu = has.get("CPU", 0) // wanted["num_cpus"]
    per_gpu = has.get("GPU", 0) // wanted["num_gpus"] if wanted["num_gpus"] else per_cpu
    return max(1, int(min(per_cpu, per_gpu)))
