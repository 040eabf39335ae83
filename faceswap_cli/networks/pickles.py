"""Read the tensors of a PyTorch checkpoint, and nothing else.

A checkpoint is a pickle, and a pickle may call anything. This reader knows a short list of names: tensors are rebuilt,
classes of modules and optimisers become inert stubs that keep their state, any other name ends the reading. No code
of the file is run or imported; the source text that old files carry is never looked at. Both formats of torch.save are
understood (a zip archive; before torch 1.6 a row of pickles, then raw storages), state dicts and whole modules alike.
"""

import io
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import torch

from ..errors import WeightsError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of a file written before torch 1.6
LEGACY_PROTOCOL = 1001
PUTS = ("PUT", "BINPUT", "LONG_BINPUT")  # what numbers an object of a pickle by a number of its own
MOST_MODULES, DEEPEST = 10_000, 32  # where a module tree that repeats itself without end is cut off
STATE_KEYS = ("state_dict", "model_state_dict", "model", "net", "network")  # where checkpoints keep the network

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
INERT = re.compile(  # classes whose objects may lie in a checkpoint; they become stubs, whatever they are called
    r"torch\.nn\.modules\.\w+\.[A-Z]\w*"
    r"|torch\.nn\.parallel\.\w+\.(DataParallel|DistributedDataParallel)"
    r"|torch\.optim\.\w+\.[A-Z]\w*"
    r"|models(\.arcface_models)?\.(ResNet|IRBlock|SEBlock|ArcMarginModel)"
    r"|torch\.(device|Size)"
)

State = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class StorageType:
    """Stands for a torch storage class inside a pickle; an object, so that it cannot be called."""

    dtype: torch.dtype


@dataclass(slots=True)
class Storage:
    """A row of numbers that tensors are views of; in old files its bytes come after the pickle."""

    values: torch.Tensor  # (length,)


def read_state(path: Path) -> State:
    """Return the tensors of a checkpoint by their state-dict names, without a `module.` prefix.

    Raises WeightsError when the file is damaged, holds no network, or asks for anything but tensors.
    """
    try:
        saved = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
        state = dict(_named_tensors(_network_of(saved)))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle may fail in any way; none of them is a bug of ours
        raise WeightsError(f"{path} is not a checkpoint we can read ({type(error).__name__}: {error})") from error
    if not state:
        raise WeightsError(f"{path} holds no tensors: give a checkpoint of a network")
    return {name.removeprefix("module."): tensor.clone() for name, tensor in state.items()}


class _TensorReader(pickle.Unpickler):
    """An unpickler that resolves no name by importing; `storage_of` turns a storage's id into its numbers."""

    def __init__(self, file: BinaryIO, storage_of: Callable[[tuple[Any, ...]], Any]) -> None:
        super().__init__(file, encoding="latin1")
        self._storage_of = storage_of
        self._stubs: dict[str, type] = {}  # made afresh for each file, so no file can leave anything behind

    def find_class(self, module: str, name: str) -> Any:
        """Return our own stand-in for a global name, or refuse the file."""
        full = f"{module}.{name}"
        if full in REBUILDERS:
            return REBUILDERS[full]
        if module == "torch" and name in STORAGES:
            return StorageType(STORAGES[name])
        if INERT.fullmatch(full):
            return self._stubs.setdefault(full, type(name, (_Inert,), {}))
        refuse(full, "tensors")

    def persistent_load(self, pid: Any) -> Any:
        """Return the storage, or the class, that a persistent id stands for."""
        if not isinstance(pid, tuple) or not pid:
            raise WeightsError("refused: the pickle has a persistent id of an unknown form")
        if pid[0] == "module":  # (class, file, source text): the class is a stub already, the text is left alone
            return pid[1]
        if pid[0] != "storage":
            raise WeightsError(f"refused: the pickle has a persistent id of kind {pid[0]!r}")
        return self._storage_of(pid[1:])


def refuse(name: str, among: str) -> NoReturn:
    """Raise WeightsError for a global name that a pickle of tensors or arrays has no need of."""
    raise WeightsError(f"refused: the pickle asks for {name!r}, which has no place among {among}; nothing was run")


def _load(file: BinaryIO, storage_of: Callable[[tuple[Any, ...]], Any]) -> Any:
    """Read one pickle."""
    check_memo(file)
    return _TensorReader(file, storage_of).load()


