"""JSON is read member by member, a long list element by element, as a whole parser would read it."""

import json
from pathlib import Path

import pytest

from faceswap_cli.parts import json_stream
from faceswap_cli.parts.json_stream import members

RECORD = {"format": "x", "numbers": [1, 2.5], "frames": [{"a": "}]"}, {"b": [12345, "\u00e9\\"]}, 7], "end": 12}


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("piece", [1, 2, 7, 1 << 16])
def test_whatever_the_layout_and_the_pieces_it_reads_what_json_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, piece: int
) -> None:
    monkeypatch.setattr(json_stream, "_PIECE", piece)
    path = tmp_path / "it.json"
    path.write_text(json.dumps(RECORD, indent=indent))
    frames = [("frames", each) for each in RECORD["frames"]]  # type: ignore[union-attr]
    head = [(name, value) for name, value in RECORD.items() if name in ("format", "numbers")]
    assert list(members(path, "frames")) == [*head, *frames, ("end", 12)]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": 1', '{"a" 1}', '{"frames": 3}', '{"a": 1} 2', '{"a": NaN}', '{"a": 1 "b": 2}', "{1}"]
)
def test_what_is_no_such_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "it.json"
    path.write_text(text)
    with pytest.raises(ValueError):
        list(members(path, "frames"))


def test_brackets_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    path.write_text('{"frames": [' + "[" * 200_000)
    with pytest.raises(ValueError):
        list(members(path, "frames"))


@pytest.mark.parametrize("piece", range(1, 30))
def test_a_number_is_read_to_its_end_wherever_a_piece_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(json_stream, "_PIECE", piece)
    path = tmp_path / "it.json"
    path.write_text('{"frames": [1234567890123, -45.25], "a": 678901234}')
    assert list(members(path, "frames")) == [("frames", 1234567890123), ("frames", -45.25), ("a", 678901234)]


@pytest.mark.parametrize(
    ("text", "says"), [("[]", "'\\[' stands where '{' should"), ('{"a": 1', "'its end' stands where ',' should")]
)
def test_it_is_said_what_stands_where_something_else_should(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "it.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        list(members(path, "frames"))
