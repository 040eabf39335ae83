"""A signed result is whole, says what was done, and C2PA's own reader accepts it; what cannot be signed is refused."""

import json
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image, ImageChops

c2pa = pytest.importorskip("c2pa")

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

from faceswap_cli import swap_image  # noqa: E402
from faceswap_cli.app import swap as api  # noqa: E402
from faceswap_cli.app.signing import Seal, open_seal  # noqa: E402
from faceswap_cli.cli.app import run  # noqa: E402
from faceswap_cli.errors import OutputError, UsageError  # noqa: E402
from faceswap_cli.media.photo import read_photo, write_photo  # noqa: E402
from faceswap_cli.media.provenance import read_provenance  # noqa: E402
from faceswap_cli.media.reader import open_clip  # noqa: E402
from faceswap_cli.media.writer import ClipWriter, plan_output  # noqa: E402
from faceswap_cli.options import Options  # noqa: E402
from faceswap_cli.types import Swapped  # noqa: E402

from .media_oracle import frame_times, make_clip, packet_hashes, pictures  # noqa: E402

SIGN = Options(sign=True, model="mine.onnx")
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of its own for each test."""
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    Image.linear_gradient("L").resize((48, 32)).convert("RGB").save(path)
    return path


def signed_photo(photo: Path, output: Path, options: Options = SIGN) -> Path:
    write_photo(read_photo(photo), [], output, options, open_seal(options, photo, output))
    return output


def read_back(path: Path) -> dict[str, object]:
    """What C2PA's own reader says."""
    with c2pa.Reader(path) as reader:
        return json.loads(reader.json())


def edits(store: dict[str, object]) -> list[dict[str, object]]:
    assertions = store["manifests"][store["active_manifest"]]["assertions"]
    return [
        action
        for assertion in assertions
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
        if action["action"] == "c2pa.edited"
    ]


def write_pair(folder: Path, certificates: bytes, key: bytes) -> Options:
    (folder / "certificate.pem").write_bytes(certificates)
    (folder / "key.pem").write_bytes(key)
    return Options(sign=True, certificate=folder / "certificate.pem", key=folder / "key.pem")


def plain_certificate(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate that says nothing of what it is for."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "anyone")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(9))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png", ".webp", ".PNG"])
def test_a_signed_photo_says_what_was_done_and_shows_the_same(photo: Path, suffix: str) -> None:
    write_photo(read_photo(photo), [], photo.with_name(f"plain{suffix}"))
    output = signed_photo(photo, photo.with_name(f"out{suffix}"))
    store = read_back(output)
    assert store["validation_state"] == "Valid"
    assert [status["code"] for status in store["validation_status"]] == ["signingCredential.untrusted"]
    (edit,) = edits(store)
    assert (edit["digitalSourceType"], edit["softwareAgent"]["name"]) == (SOURCE_TYPE, "faceswap")
    assert edit["parameters"]["model"] == "mine"
    with Image.open(output) as signed, Image.open(photo.with_name(f"plain{suffix}")) as plain:
        assert ImageChops.difference(signed.convert("RGB"), plain.convert("RGB")).getbbox() is None
    assert output.stat().st_size < photo.with_name(f"plain{suffix}").stat().st_size + 20_000  # no thumbnails


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_signed_clip_keeps_pictures_times_and_sound(tmp_path: Path, suffix: str) -> None:
    path = make_clip(tmp_path / "in.mp4", "-c:a", "aac", seconds=0.2, size="64x48")
    plain, output = tmp_path / f"plain{suffix}", tmp_path / f"out{suffix}"
    for target, options in ((plain, Options()), (output, SIGN)):
        with open_clip(path) as clip, ClipWriter(plan_output(clip, target, options)) as writer:
            for frame in clip.frames():
                writer.write(Swapped(frame, (), 0))
            writer.finish(open_seal(options, path, target) if options.sign else None)
    store = read_back(output)
    assert store["validation_state"] == "Valid"
    assert edits(store)[0]["digitalSourceType"] == SOURCE_TYPE
    assert pictures(output) == pictures(plain)
    assert frame_times(output) == frame_times(plain)
    assert packet_hashes(output, "0:a:0") == packet_hashes(plain, "0:a:0")
    assert read_provenance(output).manifest.state == "Valid"
    assert read_provenance(output).holds_manifest
    assert sorted(each.name for each in tmp_path.iterdir()) == ["home", "in.mp4", f"out{suffix}", f"plain{suffix}"]


def test_numbered_pictures_are_each_signed(tmp_path: Path) -> None:
    path, target = make_clip(tmp_path / "in.mp4", seconds=0.08, size="64x48"), tmp_path / "out%d.png"
    with open_clip(path) as clip, ClipWriter(plan_output(clip, target, SIGN)) as writer:
        for frame in clip.frames():
            writer.write(Swapped(frame, (), 0))
        writer.finish(open_seal(SIGN, path, target))
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["home", "in.mp4", "out1.png", "out2.png"]
    assert [read_back(tmp_path / name)["validation_state"] for name in names[2:]] == ["Valid", "Valid"]


