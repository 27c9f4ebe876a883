"""Signed provenance: C2PA manifests (C2PA Technical Specification 2.x), written and read by c2pa-python.

A manifest binds a claim, "created by a trained algorithm" and the record, to a file's very bytes by a signature. Who
signs is the user: a certificate and its key are given, none comes with this project.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

from followyouremoji.errors import SettingsError, first_line
from followyouremoji.provenance.record import DIGITAL_SOURCE_TYPE, Record, read_record
from followyouremoji.reading import read_bytes
from followyouremoji.version import __version__

MIME = {
    ".mp4": "video/mp4",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".apng": "image/png",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
"""Kinds of files that can carry a manifest, by their endings."""
RECORD_LABEL = "io.github.followyouremoji.record"
LONGEST_PEM, LONGEST_TEXT = 1 << 20, 200  # bytes of a file of certificates; characters of a manifest's texts
INSTALL = "pip install 'followyouremoji[provenance]'"
_SETTINGS = ("certificate", "private_key")
_OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
_NO_THUMBNAIL = {"builder": {"thumbnail": {"enabled": False}}}

Validity = Literal["trusted", "untrusted", "invalid"]


@dataclass(frozen=True)
class Manifest:
    """What a file's C2PA manifest says, and whether that holds.

    Attributes
    ----------
    validity : "trusted": the file is as it was signed, by one whom the given authorities vouch for; "untrusted": as it
        was signed, but by one whom they do not; "invalid": file or manifest were changed, or the signature is none.
    problems : the validation's codes of what is wrong (C2PA, "Validation"), at most a few.
    signer : whom the certificate names; None where it names nobody.
    signed : when, by a timestamp authority; None where none was asked.
    generator : the program that made the claim.
    source_types : IPTC digital source types of the actions in it.
    record : the assertion of this project's; None where there is none.
    """

    validity: Validity
    problems: tuple[str, ...]
    signer: str | None
    signed: str | None
    generator: str | None
    source_types: tuple[str, ...]
    record: Record | None


class Signer:
    """Signs files with a user's certificate.

    Parameters
    ----------
    certificate : PEM, the signer's certificate first, then those up to the authority, which may be left out.
    private_key : PEM, not encrypted: ES256, ES384, ES512, PS256 or Ed25519.
    timestamp_authority : URL (RFC 3161) that vouches for the time; by default nobody is asked.

    Raises
    ------
    SettingsError : c2pa-python is missing, a file cannot be read, a manifest cannot be signed with them, or the
        authority does not answer: each is tried here, before any work begins.
    """

    def __init__(self, certificate: Path, private_key: Path, timestamp_authority: str | None = None) -> None:
        _library()
        self._chain, key = _pem(certificate, "certificate"), _pem(private_key, "private_key")
        if timestamp_authority is not None and not timestamp_authority.startswith(("http://", "https://")):
            raise SettingsError(
                f"{timestamp_authority} is no address of a timestamp authority; give one that begins with https://",
                settings=("timestamp_authority",),
            )
        self._key, self._algorithm = key, _algorithm(key, private_key)
        self._authority = timestamp_authority
        try:
            self._try(None)
        except Exception as reason:  # the library has no class for each of them
            raise SettingsError(
                f"{certificate} and {private_key} cannot sign a manifest: {_in_words(reason)}; give the certificate of that key, within "
                "its dates, issued for signing content (e-mail protection, document signing or C2PA claim signing, not self-signed)",
                settings=_SETTINGS,
            ) from reason
        if timestamp_authority is not None:
            try:
                self._try(timestamp_authority)
            except Exception as reason:
                raise SettingsError(
                    f"the timestamp authority {timestamp_authority} vouches for nothing: {_in_words(reason)}; give another, or none",
                    settings=("timestamp_authority",),
                ) from reason

    def _try(self, authority: str | None) -> None:
        trial = BytesIO()
        _blank_picture(trial)
        self._sign(trial, BytesIO(), "image/png", None, authority)

    def sign(self, file: Path, ending: str, record: Record | None) -> None:
        """Put a manifest into a finished file of an ending in `MIME`. Raises OSError where that fails.

        Where the timestamp authority answers no more, the signature has no time, of which a warning tells.
        """
        signed = file.with_name(f"signed{file.suffix}")
        for authority in dict.fromkeys((self._authority, None)):
            try:
                with file.open("rb") as source, signed.open("w+b") as destination:
                    self._sign(source, destination, MIME[ending], record, authority)
                break
            except OSError:
                raise
            except Exception as reason:
                if authority is None:
                    raise OSError(None, f"it could not be signed: {_in_words(reason)}") from reason
                warnings.warn(
                    f"the timestamp authority {authority} vouches for nothing any more: {_in_words(reason)}; the signature has no time",
                    stacklevel=2,
                )
        signed.replace(file)

    def _sign(
        self,
        source: BinaryIO,
        destination: BinaryIO,
        mime: str,
        record: Record | None,
        authority: str | None,
    ) -> None:
        import c2pa

        url = None if authority is None else authority.encode()
        info = c2pa.C2paSignerInfo(self._algorithm.encode(), self._chain, self._key, url)
        context = c2pa.Context.from_dict(_NO_THUMBNAIL)
        with context, c2pa.Signer.from_info(info) as signer, c2pa.Builder(_claim(record), context) as builder:
            source.seek(0)
            builder.sign(signer, mime, source, destination)


def _claim(record: Record | None) -> dict[str, Any]:
    """The manifest of a generated file, as c2pa-python takes it."""
    created = {"action": "c2pa.created", "digitalSourceType": DIGITAL_SOURCE_TYPE}
    assertions: list[dict[str, Any]] = [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}]
    if record is not None:
        assertions.append({"label": RECORD_LABEL, "data": {"record": record.json()}})
    generator = {"name": "Follow Your Emoji", "version": __version__}
    return {"claim_generator_info": [generator], "title": "Animated portrait", "assertions": assertions}


def read_manifest(file: Path, mime: str, authorities: str | None = None) -> Manifest | None:
    """The manifest in a file of that MIME type; None where there is none, as in types that have none. Nothing is
    fetched.

    `authorities` are certificates, PEM, whose signers are trusted. Raises SettingsError where c2pa-python is missing
    or the authorities are none, and ValueError where the file is too damaged to tell.
    """
    c2pa = _library()
    if mime not in c2pa.Reader.get_supported_mime_types():
        return None
    trust = {} if authorities is None else {"trust": {"user_anchors": authorities}}
    try:
        context = c2pa.Context.from_dict(_OFFLINE | trust)
    except c2pa.C2paError as reason:
        raise SettingsError(f"the authorities cannot be used: {_in_words(reason)}") from reason
    try:
        with context, file.open("rb") as opened:
            reader = c2pa.Reader.try_create(mime, opened, context=context)
            if reader is None or not reader.is_embedded():
                return None
            with reader:
                found, state = json.loads(reader.json()), reader.get_validation_state()
    except c2pa.C2paError as reason:
        raise ValueError(_in_words(reason)) from reason
    return _manifest(found, state)


def _manifest(found: dict[str, Any], state: str | None) -> Manifest:
    active = found.get("manifests", {}).get(found.get("active_manifest"), {})
    failures = [_short(one.get("code")) for one in _entries(found.get("validation_status"))]
    validity: Validity = {"Trusted": "trusted", "Valid": "untrusted"}.get(str(state), "invalid")  # type: ignore[assignment]
    signature = active.get("signature_info") or {}
    generator = next(iter(_entries(active.get("claim_generator_info"))), {})
    types, record = list[str](), None
    for assertion in _entries(active.get("assertions")):
        label, data = str(assertion.get("label")), assertion.get("data")
        if not isinstance(data, dict):
            continue
        if label.startswith("c2pa.actions"):
            actions = _entries(data.get("actions"))
            types += [_short(one["digitalSourceType"]) for one in actions if "digitalSourceType" in one]
        elif label == RECORD_LABEL:
            record = read_record(str(data.get("record")))
    return Manifest(
        validity,
        tuple(dict.fromkeys(failures))[:5],
        _short(signature.get("common_name") or signature.get("issuer")) or None,
        _short(signature.get("time")) or None,
        _short(" ".join(str(generator.get(key, "")) for key in ("name", "version"))).strip() or None,
        tuple(dict.fromkeys(types))[:5],
        record,
    )


def _entries(value: object) -> list[dict[str, Any]]:
    """The tables in a list, where it is one: manifests are what their authors want."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _short(text: object) -> str:
    """A text of a manifest, bounded; "" for None."""
    return "" if text is None else str(text)[:LONGEST_TEXT]


