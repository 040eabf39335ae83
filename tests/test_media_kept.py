"""What is kept, per container: the table examples/formats.md shows, each cell compared with a file that was written.

One awkward clip per row, made with ffmpeg and read back with it; whatever is not kept must be said in a note, and what
is kept must not be.
"""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from .media_oracle import FFMPEG, copy_clip, describe, frame_times, packet_hashes, run_ffmpeg

COLUMNS = {
    "mp4": "out.mp4",
    "mov": "out.mov",
    "mkv": "out.mkv",
    "webm": "out.webm",
    "avi": "out.avi",
    "gif": "out.gif",
    "numbered PNG": "out%02d.png",
}
TABLE = {
    "frame times": ("kept", "kept", "rounded", "rounded", "rounded", "rounded", "left out"),
    "rotation": ("kept", "kept", "kept", "kept", "turned", "turned", "turned"),
    "AAC sound": ("kept", "kept", "kept", "re-encoded", "kept", "left out", "left out"),
    "Opus sound": ("kept", "re-encoded", "kept", "kept", "re-encoded", "left out", "left out"),
    "text subtitles": ("rewritten", "rewritten", "kept", "rewritten", "left out", "left out", "left out"),
    "chapters": ("kept", "kept", "kept", "kept", "left out", "left out", "left out"),
    "attachments": ("left out", "left out", "kept", "left out", "left out", "left out", "left out"),
    "cover picture": ("kept", "left out", "kept", "left out", "left out", "left out", "left out"),
    "tags of its own": ("kept", "kept", "kept", "kept", "left out", "left out", "left out"),
    "10 bit": ("kept", "kept", "kept", "kept", "kept", "256 colours", "kept"),
    "HDR10 metadata": ("kept", "kept", "kept", "kept", "kept", "left out", "left out"),
    "transparency": ("left out", "left out", "left out", "kept", "left out", "on or off", "kept"),
}
SIZE = (64, 48)
FINE_STEPS = 40  # of brightness over the picture's 64 columns; 8 bits show 18
PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4")
TONE = ("-f", "lavfi", "-i", "sine=r=48000:d=0.4")
QUICK = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
MASTER = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
SUBTITLES = "1\n00:00:00,100 --> 00:00:00,300\nHello\n"
TAGS = ";FFMETADATA1\ntitle=A title\nCUSTOM=own\n"
CHAPTERS = ";FFMETADATA1\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 200}\ntitle=Chapter {start}\n" for start in (0, 200)
)


# --- the awkward clips


def make_irregular(folder: Path) -> Path:
    """Pictures at moments that neither milliseconds nor one rate can hold."""
    path = folder / "in.mp4"
    times = "settb=1/90000,setpts='3600*N+1234*mod(N,3)+7*N'"
    run_ffmpeg(
        *PICTURE, "-vf", times, "-fps_mode", "passthrough", "-enc_time_base", "1/90000", *QUICK, "-bf", "0",
        "-video_track_timescale", "90000", path,
    )  # fmt: skip
    return path


def make_turned(folder: Path) -> Path:
    """A picture that lies on its side in the file."""
    run_ffmpeg(*PICTURE, *QUICK, folder / "lying.mp4")
    run_ffmpeg("-display_rotation", "90", "-i", folder / "lying.mp4", "-c", "copy", folder / "in.mp4")
    return folder / "in.mp4"


def make_with_sound(codec: str) -> Callable[[Path], Path]:
    """Give a maker of a clip with two sound tracks of one codec."""

    def make(folder: Path) -> Path:
        maps = ("-map", "0", "-map", "1", "-map", "1", "-c:a", codec)
        run_ffmpeg(*PICTURE, *TONE, *QUICK, *maps, folder / "in.mkv")
        return folder / "in.mkv"

    return make


def make_with_words(folder: Path) -> Path:
    """Subtitles of plain text."""
    (folder / "words.srt").write_text(SUBTITLES)
    run_ffmpeg(*PICTURE, "-i", folder / "words.srt", *QUICK, "-c:s", "srt", folder / "in.mkv")
    return folder / "in.mkv"


def make_with_list(listing: str) -> Callable[[Path], Path]:
    """Give a maker of a clip with chapters or tags."""

    def make(folder: Path) -> Path:
        (folder / "list.txt").write_text(listing)
        run_ffmpeg(*PICTURE, "-i", folder / "list.txt", "-map_metadata", "1", *QUICK, folder / "in.mkv")
        return folder / "in.mkv"

    return make


def make_with_attachment(folder: Path) -> Path:
    """A font."""
    (folder / "font.ttf").write_bytes(bytes(range(256)))
    font = ("-attach", folder / "font.ttf", "-metadata:s:t", "mimetype=font/ttf")
    run_ffmpeg(*PICTURE, *QUICK, *font, folder / "in.mkv")
    return folder / "in.mkv"


