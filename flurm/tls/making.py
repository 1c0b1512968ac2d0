"""Makes certificates: X.509 with ECDSA on P-256, which every TLS 1.3 implementation takes.

A cluster has an authority of its own and no other is believed, so that whoever holds a certificate of it is one of the
cluster's controllers. Certificates are good for both ends of a connection, since every controller calls and is called.
Nothing here touches a file or a clock: times come in as seconds since 1970.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flurm.tls.names import cluster_uri, controller_uri, parse_uri

BACKDATED = timedelta(hours=1)
"""A certificate holds a little earlier than it was made: clocks of machines differ."""
DAY_S = 86400


class Issued(msgspec.Struct, frozen=True):
    """A new certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


class Authority(msgspec.Struct, frozen=True):
    """What certificates of a cluster are signed with."""

    certificate: x509.Certificate
    key: PrivateKeyTypes

    @classmethod
    def of(cls, issued: Issued) -> Authority:
        """The one that has just been made."""
        key = serialization.load_pem_private_key(issued.key, None)
        return cls(x509.load_pem_x509_certificate(issued.certificate), key)

    @property
    def cluster(self) -> str:
        """The cluster that it speaks for."""
        return Description.of(self.certificate).cluster

    @property
    def pem(self) -> bytes:
        """The certificate that everybody needs."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate says. Times in seconds since 1970; `kind` is "authority", "controller" or "" for a stranger's,
    `name` whose it is, empty for an authority."""

    kind: str
    cluster: str = ""
    name: str = ""
    hosts: tuple[str, ...] = ()
    issuer: str
    from_s: int
    until_s: int
    fingerprint: str

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Description:
        """Read it off a certificate."""
        uris, hosts = _alternative_names(certificate)
        ours = next((found for uri in uris if (found := parse_uri(uri)) is not None), None)
        cluster, kind, name = ours or ("", "", "")
        return cls(
            kind=kind if ours is None or kind else "authority",
            cluster=cluster,
            name=name,
            hosts=hosts,
            issuer=certificate.issuer.rfc4514_string(),
            from_s=int(certificate.not_valid_before_utc.timestamp()),
            until_s=int(certificate.not_valid_after_utc.timestamp()),
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":"),
        )


def new_authority(cluster: str, *, now_s: float, days: int) -> Issued:
    """An authority for a cluster."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject(f"FLURM authority of {cluster}", cluster)
    builder = _builder(name, name, key.public_key(), now_s, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(_alternatives(cluster_uri(cluster), ()), critical=False)
    return _signed(builder, key, key, key.public_key())


def issue(authority: Authority, name: str, hosts: Iterable[str] = (), *, now_s: float, days: int) -> Issued:
    """A certificate for controller `name`; `hosts` are names and addresses for other programs, ours go by `name`.

    It ends no later than the authority does. Raises ValueError for a host that cannot stand in a certificate.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(
        _subject(name, authority.cluster), authority.certificate.subject, key.public_key(), now_s, days,
        last=authority.certificate.not_valid_after_utc,
    )  # fmt: skip
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(both, critical=False)
    alternatives = _alternatives(controller_uri(authority.cluster, name), hosts)
    builder = builder.add_extension(alternatives, critical=False)
    return _signed(builder, key, authority.key, authority.certificate.public_key())


def renew(authority: Authority, old: x509.Certificate, *, now_s: float, days: int) -> Issued:
    """A new certificate, with a new key, for whom the old one is. Raises ValueError where that is no controller of the
    authority's cluster."""
    said = Description.of(old)
    if said.kind != "controller" or said.cluster != authority.cluster:
        raise ValueError(f"expected the certificate of a controller of cluster {authority.cluster}")
    return issue(authority, said.name, said.hosts, now_s=now_s, days=days)


def _subject(common_name: str, cluster: str) -> x509.Name:
    """X.520 allows no more than 64 characters; what counts are the alternative names."""
    fields = ((NameOID.ORGANIZATION_NAME, cluster), (NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, text[:64]) for oid, text in fields])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now_s: float, days: int,
    last: datetime | None = None,
) -> x509.CertificateBuilder:  # fmt: skip
    now = datetime.fromtimestamp(int(now_s), UTC)
    until = now + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, until) - BACKDATED)
        .not_valid_after(min(until, last) if last else until)
    )


def _signed(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signer: PrivateKeyTypes,
    signer_public: object,
) -> Issued:
    """Name both keys in it and sign it; without their names strict verifiers refuse a chain."""
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_public)  # type: ignore[arg-type]
    builder = builder.add_extension(own, critical=False).add_extension(above, critical=False)
    certificate = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Issued(certificate.public_bytes(pem), key.private_bytes(pem, pkcs8, serialization.NoEncryption()))


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _alternatives(uri: str, hosts: Iterable[str]) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return x509.SubjectAlternativeName(names)


def _alternative_names(certificate: x509.Certificate) -> tuple[list[str], tuple[str, ...]]:
    """Its URIs, and its hosts."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [], ()
    hosts = (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))
    return names.get_values_for_type(x509.UniformResourceIdentifier), hosts
