"""Writing clips: time, sound, tracks, colour and everything outside the patches come out as they went in."""

import hashlib
import json
import re
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from faceswap_cli.errors import MediaError, NoFaceError, OutputError, UsageError, told
from faceswap_cli.media import segments, trial
from faceswap_cli.media.encode import open_encoder
from faceswap_cli.media.planes import layout_of, samples_of
from faceswap_cli.media.reader import open_clip
from faceswap_cli.media.tracks import foresee_tracks
from faceswap_cli.media.writer import ClipWriter, plan_output
from faceswap_cli.options import Options
from faceswap_cli.types import Patch, Swapped

from .media_oracle import (
    FFMPEG,
    copy_clip,
    describe,
    frame_times,
    is_disclosed,
    make_clip,
    packet_hashes,
    packet_times,
    pictures,
    run_ffmpeg,
    track_end,
)
from .test_media_reader import make_irregular

QUICK = ("-preset", "ultrafast")
RAW_SOUND = ("-map", "0:a:0", "-f", "s16le", "-ac", "1", "-")
SUBTITLES = "1\n00:00:00,200 --> 00:00:00,600\nHello\n\n2\n00:00:00,700 --> 00:00:00,900\nWorld\n"
TAGS = ";FFMETADATA1\ntitle=A title\nartist=Someone\nCUSTOM=own\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 500}\ntitle=Chapter {start}\n" for start in (0, 500)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def clip_path(folder: Path) -> Path:
    return make_clip(folder / "plain.mp4", "-bf", "3", "-pix_fmt", "yuv420p", "-c:a", "aac", seconds=3)


@pytest.fixture(scope="module")
def rich_path(folder: Path) -> Path:
    """A Matroska file with two sound tracks, two subtitles, chapters, tags and an attached font."""
    (folder / "words.srt").write_text(SUBTITLES)
    (folder / "tags.txt").write_text(TAGS)
    (folder / "font.ttf").write_bytes(bytes(range(256)) * 8)
    path = folder / "rich.mkv"
    run_ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1",
        "-f", "lavfi", "-i", "sine=f=900:d=1", "-i", folder / "words.srt", "-i", folder / "words.srt",
        "-i", folder / "tags.txt", "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-map", "4",
        "-map_metadata", "5", *QUICK, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a:0", "aac", "-c:a:1", "libopus",
        "-c:s:0", "srt", "-c:s:1", "ass", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre",
        "-metadata:s:s:0", "language=ger", "-attach", folder / "font.ttf", "-metadata:s:t", "mimetype=font/ttf", path,
    )  # fmt: skip
    return path


def face_patch(x: int = 40, y: int = 30) -> Patch:
    return Patch(x, y, np.full((33, 41, 3), (200, 120, 90), np.uint8), np.ones((33, 41), np.float32))


def quick(**choices: object) -> dict[str, object]:
    return {"preset": "ultrafast"} | choices


