"""Who a certificate speaks of: a URI among its alternative names, `flurm://CLUSTER/controller/NAME`.

The authority's own certificate has `flurm://CLUSTER`. Names are percent-encoded where a URI asks for it.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

SCHEME = "flurm://"


def controller_uri(cluster: str, name: str) -> str:
    """The URI of controller `name` of `cluster`."""
    return f"{cluster_uri(cluster)}/controller/{quote(name, safe='')}"


def cluster_uri(cluster: str) -> str:
    """The URI of a cluster's authority."""
    return SCHEME + quote(cluster, safe="")


def parse_uri(uri: str) -> tuple[str, str, str] | None:
    """(cluster, kind, name) of a URI of ours, kind and name empty for an authority; None for any other URI."""
    if not uri.startswith(SCHEME):
        return None
    match uri.removeprefix(SCHEME).split("/"):
        case [cluster]:
            return unquote(cluster), "", ""
        case [cluster, kind, name]:
            return unquote(cluster), kind, unquote(name)
    return None
