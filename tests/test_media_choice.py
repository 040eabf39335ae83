"""Pixel formats and losslessness as the user asks for them: done, refused in one line, or their loss said."""

import re
from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.media.encoders import ENCODERS, encoder_options
from faceswap_cli.media.photo_formats import _quality_options
from faceswap_cli.media.reader import open_clip
from faceswap_cli.media.stills import PLAIN
from faceswap_cli.media.writer import plan_output
from faceswap_cli.options import Options
from faceswap_cli.types import Patch

from .media_oracle import copy_clip, describe, make_clip, run_ffmpeg

TAGS = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
DEEP = {"yuv420p10le", "yuv444p12le", "yuv422p10le", "gbrp10le", "gray10le"}  # of two bytes a sample


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def make(folder: Path, pixel_format: str) -> Path:
    path = folder / f"{pixel_format}.mkv"
    if not path.exists():
        tags = () if pixel_format.startswith(("bgr", "gbr", "gray")) else ("-vf", f"format={pixel_format},{TAGS}")
        make_clip(path, *tags, "-c:v", "ffv1", "-pix_fmt", pixel_format, "-an", seconds=0.2, size="64x48")
    return path


def samples(path: Path, pixel_format: str, *filters: str) -> np.ndarray:
    """Decode all pictures with ffmpeg as they are stored."""
    decoder = ("-c:v", "libvpx-vp9") if "vp9" in describe(path) else ()
    scale = ("-sws_flags", "bilinear+accurate_rnd+full_chroma_int", "-pix_fmt", pixel_format)
    raw = run_ffmpeg(*decoder, "-i", path, "-map", "0:v:0", *filters, *scale, "-f", "rawvideo", "-")
    return np.frombuffer(raw, np.uint16 if pixel_format in DEEP else np.uint8)


def decibels(one: np.ndarray, two: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(((one.astype(float) - two) ** 2).mean(), 1e-9))


# --- pixel formats


@pytest.mark.parametrize(
    ("native", "wanted", "codec", "said"),
    [
        ("yuv420p10le", "yuv420p", "h264", "10 bits become 8"),
        ("yuv420p10le", "yuv420p", "hevc", "10 bits become 8"),
        ("yuv444p", "yuv420p", "h264", "colour gets coarser"),
        ("yuv420p", "bgr0", "ffv1", "RGB and YUV are rounded"),
        ("yuv444p", "gbrp", "hevc", "RGB and YUV are rounded"),
        ("bgr0", "yuv444p", "h264", "RGB and YUV are rounded"),
        ("yuv420p", "gray", "ffv1", "colour is left out"),
        ("yuva420p", "yuv420p", "vp9", "transparency is left out"),
        ("yuv420p", "yuv444p", "h264", None),
    ],
)
def test_the_pixel_format_asked_for_is_written_in_true_colours(
    tmp_path: Path, folder: Path, native: str, wanted: str, codec: str, said: str | None
) -> None:
    path, output = make(folder, native), tmp_path / "out.mkv"
    report = copy_clip(path, output, codec=codec, pix_fmt=wanted, quality=100)
    assert report.pixel_format == wanted
    found, tags = re.search(r"Video: \w+[^,]*, (\w+)(\([^)]*\))?", describe(output)).groups()
    assert found == wanted
    assert ("pc, gbr" in (tags or "")) == (wanted in ("bgr0", "gbrp"))
    assert [note for note in report.notes if "pixels are written" in note] == (
        [f"pixels are written as {wanted}, not {native} (as asked): {said}"] if said else []
    )
    shown = "rgb24" if "RGB" in (said or "") else wanted
    assert decibels(samples(output, shown), samples(path, shown)) > 40


def test_eight_bits_asked_for_take_the_codec_of_eight_bits(tmp_path: Path, folder: Path) -> None:
    path = make(folder, "yuv420p10le")
    report = copy_clip(path, tmp_path / "out.mp4", pix_fmt="yuv420p", lossless=False, quality=100)
    assert (report.codec, report.pixel_format) == ("h264", "yuv420p")
    assert decibels(samples(tmp_path / "out.mp4", "yuv420p"), samples(path, "yuv420p")) > 48


