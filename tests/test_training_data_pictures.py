"""Who is in a picture: what a table says, or the folder it lies in."""

from pathlib import Path

import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.training.data.pictures import People


def test_who_is_in_a_picture_says_the_nearest_table_else_its_folder(tmp_path: Path) -> None:
    (tmp_path / "set" / "sub").mkdir(parents=True)
    (tmp_path / "identities.tsv").write_text("image\tidentity\nset/b.jpg\tBea\nset/c.jpg\tNobody\n")
    (tmp_path / "set" / "identities.tsv").write_text("image\tidentity\textra\nc.jpg\tCy\t1\nsub/d.jpg\tDi\t2\n")
    people = People(tmp_path)
    named = {name: people.of(tmp_path / name) for name in ("set/b.jpg", "set/c.jpg", "set/sub/d.jpg", "set/e.jpg")}
    assert named == {"set/b.jpg": "Bea", "set/c.jpg": "Cy", "set/sub/d.jpg": "Di", "set/e.jpg": "set"}


def test_a_table_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "identities.tsv").write_bytes(b"image\tidentity\nd.jpg\tJos\xe9\n")
    with pytest.raises(UsageError, match=r"identities\.tsv is not UTF-8 text"):
        People(tmp_path).of(tmp_path / "d.jpg")
