"""Read the tensors of a PyTorch checkpoint, and nothing else.

A checkpoint is a pickle, and a pickle may call anything: `unpickling` rebuilds tensors and runs nothing. Both formats
of torch.save are understood (a zip archive; before torch 1.6 a row of pickles, then raw storages), state dicts and
whole modules alike. What a few bytes could multiply is bounded: modules, names, tensors and their bytes.
"""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ...errors import WeightsError
from .unpickling import Inert, Storage, StorageType, TensorReader, checked_key

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of a file written before torch 1.6
LEGACY_PROTOCOL = 1001
MOST_MODULES, DEEPEST = 10_000, 32  # where a module tree that repeats itself without end is cut off
MOST_TENSORS = 100_000
MOST_VIEWS = 16  # times the file's size that all its tensors may have together: several may look at one storage
LONGEST_NAME, LONGEST_MESSAGE = 1_000, 300  # letters
STATE_KEYS = ("state_dict", "model_state_dict", "model", "net", "network")  # where checkpoints keep the network

State = dict[str, torch.Tensor]


def read_state(path: Path) -> State:
    """Return the tensors of a checkpoint by their state-dict names, without a `module.` prefix.

    Raises WeightsError when the file is damaged, holds no network, or asks for anything but tensors.
    """
    try:
        saved = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
        state = dict(_counted(_named_tensors(_network_of(saved)), MOST_VIEWS * path.stat().st_size))
    except WeightsError as error:
        raise WeightsError(f"{path}: {_short(error)}") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle may fail in any way; none of them is a bug of ours
        why = f"{type(error).__name__}: {_short(error)}"
        raise WeightsError(f"{path} is not a checkpoint we can read ({why})") from error
    if not state:
        raise WeightsError(f"{path} holds no tensors: give a checkpoint of a network")
    return {name.removeprefix("module."): tensor.clone() for name, tensor in state.items()}


def _short(error: Exception) -> str:
    """Give an error's words, cut off: they may quote the file at any length."""
    return str(error)[:LONGEST_MESSAGE]


def _load(file: BinaryIO, storage_of: Callable[[tuple[Any, ...]], Any]) -> Any:
    """Read one pickle."""
    return TensorReader(file, storage_of).load()


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise WeightsError("is a zip archive, but not one torch.save wrote (no data.pkl)")
        folder = pickles[0].removesuffix("data.pkl")
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise WeightsError("refused: torch.save never compresses, and this archive is compressed")
        if folder + "byteorder" in archive.namelist() and archive.read(folder + "byteorder") != b"little":
            raise WeightsError("was written on a big-endian machine: save it again on a little-endian one")
        known: dict[str, Storage] = {}
        room = _Room(path)

        def storage_of(pid: tuple[Any, ...]) -> Storage:
            kind, key, _, length = _checked_id(pid[:4])
            if key not in known:
                room.take(length * kind.dtype.itemsize)
                known[key] = _storage(kind, archive.read(f"{folder}data/{key}"), length)
            return known[key]

        return _load(io.BytesIO(archive.read(pickles[0])), storage_of)


class _Room:
    """How many bytes of numbers a file can hold: its own size."""

    def __init__(self, path: Path) -> None:
        self.left = self.size = path.stat().st_size

    def take(self, size: int) -> None:
        """Count a storage; refuse one more than the file has room for."""
        if not 0 <= size <= self.left:
            raise WeightsError(f"damaged: storages of more bytes are announced than the file has ({self.size})")
        self.left -= size


def _checked_id(pid: tuple[Any, ...]) -> tuple[Any, ...]:
    """Check a storage's class, name and length."""
    kind, key, _, length = pid[:4]
    if not (isinstance(kind, StorageType) and isinstance(key, str) and isinstance(length, int)):
        raise WeightsError("damaged: a storage without class, name or length")
    return pid


def _storage(kind: StorageType, raw: bytes, length: int) -> Storage:
    if len(raw) != length * kind.dtype.itemsize:
        raise WeightsError(f"damaged: a storage has {len(raw)} bytes, {length} values of {kind.dtype} were announced")
    if not raw:
        return Storage(torch.empty(0, dtype=kind.dtype))
    return Storage(torch.frombuffer(bytearray(raw), dtype=kind.dtype))


