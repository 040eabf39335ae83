"""Read the arrays of a PaddlePaddle state dict (.pdparams), and nothing else; paddle itself is not needed.

Such a file is one pickle of a dict of numpy arrays under the parameters' names. This reader resolves the handful of
names such a pickle holds to stand-ins of its own; any other name ends the reading. Names and shapes come back as torch
has them.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn

import numpy as np
import torch

from ...errors import WeightsError
from .pickles import State

SUFFIX = ".pdparams"
# Paddle's names of what torch calls otherwise; its linear weights lie transposed, and it counts no batches.
RENAMED = {"_mean": "running_mean", "_variance": "running_var", "_weight": "weight"}
PUTS = ("PUT", "BINPUT", "LONG_BINPUT")  # pickle operations that put an object into the memo under a number
MOST_AXES = 16
KINDS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")


class _Kind:
    """Stands for a numpy dtype.

    No dataclass: with slots those take a `__setstate__` of their own in the first releases of Python 3.11.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", "|", "="):
            raise WeightsError("was written on a big-endian machine: save it again on a little-endian one")


class _Array:
    """Stands for a numpy array; holds the values once the pickle has given them."""

    def __init__(self) -> None:
        self.values = np.empty(0, np.float32)

    def __setstate__(self, state: Any) -> None:
        _version, shape, kind, by_columns, raw = state
        self.values = _values(raw, kind, shape, "F" if by_columns else "C")


def read_paddle(path: Path) -> State:
    """Return the tensors of a .pdparams file as torch names and shapes them.

    Raises WeightsError when the file is damaged, holds no state dict, or asks for anything but arrays.
    """
    try:
        saved = _load(path.read_bytes())
        state = _as_torch({str(name): values for name, values in saved.items() if isinstance(values, np.ndarray)})
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle may fail in any way; none of them is a bug of ours
        raise WeightsError(f"{path} is not a Paddle file we can read ({type(error).__name__}: {error})") from error
    if not state:
        raise WeightsError(f"{path} holds no arrays: give the .pdparams file of a network")
    return state


def _load(content: bytes) -> dict[Any, Any]:
    check_memo(io.BytesIO(content))
    saved = _ArrayReader(io.BytesIO(content), encoding="latin1").load()
    if not isinstance(saved, dict):
        raise WeightsError(f"holds {type(saved).__name__} where a dict of arrays should be")
    return {name: _plain(value) for name, value in saved.items()}


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


class _ArrayReader(pickle.Unpickler):
    """An unpickler that resolves no name by importing."""

    def find_class(self, module: str, name: str) -> Any:
        """Return our own stand-in for a global name, or refuse the file."""
        full = f"{module.replace('numpy._core', 'numpy.core')}.{name}"
        return STAND_INS[full] if full in STAND_INS else _refuse(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """Refuse: arrays lie inside the pickle."""
        raise WeightsError(f"refused: the pickle has a persistent id ({type(pid).__name__})")


def _refuse(name: str) -> NoReturn:
    asked = repr(name[:80])
    raise WeightsError(f"refused: the pickle asks for {asked}, which has no place among arrays; nothing was run")


def _plain(value: Any) -> Any:
    """Take an array out of its stand-in, or out of the pair (parameter's name, array) that Paddle 2.1 writes."""
    if isinstance(value, tuple) and len(value) == 2:
        value = value[1]
    return value.values if isinstance(value, _Array) else value


def _values(raw: Any, kind: Any, shape: Any, order: Literal["C", "F"]) -> np.ndarray:
    if isinstance(raw, str):  # a pickle of Python 2
        raw = raw.encode("latin1")
    if not isinstance(kind, _Kind) or not isinstance(raw, bytes | bytearray):
        raise WeightsError("damaged: an array is not made of numbers")
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise WeightsError(f"damaged: an array of shape {shape}")
    announced = prod(shape) * np.dtype(kind.name).itemsize
    if len(raw) != announced:
        raise WeightsError(f"damaged: an array has {len(raw)} bytes, {announced} were announced")
    return np.frombuffer(bytes(raw), kind.name).reshape(shape, order=order)


def _kind(name: Any, *_rest: Any) -> _Kind:
    if name not in KINDS:
        raise WeightsError(f"refused: an array of kind {name!r}, where numbers should be")
    return _Kind(name)


def _empty(*_arguments: Any) -> _Array:
    return _Array()


def _from_buffer(raw: Any, kind: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.values = _values(raw, kind, shape, "F" if order == "F" else "C")
    return array


def _encoded(text: str, _encoding: str) -> bytes:
    """Turn text into the bytes it stands for: how the older pickles spell bytes."""
    return text.encode("latin1")


def _shape(axes: Any = ()) -> tuple[Any, ...]:
    if len(axes) > MOST_AXES:
        raise WeightsError("refused: the pickle copies its items")
    return tuple(axes)


def _no_items() -> dict[Any, Any]:
    """Make an empty dict; a pickle puts its items in one by one."""
    return {}


def _class(*_arguments: Any) -> _Array:
    raise WeightsError("damaged: a class is called where an array should be made")


class _StandIn:
    """A function a pickle may call, and can do nothing else with."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __setstate__(self, _state: Any) -> None:
        raise WeightsError("refused: the pickle would change what it is read with")


STAND_INS: dict[str, Any] = {
    "numpy.core.multiarray._reconstruct": _StandIn(_empty),
    "numpy.core.numeric._frombuffer": _StandIn(_from_buffer),
    "numpy.ndarray": _StandIn(_class),
    "numpy.dtype": _StandIn(_kind),
    "_codecs.encode": _StandIn(_encoded),
    "builtins.tuple": _StandIn(_shape),
    "__builtin__.tuple": _StandIn(_shape),
    "collections.OrderedDict": _StandIn(_no_items),
}


def _as_torch(arrays: dict[str, np.ndarray]) -> State:
    state: State = {}
    for key, values in arrays.items():
        owner, _, part = key.rpartition(".")
        name = f"{owner}.{RENAMED.get(part, part)}" if owner else RENAMED.get(part, part)
        turned = values.T if values.ndim == 2 else values
        state[name] = torch.from_numpy(np.array(turned))
    owners = [name.removesuffix("running_var") for name in state if name.endswith("running_var")]
    return state | {f"{owner}num_batches_tracked": torch.tensor(0) for owner in owners}
