"""Photos and clips are told apart by what they hold, and everything else is named."""

import os
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from faceswap_cli.errors import MediaError
from faceswap_cli.media.reader import open_clip
from faceswap_cli.media.sniff import kind_of

from .media_oracle import make_clip, run_ffmpeg

PHOTO_SUFFIXES = [
    ".jpg",
    ".png",
    ".webp",
    ".bmp",
    ".tif",
    ".avif",
    ".gif",
    ".ppm",
    ".jp2",
    ".j2k",
    ".jfif",
    ".dds",
    ".qoi",
]
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


def test_a_document_is_named_as_one(tmp_path: Path) -> None:
    path = tmp_path / "photo.pdf"
    Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(MediaError, match=r"photo\.pdf is a PDF document"):
        kind_of(path)


def test_uncompressed_pictures_behind_a_line_of_text_are_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "clip.y4m"
    path.write_bytes(b"YUV4MPEG2 W64 H64 F25:1 Ip A1:1 C420jpeg\n" + (b"FRAME\n" + b"p" * (64 * 64 * 3 // 2)) * 2)
    with open_clip(path) as clip:
        assert len(list(clip.frames())) == 2


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


@pytest.mark.parametrize("bare", [False, True])
def test_tga_is_told_by_its_name_and_head(tmp_path: Path, bare: bool) -> None:
    Image.effect_noise((40, 30), 60).convert("RGB").save(
        tmp_path / "photo.tga", compression=None if bare else "tga_rle"
    )
    assert kind_of(tmp_path / "photo.tga") == "photo"
    clip = make_clip(tmp_path / "clip.mp4", seconds=0.2)
    assert kind_of(clip.rename(tmp_path / "clip.tga")) == "clip"


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".png", ".gif"])
def test_what_moves_is_a_clip_and_what_does_not_a_photo(tmp_path: Path, suffix: str) -> None:
    """However far behind its head a PNG says that it moves."""
    shades = [Image.new("RGB", (32, 32), (shade, 90, 90)) for shade in (0, 120, 240)]
    profile = {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() * 20}
    for count, kind in ((1, "photo"), (3, "clip")):
        path = tmp_path / f"{kind}{suffix}"
        shades[0].save(path, save_all=True, append_images=shades[1:count], **(profile if suffix == ".png" else {}))
        assert kind_of(path) == kind


FOLDERS = {
    ("00001.png", "00002.png", "notes.txt"): "its 2 numbered pictures are the clip {folder}/%05d.png",
    ("a9.jpg", "a10.jpg"): "its 2 numbered pictures are the clip {folder}/a%d.jpg",
    ("me.jpg", "you.jpg"): "give one photo or clip in it",
    ("1.png", "b2.png"): "give one photo or clip in it",
    (): "give a photo or clip",
}


@pytest.mark.parametrize("names", FOLDERS)
def test_a_folder_is_answered_with_what_could_be_meant(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(MediaError) as refused:
        kind_of(tmp_path)
    assert str(refused.value) == f"{tmp_path} is a folder: {FOLDERS[names].format(folder=tmp_path)}"


def test_a_link_is_followed(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "photo.png")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "photo.png")
    assert kind_of(tmp_path / "link.jpg") == "photo"
