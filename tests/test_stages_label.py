"""The label for people: readable on anything, in its corner, laid over every picture and nowhere else."""

from pathlib import Path

import av
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


@pytest.mark.parametrize("text", ["\u65e5\u672c", "caf\u00e9", "\U0001f642"])
def test_letters_the_font_lacks_are_named(text: str) -> None:
    with pytest.raises(UsageError, match=f"the font lacks .*{text[-1]}"):
        draw_label(text, 640, 480)


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
