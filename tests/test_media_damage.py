"""Files that break off or are damaged: every picture that can be decoded is kept, and what is missing is said."""

import errno
import io
import re
from fractions import Fraction
from pathlib import Path

import pytest

from faceswap_cli.errors import MediaError
from faceswap_cli.media import probe
from faceswap_cli.media.reader import open_clip

from .media_oracle import copy_clip, make_clip, run_ffmpeg
from .test_media_joints import KINDS

FRAGMENTS = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "200000")
X264 = ("-c:v", "libx264", "-bf", "2", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac")
HEADER = r"its header promises (\S+) s, its pictures end at (\S+) s \(about (\d+) are missing\)"
BROKEN = {  # file -> how it is made, what is said of its end
    "cut.mkv": (X264, HEADER),
    "cut.flv": ((*X264, "-g", "12"), HEADER),
    "cut.mp4": ((*X264, "-movflags", "faststart"), HEADER),
    "fragments.mp4": ((*X264, *FRAGMENTS), r"its last box is not whole"),
    "cut.mov": (("-c:v", "prores_ks", "-movflags", "faststart"), HEADER),
    "cut.avi": (("-c:v", "mpeg4", "-bf", "0"), HEADER),
    "cut.webm": (("-deadline", "realtime", "-cpu-used", "8"), HEADER),
    "cut.wmv": (("-c:v", "wmv2", "-c:a", "wmav2"), None),
    "cut.ts": (X264, None),
    "cut.gif": (("-an",), None),
    "hevc.mkv": (("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"), HEADER),
}
FRAMES = 50


def count_of_ffmpeg(path: Path) -> int:
    """Count the pictures that ffmpeg decodes, without threads."""
    listing = run_ffmpeg(
        "-threads", "1", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"
    )
    return sum(not line.startswith("#") for line in listing.decode().splitlines())


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_breaks_off_keeps_every_picture_and_says_what_is_missing(tmp_path: Path, name: str) -> None:
    options, said = BROKEN[name]
    whole = make_clip(tmp_path / f"whole{Path(name).suffix}", *options, seconds=2, size="64x48")
    with open_clip(whole) as clip:
        assert (len(list(clip.frames())), clip.losses()) == (FRAMES, [])
    path = tmp_path / name
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) * 63 // 100 - 5])
    with open_clip(path) as clip:
        count, notes = len(list(clip.frames())), " ".join(clip.losses())
    assert 5 < count == count_of_ffmpeg(path) < FRAMES
    assert ("breaks off" in notes) == (said is not None)
    told = re.search(said or "$", notes)
    assert told, notes
    if said is HEADER:
        assert float(told[1]) == pytest.approx(2, abs=0.15)
        assert abs(int(told[3]) - (FRAMES - count)) <= 3


def test_the_note_is_a_note_of_the_swap_too(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mkv", *X264, seconds=2, size="64x48")
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    report = copy_clip(path, tmp_path / "out.mkv", preset="ultrafast")
    assert any("the file breaks off: its header promises 2.0" in note for note in report.notes)


def test_sound_that_lasts_longer_than_the_pictures_is_no_break(tmp_path: Path) -> None:
    path = tmp_path / "long.mkv"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", "-f", "lavfi", "-i", "sine=d=2", *X264, path)
    with open_clip(path) as clip:
        assert (len(list(clip.frames())), clip.losses()) == (10, [])


def test_a_part_is_no_break(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", *X264, size="64x48")
    assert not any("breaks off" in note for note in copy_clip(path, tmp_path / "out.mkv", end=Fraction(1, 2)).notes)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_what_the_disk_refuses_is_an_error_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    movable = ("-movflags", "faststart") if suffix == ".mp4" else ()
    path = make_clip(tmp_path / f"in{suffix}", *X264, *movable, seconds=2, size="64x48")
    edge = path.stat().st_size // 2

    class BadSector(io.FileIO):
        def read(self, size: int = -1, /) -> bytes:
            if self.tell() + size > edge:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    class Watched(probe._Watched, BadSector):
        pass

    with open_clip(path) as clip:
        monkeypatch.setattr(probe, "_Watched", Watched)
        with pytest.raises(MediaError, match="cannot be read to its end: Input/output error") as refused:
            list(clip.frames())
    assert "\n" not in str(refused.value)
    with pytest.raises(MediaError, match="cannot be read to its end: Input/output error"):
        copy_clip(path, tmp_path / "out.mkv", preset="ultrafast")
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    ("track", "said"), [(0x100, "damaged packets in the clip: 1"), (0x101, "packets of track 1: ")]
)
def test_packets_that_a_transport_stream_calls_damaged_are_said(tmp_path: Path, track: int, said: str) -> None:
    """One of its small packets is lost on the way: their numbers jump."""
    content = make_clip(tmp_path / "in.ts", *KINDS[".ts"], "-qp", "10", size="160x120").read_bytes()
    packets = [content[place : place + 188] for place in range(0, len(content), 188)]
    inside = [n for n, each in enumerate(packets) if int.from_bytes(each[1:3], "big") & 0x5FFF == track]  # no beginning
    del packets[inside[len(inside) // 2]]
    (tmp_path / "lost.ts").write_bytes(b"".join(packets))
    notes = " ".join(copy_clip(tmp_path / "lost.ts", tmp_path / "out.mkv", preset="ultrafast").notes)
    assert said in notes or (track == 0x100 and "damaged places in the clip: 1" in notes), notes
    assert "anew" not in notes  # one packet less is no reason to encode the others
