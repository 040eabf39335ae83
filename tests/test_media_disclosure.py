"""The statement that a file was edited: said once, beside what was there, found again."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from faceswap_cli.media.disclosure import (
    DIGITAL_SOURCE_TYPE,
    append_xmp_box,
    container_tags,
    is_disclosed,
    xmp_packet,
)

from .media_oracle import describe, make_clip

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