def make_with_cover(folder: Path) -> Path:
    """A picture outside time."""
    run_ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64:d=1", "-frames:v", "1", folder / "cover.png")
    both = ("-map", "0", "-map", "1", *QUICK, "-c:v:1", "copy", "-disposition:v:1", "attached_pic")
    run_ffmpeg(*PICTURE, "-i", folder / "cover.png", *both, folder / "in.mp4")
    return folder / "in.mp4"


def make_deep(folder: Path) -> Path:
    """Steps that 8 bits cannot show."""
    steps = "format=gray10le,geq=lum='400+X',format=yuv420p10le"
    run_ffmpeg(*PICTURE, "-vf", steps, "-c:v", "ffv1", folder / "in.mkv")
    return folder / "in.mkv"


def make_hdr(folder: Path) -> Path:
    """HDR10's mastering display and light level."""
    hdr = ("-x265-params", f"{MASTER}:log-level=none", "-color_trc", "smpte2084", "-pix_fmt", "yuv420p10le")
    run_ffmpeg(*PICTURE, "-c:v", "libx265", *hdr, folder / "in.mp4")
    return folder / "in.mp4"


def make_transparent(folder: Path) -> Path:
    """A fade from nothing to opaque."""
    fade = "format=yuva420p,geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='4*X'"
    run_ffmpeg(*PICTURE, "-vf", fade, "-c:v", "ffv1", folder / "in.mkv")
    return folder / "in.mkv"


# --- what became of it, in the table's words


def fate_of_times(before: Path, after: Path) -> str:
    if "%" in after.name:
        return "left out"
    ours, theirs = frame_times(after), frame_times(before)
    if ours == theirs:
        return "kept"
    near = max(abs(one - two) for one, two in zip(ours, theirs, strict=True)) <= Fraction(1, 20)
    return "rounded" if near else "wrong"


def fate_of_rotation(before: Path, after: Path) -> str:
    angles = [re.findall(r"rotation of (-?\d+)", describe(path)) for path in (before, after)]
    wanted, shown = (samples(path, "rgb24", np.uint8).astype(int) for path in (before, after))
    if np.abs(wanted - shown).mean() > 12:  # the GIF's 256 colours; a wrong turn gives 60
        return "wrong"
    return "kept" if angles[0] == angles[1] else "left out" if angles[1] else "turned"


def fate_of_sound(before: Path, after: Path) -> str:
    count = describe(after).count(": Audio: ")
    if count == 0:
        return "left out"
    pairs = [[packet_hashes(path, f"0:a:{n}") for path in (after, before)] for n in range(count)]
    same = [ours in (theirs, theirs[1:]) for ours, theirs in pairs]  # the first packet may lie before time 0
    return "wrong" if count != 2 else "kept" if all(same) else "re-encoded"


def fate_of_words(before: Path, after: Path) -> str:
    codec = re.findall(r"Subtitle: (\w+)", describe(after))
    if not codec:
        return "left out"
    if run_ffmpeg("-i", after, "-map", "0:s:0", "-f", "srt", "-").decode().strip() != SUBTITLES.strip():
        return "wrong"
    return "kept" if codec == ["subrip"] else "rewritten"


def fate_of_chapters(before: Path, after: Path) -> str:
    names, times = r"title +: (Chapter \d+)", r"Chapter #.*: (start .*)"
    found, wanted = ([re.findall(each, describe(path)) for each in (names, times)] for path in (after, before))
    return "kept" if found == wanted else "wrong" if found[1] else "left out"


def fate_of_attachment(before: Path, after: Path) -> str:
    if "Attachment:" not in describe(after):
        return "left out"
    font = after.with_name("font.ttf")
    run_ffmpeg("-dump_attachment:t:0", font, "-i", after, "-f", "null", "-")
    return "kept" if font.read_bytes() == bytes(range(256)) else "wrong"


def fate_of_cover(before: Path, after: Path) -> str:
    if "attached pic" not in describe(after):
        return "left out"
    return "kept" if packet_hashes(after, "0:v:1") == packet_hashes(before, "0:v:1") else "wrong"


def fate_of_tags(before: Path, after: Path) -> str:
    found = re.findall(r"(?i)(?:title|custom) +: (.*)", describe(after))
    return "kept" if sorted(found) == ["A title", "own"] else "left out"


def fate_of_depth(before: Path, after: Path) -> str:
    wanted, shown = (samples(path, "gray16le", np.uint16)[:64] for path in (before, after))
    assert len(np.unique(wanted)) > FINE_STEPS
    if np.abs(wanted.astype(int) - shown).mean() > 65535 / 255:
        return "wrong"
    return "kept" if len(np.unique(shown)) > FINE_STEPS else "256 colours"


