"""Sign a finished file with a C2PA manifest that says how it was made.

The certificate is the user's, or one made here once and kept beside the networks: it shows that a file was not changed
since, not who made it. No network is touched: no timestamp server, no manifests kept elsewhere. Needs the [c2pa] extra.
"""

import io
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from .._version import __version__
from ..errors import OutputError, UsageError
from ..media.disclosure import DIGITAL_SOURCE_TYPE
from ..options import Options
from ..store import models

# Extension -> MIME type of the files we sign.
SIGNED_KINDS = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
}
SETTINGS = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"remote_manifest_fetch": False}}
FOLDER, CERTIFICATE, KEY = "signing", "certificate.pem", "key.pem"
VALID = timedelta(days=365 * 20)  # without a timestamp a signature lasts no longer than its certificate
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Seal:
    """Signs whole files in place."""

    certificates: str  # PEM, the signer's own first
    key: str  # PEM
    algorithm: c2pa.C2paSigningAlg
    model: str  # the generator's name
    kind: str  # MIME type of what is signed
    input: Path  # what was edited
    parent: str | None = None  # the input's MIME type where its own manifest, if it has one, is carried along

    def __call__(self, path: Path) -> None:
        """Sign a file; OutputError when that fails, the file is then as it was."""
        signed = path.with_name(f"{path.name}.signed")
        try:
            with path.open("rb") as source, signed.open("w+b") as target:
                self._sign(self.kind, source, target)
            signed.replace(path)
        except (c2pa.C2paError, OSError) as error:
            raise OutputError(f"{path.name} cannot be signed: {' '.join(str(error).split())}") from error
        finally:
            signed.unlink(missing_ok=True)

    def complaint(self) -> str:
        """Sign a picture of one pixel; gives what C2PA has against it, empty when nothing."""
        pixel = io.BytesIO()
        Image.new("RGB", (1, 1)).save(pixel, "PNG")
        pixel.seek(0)
        try:
            self._sign("image/png", pixel, io.BytesIO())
        except c2pa.C2paError as error:
            return " ".join(str(error).split())
        return ""

    def _sign(self, kind: str, source: BinaryIO, target: BinaryIO) -> None:
        """Sign a stream into another; without a parent the source itself stands for what was edited."""
        known = c2pa.C2paSignerInfo(self.algorithm, self.certificates.encode(), self.key.encode(), None)
        with (
            c2pa.Signer.from_info(known) as signer,
            c2pa.Context.from_dict(SETTINGS) as context,
            c2pa.Builder(_manifest(self.model), context) as builder,
        ):
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
            if self.parent is not None:
                with self.input.open("rb") as edited:
                    builder.add_ingredient({"relationship": "parentOf"}, self.parent, edited)
            builder.sign(signer, kind, source, target)


def open_seal(options: Options, input: Path, output: Path) -> Seal:
    """Make ready to sign `output`, and try the certificate.

    Raises UsageError for a kind of file that cannot be signed, or a certificate or key that does not serve.
    """
    kind = SIGNED_KINDS.get(output.suffix.lower())
    if kind is None:
        raise UsageError(f"{output.suffix} files cannot be signed: use {', '.join(SIGNED_KINDS)}, or leave out --sign")
    certificate, key = options.certificate, options.key
    if certificate is None or key is None:
        certificate, key = _own_certificate(models.home() / FOLDER)
    private = _read_key(key)
    chain = _read_certificates(certificate)
    if chain[0].public_key() != private.public_key():
        raise UsageError(f"key {key} does not belong to certificate {certificate}")
    seal = Seal(_pem(*chain), _key_pem(private), _algorithm(private, key), options.model_name, kind, input)
    complaint = seal.complaint()
    if complaint:
        raise UsageError(f"certificate {certificate} cannot sign: {complaint}; C2PA takes those made to sign e-mail")
    with_parent = replace(seal, parent=SIGNED_KINDS.get(input.suffix.lower()))
    return seal if with_parent.complaint() else with_parent


def _manifest(model: str) -> dict[str, Any]:
    """Say what was done, in C2PA's words (C2PA specification, section on actions)."""
    tool = {"name": "faceswap", "version": __version__}
    action = {
        "action": "c2pa.edited",
        "digitalSourceType": DIGITAL_SOURCE_TYPE,
        "softwareAgent": tool,
        "description": f"A face was swapped by the model {model}",
        "parameters": {"model": model},
    }
    return {
        "claim_generator_info": [tool],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise UsageError(f"{path} holds no certificate in PEM form") from error


def _read_key(path: Path) -> PrivateKey:
    content = _read(path)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError as error:
        raise UsageError(f"key {path} is locked with a password: give one without") from error
    except ValueError as error:
        raise UsageError(f"{path} holds no private key in PEM form") from error
    if not isinstance(key, PrivateKey):
        raise UsageError(f"key {path} is of a kind C2PA does not know: use ECDSA, Ed25519 or RSA")
    return key


def _algorithm(key: PrivateKey, path: Path) -> c2pa.C2paSigningAlg:
    if isinstance(key, rsa.RSAPrivateKey):
        return c2pa.C2paSigningAlg.PS256
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return c2pa.C2paSigningAlg.ED25519
    if key.curve.name not in CURVES:
        raise UsageError(f"key {path} lies on {key.curve.name}: use {', '.join(CURVES)}")
    return c2pa.C2paSigningAlg[CURVES[key.curve.name]]


def _own_certificate(folder: Path) -> tuple[Path, Path]:
    """Give the certificate and key kept in `folder`, made the first time."""
    if not (folder / KEY).exists():
        try:
            _keep_certificate(folder)
        except OSError as error:
            raise OutputError(f"{folder} cannot be written: {error.strerror or error}; set FACESWAP_HOME") from error
    return folder / CERTIFICATE, folder / KEY


def _keep_certificate(folder: Path) -> None:
    """Make a certificate and give the folder its name in one step: another run may be doing the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        certificates, key = _make_certificate()
        (new / CERTIFICATE).write_text(certificates, encoding="ascii")
        with os.fdopen(os.open(new / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(key)
        new.replace(folder)
    except OSError:
        if not (folder / KEY).exists():
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _make_certificate() -> tuple[str, str]:
    """Make an ES256 certificate under a root of its own, whose key is thrown away; gives chain and key as PEM."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, name = _name("faceswap self-made root"), _name("faceswap self-made certificate")
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    root = (
        _certificate(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _certificate(name, root_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(authority, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    return _pem(leaf, root), _key_pem(key)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "faceswap"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _certificate(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(*certificates: x509.Certificate) -> str:
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


def _key_pem(key: PrivateKey) -> str:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()