def test_a_changed_file_is_found_out(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = signed_photo(photo, photo.with_name("out.jpg"))
    run(["verify", str(output)])
    assert "manifest valid, signed by faceswap self-made certificate" in capsys.readouterr().out
    content = bytearray(output.read_bytes())
    content[-20] ^= 1
    output.write_bytes(content)
    run(["verify", str(output)])
    assert "manifest invalid" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_verify_reads_a_manifest_whatever_the_file_is_called(
    photo: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = signed_photo(photo, photo.with_name(f"out{suffix}"))
    run(["verify", "--json", str(output.rename(photo.with_name("renamed.dat")))])
    told = json.loads(capsys.readouterr().out)
    assert told["manifest"]["state"] == "Valid"
    assert told["holds_manifest"] is True
    assert {"C2PA", "XMP"} == {sign["place"] for sign in told["signs"] if sign["model"] == "mine"}


def test_the_certificate_is_made_once_and_its_key_is_for_the_owner_alone(photo: Path, home: Path) -> None:
    signed_photo(photo, photo.with_name("one.png"))
    kept = {path.name: path.read_bytes() for path in (home / "signing").iterdir()}
    assert kept.keys() == {"certificate.pem", "key.pem"}
    assert stat.S_IMODE((home / "signing" / "key.pem").stat().st_mode) == 0o600
    signed_photo(photo, photo.with_name("two.png"))
    assert {path.name: path.read_bytes() for path in (home / "signing").iterdir()} == kept
    assert [path.name for path in home.iterdir()] == ["signing"]


def test_a_certificate_of_ones_own_signs(photo: Path, home: Path, tmp_path: Path) -> None:
    """The pair another machine made serves as the user's."""
    signed_photo(photo, photo.with_name("first.png"))
    own = home.rename(tmp_path / "elsewhere") / "signing"
    options = Options(sign=True, certificate=own / "certificate.pem", key=own / "key.pem")
    store = read_back(signed_photo(photo, photo.with_name("out.png"), options))
    serial = x509.load_pem_x509_certificate((own / "certificate.pem").read_bytes()).serial_number
    assert store["manifests"][store["active_manifest"]]["signature_info"]["cert_serial_number"] == str(serial)
    assert not home.exists()


def test_a_certificate_that_does_not_serve_is_refused(tmp_path: Path) -> None:
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain, output = plain_certificate(key), tmp_path / "out.png"
    for certificates, private, words in [
        (chain, key_pem(key), "cannot sign"),
        (chain, key_pem(other), "does not belong"),
        (chain, key_pem(key, b"secret"), "password"),
        (chain, b"rubbish", "no private key"),
        (b"rubbish", key_pem(key), "no certificate"),
    ]:
        with pytest.raises(UsageError, match=words):
            open_seal(write_pair(tmp_path, certificates, private), tmp_path / "in.png", output)


def test_the_inputs_own_manifest_is_carried_along(photo: Path) -> None:
    first = signed_photo(photo, photo.with_name("first.png"))
    store = read_back(signed_photo(first, photo.with_name("second.jpg")))
    (parent,) = store["manifests"][store["active_manifest"]]["ingredients"]
    assert (parent["relationship"], parent["active_manifest"]) == ("parentOf", read_back(first)["active_manifest"])
    assert len(store["manifests"]) == 2


def test_an_input_that_cannot_be_a_parent_does_not_stop_the_signing(photo: Path) -> None:
    lying = photo.rename(photo.with_name("in.mp4"))
    assert read_back(signed_photo(lying, photo.with_name("out.png")))["validation_state"] == "Valid"


@pytest.mark.parametrize("name", ["out.tif", "out.avif", "out.bmp"])
def test_what_cannot_be_signed_is_refused_before_any_work(
    photo: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object, **named: object) -> None:
        raise AssertionError("work began")

    monkeypatch.setattr(api, "Swapper", never)
    with pytest.raises(UsageError, match=r"cannot be signed: use \.jpg, .*\.mov"):
        swap_image(photo, photo, photo.with_name(name), SIGN)
    assert not photo.with_name(name).exists()


@pytest.mark.parametrize("name", ["out.mkv", "out.webm", "out.gif", "out.avi", "%04d.tif"])
def test_clips_that_cannot_be_signed_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be signed"):
        open_seal(SIGN, tmp_path / "in.mp4", tmp_path / name)


def test_a_signature_that_fails_leaves_no_file(photo: Path) -> None:
    output = photo.with_name("out.png")
    good = open_seal(SIGN, photo, output)
    broken = Seal(good.certificates, good.key, good.algorithm, "mine", "video/mp4", photo)
    with pytest.raises(OutputError, match="cannot be signed"):
        write_photo(read_photo(photo), [], output, SIGN, broken)
    assert sorted(path.name for path in photo.parent.iterdir()) == ["home", "in.png"]


def test_without_the_extra_the_command_that_brings_it_is_named(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "faceswap_cli.app.signing")
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(UsageError, match=r"python -m pip install 'c2pa-python>=0.38' 'cryptography>=43'"):
        swap_image(photo, photo, photo.with_name("out.png"), SIGN)


@pytest.mark.parametrize(
    "choices",
    [
        {"sign": True, "certificate": Path("a")},
        {"sign": True, "key": Path("a")},
        {"certificate": Path("a"), "key": Path("b")},
        {"sign": True, "disclosure": False},
    ],
)
def test_options_that_contradict_each_other_are_refused(choices: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Options(**choices)
