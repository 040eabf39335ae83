"""Between RGB and stored numbers: the values of ITU-T H.273, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from faceswap_cli.media.colour import Colours

HD = Colours(matrix=1, primaries=1, transfer=1, full_range=False, range_tag=1, height=1080)
RED, GREY, BLUE = (1, 0, 0), (0.5, 0.5, 0.5), (0, 0, 1)


def stored(colours: Colours, rgb: tuple[float, float, float], bits: int = 8) -> list[float]:
    scale, offset = colours.code_values(bits)
    return (colours.from_rgb() @ np.array([*rgb, 1.0]) * scale + offset).tolist()


def test_limited_range_gives_luma_219_and_chroma_224_steps() -> None:
    assert stored(HD, (1, 1, 1)) == pytest.approx([235, 128, 128])
    assert stored(HD, (0, 0, 0)) == pytest.approx([16, 128, 128])
    assert stored(HD, RED) == pytest.approx([16 + 219 * 0.2126, 128 - 224 * 0.2126 / (2 * 0.9278), 240])
    assert stored(HD, BLUE) == pytest.approx([16 + 219 * 0.0722, 240, 128 - 224 * 0.0722 / (2 * 0.7874)])
    assert stored(HD, RED, 10) == pytest.approx([4 * value for value in stored(HD, RED)])


def test_full_range_gives_all_255_steps_to_each() -> None:
    full = replace(HD, full_range=True)
    assert stored(full, (1, 1, 1)) == pytest.approx([255, 128, 128])
    assert stored(full, RED) == pytest.approx([255 * 0.2126, 128 - 255 * 0.2126 / (2 * 0.9278), 255.5])
    assert stored(full, (1, 1, 1), 10) == pytest.approx([1023, 512, 512])


@pytest.mark.parametrize(("height", "matrix"), [(480, 6), (576, 6), (577, 1), (720, 1)])
def test_an_untagged_picture_higher_than_pals_is_taken_for_hd(height: int, matrix: int) -> None:
    assert replace(HD, matrix=2, height=height).effective_matrix == matrix
    assert replace(HD, matrix=9, height=height).effective_matrix == 9  # a tag is believed


def test_every_matrix_has_swscales_number_and_the_weights_of_its_standard() -> None:
    """SWS_CS_ITU709 is 1, FCC 4, ITU601 5, SMPTE240M 7, BT2020 9, for both of its forms."""
    numbers = {tag: replace(HD, matrix=tag).swscale_matrix for tag in (1, 4, 5, 6, 7, 9, 10)}
    assert numbers == {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
    reds = {1: 0.2126, 4: 0.30, 5: 0.299, 6: 0.299, 7: 0.212, 9: 0.2627, 10: 0.2627}
    assert {tag: stored(replace(HD, matrix=tag), RED)[0] for tag in reds} == {
        tag: pytest.approx(16 + 219 * red) for tag, red in reds.items()
    }
