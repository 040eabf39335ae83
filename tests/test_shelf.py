"""What is dear to make is made once, and no more is kept than was asked for."""

from pathlib import Path

import pytest

from faceswap_cli.shelf import Shelf


def test_what_is_kept_is_made_once() -> None:
    shelf, made = Shelf(), []
    for _ in range(3):
        shelf.take("network", lambda: made.append(1))
    assert made == [1]


def test_what_was_used_longest_ago_goes_first() -> None:
    shelf, made = Shelf(most=2), []
    for key in "abacab":
        shelf.take(key, lambda key=key: made.append(key))
    assert made == ["a", "b", "c", "b"]


def test_what_raises_is_not_kept() -> None:
    shelf = Shelf()
    with pytest.raises(FileNotFoundError):
        shelf.take("network", Path("/gone/network.onnx").read_bytes)
    assert shelf.take("network", lambda: 1) == 1