@pytest.mark.parametrize(
    ("name", "choices", "words"),
    [
        ("out.mp4", {"pix_fmt": "yuv410p"}, "'yuv410p' is not for h264 .*: choose one of yuv420p, .*yuv444p"),
        ("out.mp4", {"pix_fmt": "yuvj420p"}, "'yuvj420p' is not for h264"),
        ("out.mov", {"pix_fmt": "yuv420p", "codec": "prores"}, "choose one of yuv422p10le, yuv444p10le"),
        ("out.mp4", {"pix_fmt": "purple"}, "'purple' is no pixel format"),
        ("out.mp4", {"pix_fmt": "cuda"}, "'cuda' is no pixel format"),
        ("out.mp4", {"pix_fmt": "purple", "codec": "hevc"}, "'purple' is not for hevc"),
        ("out.gif", {"pix_fmt": "yuv420p"}, "leave --pix-fmt out"),
        ("out%d.png", {"pix_fmt": "yuv420p"}, "leave --pix-fmt out"),
        ("out.mov", {"lossless": True, "codec": "prores"}, "prores cannot be lossless"),
        ("out.mp4", {"lossless": True, "pix_fmt": "yuv444p"}, "does not hold yuv420p losslessly"),
        ("out.gif", {"lossless": True}, "cannot be lossless"),
        ("out%d.png", {"lossless": True}, "yuv420p in .png cannot be lossless"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    tmp_path: Path, folder: Path, name: str, choices: dict[str, object], words: str
) -> None:
    with open_clip(make(folder, "yuv420p")) as clip, pytest.raises(UsageError, match=words) as caught:
        plan_output(clip, tmp_path / name, Options(**choices))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("choices", [{"quality": 50}, {"encoder": "nvenc"}])
def test_lossless_contradicts_what_is_lossy(choices: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="lossless"):
        Options(lossless=True, **choices)


QUALITIES = (0, 50, 75, 99, 100)


def words_for(kind: str, quality: int) -> str:
    """What the table of examples/formats.md says of a quality, from what the encoder is really given."""
    if kind in ("JPEG", "WebP", "AVIF"):
        options = _quality_options(kind.upper(), PLAIN, quality)
        return "lossless" if options.get("lossless") else str(options["quality"])
    options = encoder_options(ENCODERS[kind], quality, None, "yuv420p")
    told = " ".join(f"{name} {value}" for name, value in options.items())
    found = re.search(r"\b(crf|profile)[ =](\d+)", told)
    return " ".join(found.groups()) if found else "lossless"


def test_a_page_tells_what_a_quality_becomes_and_which_presets_there_are() -> None:
    text = Path(__file__).parents[1].joinpath("examples", "formats.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line[:1] == "|"]
    start = next(number for number, cells in enumerate(lines) if cells[1:-1] == list(map(str, QUALITIES)))
    shown = {cells[0]: cells[1:] for cells in lines[start + 2 : start + 2 + len(ENCODERS) + 3]}
    assert list(shown) == [*ENCODERS, "JPEG", "WebP", "AVIF"]
    for kind, (*qualities, presets) in shown.items():
        assert qualities == [words_for(kind, quality) for quality in QUALITIES]
        known = ENCODERS[kind].presets if kind in ENCODERS else ()
        assert presets == (f"{known[0]} ... {known[-1]} ({ENCODERS[kind].preset})" if known else "none")


# --- lossless


AROUND_THE_PATCH = ("crop=8:48:0:0", "crop=40:48:24:0", "crop=64:8:0:0", "crop=64:24:0:24")  # of 16 x 16 at (8, 8)


@pytest.mark.parametrize(
    ("native", "codec"),
    [
        ("yuv420p", "h264"),
        ("yuv420p10le", "h264"),
        ("yuv422p10le", "h264"),
        ("gray", "h264"),
        ("yuv420p", "hevc"),
        ("yuv444p12le", "hevc"),
        ("gray10le", "hevc"),
        ("yuv420p", "av1"),
        ("yuv420p10le", "av1"),
        ("yuv420p", "vp9"),
        ("yuv440p", "vp9"),
        ("yuva420p", "vp9"),
        ("bgra", "ffv1"),
        ("gbrp10le", "ffv1"),
    ],
)
def test_lossless_gives_every_sample_back_outside_the_patch(
    tmp_path: Path, folder: Path, native: str, codec: str
) -> None:
    path, output = make(folder, native), tmp_path / "out.mkv"
    patch = Patch(8, 8, np.full((16, 16, 3), (200, 120, 90), np.uint8), np.ones((16, 16), np.float32))
    copy_clip(path, output, codec=codec, lossless=True)
    assert np.array_equal(samples(output, native), samples(path, native))
    copy_clip(path, tmp_path / "patched.mkv", (patch,), codec=codec, lossless=True)
    changed = samples(tmp_path / "patched.mkv", native) != samples(path, native)
    assert 0 < changed.mean() < 0.15  # the patch covers 1/12 of the picture
    for strip in AROUND_THE_PATCH:
        kept, native_strip = (samples(each, native, "-vf", strip) for each in (tmp_path / "patched.mkv", path))
        assert np.array_equal(kept, native_strip)


@pytest.mark.parametrize(
    ("native", "codec"),
    [("yuv422p", "av1"), ("yuv420p10le", "vp9"), ("bgr0", "h264"), ("yuva420p", "hevc"), ("yuv440p", "h264")],
)
def test_lossless_refuses_what_the_codec_does_not_hold(tmp_path: Path, folder: Path, native: str, codec: str) -> None:
    with open_clip(make(folder, native)) as clip, pytest.raises(UsageError, match="losslessly: choose another"):
        plan_output(clip, tmp_path / "out.mkv", Options(codec=codec, lossless=True))


def test_turning_upright_is_lossless_or_refused(tmp_path: Path, folder: Path) -> None:
    for pixel_format in ("yuv420p", "yuv422p"):
        lying, path = make(folder, pixel_format), tmp_path / f"{pixel_format}.mov"
        h264 = ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast")
        run_ffmpeg("-i", lying, *h264, tmp_path / "lying.mov")
        run_ffmpeg("-display_rotation", "90", "-i", tmp_path / "lying.mov", "-c", "copy", path)
    copy_clip(tmp_path / "yuv420p.mov", tmp_path / "out.avi", lossless=True)
    upright = samples(tmp_path / "yuv420p.mov", "yuv420p")
    assert np.array_equal(samples(tmp_path / "out.avi", "yuv420p"), upright)
    with pytest.raises(UsageError, match="turned upright losslessly"):
        copy_clip(tmp_path / "yuv422p.mov", tmp_path / "refused.avi", lossless=True)
    report = copy_clip(tmp_path / "yuv422p.mov", tmp_path / "said.avi")
    assert any("rows become columns" in note for note in report.notes)


def test_transparency_that_an_encoder_names_but_does_not_open_is_left_out_aloud(tmp_path: Path, folder: Path) -> None:
    report = copy_clip(make(folder, "yuva420p"), tmp_path / "out.mkv", codec="hevc")
    assert report.pixel_format == "yuv420p"
    assert any("transparency is left out" in note for note in report.notes)


def test_lossless_rgb_in_hevc_has_to_be_asked_for(tmp_path: Path, folder: Path) -> None:
    path = make(folder, "bgr0")
    copy_clip(path, tmp_path / "out.mkv", codec="hevc", pix_fmt="gbrp", lossless=True)
    assert np.array_equal(samples(tmp_path / "out.mkv", "rgb24"), samples(path, "rgb24"))