def authorities_of(file: Path) -> str:
    """Certificates of authorities, PEM. Raises SettingsError where there are none in the file."""
    return _pem(file, "trust").decode("ascii", "replace")


def _library() -> Any:
    """c2pa-python. Raises SettingsError where it is missing."""
    try:
        import c2pa
    except ImportError as reason:
        raise SettingsError(
            f"signed provenance needs c2pa-python, which is missing: {INSTALL}", settings=_SETTINGS
        ) from reason
    return c2pa


def _pem(file: Path, setting: str) -> bytes:
    try:
        text = read_bytes(file, LONGEST_PEM)
    except (OSError, ValueError) as reason:
        raise SettingsError(f"cannot read {file}: {first_line(reason)}", settings=(setting,)) from reason
    if b"-----BEGIN" not in text:
        raise SettingsError(
            f"{file} is no PEM file, which is text with a line -----BEGIN in it", settings=(setting,)
        )
    return text


def _algorithm(key: bytes, file: Path) -> str:
    """What a private key signs with (C2PA, "Digital signatures")."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        loaded = load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as reason:
        raise SettingsError(
            f"{file} is no private key that can be used: {first_line(reason)}; give an unencrypted one in PEM",
            settings=("private_key",),
        ) from reason
    curves = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
    if isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.curve.name in curves:
        return curves[loaded.curve.name]
    if isinstance(loaded, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise SettingsError(
        f"{file} is a key of a kind that manifests are not signed with; give one for ES256, PS256 or Ed25519",
        settings=("private_key",),
    )


def _blank_picture(file: BinaryIO) -> None:
    from PIL import Image

    Image.new("L", (16, 16)).save(file, "PNG")


def _in_words(reason: Exception) -> str:
    """What the library says, without the name of its class."""
    return first_line(reason).rpartition("Other: ")[2][:200]
