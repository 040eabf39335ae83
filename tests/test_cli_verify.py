"""`faceswap verify` reads the disclosure of any file, ours or a stranger's, and never takes silence for proof."""

import json
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from faceswap_cli.cli.app import run
from faceswap_cli.errors import MediaError, UsageError
from faceswap_cli.media import provenance
from faceswap_cli.media.photo import read_photo, write_photo
from faceswap_cli.options import Options

from .media_oracle import copy_clip, make_clip

OURS = "compositeWithTrainedAlgorithmicMedia"
MODEL = "mine & yours"  # with a letter that XML must escape
STRANGERS = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:other="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'other:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{}"/></rdf:RDF></x:xmpmeta>'
)
STORE_HEAD = b"jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.png"
    Image.new("RGB", (32, 24), (90, 120, 150)).save(path)
    return path


def verified(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """What the command prints as JSON."""
    assert run(["verify", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_our_photos_tell_the_edit_the_program_and_the_model(
    plain: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = plain.with_name(f"out{suffix}")
    write_photo(read_photo(plain), [], output, Options(model=f"somewhere/{MODEL}.onnx"))
    told = verified(output, capsys)
    assert told["edited_with_ai"] is True
    (sign,) = (sign for sign in told["signs"] if sign["place"] == "XMP")
    assert (sign["source_type"], sign["model"]) == (OURS, MODEL)
    assert sign["software"].startswith("faceswap ")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif"])
def test_our_clips_tell_the_edit_the_program_and_the_model(
    tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / f"out{suffix}"
    copy_clip(make_clip(tmp_path / "in.mp4", seconds=0.2, size="64x48"), output, model=f"{MODEL}.onnx")
    told = verified(output, capsys)
    assert told["edited_with_ai"] is True
    assert [(sign["source_type"], sign["model"]) for sign in told["signs"] if sign["source_type"]] == [
        (OURS, MODEL)
    ] * (2 if suffix in (".mp4", ".mov") else 1)


def test_a_file_that_says_nothing_is_no_proof(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(plain)]) == 0
    assert "no sign of AI editing found; that is no proof" in capsys.readouterr().out
    assert verified(plain, capsys)["edited_with_ai"] is False


@pytest.mark.parametrize(
    ("source_type", "means_ai"),
    [("trainedAlgorithmicMedia", True), ("digitalCapture", False), ("compositeCapture", False)],
)
def test_a_strangers_photo_is_judged_by_its_source_type(
    plain: Path, source_type: str, means_ai: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another prefix, the attribute's spelling, and a compressed chunk that a search of the bytes would miss."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", STRANGERS.format(source_type), zip=True)
    exif = Image.Exif()
    exif[0x0131] = "Camera 1.0"
    Image.open(plain).save(plain, pnginfo=chunks, exif=exif)
    told = verified(plain, capsys)
    assert (told["edited_with_ai"], told["signs"][0]["source_type"]) == (means_ai, source_type)
    assert {"place": "EXIF", "source_type": "", "software": "Camera 1.0", "model": ""} in told["signs"]


def test_xmp_is_found_inside_a_clips_own_boxes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_clip(tmp_path / "in.mov", seconds=0.2, size="64x48")
    packet = STRANGERS.format("trainedAlgorithmicMedia").encode()
    user_box = (len(packet) + 8).to_bytes(4, "big") + b"XMP_" + packet
    with path.open("ab") as file:
        file.write((len(user_box) + 8).to_bytes(4, "big") + b"udta" + user_box)
    assert verified(path, capsys)["signs"][0]["source_type"] == "trainedAlgorithmicMedia"


@pytest.mark.parametrize("packet", [b"<x:xmpmeta <", b"<x:xmpmeta></x:xmpmeta>", b"<rdf:RDF " * 50_000])
def test_a_broken_packet_is_passed_over(plain: Path, packet: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    plain.write_bytes(plain.read_bytes() + packet)
    assert verified(plain, capsys)["signs"] == []


@pytest.mark.parametrize(
    "store, words", [(STORE_HEAD, "a manifest is there, but was not"), (b"", "manifests were not")]
)
def test_without_the_extra_a_manifest_is_named_but_not_looked_at(
    plain: Path, store: bytes, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "C2PA_PACKAGE", "no_such_package")
    plain.write_bytes(plain.read_bytes() + store)
    assert run(["verify", str(plain)]) == 0
    shown = capsys.readouterr().out
    assert words in shown
    assert "not looked at: run `python -m pip install 'c2pa-python>=0.38' 'cryptography>=43'`" in shown


@pytest.mark.parametrize("content", [b"", b"only words", b"\xff\xd8\xff\xe0 no picture", b"\0\1\2\3 no clip" * 9, None])
def test_what_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "file.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MediaError):
        run(["verify", str(path)])


def test_numbered_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give one of them"):
        run(["verify", str(tmp_path / "%04d.png")])


def test_each_verify_points_to_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    run(["verify", "--help"])
    assert "`models verify`" in capsys.readouterr().out.replace("\n  ", " ")
    run(["models", "verify", "--help"])
    assert "`faceswap verify`" in capsys.readouterr().out.replace("\n  ", " ")


def test_a_strangers_words_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control codes, and bytes in no known letters."""
    path = make_clip(tmp_path / "in.mkv", "-metadata", "digital_source_type=" + "X" * 8, seconds=0.2, size="64x48")
    path.write_bytes(path.read_bytes().replace(b"X" * 8, b"\x1b[2J\xff\xfe\xff\xfe"))
    assert run(["verify", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "source type ?[2J????" in shown
    assert shown.encode().count(b"\x1b") == 0
