"""The label for people: readable on anything, in its corner, laid over every picture and nowhere else."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.media.reader import open_clip
from faceswap_cli.media.writer import ClipWriter, plan_output
from faceswap_cli.options import Options
from faceswap_cli.stages.label import draw_label
from faceswap_cli.types import Patch, Swapped

from .media_oracle import make_clip

TEXT = "Edited with AI"


def laid_over(grey: int, patch: Patch) -> np.ndarray:
    """The patch's rectangle over an even picture."""
    return grey * (1 - patch.alpha[..., None]) + patch.alpha[..., None] * patch.rgb


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920), (641, 479), (160, 120)])
def test_it_stands_at_the_bottom_left_and_is_as_high_as_promised(width: int, height: int) -> None:
    patch = draw_label(TEXT, width, height)
    rows, columns = patch.alpha.shape
    assert patch.rgb.shape == (rows, columns, 3)
    assert 0 < patch.x < width * 0.05
    assert height * 0.85 < patch.y + rows < height
    assert patch.x + columns < width
    letters = np.flatnonzero((patch.rgb[..., 0] > 200).any(axis=1))
    assert letters[-1] - letters[0] + 1 == pytest.approx(max(9, 0.04 * min(width, height)), rel=0.35)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_the_letters_stand_out_on_dark_and_light(grey: int) -> None:
    shown = laid_over(grey, draw_label(TEXT, 640, 480))
    plate = np.median(shown)
    assert shown.max() > 250
    assert (shown.max() + 12.75) / (plate + 12.75) > 2.0  # far apart, as the plate is darkened
    assert 0.05 < (shown[..., 0] > 200).mean() < 0.5


def test_the_text_decides_the_letters() -> None:
    one, other = draw_label("AI made", 640, 480), draw_label("AI male", 640, 480)
    assert not np.array_equal(one.rgb, other.rgb[:, : one.rgb.shape[1]])


NAMED = {
    "smile \U0001f642": "\U0001f642",
    "שלום": "ש",
    "\u0e44\u0e17\u0e22": "\u0e44",
    "नमस्ते": "\u094d",
    "a\u0323\u0308\u0301": "\u0308",
}


@pytest.mark.parametrize("text", NAMED)
def test_letters_that_cannot_be_drawn_are_named(text: str) -> None:
    """Neither font has the first and third; the others are not drawn letter by letter."""
    with pytest.raises(UsageError, match=f"no font here draws .*{NAMED[text]}") as caught:
        draw_label(text, 640, 480)
    assert "\n" not in str(caught.value)


WIDE = pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="OpenCV brings its font since version 5")


@WIDE
@pytest.mark.parametrize(
    "text", ["\u00c9dit\u00e9 par IA", "Видео изменено", "\u0386\u03bb\u03bb\u03b1\u03be\u03b5", "AI\u751f\u6210"]
)
@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (641, 479), (320, 240)])
def test_letters_beyond_ascii_stand_in_their_plate(text: str, width: int, height: int) -> None:
    patch = draw_label(text, width, height)
    rows, columns = patch.alpha.shape
    assert height * 0.85 < patch.y + rows < height
    assert patch.x + columns < width
    assert laid_over(0, patch).max() > 230
    bright = patch.rgb[..., 0] > 100
    assert not (bright[0].any() or bright[-1].any() or bright[:, 0].any() or bright[:, -1].any())
    assert not np.array_equal(patch.rgb, draw_label(text[::-1], width, height).rgb)


@WIDE
def test_the_highest_and_lowest_letters_are_not_cut_off() -> None:
    """A plate twice as high holds no more of them."""
    patch = draw_label("\u1ebe\u00c5\u00e7gjp|", 1280, 720)
    inked = np.flatnonzero((patch.rgb[..., 0] > 60).any(axis=1))
    assert inked[0] > 0
    assert inked[-1] < len(patch.rgb) - 1


@WIDE
def test_an_accent_of_its_own_joins_its_letter() -> None:
    assert np.array_equal(draw_label("cafe\u0301", 640, 480).rgb, draw_label("caf\u00e9", 640, 480).rgb)


def test_without_the_wide_font_the_letters_and_the_remedy_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "FontFace", raising=False)
    with pytest.raises(UsageError, match="draws \u00e9: use ASCII, or install opencv-python 5"):
        draw_label("caf\u00e9", 640, 480)
    assert draw_label("\u00a9 AI", 640, 480).alpha.shape[0] > 0


@pytest.mark.parametrize(("text", "size"), [("x" * 200, (640, 480)), (TEXT, (40, 400)), ("x", (400, 12))])
def test_what_does_not_fit_is_refused(text: str, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="too long"):
        draw_label(text, *size)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "bell\a"])
def test_what_is_no_line_of_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="one line"):
        Options(label=text)


def test_a_deep_clip_gets_it_on_every_frame_without_a_face(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", "-c:v", "ffv1", "-pix_fmt", "yuv420p10le", "-c:a", "aac", seconds=0.2)
    label, options = draw_label(TEXT, 160, 120), Options(codec="ffv1")
    with open_clip(path) as clip, ClipWriter(plan_output(clip, tmp_path / "out.mkv", options)) as writer:
        for frame in clip.frames():
            writer.write(Swapped(frame, (), 0, label))
        assert writer.finish().faces_swapped == 0
    before, after = lumas(path), lumas(tmp_path / "out.mkv")
    assert len(before) == len(after) == 5
    rows, columns = label.alpha.shape
    place = np.s_[label.y : label.y + rows, label.x : label.x + columns]
    for old, new in zip(before, after, strict=True):
        assert new[place].max() > 930  # white is 940
        assert np.median(new[place]) < np.median(old[place])
        new[place] = old[place]
        assert np.array_equal(old, new)


def lumas(path: Path) -> list[np.ndarray]:
    """The first plane of every picture, as PyAV alone reads it."""
    with av.open(str(path)) as container:
        planes = [frame.planes[0] for frame in container.decode(video=0)]
        return [np.frombuffer(p, "<u2").reshape(p.height, -1)[:, : p.width].copy() for p in planes]
