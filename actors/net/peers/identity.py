"""TLS between controllers: version 1.3 alone, both sides show a certificate of the cluster's own authority.

Files are read again when they have changed, so that a renewed certificate holds for the next connection. A pair that
cannot be used (half of it is new, say) is told of and the one before is kept.
"""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import Any

import msgspec
import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from flurm.config import TlsFiles
from flurm.tls import CertificateError, parse_uri
from flurm.tls.files import read_certificate, read_certificates
from flurm.tls.making import Description

log = structlog.get_logger(__name__)


class Stranger(Exception):
    """The other side is not who it should be; why, for the log."""


class Contexts(msgspec.Struct, frozen=True):
    """What connections are made with, and until when this controller's certificate is valid."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    until_s: int


class Tls:
    """The certificates of one controller, as they are now; for many threads."""

    def __init__(self, files: TlsFiles, cluster: str, member: str) -> None:
        self.files, self.cluster, self.member = files, cluster, member
        self._guard = threading.Lock()
        self._read_at = self._stamp()
        self._contexts = self._load()

    def contexts(self) -> Contexts:
        """What the next connection is made with."""
        with self._guard:
            stamp = self._stamp()
            if stamp != self._read_at:
                self._read_at = stamp
                try:
                    self._contexts = self._load()
                    log.info("certificate read again", until_s=self._contexts.until_s)
                except CertificateError as error:
                    log.error("new certificate not taken", reason=str(error))
            return self._contexts

    def _stamp(self) -> tuple[object, ...]:
        return tuple(_stamp_of(path) for path in (self.files.ca, self.files.certificate, self.files.key))

    def _load(self) -> Contexts:
        """Read the files and check that they go together. Raises CertificateError."""
        said = self._checked()
        try:
            server, client = (self._context(side) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
        except OSError as error:
            files = f"{self.files.ca}, {self.files.certificate}, {self.files.key}"
            raise CertificateError(f"these do not go together or cannot be read: {files}: {error}") from error
        return Contexts(server, client, said.until_s)

    def _checked(self) -> Description:
        certificate = read_certificate(Path(self.files.certificate))
        said = Description.of(certificate)
        if (said.kind, said.cluster, said.name) != ("controller", self.cluster, self.member):
            whose = f"{said.kind or 'something else'} {said.name} of cluster {said.cluster}".replace("  ", " ")
            expected = f"controller {self.member} of cluster {self.cluster}"
            raise CertificateError(f"{self.files.certificate} is the certificate of {whose}, expected {expected}")
        if not any(_issued(certificate, authority) for authority in read_certificates(Path(self.files.ca))):
            raise CertificateError(f"{self.files.certificate} was not issued by {self.files.ca}")
        return said

    def _context(self, side: int) -> ssl.SSLContext:
        context = ssl.SSLContext(side)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # names are the cluster's, not the domain name system's: see `other_side`
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_verify_locations(self.files.ca)
        context.load_cert_chain(self.files.certificate, self.files.key, password=lambda: "")
        if side == ssl.PROTOCOL_TLS_SERVER:
            context.num_tickets = 0
        return context

    def other_side(self, connection: ssl.SSLSocket) -> tuple[str, int]:
        """Which controller of this cluster is at the other end of a connection, and until when its certificate is
        valid. Raises Stranger."""
        certificate = connection.getpeercert() or {}
        names: Any = certificate.get("subjectAltName", ())
        uris = [value for kind, value in names if kind == "URI"]
        cluster, kind, name = next((found for uri in uris if (found := parse_uri(uri))), ("", "", ""))
        if cluster != self.cluster:
            raise Stranger(f"its certificate is of cluster {cluster!r}, expected {self.cluster!r}")
        if kind != "controller" or not name:
            raise Stranger(f"its certificate is not a controller's: {', '.join(uris)}")
        return name, int(ssl.cert_time_to_seconds(str(certificate["notAfter"])))


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _stamp_of(path: str) -> tuple[int, ...]:
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size
