"""Arrays come out of the files Paddle writes, under torch's names; nothing in one is ever run."""

import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap_cli.errors import WeightsError
from faceswap_cli.networks.readers.paddle import read_paddle

ARRAYS = {
    "first.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "norm._mean": np.array([1, 2], np.float32),
    "norm._variance": np.array([3, 4], np.float32),
    "style.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "prelu._weight": np.array([0.25], np.float32),
}


def saved(thing: object, path: Path, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(thing, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_come_back_named_and_turned_as_torch_has_them(tmp_path: Path, protocol: int) -> None:
    table = {"StructuredToParameterName@@": {"first.weight": "conv2d_0.w_0"}}
    state = read_paddle(saved({**ARRAYS, **table}, tmp_path / "a.pdparams", protocol))
    assert set(state) == {
        "first.weight", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked", "style.weight",
        "prelu.weight",
    }  # fmt: skip
    assert torch.equal(state["first.weight"], torch.from_numpy(ARRAYS["first.weight"]))
    assert torch.equal(state["style.weight"], torch.from_numpy(ARRAYS["style.weight"]).T)
    assert state["norm.running_var"].tolist() == [3, 4]


def test_arrays_with_their_parameters_names_are_read_alike(tmp_path: Path) -> None:
    """Paddle 2.1 keeps a tensor outside a state dict as a tuple of name and array."""
    pairs = OrderedDict((key, (f"p_{key}", values)) for key, values in ARRAYS.items())
    state = read_paddle(saved(pairs, tmp_path / "a.pdparams"))
    assert torch.equal(state["first.weight"], torch.from_numpy(ARRAYS["first.weight"]))


def test_arrays_in_column_order_and_of_half_precision_keep_their_values(tmp_path: Path) -> None:
    values = np.asfortranarray(np.arange(12, dtype=np.float16).reshape(3, 2, 2))
    state = read_paddle(saved({"a.weight": values}, tmp_path / "a.pdparams"))
    np.testing.assert_array_equal(state["a.weight"].numpy(), values)


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, exec, np.load, np.fromfile, np.core.multiarray.scalar])
def test_a_pickle_that_calls_anything_is_refused_and_nothing_runs(tmp_path: Path, function: object) -> None:
    path = saved({"a": Calls(function, f"touch {tmp_path / 'marker'}")}, tmp_path / "a.pdparams")
    with pytest.raises(WeightsError, match="refused: the pickle asks for") as told:
        read_paddle(path)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "marker").exists()


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="refused: an array of kind"):
        read_paddle(saved({"a": np.array([None, {}], object)}, tmp_path / "a.pdparams"))


def test_a_pickle_cannot_change_what_it_is_read_with(tmp_path: Path) -> None:
    body = b"\x80\x02cnumpy\ndtype\n}(X\x04\x00\x00\x00nameX\x01\x00\x00\x00aub."
    (tmp_path / "a.pdparams").write_bytes(body)
    with pytest.raises(WeightsError, match="would change"):
        read_paddle(tmp_path / "a.pdparams")


def test_a_pickle_that_asks_for_a_huge_memo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pdparams").write_bytes(b"\x80\x02}r" + struct.pack("<I", 1 << 22) + b".")
    with pytest.raises(WeightsError, match="with gaps"):
        read_paddle(tmp_path / "a.pdparams")


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1, 2]), pickle.dumps({"a": 1})])
def test_what_is_no_state_dict_is_a_weights_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pdparams").write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.pdparams"):
        read_paddle(tmp_path / "a.pdparams")


def test_a_file_that_breaks_off_or_lies_about_a_shape_is_a_weights_error(tmp_path: Path) -> None:
    content = pickle.dumps({"a.weight": np.ones((3, 5), np.float32)}, 2)
    for wrong in (content[:-40], content.replace(b"K\x03K\x05\x86", b"K\x04K\x05\x86")):
        assert wrong != content
        (tmp_path / "a.pdparams").write_bytes(wrong)
        with pytest.raises(WeightsError):
            read_paddle(tmp_path / "a.pdparams")
