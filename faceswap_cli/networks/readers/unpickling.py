"""An unpickler that rebuilds tensors and runs nothing.

It knows a short list of names: tensors are rebuilt, classes of modules and optimisers become inert stubs that keep
their state, any other name ends the reading. No code of the file is run or imported; the source text that old files
carry is never looked at.

A few bytes of pickle can also ask for endless time or memory, by naming one object again and again. So the steps are
Python's own slow ones, with a bound on whatever they could multiply: bytes read, calls, items copied, classes.

`torch.load(weights_only=True)` runs nothing either, but it bounds nothing: a file of 669 bytes, whose key is a tuple of
tuples, keeps it busy for ever, and one of 315 kB takes more than 1.5 GB (torch 2.13). It reads the checkpoints of our
own runs, which nobody else hands us. The published ArcFace, a whole module, would need the stubs below all the same.
"""

import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, ClassVar

import torch

from ...errors import WeightsError

MOST_PICKLE = 8 << 20  # bytes; the published networks' have less than one million, which the tensors lie outside of
MOST_CALLS, MOST_ARGUMENTS = 400_000, 32
MOST_COPIED = 1 << 20  # items of lists that dicts and sets are made of
MOST_CLASSES = 1_000
MOST_AXES = 16
LARGEST_NUMBER = 1 << 60  # of a key or shape; larger ones hash alike

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


@dataclass(frozen=True, slots=True)
class StorageType:
    """Stands for a torch storage class inside a pickle; an object, so that it cannot be called."""

    dtype: torch.dtype


@dataclass(slots=True)
class Storage:
    """A row of numbers that tensors are views of; in old files its bytes come after the pickle."""

    values: torch.Tensor  # (length,)


