"""Photos in and out: everything beside the face stays, in every format, or is said to be lost."""

import io
import os
import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps, ImageSequence, PngImagePlugin

from faceswap_cli.errors import MediaError, OutputError, UsageError
from faceswap_cli.media.disclosure import DIGITAL_SOURCE_TYPE
from faceswap_cli.media.encoders import has_alpha
from faceswap_cli.media.exif import without_preview
from faceswap_cli.media.photo import photo_output_path, read_photo, write_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.types import Patch

from .media_oracle import is_disclosed, run_ffmpeg

WIDTH, HEIGHT = 48, 32
NOISE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
SMOOTH = cv2.GaussianBlur(NOISE, (0, 0), 4)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = [".png", ".tif", ".bmp"]
EXIF_CUT_OFF = b"Exif\0\0II*\0\x08\0\0\0\x05\0"  # promises five entries, holds none


def patch_at(x: int, y: int, width: int = 10, height: int = 8) -> Patch:
    return Patch(x, y, np.full((height, width, 3), (200, 50, 90), np.uint8), np.ones((height, width), np.float32))


def save(path: Path, array: np.ndarray = NOISE, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A maker"
    return exif


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_formats_change_nothing_outside_the_patch(tmp_path: Path, suffix: str) -> None:
    photo = read_photo(save(tmp_path / "in.png"))
    output = tmp_path / f"out{suffix}"
    write_photo(photo, [patch_at(5, 6)], output)
    expected = NOISE.copy()
    expected[6:14, 5:15] = (200, 50, 90)
    assert np.array_equal(np.asarray(Image.open(output)), expected)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_lossy_formats_stay_close_at_the_default_quality(tmp_path: Path, suffix: str) -> None:
    photo = read_photo(save(tmp_path / "in.png", SMOOTH))
    output = tmp_path / f"out{suffix}"
    write_photo(photo, [], output)
    error = np.asarray(Image.open(output).convert("RGB")).astype(float) - SMOOTH
    assert 10 * np.log10(255**2 / (error**2).mean()) > 42


def test_a_jpeg_keeps_its_tables_so_that_hardly_a_pixel_changes(tmp_path: Path) -> None:
    path = save(tmp_path / "in.jpg", SMOOTH, quality=70)
    photo = read_photo(path)
    output = tmp_path / "out.jpg"
    write_photo(photo, [], output)
    before, after = Image.open(path), Image.open(output)
    assert after.quantization == before.quantization
    error = np.asarray(after).astype(float) - np.asarray(before)
    assert (error != 0).mean() < 0.02


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_orientation_is_honoured_and_kept(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = save(tmp_path / f"in{suffix}", SMOOTH, exif=exif_of(orientation))
    photo = read_photo(path)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    assert np.array_equal(photo.frame.rgb, upright)
    output = tmp_path / f"out{suffix}"
    write_photo(photo, [patch_at(4, 16)], output, Options(quality=100))
    shown = np.asarray(ImageOps.exif_transpose(Image.open(output)).convert("RGB")).astype(int)
    assert np.abs(shown[18:22, 6:12] - (200, 50, 90)).max() < 30
    assert np.abs(shown[:8] - upright[:8]).mean() < 3


def test_what_a_library_warns_of_is_left_to_the_program_to_show(tmp_path: Path) -> None:
    """To hush it here would hush it in every thread of the program, and for good where two photos are read at once."""
    path = save(tmp_path / "in.jpg", exif=EXIF_CUT_OFF)
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        read_photo(path)


KINDS = [".jpg", ".png", ".webp", ".avif", ".tif"]


@pytest.mark.parametrize("before", KINDS)
@pytest.mark.parametrize("after", KINDS)
def test_exif_profile_and_resolution_are_kept(tmp_path: Path, before: str, after: str) -> None:
    exif = exif_of(1)
    exif.get_ifd(0x8769)[0x9003] = "2020:02:29 12:00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 7.5)})
    path = save(tmp_path / f"in{before}", SMOOTH, exif=exif.tobytes(), icc_profile=PROFILE, dpi=(300, 300))
    output = tmp_path / f"out{after}"
    write_photo(read_photo(path), [], output)
    result = Image.open(output)
    assert result.getexif()[0x010F] == "A maker"
    assert (0x0111 in result.getexif()) == (after == ".tif")  # where a TIFF's strips lie is no other format's business
    assert result.getexif().get_ifd(0x8769)[0x9003] == "2020:02:29 12:00:00"
    assert result.getexif().get_ifd(0x8825)[2] == (52.0, 30.0, 7.5)
    assert result.info["icc_profile"] == PROFILE
    if {before, after} <= {".jpg", ".png", ".tif"}:
        assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_text_of_a_png_is_kept(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "somebody")
    path = save(tmp_path / "in.png", pnginfo=text)
    write_photo(read_photo(path), [], tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").text["Author"] == "somebody"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_kept_to_the_last_one(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, channels), dtype=np.uint16).squeeze()
    path = tmp_path / f"in{suffix}"
    if suffix == ".png":
        cv2.imwrite(str(path), deep if channels == 1 else deep[..., [2, 1, 0, *range(3, channels)]])
    else:
        extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
        tifffile.imwrite(path, deep, photometric="minisblack" if channels == 1 else "rgb", **extra)
    photo = read_photo(path)
    assert photo.frame.rgb.dtype == np.uint8
    output = tmp_path / f"out{suffix}"
    write_photo(photo, [patch_at(5, 6)], output)
    result = tifffile.imread(output) if suffix == ".tif" else cv2.imread(str(output), cv2.IMREAD_UNCHANGED)
    if suffix == ".png" and channels > 1:
        result = result[..., [2, 1, 0, *range(3, channels)]]
    outside = np.ones(deep.shape, bool)
    outside[6:14, 5:15] = False
    assert result.dtype == np.uint16
    assert np.array_equal(result[outside], deep[outside])
    assert not np.array_equal(result, deep)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif"])
def test_transparency_is_kept(tmp_path: Path, suffix: str) -> None:
    seen = np.dstack([SMOOTH, np.tile(np.arange(WIDTH, dtype=np.uint8) * 5, (HEIGHT, 1))])
    path = save(tmp_path / "in.png", seen)
    output = tmp_path / f"out{suffix}"
    write_photo(read_photo(path), [patch_at(5, 6)], output, Options(quality=100))
    assert np.array_equal(np.asarray(Image.open(output))[..., 3], seen[..., 3])


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA"])
def test_every_kind_of_pixel_is_read(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("in.jpg" if mode == "CMYK" else "in.png")
    picture = Image.fromarray(SMOOTH).convert(mode)
    picture.save(path)
    photo = read_photo(path)
    assert photo.frame.rgb.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(photo.frame.rgb.astype(int) - np.asarray(picture.convert("RGB"))).mean() < 4
    write_photo(photo, [patch_at(5, 6)], tmp_path / "out.png")
    if mode == "L":
        assert Image.open(tmp_path / "out.png").mode == "L"


def test_pictures_behind_a_jpeg_are_left_out_and_said(tmp_path: Path) -> None:
    first, second = Image.fromarray(SMOOTH), Image.fromarray(NOISE)
    first.save(tmp_path / "in.jpg", "MPO", save_all=True, append_images=[second])
    photo = read_photo(tmp_path / "in.jpg")
    notes = write_photo(photo, [], tmp_path / "out.jpg")
    assert any("further pictures" in note for note in notes)
    assert Image.open(tmp_path / "out.jpg").format == "JPEG"
    assert Image.open(tmp_path / "out.jpg").quantization == Image.open(tmp_path / "in.jpg").quantization


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), np.full((20, 20, 4), 40000, np.uint16))
    notes = write_photo(read_photo(tmp_path / "in.png"), [], tmp_path / "out.jpg")
    assert any("16 bits" in note for note in notes)
    assert any("transparency" in note for note in notes)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_every_output_says_that_it_was_edited(tmp_path: Path, suffix: str) -> None:
    write_photo(read_photo(save(tmp_path / "in.png")), [], tmp_path / f"out{suffix}")
    result = Image.open(tmp_path / f"out{suffix}")
    packet = result.info.get("xmp") or result.info.get("XML:com.adobe.xmp") or result.tag_v2[700]
    packet = packet.encode() if isinstance(packet, str) else packet
    assert DIGITAL_SOURCE_TYPE.encode() in packet
    assert is_disclosed(tmp_path / f"out{suffix}")
    assert not is_disclosed(tmp_path / "in.png")


def test_the_words_of_an_earlier_xmp_packet_stay(tmp_path: Path) -> None:
    earlier = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>Somebody</dc:creator>'
        b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    path = save(tmp_path / "in.jpg", xmp=earlier)
    write_photo(read_photo(path), [], tmp_path / "out.jpg")
    packet = Image.open(tmp_path / "out.jpg").info["xmp"]
    assert b"<dc:creator>Somebody</dc:creator>" in packet
    assert packet.count(DIGITAL_SOURCE_TYPE.encode()) == 1


def jpeg_with_preview(path: Path) -> bytes:
    """Write a JPEG whose EXIF holds a preview picture; gives the preview."""
    import struct

    file = io.BytesIO()
    Image.fromarray(NOISE).resize((16, 16)).save(file, "JPEG")
    preview = file.getvalue()
    first = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 1, 0, 26)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, len(preview), 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + first + second + preview
    Image.fromarray(SMOOTH).save(path, exif=exif)
    return preview


def test_the_preview_of_the_old_face_is_taken_out(tmp_path: Path) -> None:
    preview = jpeg_with_preview(tmp_path / "in.jpg")
    assert preview[20:200] in (tmp_path / "in.jpg").read_bytes()
    write_photo(read_photo(tmp_path / "in.jpg"), [], tmp_path / "out.jpg")
    assert preview[20:200] not in (tmp_path / "out.jpg").read_bytes()
    assert Image.open(tmp_path / "out.jpg").getexif()[0x0112] == 1


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"rubbish" * 9])
def test_broken_exif_passes_unchanged(exif: bytes) -> None:
    assert without_preview(exif) == exif