def check_memo(file: BinaryIO) -> None:
    """Make sure that the memo of the pickle that begins here is no larger than it is long; stay where the file is.

    The memo is a table that the unpickler makes as long as the largest number in it: eight bytes of pickle could
    otherwise fill 64 GB.
    """
    begin = file.tell()
    for count, (operation, argument, _) in enumerate(pickletools.genops(file)):
        if operation.name in PUTS and isinstance(argument, int) and argument > count:
            raise WeightsError("damaged: the pickle numbers its objects with gaps, as none is written")
    file.seek(begin)


class _Inert:
    """A stand-in for a module or optimiser: takes any arguments, keeps its state, does nothing."""

    def __new__(cls, *_arguments: Any, **_named: Any) -> "_Inert":
        return object.__new__(cls)

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def _rebuild_tensor(storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: Any) -> Any:
    wanted = 1
    for length in size:
        wanted *= length
    if wanted > storage.values.numel():
        raise WeightsError(f"damaged: a tensor of shape {tuple(size)} does not fit its storage")
    return storage.values.as_strided(tuple(size), tuple(stride), offset)  # of an old file, filled only later


def _rebuild_parameter(tensor: torch.Tensor, *_rest: Any) -> torch.Tensor:
    return tensor


def _plain_dict(*_factory: Any) -> dict[Any, Any]:
    return {}


REBUILDERS: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "collections.defaultdict": _plain_dict,  # optimisers keep their state in one
    "__builtin__.dict": dict,
    "builtins.dict": dict,
    "__builtin__.set": set,
    "builtins.set": set,
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
}


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

        def storage_of(pid: tuple[Any, ...]) -> Storage:
            kind, key, _, length = pid[:4]
            if key not in known:
                known[key] = _storage(kind, archive.read(f"{folder}data/{key}"), length)
            return known[key]

        return _load(io.BytesIO(archive.read(pickles[0])), storage_of)


def _storage(kind: StorageType, raw: bytes, length: int) -> Storage:
    if len(raw) != length * kind.dtype.itemsize:
        raise WeightsError(f"damaged: a storage has {len(raw)} bytes, {length} values of {kind.dtype} were announced")
    if not raw:
        return Storage(torch.empty(0, dtype=kind.dtype))
    return Storage(torch.frombuffer(bytearray(raw), dtype=kind.dtype))


def _read_legacy(path: Path) -> Any:
    limit = path.stat().st_size
    known: dict[str, Storage] = {}

    def storage_of(pid: tuple[Any, ...]) -> Storage:
        kind, key, _, length, view = pid[:5]
        if key not in known:
            if not 0 <= length * kind.dtype.itemsize <= limit:
                raise WeightsError(f"damaged: a storage of {length} values is announced in a file of {limit} bytes")
            known[key] = Storage(torch.empty(length, dtype=kind.dtype))
        if view is None:
            return known[key]
        _, offset, size = view
        return Storage(known[key].values[offset : offset + size])

    with path.open("rb") as file:
        _expect_legacy_head(file)
        saved = _load(file, storage_of)
        keys = _load(file, storage_of)
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
            if isinstance(saved.get(key), dict | _Inert):
                return saved[key]
    return saved


def _named_tensors(network: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Walk a state dict, or the stubs of a module tree, and name each tensor as torch does."""
    if isinstance(network, dict):
        yield from ((str(name), value) for name, value in network.items() if isinstance(value, torch.Tensor))
        return
    waiting, visited = [("", network)], 0
    while waiting:
        prefix, node = waiting.pop()
        visited += 1
        if not isinstance(node, _Inert):
            raise WeightsError(f"holds {type(node).__name__} where a network should be: give a checkpoint of weights")
        if visited > MOST_MODULES or prefix.count(".") > DEEPEST:
            raise WeightsError("damaged: its modules repeat themselves without end")
        for group in ("_parameters", "_buffers"):
            tensors = (node.state.get(group) or {}).items()
            yield from ((f"{prefix}{name}", value) for name, value in tensors if isinstance(value, torch.Tensor))
        children = (node.state.get("_modules") or {}).items()
        waiting.extend((f"{prefix}{name}.", child) for name, child in children if child is not None)
