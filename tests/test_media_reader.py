"""Reading clips: exact times, upright pictures, seeking, damage, and what a clip says of itself."""

import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.errors import MediaError, UsageError
from faceswap_cli.media.reader import ResumePoint, open_clip
from faceswap_cli.stream import prefetch

from .media_oracle import frame_times, make_clip, pictures, run_ffmpeg


@pytest.fixture(scope="module")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "b_frames.mp4", "-bf", "3", "-g", "10", seconds=2)


def make_irregular(path: Path) -> Path:
    """A clip whose pictures come at irregular times, the first not at 0."""
    expression = "setpts='(0.2+N*0.04+0.013*mod(N*N,5))/TB'"
    run_ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=1.2", "-vf", f"settb=1/12800,{expression}", "-fps_mode",
        "passthrough", "-enc_time_base", "1/12800", "-bf", "2", "-video_track_timescale", "12800", path,
    )  # fmt: skip
    return path


def test_every_time_is_the_oracles(clip_path: Path) -> None:
    with open_clip(clip_path) as clip:
        assert [frame.time for frame in clip.frames()] == frame_times(clip_path)


def test_a_clip_that_begins_late_lasts_as_long_as_its_pictures(tmp_path: Path) -> None:
    """Matroska's header says when a file ends, 5 seconds behind how long it lasts: 2 seconds of 25 pictures here."""
    early = make_clip(tmp_path / "early.mkv", seconds=2)
    late = tmp_path / "late.mkv"
    run_ffmpeg("-i", early, "-c", "copy", "-output_ts_offset", "5", late)
    for path in (early, late):
        with open_clip(path) as clip:
            assert (round(clip.duration or 0), clip.frame_count_estimate) == (2, len(list(clip.frames())))
            assert clip.estimated_frames(Fraction(1), None) == 25


def test_irregular_times_are_read_as_they_are(tmp_path: Path) -> None:
    path = make_irregular(tmp_path / "irregular.mp4")
    with open_clip(path) as clip:
        times = [frame.time for frame in clip.frames()]
    assert times == frame_times(path)
    assert len({late - early for early, late in pairwise(times)}) > 3


def test_real_clips_give_the_oracles_times(data: Path) -> None:
    for name in ("intel_asl_brother.mkv", "vr_1.mp4"):
        path = data / "clips" / name
        with open_clip(path) as clip:
            assert [frame.time for frame in clip.frames()] == frame_times(path)


@pytest.mark.parametrize("encoder", [("libx264", "3"), ("libx264", "0"), ("mpeg4", "2")])
def test_avi_which_states_no_times_gives_the_oracles_wherever_reading_begins(
    tmp_path: Path, encoder: tuple[str, str]
) -> None:
    codec, ahead = encoder
    path = make_clip(tmp_path / "in.avi", "-c:v", codec, "-bf", ahead, "-pix_fmt", "yuv420p", seconds=8, size="64x48")
    with open_clip(path) as clip:
        whole = list(clip.frames())
        assert [frame.time for frame in whole] == frame_times(path)
        assert clip.start_time == whole[0].time
        assert clip.losses() == []
        rest = list(clip.frames(resume_from=ResumePoint(whole[180].pts, 180)))
    assert [frame.time for frame in rest] == [frame.time for frame in whole[180:]]
    assert np.array_equal(rest[0].rgb, whole[180].rgb)


