"""Files that lie: mutated clips are read, copied or refused in one line, never anything else."""

import os
import random
import struct
from pathlib import Path

import pytest
from PIL import Image

from faceswap_cli.errors import FaceSwapError, MediaError, OutputError
from faceswap_cli.media.photo import read_photo, write_photo
from faceswap_cli.media.provenance import read_provenance
from faceswap_cli.media.reader import open_clip

from .media_oracle import copy_clip, make_clip

CASES = 24  # per container
CONTAINERS = {
    ".mp4": ("-pix_fmt", "yuv420p"),
    ".mkv": ("-c:v", "ffv1"),
    ".webm": ("-deadline", "realtime", "-cpu-used", "8"),
    ".mov": ("-c:v", "prores_ks"),
    ".gif": (),
    ".ts": (),
    ".avi": (),
}


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Flip bits, cut off, blank out, put in or repeat a stretch, or scramble the head."""
    broken = bytearray(content)
    place, length = chance.randrange(len(broken)), chance.randrange(1, 400)
    kind = chance.choice(["flip", "cut", "blank", "insert", "repeat", "head"])
    if kind == "flip":
        for _ in range(chance.choice([1, 3, 10, 60])):
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del broken[max(1, place) :]
    elif kind == "blank":
        broken[place : place + length] = bytes(length)
    elif kind == "insert":
        broken[place:place] = chance.randbytes(length)
    elif kind == "repeat":
        broken[place:place] = broken[place : place + length]
    else:
        for _ in range(8):
            broken[chance.randrange(min(len(broken), 600))] = chance.randrange(256)
    return bytes(broken)


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_mutated_clips_are_read_or_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    whole = make_clip(tmp_path / f"whole{suffix}", *CONTAINERS[suffix], seconds=0.4, size="64x48").read_bytes()
    chance = random.Random(f"seed {suffix}")
    path = tmp_path / f"broken{suffix}"
    for number in range(CASES):
        path.write_bytes(mutated(whole, chance))
        try:
            with open_clip(path) as clip:
                times = [frame.time for frame in clip.frames()]
            assert times == sorted(set(times))
            if number % 4 == 0:
                copy_clip(path, tmp_path / "out.mp4", preset="ultrafast", force=True)
        except FaceSwapError as error:
            assert "\n" not in str(error)
            assert path.name in str(error) or "out.mp4" in str(error)


def test_a_sound_track_of_no_channels_is_left_out(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.ts", seconds=0.4, size="64x48").read_bytes()
    video_only = bytearray()
    for place in range(0, len(whole), 188):  # keep one sound packet: enough to announce it, too little to describe it
        packet = whole[place : place + 188]
        number = int.from_bytes(packet[1:3], "big") & 0x1FFF
        if number != 0x101:
            video_only += packet
    path = tmp_path / "silent.ts"
    path.write_bytes(video_only)
    report = copy_clip(path, tmp_path / "out.mp4", preset="ultrafast")
    assert any("is left out" in note for note in report.notes)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_gif_that_claims_a_giant_size_is_refused(tmp_path: Path, frames: int) -> None:
    pictures = [Image.new("L", (16, 16), shade) for shade in (10, 200)[:frames]]
    path = tmp_path / "giant.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    content = bytearray(path.read_bytes())
    content[6:10] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    for read in (read_provenance, open_clip):
        with pytest.raises(MediaError, match=path.name):
            read(path)


def test_a_photo_that_claims_a_giant_size_is_refused_by_verify(tmp_path: Path) -> None:
    path = tmp_path / "giant.bmp"
    Image.new("L", (16, 16)).save(path)
    content = bytearray(path.read_bytes())
    content[18:26] = struct.pack("<ii", 60_000, 60_000)
    path.write_bytes(content)
    with pytest.raises(MediaError, match="broken or cut off: Image size"):
        read_provenance(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for read in (open_clip, read_photo, read_provenance):
        with pytest.raises(MediaError, match="is no regular file"):
            read(tmp_path / "pipe.mp4")


def test_a_name_too_long_is_an_output_error(tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "in.png")
    photo = read_photo(tmp_path / "in.png")
    for length in (250, 300):  # the first is too long only for the name of the unfinished file
        with pytest.raises(OutputError, match="cannot be written"):
            write_photo(photo, (), tmp_path / f"{'n' * (length - 4)}.png")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