class TensorReader(pickle._Unpickler):
    """An unpickler that resolves no name by importing; `storage_of` turns a storage's id into its numbers.

    Python's own machine instead of C's: its steps can be replaced one by one, and its memo is no table to be blown up.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    append: Callable[[Any], None]  # to the stack
    pop_mark: Callable[[], list[Any]]  # all that was pushed since the last mark

    def __init__(self, file: BinaryIO, storage_of: Callable[[tuple[Any, ...]], Any]) -> None:
        super().__init__(_Bounded(file, MOST_PICKLE), encoding="latin1")
        self._storage_of = storage_of
        self._stubs: dict[str, type] = {}  # made afresh for each file, so no file can leave anything behind
        self._calls = self._copied = 0

    def find_class(self, module: str, name: str) -> Any:
        """Return our own stand-in for a global name, or refuse the file."""
        full = f"{module}.{name}"
        if full in REBUILDERS:
            return REBUILDERS[full]
        if full in COLLECTIONS:
            return partial(self._collect, COLLECTIONS[full])
        if module == "torch" and name in STORAGES:
            return StorageType(STORAGES[name])
        if INERT.fullmatch(full) and len(self._stubs) < MOST_CLASSES:
            return self._stubs.setdefault(full, type(name, (Inert,), {}))
        asked = repr(full[:80])
        raise WeightsError(f"refused: the pickle asks for {asked}, which has no place among tensors; nothing was run")

    def persistent_load(self, pid: Any) -> Any:
        """Return the storage, or the class, that a persistent id stands for."""
        if not isinstance(pid, tuple) or not pid or not isinstance(pid[0], str):
            raise WeightsError("refused: the pickle has a persistent id of an unknown form")
        if pid[0] == "module":  # (class, file, source text): the class is a stub already, the text is left alone
            return pid[1]
        if pid[0] != "storage":
            raise WeightsError(f"refused: the pickle has a persistent id of kind {pid[0][:80]!r}")
        return self._storage_of(pid[1:])

    def load_reduce(self) -> None:
        """Call one of our stand-ins."""
        arguments = self.stack.pop()
        self.stack[-1] = self._called(self.stack[-1], arguments)

    def load_newobj(self) -> None:
        """Make a stub."""
        arguments, kind = self.stack.pop(), self.stack.pop()
        if not (isinstance(kind, type) and issubclass(kind, Inert)):
            raise WeightsError("refused: the pickle makes an object of what is no class")
        self.append(self._called(kind, arguments))

    def load_build(self) -> None:
        """Give a stub its state; nothing else in a checkpoint needs any."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert):
            self.stack[-1].__setstate__(state)

    def load_setitem(self) -> None:
        """Put one item into a dict."""
        value, key = self.stack.pop(), self.stack.pop()
        self._put([(key, value)])

    def load_setitems(self) -> None:
        """Put the items since the mark into a dict."""
        items = self.pop_mark()
        self._put(zip(items[::2], items[1::2], strict=True))

    def load_dict(self) -> None:
        """Make a dict of the items since the mark."""
        items = self.pop_mark()
        self.append({})
        self._put(zip(items[::2], items[1::2], strict=True))

    def load_additems(self) -> None:
        """Put the items since the mark into a set."""
        items = self.pop_mark()
        if not isinstance(self.stack[-1], set):
            raise WeightsError("damaged: the pickle adds items to what is no set")
        self.stack[-1].update(map(checked_key, items))

    def load_refused(self) -> None:
        """Refuse what no checkpoint needs."""
        raise WeightsError("refused: the pickle takes a step that none torch.save writes takes")

    def _called(self, function: Any, arguments: Any) -> Any:
        self._calls += 1
        if self._calls > MOST_CALLS or not isinstance(arguments, tuple) or len(arguments) > MOST_ARGUMENTS:
            raise WeightsError("refused: the pickle calls too often, or with too much")
        return function(*arguments)

    def _put(self, items: Iterable[tuple[Any, Any]]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise WeightsError("damaged: the pickle puts items into what is no dict")
        for key, value in items:
            target[checked_key(key)] = value

    def _collect(self, kind: type, items: Any = (), *_rest: Any) -> Any:
        """Make a dict or set of a list, which may be one list again and again."""
        if not isinstance(items, list | tuple):
            return kind()  # a default dict's factory
        self._copied += len(items)
        if self._copied > MOST_COPIED:
            raise WeightsError("refused: the pickle copies its items again and again")
        if kind is set:
            return set(map(checked_key, items))
        return kind((checked_key(key), value) for key, value in items)


REFUSED = (
    (pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4),  # other ways to make and call
    (pickle.FROZENSET, pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
)
for _code, _step in {
    pickle.REDUCE: TensorReader.load_reduce,
    pickle.NEWOBJ: TensorReader.load_newobj,
    pickle.BUILD: TensorReader.load_build,
    pickle.SETITEM: TensorReader.load_setitem,
    pickle.SETITEMS: TensorReader.load_setitems,
    pickle.DICT: TensorReader.load_dict,
    pickle.ADDITEMS: TensorReader.load_additems,
    **dict.fromkeys(chain(*REFUSED), TensorReader.load_refused),
}.items():
    TensorReader.dispatch[_code[0]] = _step


class _Bounded:
    """A file that gives at most so many bytes."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._left = file, most

    def read(self, size: int) -> bytes:
        """Read as a file does; a length that cannot be is refused before anything is read."""
        return self._count(self._file.read(size) if size <= self._left else None)

    def readline(self) -> bytes:
        """Read as a file does."""
        return self._count(self._file.readline(self._left + 1))

    def _count(self, content: bytes | None) -> bytes:
        if content is None or len(content) > self._left:
            raise WeightsError(f"refused: its pickle has more than {MOST_PICKLE >> 20} MB, without the tensors")
        self._left -= len(content)
        return content


def checked_key(key: Any) -> Any:
    """Let through what is hashed in one step: tuples of tuples of one tuple would take years, crafted numbers hours."""
    if key is None or isinstance(key, str | bytes | torch.Tensor | Inert | type):
        return key
    if isinstance(key, int) and abs(key) < LARGEST_NUMBER:
        return key
    raise WeightsError("refused: the pickle has a key that is neither a name nor a number")


class Inert:
    """A stand-in for a module or optimiser: takes any arguments, keeps its state, does nothing."""

    def __new__(cls, *_arguments: Any, **_named: Any) -> "Inert":
        """Make one, whatever it is given."""
        return object.__new__(cls)

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def _rebuild_tensor(storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: Any) -> Any:
    numbers = (offset, *size, *stride) if len(size) == len(stride) <= MOST_AXES else ()
    if not numbers or not all(isinstance(each, int) and 0 <= each < LARGEST_NUMBER for each in numbers):
        raise WeightsError("damaged: a tensor has a shape that cannot be")
    if math.prod(size) > storage.values.numel():
        raise WeightsError(f"damaged: a tensor of shape {tuple(size)} does not fit its storage")
    return storage.values.as_strided(tuple(size), tuple(stride), offset)  # of an old file, filled only later


def _rebuild_parameter(tensor: torch.Tensor, *_rest: Any) -> torch.Tensor:
    return tensor


REBUILDERS: dict[str, Any] = {
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
}
COLLECTIONS: dict[str, type] = {
    "collections.OrderedDict": OrderedDict,
    "collections.defaultdict": dict,  # optimisers keep their state in one
    "__builtin__.dict": dict,
    "builtins.dict": dict,
    "__builtin__.set": set,
    "builtins.set": set,
}
