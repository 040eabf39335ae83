"""Who trains, tunes and reports depends on a name alone, and never changes."""

from pathlib import Path

import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.evaluation.splits import is_held_out, part_of, photos_by_person, read_identities

# By sha256sum: the first eight digits over ffffffff are below 0.1 for who is held out, the next eight are even or odd.
PARTS = {
    "congress_0000": "training",
    "celebahq512_0001": "training",
    "congress_0022": "tuning",
    "congress_0030": "tuning",
    "congress_0016": "reporting",
    "congress_0044": "reporting",
}


@pytest.mark.parametrize("person", PARTS)
def test_a_person_stays_in_the_part_that_was_written_down(person: str) -> None:
    assert part_of(person) == PARTS[person]
    assert is_held_out(person) == (PARTS[person] != "training")


def test_one_person_in_ten_is_held_out_half_to_tune_and_half_to_report() -> None:
    parts = [part_of(f"person {number}") for number in range(2000)]
    assert [parts.count(part) for part in ("training", "tuning", "reporting")] == [1802, 95, 103]


def test_photos_of_a_part_are_those_of_its_people_that_are_there(tmp_path: Path) -> None:
    names = ["congress_0000", "congress_0022", "congress_0016", "congress_0044"]
    (tmp_path / "images").mkdir()
    for name in names[:3]:
        (tmp_path / "images" / f"{name}.jpg").touch()
    table = "".join(f"{name}.jpg\t{name}\n" for name in names)
    (tmp_path / "identities.tsv").write_text(f"image\tidentity\n{table}")
    photo = tmp_path / "images" / "congress_0016.jpg"
    assert photos_by_person(tmp_path, "images", ("reporting",)) == {"congress_0016": [photo]}
    assert set(photos_by_person(tmp_path, "images", ("tuning", "reporting"))) == {"congress_0022", "congress_0016"}
    with pytest.raises(UsageError, match=r"no such table: .*identities\.tsv"):
        photos_by_person(tmp_path / "images", ".", ("reporting",))


def test_a_table_names_the_person_of_each_picture_whatever_its_head_and_further_columns_say(tmp_path: Path) -> None:
    assert read_identities(tmp_path) == {}
    (tmp_path / "identities.tsv").write_text(
        'file\twho\tyear\na/1.jpg\tAnne "A" M\u00fcller\t1999\n\nb.jpg\n', encoding="utf-8"
    )
    assert read_identities(tmp_path) == {"a/1.jpg": 'Anne "A" M\u00fcller'}


def test_a_table_in_another_encoding_is_said(tmp_path: Path) -> None:
    (tmp_path / "identities.tsv").write_bytes("image\tidentity\na.jpg\tM\u00fcller\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"identities\.tsv is not UTF-8 text .*: save it as such"):
        read_identities(tmp_path)