def test_metadata_that_a_format_does_not_hold_is_said(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "somebody")
    photo = read_photo(save(tmp_path / "in.png", exif=exif_of(1), icc_profile=PROFILE, pnginfo=text))
    assert write_photo(photo, [], tmp_path / "out.png") == ()
    assert write_photo(photo, [], tmp_path / "out.jpg") == ("left out: PNG text; JPEG does not hold it",)
    notes = write_photo(photo, [], tmp_path / "out.bmp", Options(disclosure=False))
    assert notes == ("left out: EXIF data, colour profile, PNG text; BMP does not hold it",)


def test_broken_exif_is_left_out_of_a_tiff_and_said(tmp_path: Path) -> None:
    path = save(tmp_path / "in.jpg", SMOOTH, exif=b"Exif\0\0M?\0*\0\0\0\x08" + bytes(20))
    notes = write_photo(read_photo(path), [], tmp_path / "out.tif")
    assert notes == ("EXIF data is left out: it is broken",)
    assert Image.open(tmp_path / "out.tif").size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_an_orientation_that_is_none_is_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = save(tmp_path / "in.png", exif=exif_of(orientation))
    write_photo(read_photo(path), [], tmp_path / f"out{suffix}")
    shown = np.asarray(Image.open(tmp_path / f"out{suffix}"))
    assert np.abs(shown.astype(int) - NOISE).mean() < 12


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_heic_which_the_library_does_not_read_is_named_whatever_it_is_called(tmp_path: Path, brand: bytes) -> None:
    pytest.importorskip("pillow_heif", reason="HEIC needs the [heif] extra")
    path = tmp_path / "in.jpg"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(400))
    with pytest.raises(MediaError, match=r"in\.jpg is of a kind of photo that cannot be read here: convert it to PNG"):
        read_photo(path)


