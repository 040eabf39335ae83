"""Files that lie: mutated clips are read, copied or refused in one line, never anything else."""

import random
from pathlib import Path

import pytest

from faceswap_cli.errors import FaceSwapError
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
