"""Certificates with which the controllers of a cluster prove themselves to each other.

``names``     who a certificate speaks of, as a URI in it      ``making``   a cluster's own authority, what it issues
``files``     where they lie, how they are written and read
"""

from flurm.tls.files import Bundle, CertificateError, describe, read_authority, write
from flurm.tls.making import Authority, Description, Issued, issue, new_authority, renew
from flurm.tls.names import controller_uri, parse_uri

__all__ = [
    "Authority",
    "Bundle",
    "CertificateError",
    "Description",
    "Issued",
    "controller_uri",
    "describe",
    "issue",
    "new_authority",
    "parse_uri",
    "read_authority",
    "renew",
    "write",
]