@pytest.mark.parametrize("turn", ["90", "180", "270"])
@pytest.mark.parametrize("flip", [False, True])
def test_pictures_stand_upright(tmp_path: Path, clip_path: Path, turn: str, flip: bool) -> None:
    path = tmp_path / "turned.mp4"
    run_ffmpeg("-display_rotation", turn, *(["-display_hflip"] if flip else []), "-i", clip_path, "-c", "copy", path)
    with open_clip(path) as clip:
        first = next(clip.frames())
        shape = (160, 120) if turn in ("90", "270") else (120, 160)
        assert first.rgb.shape == (*shape, 3) == (clip.height, clip.width, 3)
    raw = run_ffmpeg("-i", path, "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    shown = np.frombuffer(raw, np.uint8).reshape(first.rgb.shape)
    assert np.abs(shown.astype(int) - first.rgb).mean() < 8  # chroma is interpolated otherwise; a wrong turn gives 60


def test_resuming_anywhere_gives_the_same_pictures(clip_path: Path) -> None:
    with open_clip(clip_path) as clip:
        whole = list(clip.frames())
        for index in (1, 9, 10, 11, 33, 49):
            rest = list(clip.frames(resume_from=ResumePoint(whole[index].pts, index)))
            assert [frame.pts for frame in rest] == [frame.pts for frame in whole[index:]]
            assert rest[0].index == index
            assert np.array_equal(rest[0].rgb, whole[index].rgb)


def test_resuming_far_into_a_clip_seeks_and_gives_the_same_pictures(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "open_groups.mp4", "-g", "30", "-bf", "3", "-x264-params", "open-gop=1", seconds=14)
    with open_clip(path) as clip:
        whole = {frame.index: frame for frame in clip.frames()}
        for index in (200, 270, 331):
            frame = next(clip.frames(resume_from=ResumePoint(whole[index].pts, index)))
            assert frame.pts == whole[index].pts
            assert np.array_equal(frame.rgb, whole[index].rgb)


def test_a_part_holds_the_frames_from_start_up_to_but_not_at_end(clip_path: Path) -> None:
    with open_clip(clip_path) as clip:
        part = list(clip.frames(start=Fraction(2, 5), end=Fraction(4, 5)))
    assert [frame.time for frame in part] == [Fraction(number, 25) for number in range(10, 20)]
    assert [frame.index for frame in part] == list(range(10))


@pytest.mark.parametrize(
    ("start", "end", "asked"), [("100", None, "start 100 s"), ("0.01", "0.03", "start 0.01 s, end 0.03 s")]
)
def test_a_part_without_pictures_is_an_error(clip_path: Path, start: str, end: str | None, asked: str) -> None:
    """Behind the clip's end, and between two of its frames."""
    told = rf"no picture lies within {asked}: it lasts about 2\.00 s"
    with open_clip(clip_path) as clip, pytest.raises(MediaError, match=told):
        list(clip.frames(start=Fraction(start), end=None if end is None else Fraction(end)))


def test_a_clip_describes_itself(clip_path: Path) -> None:
    with open_clip(clip_path) as clip:
        assert (clip.width, clip.height, clip.rotation) == (160, 120, 0)
        assert clip.average_rate == 25
        assert clip.duration == 2
        assert clip.frame_count_estimate == 50
        assert clip.estimated_frames(Fraction(1), Fraction(3, 2)) == 12
        assert (clip.codec, clip.pixel_format) == ("h264", "yuv420p")
        assert [str(track) for track in clip.audio] == ["audio track 1 (aac, und)"]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_the_decoded_picture_stays_in_its_own_format(tmp_path: Path, pixel_format: str) -> None:
    path = make_clip(tmp_path / "own.mkv", "-c:v", "ffv1", "-pix_fmt", pixel_format, seconds=0.2)
    with open_clip(path) as clip:
        frame = next(clip.frames())
    assert frame.picture.format.name == pixel_format


def test_odd_sizes_are_read(tmp_path: Path) -> None:
    odd = "format=rgb24,crop=161:121:exact=1,format=yuv420p"
    path = make_clip(tmp_path / "odd.mkv", "-vf", odd, "-c:v", "ffv1", seconds=0.2, size="200x200")
    with open_clip(path) as clip:
        assert next(clip.frames()).rgb.shape == (121, 161, 3)


def test_rgb_is_not_darker_than_the_decoded_luma(clip_path: Path) -> None:
    with open_clip(clip_path) as clip:
        frame = next(clip.frames())
    luma = np.frombuffer(pictures(clip_path)[0], np.uint8).reshape(120, 160).astype(float)
    ours = frame.rgb @ np.array([0.299, 0.587, 0.114])
    assert abs((ours - luma).mean()) < 0.5


def test_a_broken_off_clip_gives_the_pictures_it_has(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mkv", seconds=2)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with open_clip(broken) as clip:
        count = sum(1 for _ in clip.frames())
    assert 5 < count < 50


def test_flipped_bits_cost_pictures_not_the_run(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "flipped.mkv", "-g", "5", seconds=2)
    content = bytearray(path.read_bytes())
    for place in np.random.default_rng(0).integers(3000, len(content), 40):
        content[place] ^= 255
    path.write_bytes(content)
    with open_clip(path) as clip:
        times = [frame.time for frame in clip.frames()]
    assert len(times) > 20
    assert times == sorted(set(times))


@pytest.mark.parametrize("content", [b"\x1a\x45\xdf\xa3" + bytes(500), b"RIFF" + bytes(100), bytes(range(256)) * 20])
def test_rubbish_is_a_media_error_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rubbish.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        open_clip(path)
    assert "rubbish.mp4" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cover", [False, True])
@pytest.mark.parametrize("suffix", [".m4a", ".mp3"])
def test_sound_alone_is_no_clip_whether_it_has_a_cover_or_not(tmp_path: Path, suffix: str, cover: bool) -> None:
    path = tmp_path / f"sound{suffix}"
    picture = ("-f", "lavfi", "-i", "color=red:s=64x64", "-map", "0", "-map", "1", "-frames:v", "1")
    more = (*picture, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-disposition:v:0", "attached_pic") if cover else ()
    run_ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", *more, path)
    with pytest.raises(MediaError, match="no moving pictures") as caught:
        open_clip(path)
    assert "\n" not in str(caught.value)


def test_a_photo_is_sent_to_its_own_command(tmp_path: Path) -> None:
    path = tmp_path / "photo.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "color=s=16x16:d=1", "-frames:v", "1", "-f", "image2", "-c:v", "png", path)
    with pytest.raises(UsageError, match="swap-image"):
        open_clip(path)


def test_closing_a_clip_ends_its_reading_even_from_another_thread(clip_path: Path) -> None:
    with open_clip(clip_path) as clip:
        frames = prefetch(clip.frames(), depth=2)
        assert next(frames).index == 0
    assert len(list(frames)) < 10
    assert sum(thread.name == "prefetch" for thread in threading.enumerate()) == 0


@pytest.mark.parametrize("name", ["with space.mp4", "-dash.mp4", "new\nline.mp4", "emoji😀.mp4", "%03d.mp4"])
def test_awkward_names_are_names(tmp_path: Path, clip_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(clip_path.read_bytes())
    with open_clip(path) as clip:
        assert next(clip.frames()).index == 0
