"""Recordings joined one behind the other: what follows a joint is moved, pictures and sound alike, and it is said."""

from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from faceswap_cli.media.joints import Joints, Mover, find_joints
from faceswap_cli.media.reader import ResumePoint, open_clip
from faceswap_cli.media.writer import plan_output
from faceswap_cli.options import Options

from .media_oracle import copy_clip, frame_times, make_clip, packet_hashes, packet_times

FRAMES = 25  # of each part
KINDS = {
    ".ts": ("-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    ".m2ts": ("-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p", "-c:a", "ac3"),
    ".mpg": ("-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"),
    ".vob": ("-c:v", "mpeg2video", "-c:a", "ac3"),
    ".mkv": ("-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    ".webm": ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
}
FORESEEN = (".ts", ".m2ts", ".mpg", ".vob")  # the others are joined so seldom that they are not looked through before


def joined(folder: Path, suffix: str, times: int = 2, silent: bool = False) -> tuple[Path, Path]:
    """Make a clip of one second, and a file of it several times, as `cat` joins them."""
    one = make_clip(folder / f"one{suffix}", *KINDS[suffix], *(["-an"] if silent else []), size="64x48")
    path = folder / f"joined{suffix}"
    path.write_bytes(one.read_bytes() * times)
    return one, path


@pytest.mark.parametrize("suffix", KINDS)
def test_joined_recordings_follow_one_another_with_their_sound(tmp_path: Path, suffix: str) -> None:
    one, path = joined(tmp_path, suffix)
    with open_clip(path) as clip:
        said_before = plan_output(clip, tmp_path / "out.mkv", Options()).notes
    report = copy_clip(path, tmp_path / "out.mkv", preset="ultrafast")
    assert sum("recordings are joined" in note for note in report.notes) == 1
    assert any("recordings are joined" in note for note in said_before) == (suffix in FORESEEN)
    assert not any("damaged" in note or "stamped" in note for note in report.notes)
    times, alone = frame_times(tmp_path / "out.mkv"), frame_times(one)
    assert len(times) == report.frames == 2 * FRAMES
    begin = times[FRAMES] - alone[0]
    tick = Fraction(1, 500)  # Matroska's rounding, twice
    assert all(abs(ours - theirs) <= tick for ours, theirs in zip(times[:FRAMES], alone, strict=True))
    assert all(abs(ours - begin - theirs) <= tick for ours, theirs in zip(times[FRAMES:], alone, strict=True))
    assert Fraction(1, 25) - tick <= times[FRAMES] - times[FRAMES - 1] < Fraction(1, 5)
    if suffix != ".ts":  # whose AAC has headers of its own
        assert packet_hashes(tmp_path / "out.mkv", "0:a:0")[-40:] == packet_hashes(path, "0:a:0")[-40:]
    heard, own = packet_times(tmp_path / "out.mkv", "0:a:0"), packet_times(one, "0:a:0")
    assert all(early < late for early, late in pairwise(heard))
    assert abs(heard[-1] - begin - own[-1]) <= tick  # the second part's sound is where it was beside its pictures


def test_a_joined_clip_without_sound_keeps_its_steps(tmp_path: Path) -> None:
    _, path = joined(tmp_path, ".ts", times=3, silent=True)
    report = copy_clip(path, tmp_path / "out.mp4", preset="ultrafast")
    times = frame_times(tmp_path / "out.mp4")
    assert {late - early for early, late in pairwise(times)} == {Fraction(1, 25)}
    assert len(times) == 3 * FRAMES
    assert "time jumps back at 2 places" in " ".join(report.notes)
    assert "(by 1.00 s, 2.00 s)" in " ".join(report.notes)


def test_a_joined_clip_says_how_long_it_is_and_is_read_from_any_moment(tmp_path: Path) -> None:
    _, path = joined(tmp_path, ".ts", times=6, silent=True)
    with open_clip(path) as clip:
        assert (clip.duration, clip.frame_count_estimate) == (6, 6 * FRAMES)
        whole = [frame.pts for frame in clip.frames()]
        part = list(clip.frames(start=Fraction(51, 10)))
        assert [frame.pts for frame in part] == whole[128:]
        rest = clip.frames(resume_from=ResumePoint(whole[140], 140))
        assert next(rest).pts == whole[140]


def test_the_case_with_sound_is_whole_and_in_step(data: Path, tmp_path: Path) -> None:
    path = data.parent / "cases" / "joined_ts" / "joined.ts"
    if not path.is_file():
        pytest.skip(f"no {path}")
    report = copy_clip(path, tmp_path / "out.mp4", preset="ultrafast")
    times = frame_times(tmp_path / "out.mp4")
    assert report.frames == len(times) == 34
    assert min(late - early for early, late in pairwise(times)) > Fraction(1, 16)


# --- the rule, by hand: places in bytes, times in seconds


def track(number: int, kind: str, *marks: tuple[int, float]) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(
            stream_index=number, stream=SimpleNamespace(type=kind), size=1, is_discard=False, pos=place,
            dts=round(1000 * time), pts=round(1000 * time), duration=100, time_base=Fraction(1, 1000),
        )
        for place, time in marks
    ]  # fmt: skip


def in_file_order(*tracks: list[SimpleNamespace]) -> list[SimpleNamespace]:
    return sorted((packet for each in tracks for packet in each), key=lambda packet: packet.pos)


VIDEO = track(0, "video", (0, 5.0), (10, 5.1), (20, 5.2), (30, 1.0), (40, 1.1), (50, 1.2))


def test_a_part_begins_behind_the_last_track_of_the_part_before() -> None:
    sound = track(1, "audio", (5, 5.05), (15, 5.15), (25, 5.25), (28, 0.95), (35, 1.05), (45, 1.15))
    joints = find_joints(lambda: in_file_order(VIDEO, sound))
    assert joints.places == (28,)  # the sound's first packet behind the joint
    assert joints.shifts == (0, Fraction("5.35") - Fraction("0.95"))
    assert joints.duration == Fraction("5.35") + Fraction("0.35") - 5
    (late,) = track(0, "video", (30, 1.0))
    Mover().move(late, joints)
    assert (late.pts, late.dts) == (5400, 5400)
    (early,) = track(0, "video", (20, 5.2))
    Mover().move(early, joints)
    assert early.pts == 5200


def test_one_wrong_time_is_no_joint() -> None:
    late = track(0, "video", (0, 1.0), (10, 1.1), (20, 900.0), (30, 1.3), (40, 1.4), (50, 1.5))
    early = track(0, "video", (0, 11.0), (10, 11.1), (20, 0.0), (30, 11.3), (40, 11.4))
    for packets in (late, early):
        assert find_joints(partial(list, packets)) == Joints()


def test_a_clock_that_trembles_is_no_joint() -> None:
    assert find_joints(lambda: track(0, "video", (0, 1.0), (10, 1.1), (20, 1.02), (30, 1.08), (40, 1.2))) == Joints()


def test_there_is_no_joint_where_the_sound_goes_on() -> None:
    sound = track(1, "audio", *((place, 5.0 + place / 100) for place in range(5, 60, 10)))
    assert find_joints(lambda: in_file_order(VIDEO, sound)) == Joints()


def test_a_packet_without_a_place_lies_with_the_one_before() -> None:
    packets = track(0, "video", (0, 5.0), (-1, 5.1), (20, 1.0), (-1, 1.1), (-1, 1.2))
    joints = find_joints(lambda: packets)
    assert joints.places == (20,)
    mover = Mover()
    for packet in packets:
        mover.move(packet, joints)
    assert [packet.pts for packet in packets] == [5000, 5100, 5200, 5300, 5400]