def test_a_clip_is_sent_to_its_own_command(tmp_path: Path) -> None:
    path = tmp_path / "clip.jpg"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=d=0.2", "-f", "matroska", path)
    with pytest.raises(UsageError, match="swap-video"):
        read_photo(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_cut_off_photo_is_an_error_in_one_line(tmp_path: Path, suffix: str, share: float) -> None:
    path = save(tmp_path / f"in{suffix}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(MediaError) as caught:
        read_photo(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


def test_flipped_bits_never_raise_anything_else(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for suffix in (".jpg", ".png", ".webp", ".tif", ".avif", ".bmp"):
        whole = save(tmp_path / f"in{suffix}", SMOOTH).read_bytes()
        for _ in range(40):
            broken = bytearray(whole)
            for place in random.integers(0, len(whole), 3):
                broken[place] = random.integers(256)
            path = tmp_path / f"broken{suffix}"
            path.write_bytes(broken)
            try:
                assert read_photo(path).frame.rgb.shape[2] == 3
            except (MediaError, UsageError) as error:
                assert "broken" in str(error)


def test_an_existing_output_is_not_replaced_without_force(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.png"))
    output = tmp_path / "out.png"
    output.write_bytes(b"mine")
    with pytest.raises(OutputError, match="--force"):
        write_photo(photo, [], output)
    assert output.read_bytes() == b"mine"
    write_photo(photo, [], output, Options(force=True))
    assert Image.open(output).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("missing/out.png", OutputError, "does not exist"),
        ("out.xyz", UsageError, ".xyz"),
        ("in.png", UsageError, "itself"),
    ],
)
def test_outputs_that_cannot_be_are_refused(tmp_path: Path, name: str, error: type, words: str) -> None:
    photo = read_photo(save(tmp_path / "in.png"))
    with pytest.raises(error, match=words):
        write_photo(photo, [], tmp_path / name, Options(force=True))


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    save(tmp_path / "in.png")
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from faceswap_cli.media.photo import read_photo, write_photo\n"
        "from faceswap_cli.errors import OutputError\n"
        f"photo = read_photo(Path({str(tmp_path / 'in.png')!r}))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"try: write_photo(photo, [], Path({str(tmp_path / 'out.png')!r}))\n"
        "except OutputError as error: print(error); sys.exit(6)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 6, done.stderr.decode()
    assert os.listdir(tmp_path) == ["in.png"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_real_photos_survive_a_round(data: Path, tmp_path: Path) -> None:
    paths = sorted((data / "photos").rglob("*.jpg"))[::12]
    assert paths
    for number, path in enumerate(paths):
        photo = read_photo(path)
        output = tmp_path / f"{number}.jpg"
        write_photo(photo, [], output)
        error = read_photo(output).frame.rgb.astype(np.float32) - photo.frame.rgb
        assert 10 * np.log10(255**2 / max((error**2).mean(), 1e-9)) > 44


@pytest.mark.parametrize("suffix", [".tga", ".jp2", ".jfif"])
def test_photos_of_more_kinds_are_read_as_pillow_reads_them(tmp_path: Path, suffix: str) -> None:
    picture = Image.effect_noise((48, 40), 60).convert("RGB")
    picture.save(tmp_path / f"in{suffix}", **({"format": "JPEG"} if suffix == ".jfif" else {}))
    photo = read_photo(tmp_path / f"in{suffix}")
    assert np.array_equal(photo.frame.rgb, np.asarray(Image.open(tmp_path / f"in{suffix}").convert("RGB")))
    own = ".jfif" if suffix == ".jfif" else ".png"
    assert photo_output_path(photo, None, False) == tmp_path / f"in_swapped{own}"


def test_a_jfif_is_written_as_jpeg(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), "red").save(tmp_path / "in.jfif", format="JPEG")
    assert write_photo(read_photo(tmp_path / "in.jfif"), (), tmp_path / "out.jfif") == ()
    assert Image.open(tmp_path / "out.jfif").format == "JPEG"


def test_further_pages_are_said(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (16, 16), shade) for shade in ("red", "green", "blue")]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    photo = read_photo(tmp_path / "pages.tif")
    assert photo.notes == ("further pictures in the file are left out: 2 (they show the old face)",)
    assert tuple(photo.frame.rgb[0, 0]) == (255, 0, 0)


def test_a_heic_photo_is_read_and_keeps_its_exif(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x010E] = "a day at the sea"
    picture = Image.new("RGB", (64, 48), "blue")
    picture.paste("red", (0, 0, 32, 48))
    picture.save(tmp_path / "in.heic", quality=95, exif=exif)
    photo = read_photo(tmp_path / "in.heic")
    assert photo.frame.rgb.shape == (48, 64, 3)
    assert photo.frame.rgb[24, 8, 0] > 200 > 60 > photo.frame.rgb[24, 56, 0]
    write_photo(photo, (), tmp_path / "out.jpg")
    assert Image.open(tmp_path / "out.jpg").getexif()[0x010E] == "a day at the sea"


def test_heic_without_its_package_is_refused_with_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "in.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(UsageError, match="pip install pillow-heif"):
        read_photo(tmp_path / "in.heic")


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_moving_photos_are_clips_with_their_times_and_samples(tmp_path: Path, suffix: str, mode: str) -> None:
    shades = [Image.effect_noise((48, 40), 20 + 20 * number).convert(mode) for number in range(3)]
    if mode == "RGBA":
        shades[1].putalpha(90)
    path = tmp_path / f"moving{suffix}"
    shades[0].save(path, save_all=True, append_images=shades[1:], duration=[100, 50, 200])
    with Image.open(path) as image:
        wanted = [np.asarray(each.convert(mode)) for each in ImageSequence.Iterator(image)]
    with open_clip(path) as clip:
        frames = list(clip.frames())
        assert clip.codec == suffix[1:]
    assert [frame.time for frame in frames] == [0, Fraction(1, 10), Fraction(3, 20)]
    for frame, samples in zip(frames, wanted, strict=True):
        assert np.array_equal(frame.rgb, samples[..., :3])
        assert has_alpha(frame.picture.format.name) == (mode == "RGBA")
    with pytest.raises(UsageError, match="swap-video"):
        read_photo(path)
