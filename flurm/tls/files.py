"""Where certificates lie and how they are written.

An authority is a directory with `ca.pem` (everybody's) and `ca.key` (the administrator's alone); a controller's
directory has `ca.pem`, `cert.pem` and `key.pem`. A file is whole or not there: it is written beside its place and moved
there; a key is never readable for anybody else, not even for a moment. What exists is not overwritten unless asked.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from flurm.tls.making import Authority, Description, Issued

CA, CA_KEY, CERTIFICATE, KEY = "ca.pem", "ca.key", "cert.pem", "key.pem"
KEY_FILES = frozenset({CA_KEY, KEY})


class CertificateError(Exception):
    """A certificate, key or directory that cannot be used; the text names it and says what would be right."""


class Bundle(msgspec.Struct, frozen=True):
    """Files of one directory, name -> content."""

    files: Mapping[str, bytes]

    @classmethod
    def of_authority(cls, issued: Issued) -> Bundle:
        """What the administrator keeps."""
        return cls({CA: issued.certificate, CA_KEY: issued.key})

    @classmethod
    def of_controller(cls, authority: Authority, issued: Issued) -> Bundle:
        """What a controller needs."""
        return cls({CA: authority.pem, CERTIFICATE: issued.certificate, KEY: issued.key})


def write(directory: Path, bundle: Bundle, *, force: bool = False) -> list[Path]:
    """Write a bundle, keys with mode 0600; returns the paths. Raises CertificateError, also where one exists already
    and `force` is not given: then nothing is written."""
    paths = {directory / name: content for name, content in bundle.files.items()}
    taken = [path for path in paths if path.exists()]
    if taken and not force:
        raise CertificateError(f"{taken[0]} exists already; --force overwrites it")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, content in paths.items():
            _place(path, content, 0o600 if path.name in KEY_FILES else 0o644)
    except OSError as error:
        raise CertificateError(f"cannot write to {directory}: {error.strerror}") from error
    return list(paths)


def _place(path: Path, content: bytes, mode: int) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def read_authority(directory: Path) -> Authority:
    """The authority in a directory. Raises CertificateError."""
    certificate = read_certificate(directory / CA, f"make an authority with `flurm cert ca {directory}`")
    if Description.of(certificate).kind != "authority":
        raise CertificateError(f"{directory / CA} is not the certificate of an authority made by `flurm cert ca`")
    data = _read(directory / CA_KEY, "only who has the authority's key can issue certificates")
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{directory / CA_KEY} holds no private key in PEM without a passphrase") from error
    if key.public_key() != certificate.public_key():
        raise CertificateError(f"{directory / CA_KEY} is not the key of {directory / CA}")
    return Authority(certificate, key)


def read_certificate(path: Path, remedy: str = "name a certificate in PEM") -> x509.Certificate:
    """The first certificate in a file. Raises CertificateError."""
    data = _read(path, remedy)
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise CertificateError(f"{path} holds no certificate in PEM") from error


def read_certificates(path: Path) -> list[x509.Certificate]:
    """All certificates in a file. Raises CertificateError."""
    try:
        return x509.load_pem_x509_certificates(_read(path, "name a file of certificates in PEM"))
    except ValueError as error:
        raise CertificateError(f"{path} holds no certificate in PEM") from error


def describe(path: Path) -> Description:
    """What the certificate in a file says. Raises CertificateError."""
    return Description.of(read_certificate(path))


def _read(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"cannot read {path}: {error.strerror}; {remedy}") from error
