"""Photos and clips are told apart by what they hold, and everything else is named."""

import os
from pathlib import Path

import pytest
from PIL import Image

from faceswap_cli.errors import MediaError
from faceswap_cli.media.sniff import kind_of

from .media_oracle import make_clip, run_ffmpeg

PHOTO_SUFFIXES = [".jpg", ".png", ".webp", ".bmp", ".tif", ".avif", ".gif", ".ppm"]
CLIP_SUFFIXES = [".mp4", ".mkv", ".webm", ".avi", ".mov", ".gif", ".ts", ".flv"]


@pytest.mark.parametrize("suffix", PHOTO_SUFFIXES)
def test_photos_are_photos_whatever_their_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    Image.new("RGB", (16, 16), "red").save(path)
    renamed = path.rename(tmp_path / "photo.mp4")
    assert kind_of(renamed) == "photo"


@pytest.mark.parametrize("suffix", CLIP_SUFFIXES)
def test_clips_are_clips_whatever_their_name(tmp_path: Path, suffix: str) -> None:
    path = make_clip(tmp_path / f"clip{suffix}", seconds=0.2)
    renamed = path.rename(tmp_path / "clip.jpg")
    assert kind_of(renamed) == "clip"


def test_a_moving_png_is_a_clip(tmp_path: Path) -> None:
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:d=0.2", "-f", "apng", tmp_path / "moving.png")
    assert kind_of(tmp_path / "moving.png") == "clip"


@pytest.mark.parametrize("text", ["hello\nworld\n", "ключ = значение\n" * 500, "{}", "G", "GIF", "RIFF"])
def test_text_is_named_as_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "words.mp4"
    path.write_text(text)
    with pytest.raises(MediaError, match=r"words\.mp4 is a text file"):
        kind_of(path)


def test_missing_empty_and_odd_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    for name, words in [
        ("missing.jpg", "does not exist"),
        ("dangling.jpg", "does not exist"),
        ("empty.jpg", "is empty"),
        ("pipe.jpg", "no regular file"),
        (".", "is a folder"),
    ]:
        with pytest.raises(MediaError, match=words):
            kind_of(tmp_path / name)


def test_a_link_is_followed(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "photo.png")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "photo.png")
    assert kind_of(tmp_path / "link.jpg") == "photo"