def fate_of_mastering(before: Path, after: Path) -> str:
    wanted, found = mastering(before), mastering(after)
    assert wanted[-2:] == [1000, 400]
    if not found:
        return "left out"
    return "kept" if np.allclose(found, wanted, rtol=1e-4, atol=1e-5) else "wrong"


def fate_of_transparency(before: Path, after: Path) -> str:
    if not re.search(r"yuva|rgba|bgra|alpha_mode", describe(after)):
        return "left out"
    decoder = ("-c:v", "libvpx-vp9") if after.suffix == ".webm" else ()
    raw = run_ffmpeg(*decoder, "-i", after, "-vf", "alphaextract", "-frames:v", "1", "-f", "rawvideo", "-")
    alpha = np.frombuffer(raw, np.uint8).reshape(SIZE[::-1])
    if np.abs(alpha.astype(int) - 4 * np.arange(64)).mean() < 4:
        return "kept"
    return "on or off" if set(alpha.ravel()) == {0, 255} else "left out"


def samples(path: Path, kind: str, depth: type) -> np.ndarray:
    """Decode the first picture, upright."""
    raw = run_ffmpeg("-i", path, "-map", "0:v:0", "-frames:v", "1", "-pix_fmt", kind, "-f", "rawvideo", "-")
    return np.frombuffer(raw, depth)


def mastering(path: Path) -> list[float]:
    """Read HDR10's numbers from the first decoded picture."""
    command = [FFMPEG, "-hide_banner", "-i", path, "-vf", "showinfo", "-frames:v", "1", "-f", "null", "-"]
    listing = subprocess.run(command, capture_output=True, check=True).stderr.decode()
    lines = dict.fromkeys(re.findall(r"(?i)side data - (?:mastering|content light).*: (.*)", listing))
    return [float(number) for line in lines for number in re.findall(r"\d+(?:\.\d+)?", line)]


@dataclass(frozen=True, slots=True)
class Row:
    """How one property is put to the test."""

    make: Callable[[Path], Path]
    fate: Callable[[Path, Path], str]  # of the property between two files
    said: str  # what a note on it reads like


ROWS = {
    "frame times": Row(make_irregular, fate_of_times, "holds? times|times are rounded|no times|times in"),
    "rotation": Row(make_turned, fate_of_rotation, "turned upright"),
    "AAC sound": Row(make_with_sound("aac"), fate_of_sound, "audio track 1.*(left out|encoded anew)"),
    "Opus sound": Row(make_with_sound("libopus"), fate_of_sound, "audio track 1.*(left out|encoded anew)"),
    "text subtitles": Row(make_with_words, fate_of_words, "subtitle track 1.*(left out|written as)"),
    "chapters": Row(make_with_list(CHAPTERS), fate_of_chapters, "2 chapters are left out"),
    "attachments": Row(make_with_attachment, fate_of_attachment, "attachment track 1.*left out"),
    "cover picture": Row(make_with_cover, fate_of_cover, "video track 1.*left out"),
    "tags of its own": Row(make_with_list(TAGS), fate_of_tags, "tags that .*CUSTOM"),
    "10 bit": Row(make_deep, fate_of_depth, "256 colours|10 bits become 8"),
    "HDR10 metadata": Row(make_hdr, fate_of_mastering, "HDR10"),
    "transparency": Row(make_transparent, fate_of_transparency, "transparency"),
}
CELLS = [(row, column) for row in TABLE for column in COLUMNS]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: row.make(tmp_path_factory.mktemp("clip")) for name, row in ROWS.items()}


@pytest.mark.parametrize(("row", "column"), CELLS)
def test_what_is_kept_is_kept_and_what_is_not_is_said(
    tmp_path: Path, clips: dict[str, Path], row: str, column: str
) -> None:
    output = tmp_path / COLUMNS[column]
    report = copy_clip(clips[row], output)
    fate = ROWS[row].fate(clips[row], output)
    assert fate == TABLE[row][list(COLUMNS).index(column)]
    is_said = any(re.search(ROWS[row].said, note) for note in report.notes)
    assert is_said == (fate != "kept"), report.notes


def test_the_page_shows_this_very_table() -> None:
    text = Path(__file__).parents[1].joinpath("examples", "formats.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line[:1] == "|"]
    start = next(number for number, cells in enumerate(lines) if cells[1:] == list(COLUMNS))
    shown = {cells[0]: tuple(cells[1:]) for cells in lines[start + 2 : start + 2 + len(TABLE)]}
    assert shown == TABLE