# --- time and sound


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_times_and_sound_packets_are_the_inputs_own(tmp_path: Path, clip_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    report = copy_clip(clip_path, output, **quick())
    assert frame_times(output) == frame_times(clip_path)
    assert report.frames == 75
    assert packet_hashes(output, "0:a:0") == packet_hashes(clip_path, "0:a:0")
    assert packet_times(output, "0:a:0") == packet_times(clip_path, "0:a:0")


def test_irregular_times_stay_irregular(tmp_path: Path) -> None:
    path = make_irregular(tmp_path / "irregular.mp4")
    copy_clip(path, tmp_path / "out.mp4", **quick())
    assert frame_times(tmp_path / "out.mp4") == frame_times(path)


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_keeps_times_to_its_own_tick(tmp_path: Path, clip_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    copy_clip(clip_path, output, **({} if suffix == ".webm" else quick()))
    pairs = zip(frame_times(output), frame_times(clip_path), strict=True)
    assert max(abs(ours - theirs) for ours, theirs in pairs) <= Fraction(1, 2000)


def test_matroska_in_and_out_keeps_every_sound_packet(tmp_path: Path, rich_path: Path) -> None:
    copy_clip(rich_path, tmp_path / "out.mkv", **quick())
    for track in ("0:a:0", "0:a:1"):
        assert packet_hashes(tmp_path / "out.mkv", track) == packet_hashes(rich_path, track)
        assert packet_times(tmp_path / "out.mkv", track) == packet_times(rich_path, track)
    assert frame_times(tmp_path / "out.mkv") == frame_times(rich_path)


STEADY = {
    "frames that refer forward": ("in.mp4", "25", ("-bf", "3")),
    "a rate that milliseconds cannot say": ("in.mkv", "30000/1001", ("-bf", "2")),
    "a start far from zero": ("in.ts", "25", ()),
    "a gap": ("in.mp4", "25", ("-vf", "setpts='if(gt(N,10),PTS+0.2/TB,PTS)'", "-fps_mode", "passthrough")),
}


@pytest.mark.parametrize("case", STEADY)
def test_avi_says_nothing_of_times_where_it_loses_none(tmp_path: Path, case: str) -> None:
    name, rate, options = STEADY[case]
    path = make_clip(tmp_path / name, "-c:v", "libx264", "-pix_fmt", "yuv420p", *options, rate=rate)
    with open_clip(path) as clip:
        tick, start = clip.time_base, clip.start_time
    report = copy_clip(path, tmp_path / "out.avi", **quick())
    assert not [note for note in report.notes if "times" in note]
    pairs = zip(frame_times(tmp_path / "out.avi"), frame_times(path), strict=True)
    assert max(abs(ours + start - theirs) for ours, theirs in pairs) <= tick


@pytest.mark.parametrize("sound", ["aac", "libmp3lame", "mp2", "ac3", "pcm_s16le", "flac", "libopus", "libvorbis"])
def test_avi_keeps_sound_and_pictures_together(tmp_path: Path, sound: str) -> None:
    """Every sound packet lies where it was to one packet, and none pushes the pictures back."""
    path = make_clip(
        tmp_path / "in.mkv", *QUICK, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", sound, "-ar", "48000"
    )
    copy_clip(path, tmp_path / "out.avi", **quick())
    assert frame_times(tmp_path / "out.avi") == [Fraction(number, 25) for number in range(25)]
    before, after = packet_times(path, "0:a:0"), packet_times(tmp_path / "out.avi", "0:a:0")
    assert 0 == after[0] <= before[0] + Fraction(1, 25)
    assert abs(after[-1] - before[-1]) < Fraction(1, 25)
    heard = [np.frombuffer(run_ffmpeg("-i", each, *RAW_SOUND), np.int16) for each in (path, tmp_path / "out.avi")]
    assert abs(len(heard[0]) - len(heard[1])) < 0.06 * 48000


def test_avi_says_that_sound_before_the_pictures_is_left_out(tmp_path: Path) -> None:
    path, tone = tmp_path / "early.mkv", ("-f", "lavfi", "-i", "sine=r=48000:d=2")
    shown = ("-itsoffset", "0.5", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1")
    run_ffmpeg(*shown, *tone, *QUICK, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le", path)
    report = copy_clip(path, tmp_path / "out.avi")
    assert any(re.match(r"sound packets before the first picture are left out \(\d\d\)", note) for note in report.notes)
    assert frame_times(tmp_path / "out.avi") == [Fraction(number, 25) for number in range(25)]
    heard = np.frombuffer(run_ffmpeg("-i", tmp_path / "out.avi", *RAW_SOUND), np.int16)
    assert abs(len(heard) / 48000 - 1.5) < 0.03


def test_avi_says_when_sound_cannot_begin_late(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    run_ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-itsoffset", "0.5", "-f", "lavfi", "-i", "sine=d=1",
        *QUICK, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", path,
    )  # fmt: skip
    assert any(re.match(r"track 1 begins 0\.\d+ s early", note) for note in copy_clip(path, tmp_path / "out.avi").notes)
    assert not any("early" in note for note in copy_clip(path, tmp_path / "out.mp4").notes)


@pytest.mark.parametrize(("part", "said"), [({}, True), ({"end": Fraction(1)}, False)])
def test_avi_says_that_times_are_rounded_where_they_are(tmp_path: Path, part: dict[str, Fraction], said: bool) -> None:
    """The pictures of the first second come in even steps, later ones do not."""
    late = "setpts='if(gt(N,25),PTS+0.013*mod(N,3)/TB,PTS)'"
    rates = ("-fps_mode", "passthrough", "-enc_time_base", "1/12800", "-video_track_timescale", "12800")
    path = make_clip(tmp_path / "in.mp4", "-vf", f"settb=1/12800,{late}", *rates, "-pix_fmt", "yuv420p", seconds=2)
    report = copy_clip(path, tmp_path / "out.avi", **quick(**part))
    assert any("times are rounded to steps" in note for note in report.notes) == said


def test_one_frame_is_enough(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "one.mp4", "-pix_fmt", "yuv420p", "-frames:v", "1")
    assert copy_clip(path, tmp_path / "out.mp4").frames == 1
    assert frame_times(tmp_path / "out.mp4") == [0]


def test_a_part_starts_at_zero_with_its_own_sound(tmp_path: Path, clip_path: Path) -> None:
    output = tmp_path / "out.mp4"
    copy_clip(clip_path, output, **quick(start=Fraction(1, 2), end=Fraction(3, 2)))
    whole = frame_times(clip_path)
    kept = [time for time in whole if Fraction(1, 2) <= time < Fraction(3, 2)]
    assert frame_times(output) == [time - kept[0] for time in kept]
    length = Fraction(1024, 44100)
    sound = zip(packet_hashes(clip_path, "0:a:0"), packet_times(clip_path, "0:a:0"), strict=True)
    inside = [(digest, time) for digest, time in sound if time >= kept[0] and time + length <= Fraction(3, 2)]
    assert packet_hashes(output, "0:a:0") == [digest for digest, _ in inside]
    late = [ours - (time - kept[0]) for ours, (_, time) in zip(packet_times(output, "0:a:0"), inside, strict=True)]
    assert max(map(abs, late)) <= Fraction(1, 44100)


def test_real_clips_keep_times_and_sound(data: Path, tmp_path: Path) -> None:
    for name in ("intel_asl_brother.mkv", "vr_1.mp4"):
        path, output = data / "clips" / name, tmp_path / name
        copy_clip(path, output, **quick())
        assert frame_times(output) == frame_times(path)
        if name == "vr_1.mp4":
            assert packet_hashes(output, "0:a:0") == packet_hashes(path, "0:a:0")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_sound_and_picture_last_as_long_as_before(tmp_path: Path, clip_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    copy_clip(clip_path, output, **({} if suffix == ".webm" else quick()))
    assert abs(track_end(output, "0:v:0") - track_end(clip_path, "0:v:0")) <= Fraction(1, 1000)
    heard = [len(run_ffmpeg("-i", each, "-ar", "44100", *RAW_SOUND)) // 2 for each in (clip_path, output)]
    assert abs(heard[0] - heard[1]) <= (0 if suffix in (".mp4", ".mov") else 1024)


def test_several_sound_frames_in_one_packet_are_written_anew_as_one_sound(tmp_path: Path, clip_path: Path) -> None:
    """A decoder stamps the first of them alone."""
    joined, output = tmp_path / "joined.mp4", tmp_path / "out.webm"
    join_sound_packets(clip_path, joined)
    copy_clip(joined, output)
    times = packet_times(output, "0:a:0")
    assert times[-1] > Fraction(29, 10)
    assert all(0 < later - earlier < Fraction(1, 40) for earlier, later in pairwise(times))


def join_sound_packets(source: Path, output: Path) -> None:
    """Copy a clip, every two packets of its sound as one."""
    with av.open(str(source)) as clip, av.open(str(output), "w") as out:
        copies = {stream.index: out.add_stream_from_template(stream) for stream in clip.streams}
        waiting: list[av.Packet] = []
        for packet in clip.demux():
            if packet.size and packet.stream.type == "audio":
                waiting.append(packet)
                if len(waiting) < 2:
                    continue
                first, packet = waiting[0], av.Packet(b"".join(map(bytes, waiting)))
                packet.pts, packet.dts, packet.time_base = first.pts, first.dts, first.time_base
                packet.duration, packet.stream = 2 * first.duration, first.stream
                waiting.clear()
            if packet.size:
                packet.stream = copies[packet.stream.index]
                out.mux_one(packet)


SOUNDS = {  # codec, rate, channels, output; codec, rate, channels, words of the note
    "channels without names": (("pcm_s16le", 48000, "6c", "out.mp4"), ("aac", 48000, "5.1", "anew as aac:")),
    "two channels without names": (("pcm_s16le", 48000, "2c", "out.mp4"), ("pcm_s16le", 48000, "stereo", None)),
    "one unnamed channel": (("pcm_s24le", 48000, "1c", "out.mp4"), ("pcm_s24le", 48000, "mono", None)),
    "one channel without name": (("adpcm_ima_wav", 11025, "mono", "out.mov"), ("aac", 11025, "mono", "as aac:")),
    "names Opus does not know": (("ac3", 48000, "5.1(side)", "out.webm"), ("opus", 48000, "5.1", "as libopus:")),
    "more channels than MP3": (("flac", 48000, "5.1", "out.avi"), ("mp3", 48000, "stereo", "6 channels mixed to")),
    "a rate above MP3's": (("flac", 96000, "stereo", "out.avi"), ("mp3", 48000, "stereo", "as libmp3lame:")),
    "sound that MOV holds": (("pcm_u8", 4000, "mono", "out.mov"), ("pcm_u8", 4000, "mono", None)),
    "a rate Opus does not know": (("flac", 22050, "mono", "out.webm"), ("opus", 48000, "mono", "as libopus:")),
}


@pytest.mark.parametrize("case", SOUNDS)
def test_sound_of_any_rate_and_channels_goes_into_every_container(tmp_path: Path, case: str) -> None:
    """The encoder takes what is nearest; a run must not end in an error after its last frame."""
    (codec, rate, channels, name), (written, new_rate, new_channels, said) = SOUNDS[case]
    path, output = tmp_path / "in.mkv", tmp_path / name
    mix = f"aformat=sample_rates={rate}:channel_layouts={channels}"
    shown = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-f", "lavfi", "-i", "sine=r=48000:d=1")
    run_ffmpeg(*shown, *QUICK, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-af", mix, "-c:a", codec, path)
    report = copy_clip(path, output)
    heard = rf"Audio: {written}\b.*, {new_rate} Hz, {re.escape(new_channels)},"
    assert re.search(heard, describe(output)), describe(output)
    assert [note for note in report.notes if "audio" in note and (said is None or said not in note)] == []
    assert any("audio" in note for note in report.notes) == (said is not None)
    played = [len(run_ffmpeg("-i", each, "-ar", "8000", *RAW_SOUND)) / 16000 for each in (path, output)]
    assert abs(played[0] - played[1]) < 0.06


@pytest.mark.parametrize("name", ["recorder.mkv", "old_camera.avi"])
def test_pcm_of_recorders_that_name_no_channels_goes_into_mp4_bit_for_bit(
    data: Path, tmp_path: Path, name: str
) -> None:
    path, output = data.parent / "cases" / "pcm_to_mp4" / name, tmp_path / "out.mp4"
    if not path.is_file():
        pytest.skip(f"no {path}")
    assert copy_clip(path, output, **quick()).notes == ()
    assert run_ffmpeg("-i", output, *RAW_SOUND) == run_ffmpeg("-i", path, *RAW_SOUND)
    assert frame_times(output) == frame_times(path)


def make_refused(path: Path) -> Path:
    """A clip whose sound MP4 refuses as it is: only its first packet tells."""
    sound = ("-af", "aformat=channel_layouts=2c", "-c:a", "pcm_s16le")
    return make_clip(path, *QUICK, "-c:v", "libx264", "-pix_fmt", "yuv420p", *sound, size="64x48")


def test_a_track_that_fails_behind_what_was_tried_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if its sound began late: then the trial sees none of it, and the run must not end behind its last frame."""
    path = make_refused(tmp_path / "in.mkv")
    monkeypatch.setattr(trial, "TRIED_PACKETS", 0)
    with open_clip(path) as clip:
        cargo, _ = foresee_tracks(plan_output(clip, tmp_path / "out.mp4", Options()))
        assert cargo.notes == []
    report = copy_clip(path, tmp_path / "out.mp4", **quick())
    assert report.frames == 25
    assert [note for note in report.notes if "audio" in note] == [
        "audio track 1 (pcm_s16le) is encoded anew as aac: not the same bits"
    ]
    assert "Audio: aac" in describe(tmp_path / "out.mp4")


def test_what_lies_beside_the_pictures_is_refused_before_the_first_frame(tmp_path: Path, clip_path: Path) -> None:
    """A chapter that ends later than Matroska can say."""
    with open_clip(clip_path) as clip:
        clip.chapters = [{"id": 1, "start": 0, "end": 1 << 62, "time_base": Fraction(1), "metadata": {}}]
        plan = plan_output(clip, tmp_path / "out.mkv", Options(preset="ultrafast"))
        with (
            pytest.raises(OutputError, match="does not take what lies beside the pictures") as refused,
            ClipWriter(plan),
        ):
            pass
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


AWKWARD = {
    "pictures that refer ahead": ("in.mp4", ("-bf", "3", "-g", "12")),
    "open groups": ("in.mp4", ("-bf", "3", "-g", "12", "-x264-params", "open-gop=1")),
    "packets before 0": ("in.mov", ("-bf", "2", "-output_ts_offset", "-0.2", "-avoid_negative_ts", "disabled")),
    "a late start": ("in.ts", ("-bf", "2", "-output_ts_offset", "7")),
    "a gap": ("in.mp4", ("-bf", "2", "-vf", "setpts='if(gt(N,10),PTS+1.5/TB,PTS)'", "-fps_mode", "passthrough")),
    "two pictures at nearly one time": ("in.mp4", ("-vf", "setpts='PTS-0.039*eq(N,12)/TB'", "-fps_mode", "vfr")),
    "fields": ("in.mp4", ("-bf", "2", "-flags", "+ilme+ildct", "-vf", "setfield=tff")),
    "no times in the file": ("in.avi", ("-bf", "3")),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_no_picture_is_dropped_doubled_or_put_elsewhere(tmp_path: Path, case: str) -> None:
    """Each picture shows its number, and comes out with the very samples, at the very time, that went in."""
    name, options = AWKWARD[case]
    x264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-video_track_timescale", "12800")
    path = make_clip(tmp_path / name, *x264, *options, "-an", seconds=2, size="128x96")
    report = copy_clip(path, tmp_path / "out.mp4", **quick(lossless=True))
    before, after = pictures(path), pictures(tmp_path / "out.mp4")
    assert after == before
    assert len(set(before)) == len(before) == report.frames > 40
    assert frame_times(tmp_path / "out.mp4") == frame_times(path)


def test_edit_lists_are_followed(tmp_path: Path, clip_path: Path) -> None:
    path = tmp_path / "edited.mp4"
    run_ffmpeg("-ss", "0.7", "-i", clip_path, "-t", "1", "-c", "copy", path)
    copy_clip(path, tmp_path / "out.mp4", **quick())
    assert frame_times(tmp_path / "out.mp4") == frame_times(path)
    assert len(frame_times(path)) < 40
    assert packet_hashes(tmp_path / "out.mp4", "0:a:0") == packet_hashes(path, "0:a:0")
    assert packet_times(tmp_path / "out.mp4", "0:a:0") == packet_times(path, "0:a:0")


def test_gaps_and_late_starts_stay(tmp_path: Path) -> None:
    path, output = tmp_path / "gap.ts", tmp_path / "out.mp4"
    jump = "setpts='if(gt(N,10),PTS+1.5/TB,PTS)'"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=1", "-vf", jump, "-fps_mode", "passthrough", path)
    copy_clip(path, output, **quick())
    assert frame_times(output) == frame_times(path)
    assert frame_times(path)[0] > 1
    assert max(late - early for early, late in pairwise(frame_times(path))) > Fraction(3, 2)


def test_the_shape_of_pixels_is_kept_or_its_loss_said(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", "-vf", "setsar=16/11", "-pix_fmt", "yuv420p", seconds=0.2)
    for suffix in (".mp4", ".mov", ".mkv"):
        copy_clip(path, tmp_path / f"out{suffix}")
        assert "SAR 16:11" in describe(tmp_path / f"out{suffix}")
    report = copy_clip(path, tmp_path / "out.webm")
    assert any("16/11" in note for note in report.notes)


def drawn_subtitles() -> bytes:
    """One small picture of a Blu-ray disc's subtitles (PGS), shown from 0.2 to 0.6 seconds."""
    lines = (b"\x01" * 8 + b"\0\0") * 4
    shown = struct.pack(">HHBHBBBBHBBHH", 160, 120, 0x10, 0, 0x80, 0, 0, 1, 0, 0, 0, 8, 8)
    gone = struct.pack(">HHBHBBBB", 160, 120, 0x10, 1, 0, 0, 0, 0)
    window = struct.pack(">BBHHHH", 1, 0, 8, 8, 8, 4)
    palette = bytes([0, 0, 1, 235, 128, 128, 255])
    picture = struct.pack(">HBB", 0, 0, 0xC0) + (len(lines) + 4).to_bytes(3, "big") + struct.pack(">HH", 8, 4) + lines
    segments = [(0.2, 0x16, shown), (0.2, 0x17, window), (0.2, 0x14, palette), (0.2, 0x15, picture), (0.2, 0x80, b"")]
    segments += [(0.6, 0x16, gone), (0.6, 0x17, window), (0.6, 0x80, b"")]
    return b"".join(
        b"PG" + struct.pack(">IIBH", int(when * 90_000), 0, kind, len(body)) + body for when, kind, body in segments
    )


def test_drawn_subtitles_are_kept_or_named(tmp_path: Path) -> None:
    (tmp_path / "words.sup").write_bytes(drawn_subtitles())
    run_ffmpeg("-i", make_clip(tmp_path / "bare.mkv"), "-i", tmp_path / "words.sup", "-map", "0", "-map", "1", "-c",
               "copy", tmp_path / "in.mkv")  # fmt: skip
    assert not copy_clip(tmp_path / "in.mkv", tmp_path / "out.mkv").notes
    assert packet_hashes(tmp_path / "out.mkv", "s:0") == packet_hashes(tmp_path / "in.mkv", "s:0")
    assert "hdmv_pgs_subtitle" in describe(tmp_path / "out.mkv")
    for suffix in (".mp4", ".webm", ".mov", ".avi"):
        report = copy_clip(tmp_path / "in.mkv", tmp_path / f"out{suffix}")
        assert any("subtitle track 2 (pgssub) is left out" in note for note in report.notes)
        assert "Subtitle" not in describe(tmp_path / f"out{suffix}")


def captioned(path: Path) -> Path:
    """A clip whose every picture carries closed captions (ATSC A/53 in an SEI message)."""
    run_ffmpeg("-i", make_clip(path.with_name("bare.mp4"), "-c:v", "libx264"), "-c:v", "copy", "-bsf:v",
               "h264_mp4toannexb", "-an", path.with_suffix(".h264"))  # fmt: skip
    words = b"\xb5\x00\x31GA94\x03\x41\xff\xfc\x94\x2c\xff"
    message = b"\0\0\0\1\x06\x04" + bytes([len(words)]) + words + b"\x80"
    units = path.with_suffix(".h264").read_bytes().split(b"\0\0\1")
    whole = [(message if unit[0] & 31 in (1, 5) else b"") + b"\0\0\1" + unit for unit in units[1:]]
    path.with_suffix(".h264").write_bytes(units[0] + b"".join(whole))
    run_ffmpeg("-r", "25", "-i", path.with_suffix(".h264"), "-c", "copy", path)
    return path


def test_closed_captions_are_named(tmp_path: Path) -> None:
    path = captioned(tmp_path / "in.mp4")
    assert any("closed captions" in note for note in copy_clip(path, tmp_path / "out.mp4").notes)


def test_interlacing_is_named(tmp_path: Path) -> None:
    options = ("-flags", "+ilme+ildct", "-vf", "setfield=tff", "-pix_fmt", "yuv420p")
    path = make_clip(tmp_path / "in.mp4", "-c:v", "libx264", *options, seconds=0.2)
    report = copy_clip(path, tmp_path / "out.mp4")
    assert any("interlaced" in note for note in report.notes)


# --- the picture


@pytest.mark.parametrize(
    "pixel_format",
    ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray", "gbrp", "bgra", "yuva420p"],
)
def test_lossless_output_equals_the_input_outside_the_patch(tmp_path: Path, pixel_format: str) -> None:
    path = make_clip(tmp_path / "in.mkv", "-c:v", "ffv1", "-pix_fmt", pixel_format, "-c:a", "aac", seconds=0.2)
    patch = face_patch()
    report = copy_clip(path, tmp_path / "out.mkv", (patch,), codec="ffv1")
    with open_clip(path) as before, open_clip(tmp_path / "out.mkv") as after:
        layout = layout_of(before.pixel_format)
        for old, new in zip(before.frames(), after.frames(), strict=True):
            assert new.picture.format.name == old.picture.format.name
            for number, component in enumerate(layout.components):
                one, two = (samples_of(each.picture, layout, number) for each in (old, new))
                inside = np.zeros(one.shape, bool)
                rows = slice(30 >> component.halvings_y, -(-63 >> component.halvings_y))
                columns = slice(40 >> component.halvings_x, -(-81 >> component.halvings_x))
                inside[rows, columns] = True
                assert np.array_equal(one[~inside], two[~inside])
                assert not np.array_equal(one[inside], two[inside])
    assert report.pixel_format == {"gbrp": "bgr0"}.get(pixel_format, pixel_format)


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9"])
def test_quality_100_is_lossless(tmp_path: Path, clip_path: Path, codec: str) -> None:
    output = tmp_path / "out.mkv"
    copy_clip(clip_path, output, codec=codec, quality=100, end=Fraction(1, 5))
    assert pictures(output) == pictures(clip_path)[:5]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "prores", "ffv1"])
def test_every_codec_gives_the_picture_back(tmp_path: Path, clip_path: Path, codec: str) -> None:
    output = tmp_path / "out.mkv"
    copy_clip(clip_path, output, codec=codec, end=Fraction(2, 5))
    assert len(frame_times(output)) == 10
    assert re.search(rf"Video: {codec}\b", describe(output))
    for ours, theirs in zip(pictures(output), pictures(clip_path), strict=False):
        error = np.frombuffer(ours, np.uint8).astype(float) - np.frombuffer(theirs, np.uint8)
        assert 10 * np.log10(255**2 / max((error**2).mean(), 1e-9)) > 36


@pytest.mark.parametrize("suffix, tag", [(".mp4", "hvc1"), (".mov", "hvc1"), (".mkv", "")])
def test_hevc_is_tagged_as_apples_players_want_it(tmp_path: Path, clip_path: Path, suffix: str, tag: str) -> None:
    """QuickTime plays no `hev1`, which is what the muxer writes by itself."""
    output = tmp_path / f"out{suffix}"
    copy_clip(clip_path, output, **quick(codec="hevc", end=Fraction(1, 5)))
    assert (re.search(r"Video: hevc.*?\((hev1|hvc1) ", describe(output)) or ("", ""))[1] == tag


@pytest.mark.parametrize("quality", [0, 50, 100])
def test_more_quality_makes_a_larger_file(tmp_path: Path, clip_path: Path, quality: int) -> None:
    sizes = [
        copy_clip(clip_path, tmp_path / f"{each}.mp4", **quick(quality=each)).size for each in (quality, quality + 10)
        if each <= 100
    ]  # fmt: skip
    assert sizes == sorted(set(sizes))


def test_the_default_quality_is_near_enough_to_the_decoded_picture(data: Path, tmp_path: Path) -> None:
    path = data / "clips" / "st_aoc_mpeg4.mp4"  # the noisiest of the clips
    copy_clip(path, tmp_path / "out.mp4", end=Fraction(2))
    errors = [
        (np.frombuffer(ours, np.uint8).astype(float) - np.frombuffer(theirs, np.uint8)) ** 2
        for ours, theirs in zip(pictures(tmp_path / "out.mp4"), pictures(path), strict=False)
    ]
    assert 10 * np.log10(255**2 / np.mean(errors)) > 42


@pytest.mark.parametrize("turn", ["90", "180", "270"])
def test_rotation_is_honoured_for_the_patch_and_kept_in_the_file(tmp_path: Path, clip_path: Path, turn: str) -> None:
    path, output = tmp_path / "turned.mp4", tmp_path / "out.mp4"
    run_ffmpeg("-display_rotation", turn, "-i", clip_path, "-t", "0.2", "-c", "copy", path)
    copy_clip(path, output, (face_patch(8, 70),), **quick())
    angle = re.search(r"rotation of (-?\d+)", describe(path))[1]
    assert re.search(r"rotation of (-?\d+)", describe(output))[1] == angle
    raw = run_ffmpeg("-i", output, "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    width, height = (120, 160) if turn != "180" else (160, 120)
    shown = np.frombuffer(raw, np.uint8).reshape(height, width, 3).astype(int)
    assert np.abs(shown[80:95, 16:40] - (200, 120, 90)).mean() < 8


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_containers_that_can_keep_rotation_do(tmp_path: Path, clip_path: Path, suffix: str) -> None:
    path, output = tmp_path / "turned.mp4", tmp_path / f"out{suffix}"
    run_ffmpeg("-display_rotation", "90", "-i", clip_path, "-t", "0.2", "-c", "copy", path)
    copy_clip(path, output)
    with open_clip(path) as before, open_clip(output) as after:
        assert (after.width, after.height, after.rotation) == (before.width, before.height, before.rotation)


COLOURS = {
    "HLG": ("bt2020", "arib-std-b67", "bt2020nc", "tv", "yuv420p10le"),
    "PQ": ("bt2020", "smpte2084", "bt2020nc", "tv", "yuv420p10le"),
    "PAL": ("bt470bg", "smpte170m", "bt470bg", "tv", "yuv420p"),
    "HD": ("bt709", "bt709", "bt709", "pc", "yuv420p"),
}
HOLDERS = [
    (".mp4", "h264"), (".mp4", "hevc"), (".mp4", "av1"), (".mp4", "vp9"), (".mov", "prores"), (".mkv", "ffv1"),
    (".mkv", None), (".mov", None), (".webm", None), (".avi", None),
]  # fmt: skip


@pytest.mark.parametrize("kind", COLOURS)
@pytest.mark.parametrize(("suffix", "codec"), HOLDERS)
def test_ffmpeg_reads_the_colour_tags_of_the_input(tmp_path: Path, kind: str, suffix: str, codec: str | None) -> None:
    primaries, transfer, matrix, span, pixels = COLOURS[kind]
    tags = f"setparams=color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}:range={span}"
    path, output = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    run_ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", "-vf", f"format={pixels},{tags}", "-c:v", "ffv1", path
    )
    copy_clip(path, output, **({} if codec is None else {"codec": codec}))
    wanted, found = (re.search(r"Video: .*?, \w+\(([^)]*)\)", describe(each))[1] for each in (path, output))
    assert found.removesuffix(", progressive") == wanted.removesuffix(", progressive")
    assert (matrix if kind == "HD" else f"{matrix}/{primaries}/{transfer}") in wanted


def test_the_mastering_display_of_hdr10_is_kept(tmp_path: Path) -> None:
    master = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
    hdr = ("-x265-params", f"{master}:log-level=none", "-color_trc", "smpte2084", "-pix_fmt", "yuv420p10le")
    path = make_clip(tmp_path / "in.mp4", "-c:v", "libx265", *hdr, seconds=0.2)
    for codec in ("hevc", "h264", "av1"):
        copy_clip(path, tmp_path / "out.mp4", codec=codec, force=True)
        with open_clip(path) as before, open_clip(tmp_path / "out.mp4") as after:
            assert before.mastering is not None
            assert after.mastering.light_level == before.mastering.light_level == (1000, 400)
            for ours, theirs in zip(
                (*after.mastering.primaries, *after.mastering.luminance),
                (*before.mastering.primaries, *before.mastering.luminance),
                strict=True,
            ):
                assert abs(ours - theirs) <= 1e-4 * max(1, theirs)
    report = copy_clip(path, tmp_path / "out.mkv", codec="ffv1")
    assert any("HDR10" in note for note in report.notes)


def test_full_range_stays_full_range(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", "-pix_fmt", "yuvj420p", seconds=0.2)
    for suffix in (".mp4", ".webm"):
        copy_clip(path, tmp_path / f"out{suffix}")
        with open_clip(path) as before, open_clip(tmp_path / f"out{suffix}") as after:
            assert after.colours.full_range
            pair = (next(each.frames()).rgb.astype(float).mean() for each in (before, after))
            assert abs(next(pair) - next(pair)) < 0.5


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_odd_sizes_keep_every_row_and_column(tmp_path: Path, suffix: str) -> None:
    odd = "format=rgb24,crop=161:121:exact=1,format=yuv420p"
    path = make_clip(tmp_path / "odd.mkv", "-vf", odd, "-c:v", "ffv1", seconds=0.2, size="200x200")
    copy_clip(path, tmp_path / f"out{suffix}", (face_patch(120, 88),))
    before, after = (np.frombuffer(b"".join(pictures(each)), np.uint8) for each in (path, tmp_path / f"out{suffix}"))
    before, after = (each.reshape(-1, 121, 161).astype(int) for each in (before, after))
    assert np.abs(after - before)[:, :88].mean() < 2
    assert np.abs(after - before)[:, -1, :120].mean() < 4  # the last row
    assert np.abs(after - before)[:, :88, -1].mean() < 4  # the last column


def test_rgb_input_keeps_its_colours(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", "-c:v", "ffv1", "-pix_fmt", "bgr0", seconds=0.2)
    copy_clip(path, tmp_path / "out.mp4")
    with open_clip(path) as before, open_clip(tmp_path / "out.mp4") as after:
        old, new = next(before.frames()).rgb.astype(float), next(after.frames()).rgb
    assert np.abs(old - new).mean() < 2.5


@pytest.mark.parametrize(("suffix", "codec"), [(".webm", "vp9"), (".mov", "prores"), (".mkv", "ffv1")])
def test_transparency_is_kept_where_the_codec_can(tmp_path: Path, suffix: str, codec: str) -> None:
    fade = "format=yuva420p,geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='X'"
    path = make_clip(tmp_path / "in.mkv", "-vf", fade, "-c:v", "ffv1", seconds=0.2)
    output = tmp_path / f"out{suffix}"
    copy_clip(path, output, codec=codec)
    decoder = ["-c:v", "libvpx-vp9"] if codec == "vp9" else []
    raw = run_ffmpeg(*decoder, "-i", output, "-vf", "alphaextract,format=gray", "-frames:v", "1", "-f", "rawvideo", "-")
    alpha = np.frombuffer(raw, np.uint8).reshape(120, 160)
    assert np.abs(alpha.astype(int) - np.arange(160)).mean() < 2


# --- tracks


def test_matroska_keeps_every_track_tag_chapter_and_attachment(tmp_path: Path, rich_path: Path) -> None:
    report = copy_clip(rich_path, tmp_path / "out.mkv", **quick())
    assert report.notes == ()
    found, wanted = describe(tmp_path / "out.mkv"), describe(rich_path)
    kinds = r"Stream #0:\d+(?:\(\w+\))?: \w+: \w+"
    assert re.findall(kinds, found) == re.findall(kinds, wanted)
    for words in ("A title", "Someone", "own", "Chapter 0", "Chapter 500", "font.ttf"):
        assert words in found
    for track in ("0:s:0", "0:s:1"):
        assert packet_hashes(tmp_path / "out.mkv", track) == packet_hashes(rich_path, track)
    run_ffmpeg("-dump_attachment:t:0", tmp_path / "font.ttf", "-i", tmp_path / "out.mkv", "-f", "null", "-")
    assert (tmp_path / "font.ttf").read_bytes() == bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("sound", "output"),
    [("aac", "out.mkv"), ("pcm_s16le", "out.mkv"), ("flac", "out.mkv"), ("aac", "out.webm"), ("libopus", "out.mov")],
)
def test_the_rate_of_sound_is_foreseen_where_the_file_states_none(tmp_path: Path, sound: str, output: str) -> None:
    """Noise, 40 seconds: Matroska states no rate of AAC and FLAC, and webm's Opus is made anew."""
    path = tmp_path / "in.mkv"
    noise = ("-f", "lavfi", "-i", "anoisesrc=d=40:r=48000")
    late = ("-output_ts_offset", "3", "-b:a", "160k")
    run_ffmpeg("-f", "lavfi", "-i", "color=s=32x32:r=5:d=40", *noise, *QUICK, "-c:a", sound, *late, path)
    with open_clip(path) as clip:
        _, rate = foresee_tracks(plan_output(clip, tmp_path / output, Options()))
    copy_clip(path, tmp_path / output, **({} if output == "out.webm" else quick()))
    with av.open(str(tmp_path / output)) as written:
        size = sum(packet.size for packet in written.demux(audio=0))
    assert rate * 40 == pytest.approx(size, rel=0.25 if output != "out.mkv" else 0.02)


@pytest.mark.parametrize(
    ("suffix", "sounds", "texts", "said"),
    [
        (".mp4", ["aac", "opus"], ["mov_text", "mov_text"], ["written as mov_text", "attachment track 5"]),
        (".mov", ["aac", "aac"], ["mov_text", "mov_text"], ["encoded anew as aac", "attachment track 5"]),
        (".webm", ["opus", "opus"], ["webvtt", "webvtt"], ["encoded anew as libopus", "attachment track 5"]),
        (".avi", ["aac", "mp3"], [], ["subtitle track 3", "chapters are left out", "CUSTOM"]),
    ],
)
def test_tracks_go_into_other_containers_or_are_named(
    tmp_path: Path, rich_path: Path, suffix: str, sounds: list[str], texts: list[str], said: list[str]
) -> None:
    output = tmp_path / f"out{suffix}"
    report = copy_clip(rich_path, output)
    found = describe(output)
    assert re.findall(r"Audio: (\w+)", found) == sounds
    assert re.findall(r"Subtitle: (\w+)", found) == texts
    assert "A title" in found
    for words in said:
        assert any(words in note for note in report.notes), report.notes
    if texts:
        assert "Chapter 500" in found
        assert run_ffmpeg("-i", output, "-map", "0:s:0", "-f", "srt", "-").decode().strip() == SUBTITLES.strip()
    if sounds == ["opus", "opus"]:
        length = len(run_ffmpeg("-i", output, "-map", "0:a:0", "-ar", "48000", "-f", "s16le", "-")) / 2 / 48000
        assert abs(length - 1) < 0.05


SOURCES = {
    ".mp4": ("-c:v", "libx264", "-bf", "2", "-c:a", "aac"),
    ".mov": ("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    ".mkv": ("-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "flac"),
    ".webm": ("-deadline", "realtime", "-cpu-used", "8"),
    ".avi": ("-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"),
}


@pytest.fixture(scope="module")
def one_of_each(folder: Path) -> dict[str, Path]:
    return {
        suffix: make_clip(folder / f"source{suffix}", *options, size="64x48") for suffix, options in SOURCES.items()
    }


@pytest.mark.parametrize("after", SOURCES)
@pytest.mark.parametrize("before", SOURCES)
def test_every_container_goes_into_every_other(
    tmp_path: Path, one_of_each: dict[str, Path], before: str, after: str
) -> None:
    """AVI cannot say that the beginning of MP3 is to be cut off: two of its frames."""
    path, output = one_of_each[before], tmp_path / f"out{after}"
    copy_clip(path, output)
    begin = frame_times(path)[0] if after == ".avi" else 0
    steps = [abs(new - (old - begin)) for new, old in zip(frame_times(output), frame_times(path), strict=True)]
    assert max(steps) <= (0 if after in (".mp4", ".mov") else Fraction(1, 1000))
    heard = [len(run_ffmpeg("-i", each, "-ar", "48000", *RAW_SOUND)) / 96000 for each in (path, output)]
    assert abs(heard[0] - heard[1]) <= (2 * 1152 / 44100 if after == ".avi" else 1024 / 44100)
    error = np.frombuffer(b"".join(pictures(output)), np.uint8).astype(float)
    error -= np.frombuffer(b"".join(pictures(path)), np.uint8)
    assert 10 * np.log10(255**2 / max((error**2).mean(), 1e-9)) > 34


@pytest.mark.parametrize("seconds", ["1", "0.08"])
@pytest.mark.parametrize("before", [".mkv", ".mp4"])
@pytest.mark.parametrize("after", [".mkv", ".mp4", ".mov"])
def test_a_second_track_of_pictures_is_kept_and_said_to_show_the_old_face(
    tmp_path: Path, before: str, after: str, seconds: str
) -> None:
    """Matroska does not tell when pictures that refer ahead are decoded."""
    path, output = tmp_path / f"in{before}", tmp_path / f"out{after}"
    shown = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-f", "lavfi", "-i", f"testsrc=s=64x64:r=25:d={seconds}")
    run_ffmpeg(*shown, "-map", "0", "-map", "1", "-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p", path)
    said = "video track 1 is carried as it is: whoever is in it keeps the old face"
    assert copy_clip(path, output, **quick()).notes == (said,)
    first, second = (
        run_ffmpeg("-i", each, "-map", "0:v:1", "-fps_mode", "passthrough", "-f", "framehash", "-")
        for each in (path, output)
    )
    digests = [
        [line.split(b",")[-1] for line in listing.splitlines() if line[:1] != b"#"] for listing in (first, second)
    ]
    assert digests[0] == digests[1]
    assert len(digests[0]) == float(seconds) * 25


def test_the_cover_picture_of_an_mp4_is_kept(tmp_path: Path, clip_path: Path) -> None:
    cover, path = tmp_path / "cover.png", tmp_path / "in.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64:d=1", "-frames:v", "1", cover)
    run_ffmpeg(
        "-i", clip_path, "-i", cover, "-map", "0", "-map", "1", "-t", "0.4", "-c", "copy", "-disposition:v:1",
        "attached_pic", path,
    )  # fmt: skip
    for suffix in (".mp4", ".mkv"):
        copy_clip(path, tmp_path / f"out{suffix}", **quick())
        assert "attached pic" in describe(tmp_path / f"out{suffix}")


def test_chapters_of_a_part_are_cut_and_moved(tmp_path: Path, rich_path: Path) -> None:
    copy_clip(rich_path, tmp_path / "out.mkv", **quick(start=Fraction(1, 5), end=Fraction(4, 5)))
    spans = re.findall(r"Chapter #0:\d: start ([\d.]+), end ([\d.]+)", describe(tmp_path / "out.mkv"))
    assert spans == [("0.000000", "0.300000"), ("0.300000", "0.600000")]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_every_output_says_that_it_was_edited(tmp_path: Path, rich_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    copy_clip(rich_path, output)
    assert is_disclosed(output)
    assert not is_disclosed(rich_path)
    assert "Edited with AI" in describe(output)


def test_tags_in_no_known_letters_do_not_stop_a_run(tmp_path: Path, clip_path: Path) -> None:
    path = tmp_path / "in.mkv"
    run_ffmpeg("-i", clip_path, "-t", "0.2", "-c", "copy", "-metadata", "artist=XXXX", path)
    path.write_bytes(path.read_bytes().replace(b"XXXX", b"\xff\xfe\xcd\x80"))
    copy_clip(path, tmp_path / "out.mkv", **quick())
    assert b"\xff\xfe\xcd\x80" in (tmp_path / "out.mkv").read_bytes()


# --- segments and resuming


class Stop(BaseException):
    """What a test breaks a run with."""


def run_until(source: Path, output: Path, frames: int, **choices: object) -> None:
    """Write as `copy_clip` does and break off after some frames."""
    with open_clip(source) as clip:
        plan = plan_output(clip, output, Options(**choices))
        with ClipWriter(plan) as writer:
            for number, frame in enumerate(clip.frames(plan.start, plan.end, writer.resume_from)):
                if number == frames:
                    raise Stop
                writer.write(Swapped(frame, (face_patch(),), faces_found=2))


@pytest.fixture(scope="module")
def long_path(folder: Path) -> Path:
    return make_clip(folder / "long.mp4", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac", seconds=7)


@pytest.mark.parametrize("broken_after", [[30], [60, 20, 61], [174], [51, 51]])
def test_an_interrupted_run_ends_in_the_same_file(tmp_path: Path, long_path: Path, broken_after: list[int]) -> None:
    for count in broken_after:
        with pytest.raises(Stop):
            run_until(long_path, tmp_path / "resumed.mp4", count, **quick())
        assert not (tmp_path / "resumed.mp4").exists()
    resumed = copy_clip(long_path, tmp_path / "resumed.mp4", (face_patch(),), **quick())
    copy_clip(long_path, tmp_path / "whole.mp4", (face_patch(),), **quick())
    assert (tmp_path / "resumed.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert resumed.frames == 175
    assert resumed.resumed_frames == (
        sum(count // 50 * 50 for count in broken_after) if len(broken_after) == 1 else 100
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resumed.mp4", "whole.mp4"]


def test_a_run_resumes_after_every_frame_was_written(tmp_path: Path, long_path: Path) -> None:
    with pytest.raises(Stop), open_clip(long_path) as clip:
        plan = plan_output(clip, tmp_path / "out.mp4", Options(preset="ultrafast"))
        with ClipWriter(plan) as writer:
            for frame in clip.frames():
                writer.write(Swapped(frame, (), 0))
            writer._stretches.finish()
            raise Stop
    report = copy_clip(long_path, tmp_path / "out.mp4", **quick())
    assert (report.frames, report.resumed_frames) == (175, 175)


@pytest.mark.parametrize("change", ["options", "input", "segment", "manifest"])
def test_whatever_changed_is_done_afresh(tmp_path: Path, long_path: Path, change: str) -> None:
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    source.write_bytes(long_path.read_bytes())
    with pytest.raises(Stop):
        run_until(source, output, 120, **quick())
    work = tmp_path / ".out.mp4.faceswap"
    assert sorted(path.name for path in work.glob("*.packets")) == ["000000.packets", "000001.packets"]
    choices = quick(quality=60) if change == "options" else quick()
    if change == "input":
        source.write_bytes(long_path.read_bytes() + b"\0")
    if change == "segment":
        content = bytearray((work / "000001.packets").read_bytes())
        content[-1] ^= 1
        (work / "000001.packets").write_bytes(content)
    if change == "manifest":
        (work / "manifest.jsonl").write_text('{"version": 1, "fingerprint": 3}\n{"lie": 1}\n[')
    with open_clip(source) as clip, ClipWriter(plan_output(clip, output, Options(**choices))) as writer:
        point = writer.resume_from
        assert (point.index if point else 0) == (50 if change == "segment" else 0)
        assert writer.started_afresh == (change != "segment")


def test_a_torn_last_line_of_the_manifest_costs_one_stretch(tmp_path: Path, long_path: Path) -> None:
    with pytest.raises(Stop):
        run_until(long_path, tmp_path / "out.mp4", 120, **quick())
    manifest = tmp_path / ".out.mp4.faceswap" / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    report = copy_clip(long_path, tmp_path / "out.mp4", (face_patch(),), **quick())
    assert report.resumed_frames == 50
    copy_clip(long_path, tmp_path / "whole.mp4", (face_patch(),), **quick())
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.parametrize(
    "lie",
    [{"frames": "50"}, {"frames": -50}, {"first_pts": None}, {"last_input_pts": 1 << 70}, {"size": []}, {"new": 1}],
)
def test_a_line_of_the_manifest_that_cannot_be_costs_its_stretch(
    tmp_path: Path, long_path: Path, lie: dict[str, object]
) -> None:
    with pytest.raises(Stop):
        run_until(long_path, tmp_path / "out.mp4", 120, **quick())
    manifest = tmp_path / ".out.mp4.faceswap" / "manifest.jsonl"
    *kept, last = manifest.read_text().splitlines()
    manifest.write_text("\n".join([*kept, json.dumps(json.loads(last) | lie)]))
    with (
        open_clip(long_path) as clip,
        ClipWriter(plan_output(clip, tmp_path / "out.mp4", Options(**quick()))) as writer,
    ):
        assert writer.resume_from.index == 50


def test_a_manifest_of_brackets_without_end_is_done_afresh(tmp_path: Path, clip_path: Path) -> None:
    work = tmp_path / ".out.mp4.faceswap"
    work.mkdir()
    (work / "manifest.jsonl").write_text("[" * 100_000)
    assert copy_clip(clip_path, tmp_path / "out.mp4", **quick()).resumed_frames == 0


def test_a_face_nowhere_leaves_nothing(tmp_path: Path, long_path: Path) -> None:
    with pytest.raises(NoFaceError), open_clip(long_path) as clip:
        plan = plan_output(clip, tmp_path / "out.mp4", Options(preset="ultrafast"))
        with ClipWriter(plan) as writer:
            for frame in clip.frames():
                writer.write(Swapped(frame, (), 0))
            raise NoFaceError("no face anywhere")
    assert list(tmp_path.iterdir()) == []


def test_a_run_broken_before_its_first_stretch_leaves_nothing(tmp_path: Path, long_path: Path) -> None:
    with pytest.raises(Stop) as caught:
        run_until(long_path, tmp_path / "out.mp4", 20, **quick())
    assert list(tmp_path.iterdir()) == []
    assert told(caught.value) == ""


def test_ctrl_c_while_a_run_begins_leaves_nothing(
    tmp_path: Path, long_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("faceswap_cli.media.writer.OutputClock", pressed)  # what is made last
    with pytest.raises(KeyboardInterrupt):
        run_until(long_path, tmp_path / "out.mp4", 20, **quick())
    assert list(tmp_path.iterdir()) == []


def test_a_broken_run_says_where_its_finished_work_is(tmp_path: Path, long_path: Path) -> None:
    with pytest.raises(Stop) as caught:
        run_until(long_path, tmp_path / "out.mp4", 120, **quick())
    (work,) = tmp_path.iterdir()
    assert f"100 finished frames are kept in {work}, the same command goes on behind them" in told(caught.value)


@pytest.mark.parametrize("codec", ["h264", "vp9"])
def test_an_encoder_gives_the_same_bytes_every_time(tmp_path: Path, codec: str) -> None:
    path = make_clip(tmp_path / "in.mp4", "-pix_fmt", "yuv420p", "-bf", "2", seconds=4, size="320x240")
    digests = set()
    with open_clip(path) as clip:
        plan = plan_output(clip, tmp_path / "out.mkv", Options(codec=codec))
        frames = list(clip.frames(Fraction(2)))
        for _ in range(6 if codec == "h264" else 2):
            encoder, digest = open_encoder(plan), hashlib.sha256()
            for frame in (*frames, None):
                for packet in encoder.encode(None if frame is None else frame.picture):
                    digest.update(bytes(packet))
            digests.add(digest.hexdigest())
    assert len(digests) == 1


def test_stretches_are_cut_at_fixed_moments_of_the_clip() -> None:
    times = [Fraction(number, 10) for number in (0, 19, 20, 39, 40, -1)]
    assert [segments.segment_number(time) for time in times] == [0, 0, 1, 1, 2, -1]


def test_two_runs_on_one_output_do_not_mix(tmp_path: Path, clip_path: Path) -> None:
    with open_clip(clip_path) as clip:
        plan = plan_output(clip, tmp_path / "out.mp4", Options())
        with ClipWriter(plan), pytest.raises(OutputError, match="another run"), ClipWriter(plan):
            pass


def test_a_killed_run_resumes(tmp_path: Path, long_path: Path) -> None:
    program = (
        "import os; from pathlib import Path; from tests.test_media_writer import run_until, quick, segments\n"
        "add = segments.SegmentStore.add\n"
        "def add_and_die(store, segment, written):\n"
        "    add(store, segment, written)\n"
        "    if segment.number == 1: os.kill(os.getpid(), 9)\n"
        "segments.SegmentStore.add = add_and_die\n"
        f"run_until(Path({str(long_path)!r}), Path({str(tmp_path / 'out.mp4')!r}), 999, **quick())\n"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    report = copy_clip(long_path, tmp_path / "out.mp4", (face_patch(),), **quick())
    copy_clip(long_path, tmp_path / "whole.mp4", (face_patch(),), **quick())
    assert report.resumed_frames == 100
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


# --- what is refused


@pytest.mark.parametrize(
    ("name", "choices", "error", "words"),
    [
        ("missing/out.mp4", {}, OutputError, "does not exist"),
        ("out.xyz", {}, UsageError, ".xyz"),
        ("out", {}, UsageError, "extension"),
        ("exists.mp4", {}, OutputError, "--force"),
        ("out.mp4", {"codec": "prores"}, UsageError, "prores"),
        ("out.mp4", {"preset": "warp"}, UsageError, "warp"),
        ("out.webm", {"codec": "h264"}, UsageError, "h264"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_any_work(
    tmp_path: Path, clip_path: Path, name: str, choices: dict[str, str], error: type, words: str
) -> None:
    (tmp_path / "exists.mp4").write_bytes(b"mine")
    with open_clip(clip_path) as clip, pytest.raises(error, match=words) as caught:
        plan_output(clip, tmp_path / name, Options(**choices))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["exists.mp4"]


def test_a_size_no_encoder_takes_is_refused_before_any_work(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "wide.mkv", "-vf", "scale=20000:2", "-c:v", "mjpeg", seconds=0.1)
    with pytest.raises(OutputError, match="h264 does not encode 20000 x 2"):
        copy_clip(path, tmp_path / "out.mp4")
    assert [each.name for each in tmp_path.iterdir()] == ["wide.mkv"]


def test_nothing_is_printed(tmp_path: Path, clip_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for codec in ("h264", "hevc", "av1", "vp9"):
        copy_clip(clip_path, tmp_path / f"{codec}.mkv", codec=codec, end=Fraction(1, 5))
    assert capfd.readouterr() == ("", "")


def test_the_input_is_never_the_output(tmp_path: Path, clip_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(clip_path)
    with open_clip(clip_path) as clip:
        for output in (clip_path, tmp_path / "link.mp4"):
            with pytest.raises(UsageError, match="itself"):
                plan_output(clip, output, Options(force=True))


def test_a_link_in_the_outputs_place_is_replaced_and_what_it_names_stays(tmp_path: Path, clip_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    for name, target in (("link.mp4", "precious"), ("dangling.mp4", "nowhere")):
        (tmp_path / name).symlink_to(target)
    with pytest.raises(OutputError, match="--force"):
        copy_clip(clip_path, tmp_path / "link.mp4")
    for name in ("link.mp4", "dangling.mp4"):
        copy_clip(clip_path, tmp_path / name, **quick(force=name == "link.mp4", end=Fraction(1, 5)))
        assert len(frame_times(tmp_path / name)) == 5
    assert (tmp_path / "precious").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling.mp4", "link.mp4", "precious"]


def test_the_default_name_lies_beside_the_input_or_in_the_folder(tmp_path: Path, clip_path: Path) -> None:
    with open_clip(clip_path) as clip:
        assert plan_output(clip, None, Options()).output == clip_path.with_name("plain_swapped.mp4")
        assert plan_output(clip, tmp_path, Options()).output == tmp_path / "plain_swapped.mp4"


@pytest.mark.parametrize("room", ["5000", "10"])  # too little for a stretch, and for the manifest's first line
def test_a_full_disk_is_one_line_and_leaves_nothing_unfinished(tmp_path: Path, long_path: Path, room: str) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from tests.test_media_writer import run_until, quick\n"
        "from faceswap_cli.errors import OutputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))\n"
        f"try: run_until(Path({str(long_path)!r}), Path({str(tmp_path / 'out.mp4')!r}), 999, **quick(quality=90))\n"
        "except OutputError as error: print(error); sys.exit(6)\n"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", program, room], cwd=root, capture_output=True, check=False)
    assert done.returncode == 6, done.stderr.decode()
    assert done.stdout.decode().count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_at_the_end_leaves_no_output(tmp_path: Path, clip_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from tests.media_oracle import copy_clip\n"
        "from faceswap_cli.errors import OutputError; from faceswap_cli.media import writer\n"
        "mux = writer.mux\n"
        "def cramped(*arguments):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "    return mux(*arguments)\n"
        "writer.mux = cramped\n"
        f"try: copy_clip(Path({str(clip_path)!r}), Path({str(tmp_path / 'out.mp4')!r}))\n"
        "except OutputError as error: print(error); sys.exit(6)\n"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, check=False)
    assert done.returncode == 6, done.stderr.decode()
    assert not (tmp_path / "out.mp4").exists()
    report = copy_clip(clip_path, tmp_path / "out.mp4")
    assert report.resumed_frames == 75


def test_no_thread_stays_behind(tmp_path: Path, clip_path: Path) -> None:
    before = threading.active_count()
    copy_clip(clip_path, tmp_path / "out.mp4", **quick())
    with pytest.raises(Stop):
        run_until(clip_path, tmp_path / "broken.mp4", 10, **quick())
    assert threading.active_count() == before


@pytest.mark.parametrize("name", ["with space.mp4", "-dash.mp4", "new\nline.mp4", "emoji😀.mp4", "%03d.mp4"])
def test_awkward_names_are_names(tmp_path: Path, clip_path: Path, name: str) -> None:
    copy_clip(clip_path, tmp_path / name, **quick(end=Fraction(1, 5)))
    done = subprocess.run([FFMPEG, "-v", "error", "-i", f"file:{tmp_path / name}", "-f", "null", "-"], check=False)
    assert done.returncode == 0


# --- animated GIF


def test_a_gif_goes_in_and_comes_out_with_its_times(tmp_path: Path) -> None:
    path, output = tmp_path / "in.gif", tmp_path / "out.gif"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=0.5", path)
    copy_clip(path, output, (face_patch(),))
    assert frame_times(output) == frame_times(path) == [Fraction(number, 10) for number in range(5)]
    assert is_disclosed(output)
    raw = run_ffmpeg("-i", output, "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    shown = np.frombuffer(raw, np.uint8).reshape(120, 160, 3).astype(int)
    assert np.abs(shown[35:60, 45:75] - (200, 120, 90)).mean() < 8


def test_a_clip_becomes_a_gif_and_a_gif_a_clip(tmp_path: Path, clip_path: Path) -> None:
    report = copy_clip(clip_path, tmp_path / "out.gif", end=Fraction(2, 5))
    assert frame_times(tmp_path / "out.gif") == [Fraction(number, 25) for number in range(10)]
    assert any("audio track 1" in note for note in report.notes)
    copy_clip(tmp_path / "out.gif", tmp_path / "back.mp4")
    assert frame_times(tmp_path / "back.mp4") == frame_times(tmp_path / "out.gif")


@pytest.mark.parametrize("suffix", [".gif", ".avi"])
@pytest.mark.parametrize(("turn", "flip"), [("90", False), ("180", False), ("270", False), ("90", True), ("0", True)])
def test_containers_that_cannot_say_turns_hold_upright_pictures(
    tmp_path: Path, clip_path: Path, suffix: str, turn: str, flip: bool
) -> None:
    path, output = tmp_path / "turned.mp4", tmp_path / f"out{suffix}"
    flips = ["-display_hflip"] if flip else []
    run_ffmpeg("-display_rotation", turn, *flips, "-i", clip_path, "-t", "0.2", "-c", "copy", path)
    copy_clip(path, output)
    with open_clip(path) as before, open_clip(output) as after:
        old, new = next(before.frames()).rgb.astype(float), next(after.frames()).rgb
    assert new.shape == old.shape
    assert np.abs(old - new).mean() < 12  # the GIF's 256 colours; a wrong turn gives 60


# --- numbered pictures


def test_numbered_pictures_go_in_and_come_out_untouched_outside_the_patch(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:d=0.4", "-start_number", "7", tmp_path / "%04d.png")
    copy_clip(tmp_path / "%04d.png", tmp_path / "out" / "%04d.png", (face_patch(),))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{number:04d}.png" for number in range(7, 17)
    ]
    for number in range(7, 17):
        old, new = (cv2.imread(str(folder / f"{number:04d}.png")) for folder in (tmp_path, tmp_path / "out"))
        assert np.array_equal(new[30:63, 40:81], np.broadcast_to((90, 120, 200), (33, 41, 3)))
        new[30:63, 40:81] = old[30:63, 40:81]
        assert np.array_equal(old, new)
        assert is_disclosed(tmp_path / "out" / f"{number:04d}.png")


def test_numbered_photos_say_that_their_metadata_is_left_out(tmp_path: Path) -> None:
    picture, exif = Image.effect_noise((64, 48), 40).convert("RGB"), Image.Exif()
    exif[0x010E] = "a day at the sea"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number in range(1, 4):
        picture.save(
            tmp_path / f"{number}.jpg",
            exif=exif,
            icc_profile=profile,
        )
        picture.save(tmp_path / f"bare{number}.jpg")
    notes = " ".join(copy_clip(tmp_path / "%d.jpg", tmp_path / "out%d.png").notes)
    assert "EXIF data of the numbered photos" in notes
    assert "colour profiles of the numbered photos" in notes
    assert "numbered photos are" not in " ".join(copy_clip(tmp_path / "bare%d.jpg", tmp_path / "out.mp4").notes)


def make_lying(folder: Path, ending: str, values: tuple[int, ...]) -> np.ndarray:
    """Number photos with an EXIF orientation each; gives the stored samples."""
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24, :32], stored[:24, 32:], stored[24:, :32] = (250, 20, 20), (20, 250, 20), (20, 20, 250)
    for number, value in enumerate(values, 1):
        exif = Image.Exif()
        exif[0x0112] = value
        Image.fromarray(stored).save(folder / f"in{number}.{ending}", exif=exif, quality=95, subsampling=0)
    return stored


@pytest.mark.parametrize("output", ["out.mp4", "out.gif", "out%d.png"])
@pytest.mark.parametrize(("ending", "value"), [*(("jpg", value) for value in range(1, 9)), ("png", 6), ("tif", 8)])
def test_numbered_photos_are_shown_as_exif_says_they_lie(tmp_path: Path, ending: str, value: int, output: str) -> None:
    """Pillow says how they stand; ffmpeg shows clips as players do."""
    stored = make_lying(tmp_path, ending, (value, value))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / f"in1.{ending}"))).astype(int)
    with open_clip(tmp_path / f"in%d.{ending}") as clip:
        assert np.abs(next(clip.frames()).rgb.astype(int) - upright).mean() < 3
    report = copy_clip(tmp_path / f"in%d.{ending}", tmp_path / output)
    raw = run_ffmpeg("-i", tmp_path / output, "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    shown = np.frombuffer(raw, np.uint8).reshape(upright.shape).astype(int)
    assert np.abs(shown - upright).mean() < 12
    assert any("turned upright" in note for note in report.notes) == (value != 1 and output != "out.mp4")
    if output == "out.mp4":
        with av.open(str(tmp_path / output)) as written:
            assert (written.streams.video[0].height, written.streams.video[0].width) == stored.shape[:2]


def test_numbered_photos_that_lie_in_different_ways_are_refused_in_one_line(tmp_path: Path) -> None:
    make_lying(tmp_path, "jpg", (6, 6, 1))
    with pytest.raises(MediaError, match=r"in1\.jpg says EXIF orientation 6, in3\.jpg 1") as caught:
        open_clip(tmp_path / "in%d.jpg")
    assert "\n" not in str(caught.value)


def test_numbered_photos_of_different_sizes_are_scaled_and_it_is_said(tmp_path: Path) -> None:
    for number, size in enumerate([(64, 48), (80, 60), (64, 48)], 1):
        Image.new("RGB", size, (200, 30, 30)).save(tmp_path / f"{number}.png")
    report = copy_clip(tmp_path / "%d.png", tmp_path / "out.mkv")
    assert "pictures of another size than the first: 1; scaled to 64 x 48" in report.notes
    assert report.frames == 3


@pytest.mark.parametrize("kind", ["rgb24", "rgba", "rgb48be", "rgba64be"])
def test_numbered_pictures_keep_depth_and_transparency(tmp_path: Path, kind: str) -> None:
    fade = f"format=rgba64le,geq=r='60000-X':g='300*Y':b='7*X*Y':a='400*X',format={kind}"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:d=0.08", "-vf", fade, tmp_path / "%d.png")
    report = copy_clip(tmp_path / "%d.png", tmp_path / "out%d.png", lossless=True)
    for number in (1, 2):
        old, new = (cv2.imread(str(tmp_path / f"{name}{number}.png"), cv2.IMREAD_UNCHANGED) for name in ("", "out"))
        assert old.dtype == (np.uint16 if "b" in kind[3:] else np.uint8)
        assert np.array_equal(old, new)
    assert report.notes == ("numbered photos hold no times",)


def test_a_clip_becomes_numbered_pictures_and_they_a_clip(tmp_path: Path, clip_path: Path) -> None:
    report = copy_clip(clip_path, tmp_path / "p%d.jpg", end=Fraction(2, 5))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"p{number}.jpg" for number in range(1, 11))
    assert (report.frames, report.size) == (10, sum(path.stat().st_size for path in tmp_path.iterdir()))
    with pytest.raises(OutputError, match="--force"):
        copy_clip(clip_path, tmp_path / "p%d.jpg")
    copy_clip(tmp_path / "p%d.jpg", tmp_path / "back.mp4")
    assert frame_times(tmp_path / "back.mp4") == [Fraction(number, 25) for number in range(10)]


def test_numbered_pictures_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="there is none"):
        open_clip(tmp_path / "%05d.png")


@pytest.mark.parametrize("ending", ["avif", "gif", "jp2"])
def test_numbered_pictures_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path, ending: str) -> None:
    for number in (1, 2):
        Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / f"{number}.{ending}")
    with pytest.raises(
        MediaError, match=rf"^%d\.{ending}: numbered \.{ending} files cannot be read, only .*\.png"
    ) as caught:
        open_clip(tmp_path / f"%d.{ending}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["jpg", "webp", "tif", "bmp", "ppm"])
def test_numbered_pictures_replace_a_clip_where_that_is_allowed(tmp_path: Path, ending: str) -> None:
    for number in (1, 2):
        Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / f"{number}.{ending}")
    (tmp_path / "out.mkv").write_bytes(b"an older clip")
    assert copy_clip(tmp_path / f"%d.{ending}", tmp_path / "out.mkv", force=True).frames == 2


@pytest.mark.parametrize("output", ["%d.png", "%01d.png"])
def test_numbered_pictures_are_never_written_over_themselves(tmp_path: Path, output: str) -> None:
    for number in (1, 2):
        Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / f"{number}.png")
    with pytest.raises(UsageError, match="is the input itself"):
        copy_clip(tmp_path / "%d.png", tmp_path / output, force=True)


def test_numbered_avif_can_be_written(tmp_path: Path, clip_path: Path) -> None:
    assert copy_clip(clip_path, tmp_path / "p%d.avif", end=Fraction(2, 25)).frames == 2
    assert {path.name for path in tmp_path.iterdir()} == {"p1.avif", "p2.avif"}


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (".gif", ".gif files"),
        (".GIF", ".GIF files"),
        (".jp2", ".jp2 files"),
        (".dpx", ".dpx files"),
        ("", "files without extension"),
    ],
)
def test_numbered_pictures_that_cannot_be_written_are_refused_in_one_line(
    tmp_path: Path, clip_path: Path, ending: str, kind: str
) -> None:
    with pytest.raises(UsageError) as caught:
        copy_clip(clip_path, tmp_path / f"p%d{ending}")
    written = ".avif, .bmp, .jpeg, .jpg, .png, .tif, .tiff, .webp"
    assert str(caught.value) == f"p%d{ending}: numbered {kind} cannot be written, only {written}"
    assert not list(tmp_path.iterdir())


@pytest.fixture
def heeding() -> Iterator[None]:
    """Ctrl-C raises, which it does not in jobs that a shell starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("at", [1, 2, 5])
def test_ctrl_c_while_numbered_photos_get_their_names_lets_all_of_them_get_theirs(
    tmp_path: Path, clip_path: Path, monkeypatch: pytest.MonkeyPatch, heeding: None, at: int
) -> None:
    rename, count = Path.replace, 0

    def interrupted(part: Path, name: Path) -> Path:
        nonlocal count
        count += name.parent == tmp_path
        if count == at:
            signal.raise_signal(signal.SIGINT)
        return rename(part, name)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        copy_clip(clip_path, tmp_path / "p%d.jpg", end=Fraction(1, 5))
    assert told(caught.value) == f"; {tmp_path / 'p%d.jpg'} is finished and whole"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"p{number}.jpg" for number in range(1, 6)]


def test_a_numbered_photo_that_cannot_get_its_name_leaves_none_and_the_same_run_goes_on(
    tmp_path: Path, clip_path: Path
) -> None:
    """A folder that has the third one's name."""
    (tmp_path / "p3.jpg").mkdir()
    with pytest.raises(OutputError, match="cannot be written") as caught:
        copy_clip(clip_path, tmp_path / "p%d.jpg", end=Fraction(1, 5), force=True)
    assert "5 finished frames are kept" in told(caught.value)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["p3.jpg"]
    (tmp_path / "p3.jpg").rmdir()
    assert copy_clip(clip_path, tmp_path / "p%d.jpg", end=Fraction(1, 5), force=True).resumed_frames == 5
    assert len(list(tmp_path.iterdir())) == 5
