"""A row of a jobs file is a command line: the same options, the same words, and what is wrong is named."""

from fractions import Fraction
from pathlib import Path

import pytest

from faceswap_cli.cli.batch import FLAGS
from faceswap_cli.cli.jobs_file import Row, read_jobs_file
from faceswap_cli.errors import MediaError, UsageError

CSV = (
    "source,input,output,quality,faces,start,force,min-face,without\n"
    'me.jpg,a.mp4,out/a.mp4,80,all,0:01.5,yes,32,"beard, grain"\n'
    "one.jpg;two.jpg,b.mp4,,,,,,,\n"
)
JSONL = (
    '{"source": "me.jpg", "input": "a.mp4", "output": "out/a.mp4", "quality": 80, "faces": "all", "start": 1.5, '
    '"force": true, "min_face": 32, "without": ["beard", "grain"]}\n\n'
    '{"source": ["one.jpg", "two.jpg"], "input": "b.mp4"}\n'
)
TOML = (
    '[[jobs]]\nsource = "me.jpg"\ninput = "a.mp4"\noutput = "out/a.mp4"\nquality = 80\nfaces = "all"\nstart = "1.5"\n'
    'force = true\nmin-face = 32\nwithout = ["beard", "grain"]\n'
    '[[jobs]]\nsource = ["one.jpg", "two.jpg"]\ninput = "b.mp4"\n'
)


def read(tmp_path: Path, name: str, text: str) -> list[Row]:
    (tmp_path / name).write_text(text)
    return read_jobs_file(tmp_path / name, FLAGS)


@pytest.mark.parametrize(
    "name, text", [("j.csv", CSV), ("j.csv", "\ufeff" + CSV), ("j.jsonl", JSONL), ("j.toml", TOML)]
)
def test_every_kind_of_file_says_the_same(tmp_path: Path, name: str, text: str) -> None:
    first, second = read(tmp_path, name, text)
    assert (first.sources, first.input) == ((tmp_path / "me.jpg",), tmp_path / "a.mp4")
    assert first.output == str(tmp_path / "out/a.mp4")
    assert first.options == {
        "quality": 80,
        "faces": "all",
        "start": Fraction(3, 2),
        "force": True,
        "min_face": 32,
        "without": ("beard", "grain"),
    }
    assert second.sources == (tmp_path / "one.jpg", tmp_path / "two.jpg")
    assert (second.output, second.options) == (None, {})


@pytest.mark.parametrize(
    "name, text, told",
    [
        ("j.csv", "input,qualty\na.mp4,80\n", "row 2: unknown column 'qualty'; is 'quality' meant?"),
        ("j.csv", "input,report\na.mp4,x\n", "unknown column 'report'"),
        ("j.csv", "input,colour of the sky\na.mp4,blue\n", "the columns are source, input, output, model"),
        ("j.csv", "input,quality\na.mp4,best\n", "row 2: quality is wrong: 'best' cannot be meant"),
        ("j.csv", "input,force\na.mp4,maybe\n", "force is wrong: 'maybe'"),
        ("j.csv", "input,start\na.mp4,noon\n", "start is wrong: 'noon' is no time"),
        ("j.csv", "input\na.mp4,80\n", "more cells than columns"),
        ("j.csv", 'input,quality\n"a.mp4,80\n', "is no CSV"),
        ("j.csv", "source,input\nme.jpg,\n", "row 2: no input"),
        ("j.csv", "source,input\n;me.jpg,a.mp4\n", "name a photo, or several"),
        ("j.csv", "source,input\n", "holds no job"),
        ("j.csv", "", "holds no job"),
        ("j.jsonl", '{"input": "a.mp4"}\n{"input": \n', "row 2 is no JSON"),
        ("j.jsonl", '["a.mp4"]\n', "row 1 is ['a.mp4']"),
        ("j.jsonl", '{"input": "a.mp4", "quality": 80.5}\n', "quality is wrong: 80.5"),
        ("j.jsonl", '{"input": "a.mp4", "quality": true}\n', "quality is wrong: True"),
        ("j.jsonl", '{"input": 7}\n', "no input"),
        ("j.toml", "jobs = 3\n", "[[jobs]]"),
        ("j.toml", "[[job]]\n", "holds job"),
        ("j.toml", "[[jobs]\n", "is no TOML"),
        ("j.txt", "a.mp4\n", ".csv, .jsonl or .toml"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, name, text)
    assert told in str(error.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file"):
        read_jobs_file(tmp_path / "gone.csv", FLAGS)
    (tmp_path / "j.csv").write_bytes(b"input\n\xff\xfe\n")
    with pytest.raises(MediaError, match="cannot be read"):
        read_jobs_file(tmp_path / "j.csv", FLAGS)
