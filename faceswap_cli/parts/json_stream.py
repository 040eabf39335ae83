"""Read a JSON object member by member, a long list in it element by element: memory does not grow with the file."""

import json
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TextIO

_PIECE = 1 << 16  # letters read at a time, at least
_FILLED = re.compile(r"[^ \t\r\n]")
_GOES_ON = re.compile(r"[-+.0-9eE]*")  # how a number may go on, behind what is one already: 12, 12. and 12.5e


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def members(path: Path, in_pieces: str) -> Generator[tuple[str, Any], None, None]:
    """Yield the names and values of the object in a file; each element of the list `in_pieces` by itself.

    Raises OSError, and ValueError for what is no such object.
    """
    with path.open(encoding="utf-8") as file:
        text = _Text(file)
        text.take("{")
        while text.sign() != "}":
            name = text.value()
            text.take(":")
            if name == in_pieces:
                for element in _elements(text):
                    yield in_pieces, element
            else:
                yield name, text.value()
            text.take_comma("}")
        text.take("}")
        if text.sign():
            raise ValueError("something follows behind its end")


def _elements(text: "_Text") -> Iterator[Any]:
    text.take("[")
    while text.sign() != "]":
        yield text.value()
        text.take_comma("]")
    text.take("]")


class _Text:
    """A file's text, read as far as it is asked for."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._at = file, "", 0

    def sign(self) -> str:
        """Return the next letter that is no blank, without taking it; none at the end."""
        while True:
            found = _FILLED.search(self._text, self._at)
            self._at = found.start() if found else len(self._text)
            if self._at < len(self._text) or not self._read():
                return self._text[self._at : self._at + 1]

    def take(self, wanted: str) -> None:
        """Take the next letter; raise ValueError where it is another one."""
        sign = self.sign()
        if sign != wanted:
            raise ValueError(f"{sign or 'its end'!r} stands where {wanted!r} should")
        self._at += 1

    def take_comma(self, closing: str) -> None:
        """Take the comma that stands where nothing is closed."""
        if self.sign() != closing:
            self.take(",")

    def value(self) -> Any:
        """Take the next value."""
        self.sign()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if not _GOES_ON.fullmatch(self._text, end) or not self._read():  # at the very end a number may go on
                    self._at = end
                    return value
            except json.JSONDecodeError:
                if not self._read():
                    raise
            except RecursionError as error:
                raise ValueError("brackets stand in brackets without end") from error

    def _read(self) -> bool:
        """Read on; False at the end of the file."""
        piece = self._file.read(max(_PIECE, len(self._text)))
        if piece:
            self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
