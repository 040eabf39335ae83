"""The statement that a file was edited: said once, beside what was there, found again."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from faceswap_cli.media.disclosure import (
    DIGITAL_SOURCE_TYPE,
    append_xmp_box,
    container_tags,
    xmp_packet,
)
from faceswap_cli.media.photo import read_photo, write_photo
from faceswap_cli.options import Options

from .media_oracle import copy_clip, describe, is_disclosed, make_clip

WORDS = (b"faceswap", b"with AI", b"compositeWithTrainedAlgorithmicMedia")
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


def source_types(packet: bytes) -> list[str]:
    text = packet.decode().split("?>", 1)[1].rsplit("<?xpacket", 1)[0] if packet.startswith(b"<?") else packet.decode()
    return [element.text for element in ElementTree.fromstring(text).iter(IPTC)]


def test_the_packet_is_xml_that_says_it_once() -> None:
    assert source_types(xmp_packet()) == [DIGITAL_SOURCE_TYPE]


def test_saying_it_again_does_not_say_it_twice() -> None:
    assert source_types(xmp_packet(xmp_packet(xmp_packet()))) == [DIGITAL_SOURCE_TYPE]


def test_an_earlier_source_type_is_replaced_in_either_spelling() -> None:
    for property_ in (
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        "<Iptc4xmpExt:DigitalSourceType>http://old</Iptc4xmpExt:DigitalSourceType></rdf:Description>",
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'Iptc4xmpExt:DigitalSourceType="http://old"/>',
    ):
        earlier = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            f"{property_}</rdf:RDF></x:xmpmeta>"
        )
        packet = xmp_packet(earlier.encode())
        assert source_types(packet) == [DIGITAL_SOURCE_TYPE]
        assert b"http://old" not in packet


@pytest.mark.parametrize("earlier", [b"", b"rubbish", b"\xff\xfe", b"<x:xmpmeta/>"])
def test_a_packet_that_cannot_be_read_is_replaced(earlier: bytes) -> None:
    assert source_types(xmp_packet(earlier)) == [DIGITAL_SOURCE_TYPE]


def test_a_comment_stays_before_the_statement() -> None:
    tags = container_tags({"Comment": "mine", "title": "T"}, free_names=True)
    assert tags["comment"].startswith("mine Edited with AI")
    assert tags["title"] == "T"
    assert tags["digital_source_type"] == DIGITAL_SOURCE_TYPE
    assert container_tags(tags, free_names=True)["comment"] == tags["comment"]


def test_players_pass_over_the_xmp_box(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", seconds=0.2)
    before = describe(path).replace("bitrate", "")
    assert not is_disclosed(path)
    append_xmp_box(path)
    assert is_disclosed(path)
    assert describe(path).count("Stream #") == before.count("Stream #") == 2


def test_the_model_is_named_once_whatever_its_name_holds() -> None:
    packet = xmp_packet(xmp_packet(model="old"), model="a <b> & c").decode()
    root = ElementTree.fromstring(packet.split("?>", 1)[1].rsplit("<?xpacket", 1)[0])
    assert [each.text for each in root.iter(IPTC.replace("DigitalSourceType", "AISystemUsed"))] == ["a <b> & c"]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_a_clips_comment_names_program_and_model(tmp_path: Path, suffix: str) -> None:
    path = make_clip(tmp_path / "in.mp4", seconds=0.2, size="64x48")
    copy_clip(path, tmp_path / f"out{suffix}", model="mine.onnx")
    assert "by faceswap 0." in describe(tmp_path / f"out{suffix}")
    assert "with the model mine. Digital source type" in describe(tmp_path / f"out{suffix}")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif"])
def test_a_clip_says_nothing_where_that_was_asked(tmp_path: Path, suffix: str) -> None:
    path = make_clip(tmp_path / "in.mp4", "-metadata", "title=kept", seconds=0.2, size="64x48")
    for name, disclosure in (("loud", True), ("mute", False)):
        copy_clip(path, tmp_path / f"{name}{suffix}", disclosure=disclosure)
    assert is_disclosed(tmp_path / f"loud{suffix}")
    for word in WORDS:
        assert word not in content(tmp_path / f"mute{suffix}")
    assert "kept" in describe(tmp_path / f"mute{suffix}") or suffix == ".gif"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("earlier", [{}, {"xmp": b"<x:xmpmeta>earlier words</x:xmpmeta>"}])
def test_a_photo_says_nothing_where_that_was_asked(tmp_path: Path, suffix: str, earlier: dict[str, Any]) -> None:
    """What another program said before stays, as without a swap."""
    Image.new("RGB", (32, 24), (90, 120, 150)).save(tmp_path / "in.webp", lossless=True, **earlier)
    output = tmp_path / f"out{suffix}"
    write_photo(read_photo(tmp_path / "in.webp"), [], output, Options(disclosure=False))
    for word in WORDS:
        assert word not in content(output)
    assert (b"earlier words" in content(output)) == bool(earlier)
    assert Image.open(output).size == (32, 24)


def test_numbered_pictures_say_nothing_where_that_was_asked(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", seconds=0.1, size="64x48")
    for name, disclosure in (("loud", True), ("mute", False)):
        copy_clip(path, tmp_path / f"{name}%d.png", disclosure=disclosure)
    assert is_disclosed(tmp_path / "loud1.png")
    assert not is_disclosed(tmp_path / "mute1.png")


def test_a_bitmap_cannot_say_it_and_that_is_said(tmp_path: Path) -> None:
    Image.new("RGB", (32, 24)).save(tmp_path / "in.png")
    notes = write_photo(read_photo(tmp_path / "in.png"), [], tmp_path / "out.bmp")
    assert any("does not say that it was edited" in note for note in notes)
    assert write_photo(read_photo(tmp_path / "in.png"), [], tmp_path / "mute.bmp", Options(disclosure=False)) == ()


def content(path: Path) -> bytes:
    return path.read_bytes()
