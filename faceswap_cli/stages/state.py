"""Write down as JSON what a stage knows in the middle of a clip, so that another process can go on from there.

Every bit comes back: arrays as their bytes, floats as the shortest decimals that give the same bits. Frames are told by
their numbers and decoded anew. Of classes only those come back that a stage names, so nothing a file says is run.
"""

import base64
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

import numpy as np

from ..types import Detections, Face, Frame, PassedOver

_COMMON = (Face, PassedOver, Detections)
_SERIES: dict[str, Callable[[Any], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}


class Resumable:
    """A stage that can be given back what it knew."""

    kept: ClassVar[tuple[str, ...]]  # the attributes that change from frame to frame
    records: ClassVar[tuple[type, ...]] = ()  # the classes of what they hold

    def state(self) -> dict[str, Any]:
        """Return what it knows, ready for JSON."""
        return {name: encoded(getattr(self, name)) for name in self.kept}

    def restore(self, state: Mapping[str, Any], frames: Mapping[int, Frame]) -> None:
        """Take what `state` returned; `frames` has by number those it names, see `frame_times`.

        Raises KeyError, TypeError or ValueError for what is no state of such a stage.
        """
        known = {each.__name__: each for each in (*_COMMON, *self.records)}
        for name in self.kept:
            setattr(self, name, _decoded(state[name], known, frames))


def encoded(value: Any) -> Any:
    """Return a value of records, arrays and collections as JSON has it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray | np.generic):
        array = np.ascontiguousarray(value)
        data = base64.b64encode(array.tobytes()).decode()
        return {"array": data, "dtype": array.dtype.str, "shape": list(np.shape(value))}
    if isinstance(value, Frame):
        return {"frame": value.index, "pts": value.pts}
    if is_dataclass(value):
        return {"record": type(value).__name__, "of": [encoded(getattr(value, each.name)) for each in fields(value)]}
    if isinstance(value, dict):
        return {"dict": [[encoded(key), encoded(each)] for key, each in value.items()]}
    items = [encoded(each) for each in value]
    if isinstance(value, list):
        return items
    return {"deque": items, "most": value.maxlen} if isinstance(value, deque) else {type(value).__name__: items}


def frame_times(state: Any) -> dict[int, int]:
    """Return the pts of the frames that a state names, by number."""
    if isinstance(state, dict) and "frame" in state:
        return {state["frame"]: state["pts"]}
    inner = state.values() if isinstance(state, dict) else state if isinstance(state, list) else ()
    return {number: pts for each in inner for number, pts in frame_times(each).items()}


def decoded(value: Any) -> Any:
    """Return what was encoded, of faces and collections."""
    return _decoded(value, {each.__name__: each for each in _COMMON}, {})


def _decoded(value: Any, known: Mapping[str, type], frames: Mapping[int, Frame]) -> Any:
    if isinstance(value, list):
        return [_decoded(each, known, frames) for each in value]
    if not isinstance(value, dict):
        return value
    kind, content = next(iter(value.items()))
    if kind == "array":
        array = np.frombuffer(base64.b64decode(content), np.dtype(value["dtype"])).reshape(value["shape"])
        return array.copy() if array.shape else array[()]
    if kind == "frame":
        return frames[content]
    if kind == "dict":
        return {_decoded(key, known, frames): _decoded(each, known, frames) for key, each in content}
    if kind == "record":
        return known[content](*(_decoded(each, known, frames) for each in value["of"]))
    items = (_decoded(each, known, frames) for each in content)
    return deque(items, value["most"]) if kind == "deque" else _SERIES[kind](items)
