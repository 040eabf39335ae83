"""Hardware encoders: their options exist, and one that does not work gives way to software, said once.

No hardware is needed: where an encoder really works, the tests of giving way are skipped for it.
"""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import pytest

from faceswap_cli.media import choice
from faceswap_cli.media.encoders import ENCODERS, Encoder, nearest_format
from faceswap_cli.media.hardware import CODECS_IN_HARDWARE, VENDORS, hardware_encoder
from faceswap_cli.media.reader import open_clip
from faceswap_cli.media.writer import ClipWriter, plan_output
from faceswap_cli.options import ENCODER_CHOICES, Options
from faceswap_cli.types import Swapped

from .media_oracle import FFMPEG, copy_clip, frame_times, make_clip

GENERAL = {"flags": "+qscale", "global_quality": None}  # options of every encoder, not in one's own help


@pytest.fixture(scope="module")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = ("-pix_fmt", "yuv420p", "-preset", "ultrafast", "-an")
    return make_clip(tmp_path_factory.mktemp("clips") / "in.mp4", *options, seconds=3, size="320x240")


def stand_in(codec: str, chosen: str) -> list[Encoder]:
    """Play a hardware encoder that works: another one in software, told apart from x264 by its name alone."""
    return [Encoder("mpeg4", (), None, lambda quality, _: ENCODERS["h264"].settings(quality, "ultrafast"), True)]


def test_every_vendor_can_be_chosen() -> None:
    assert ("software", "auto", *VENDORS) == ENCODER_CHOICES


@pytest.mark.parametrize(
    ("vendor", "codec", "low", "usual", "high"),
    [
        ("nvenc", "h264", {"rc": "constqp", "qp": "45"}, {"rc": "constqp", "qp": "19"}, {"rc": "constqp", "qp": "1"}),
        ("nvenc", "av1", {"rc": "constqp", "qp": "220"}, {"rc": "constqp", "qp": "90"}, {"rc": "constqp", "qp": "10"}),
        ("qsv", "hevc", {"global_quality": "45"}, {"global_quality": "19"}, {"global_quality": "1"}),
        ("videotoolbox", "h264", *({"flags": "+qscale", "global_quality": str(118 * q)} for q in (20, 70, 100))),
        ("vaapi", "hevc", *({"rc_mode": "CQP", "qp": str(qp)} for qp in (45, 19, 1))),
        ("vaapi", "av1", *({"rc_mode": "CQP", "global_quality": str(qp)} for qp in (220, 90, 10))),
        ("amf", "h264", *({"rc": "cqp", "qp_i": str(qp), "qp_p": str(qp)} for qp in (45, 19, 1))),
    ],
)
def test_quality_becomes_each_vendors_own_constant_quality(
    vendor: str, codec: str, low: dict[str, str], usual: dict[str, str], high: dict[str, str]
) -> None:
    encoder = hardware_encoder(codec, vendor)
    assert encoder.library == f"{codec}_{vendor}"
    assert [encoder.settings(quality, None) for quality in (0, 75, 100)] == [low, usual, high]


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("codec", CODECS_IN_HARDWARE)
def test_ffmpegs_help_knows_every_option_and_value(codec: str, vendor: str) -> None:
    encoder = hardware_encoder(codec, vendor)
    command = [FFMPEG, "-hide_banner", "-h", f"encoder={encoder.library}"]
    words = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    if "AVOptions" not in words:
        pytest.skip(f"this ffmpeg has no {encoder.library}")
    for quality in (0, 75, 100):
        for name, value in encoder.settings(quality, None).items():
            if name in GENERAL:
                continue
            known = re.search(rf"^  -{name} +<(\w+)>(.*)((?:\n     .*)*)", words, re.MULTILINE)
            assert known, name
            bounds = re.search(r"from (-?\d+) to (\d+)", known[2])
            if value.isdigit():
                assert int(bounds[1]) <= int(value) <= int(bounds[2])
            else:
                assert re.search(rf"^     {value} ", known[3], re.MULTILINE)


@pytest.mark.parametrize(
    ("library", "native", "chosen"),
    [
        ("h264_nvenc", "yuv420p", "yuv420p"),
        ("h264_nvenc", "bgr0", "yuv444p"),
        ("hevc_nvenc", "yuv420p10le", "p010le"),
        ("h264_qsv", "yuv420p", "nv12"),
        ("hevc_qsv", "yuv420p10le", "p010le"),
        ("hevc_qsv", "gbrp", "yuyv422"),
        ("h264_amf", "bgra", "nv12"),
    ],
)
def test_the_pixel_format_is_yuv_that_loses_least(library: str, native: str, chosen: str) -> None:
    if library not in av.codecs_available:
        pytest.skip(f"this build has no {library}")
    assert nearest_format(hardware_encoder(*library.split("_")), native, 64, 48) == chosen


@pytest.mark.parametrize("vendor", ["auto", *VENDORS])
def test_an_encoder_that_does_not_work_gives_way_and_says_so_once(
    tmp_path: Path, clip_path: Path, capfd: pytest.CaptureFixture[str], vendor: str
) -> None:
    report = copy_clip(clip_path, tmp_path / "out.mp4", encoder=vendor, preset="ultrafast")
    if report.encoder != "libx264":
        pytest.skip(f"{report.encoder} works here")
    assert len(report.notes) == 1
    assert report.notes[0].endswith(": libx264 does the work")
    assert vendor == "auto" or vendor in report.notes[0]
    assert "\n" not in report.notes[0]
    assert frame_times(tmp_path / "out.mp4") == frame_times(clip_path)
    assert capfd.readouterr() == ("", "")


def test_an_encoder_that_works_does_the_work(tmp_path: Path, clip_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "hardware_encoders", stand_in)
    report = copy_clip(clip_path, tmp_path / "out.mp4", encoder="auto")
    assert (report.encoder, report.notes) == ("mpeg4", ())


@pytest.mark.parametrize(("pix_fmt", "why"), [(None, "pictures from memory"), ("yuv444p", "yuv444p")])
def test_an_encoder_without_the_pixel_format_gives_way(
    clip_path: Path, monkeypatch: pytest.MonkeyPatch, pix_fmt: str | None, why: str
) -> None:
    picky = replace(stand_in("h264", "auto")[0], refused=("yuv",))
    monkeypatch.setattr(choice, "hardware_encoders", lambda codec, chosen: [picky])
    with open_clip(clip_path) as clip:
        plan = plan_output(clip, None, Options(encoder="auto", pix_fmt=pix_fmt))
    assert plan.encoder == "libx264"
    assert plan.notes == (f"mpeg4 could not be used (it does not take {why}): libx264 does the work",)


def test_a_run_goes_on_with_the_same_encoder_only(
    tmp_path: Path, clip_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(encoder="auto", preset="ultrafast")
    with open_clip(clip_path) as clip:
        plan = plan_output(clip, tmp_path / "out.mp4", options)
        with ClipWriter(plan) as writer:
            for frame in clip.frames():
                writer.write(Swapped(frame, (), faces_found=1))
        with ClipWriter(plan_output(clip, tmp_path / "out.mp4", options)) as writer:
            assert writer.resume_from.index == 50
        monkeypatch.setattr(choice, "hardware_encoders", stand_in)
        with ClipWriter(plan_output(clip, tmp_path / "out.mp4", options)) as writer:
            assert (writer.resume_from, writer.started_afresh) == (None, True)


def test_lossless_stays_with_software(clip_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "hardware_encoders", stand_in)
    with open_clip(clip_path) as clip:
        assert plan_output(clip, None, Options(encoder="auto", lossless=True)).encoder == "libx264"
