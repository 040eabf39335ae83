"""Preparing: whichever way up a picture lies, its face stands in the pack."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.training.core.options import PrepareOptions
from faceswap_cli.training.data.pack import read_rows
from faceswap_cli.training.data.prepare import prepare


@pytest.mark.parametrize("turn", [1, 2])
def test_a_picture_that_lies_or_stands_on_its_head_is_packed_upright(data: Path, tmp_path: Path, turn: int) -> None:
    picture = cv2.imread(str(min((data / "faces" / "congress").glob("*/*.jpg"))))
    for name, each in (("upright", picture), ("turned", np.rot90(picture, turn))):
        (tmp_path / "in" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "in" / name / "1.png"), each)
    report = prepare(tmp_path / "in", tmp_path / "pack", PrepareOptions(threads=1, size=128))
    assert (report.kept, report.people) == (2, 2)
    one, other = (np.array(row.points) for row in read_rows(tmp_path / "pack"))
    np.testing.assert_allclose(one, other, atol=4)  # in both, the eyes are where the template has eyes