def _read_legacy(path: Path) -> Any:
    known: dict[str, Storage] = {}
    room = _Room(path)

    def storage_of(pid: tuple[Any, ...]) -> Storage:
        kind, key, _, length, view = _checked_id(pid[:5])
        if key not in known:
            room.take(length * kind.dtype.itemsize)
            known[key] = Storage(torch.empty(length, dtype=kind.dtype))
        if view is None:
            return known[key]
        _, offset, size = view
        return Storage(known[key].values[offset : offset + size])

    with path.open("rb") as file:
        _expect_legacy_head(file)
        saved = _load(file, storage_of)
        keys = _load(file, storage_of)
        if set(map(checked_key, keys)) != set(known):
            raise WeightsError("damaged: its tensors and its storages have different names")
        for key in keys:
            _fill_storage(file, known[key])
    return saved


def _expect_legacy_head(file: BinaryIO) -> None:
    def no_storage(_pid: tuple[Any, ...]) -> Any:
        raise WeightsError("damaged: tensors before the checkpoint's head ended")

    magic, protocol, system = (_load(file, no_storage) for _ in range(3))
    if magic != LEGACY_MAGIC or protocol != LEGACY_PROTOCOL:
        raise WeightsError("is not a file torch.save wrote")
    if not system.get("little_endian", True):
        raise WeightsError("was written on a big-endian machine: save it again on a little-endian one")


def _fill_storage(file: BinaryIO, storage: Storage) -> None:
    length = int.from_bytes(file.read(8), "little")
    if length != storage.values.numel():
        raise WeightsError(f"damaged: a storage has {length} values, {storage.values.numel()} were announced")
    raw = file.read(length * storage.values.element_size())
    if raw:
        storage.values.copy_(torch.frombuffer(bytearray(raw), dtype=storage.values.dtype))


def _network_of(saved: Any) -> Any:
    """Find the network in a checkpoint: it is the whole file, or lies under one of the usual keys."""
    if isinstance(saved, dict):
        for key in STATE_KEYS:
            if isinstance(saved.get(key), dict | Inert):
                return saved[key]
    return saved


def _counted(named: Iterator[tuple[str, torch.Tensor]], most_bytes: int) -> Iterator[tuple[str, torch.Tensor]]:
    """Pass on named tensors, each of which will be copied, as long as there are not too many."""
    for count, (name, tensor) in enumerate(named):
        most_bytes -= tensor.numel() * tensor.element_size()
        if count >= MOST_TENSORS or most_bytes < 0:
            raise WeightsError("refused: it names its tensors again and again")
        yield name, tensor


def _named_tensors(network: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Walk a state dict, or the stubs of a module tree, and name each tensor as torch does."""
    if isinstance(network, dict):
        yield from ((_named("", name), value) for name, value in network.items() if isinstance(value, torch.Tensor))
        return
    waiting, visited = [("", network)], 0
    while waiting:
        prefix, node = waiting.pop()
        visited += 1
        if not isinstance(node, Inert):
            raise WeightsError(f"holds {type(node).__name__} where a network should be: give a checkpoint of weights")
        if visited > MOST_MODULES or prefix.count(".") > DEEPEST:
            raise WeightsError("damaged: its modules repeat themselves without end")
        for group in ("_parameters", "_buffers"):
            tensors = (node.state.get(group) or {}).items()
            yield from ((_named(prefix, name), value) for name, value in tensors if isinstance(value, torch.Tensor))
        children = (node.state.get("_modules") or {}).items()
        if len(waiting) + len(children) > MOST_MODULES:
            raise WeightsError("damaged: its modules repeat themselves without end")
        waiting.extend((_named(prefix, name) + ".", child) for name, child in children if child is not None)


def _named(prefix: str, name: Any) -> str:
    if len(prefix) + len(str(name)) > LONGEST_NAME:
        raise WeightsError("damaged: it has a name of more letters than any")
    return f"{prefix}{name}"
