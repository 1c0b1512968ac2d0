"""`flurm cert`: certificates with which the controllers of one cluster prove themselves to each other.

The authority of a cluster is a directory that stays with the administrator; what a controller needs is a directory of
three files, copied to its `<state_dir>/tls`.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from flurm import tls
from flurm.cli.common import read_config
from flurm.cli.main import config_option
from flurm.tls.files import CA, CA_KEY, CERTIFICATE, KEY, read_certificate
from flurm.tls.making import DAY_S, Description

CA_DAYS, DAYS, SOON_DAYS = 3650, 825, 30
DIRECTORY = click.Path(file_okay=False, path_type=Path)

days_option = click.option(
    "--days", type=click.IntRange(1, 36500), default=DAYS, show_default=True, help="How long it is valid."
)
force_option = click.option("--force", is_flag=True, help="Overwrite what exists.")
cluster_option = click.option("--cluster", help="Name of the cluster; default: cluster_name of the configuration.")
ca_option = click.option("--ca", "ca", type=DIRECTORY, required=True, help="Directory of the authority.")


@click.group(name="cert")
def command() -> None:
    """Make, renew and show the certificates of a cluster's controllers."""


@command.command("ca")
@config_option
@cluster_option
@click.option("--days", type=click.IntRange(1, 36500), default=CA_DAYS, show_default=True, help="How long it is valid.")
@force_option
@click.argument("directory", type=DIRECTORY)
def make_ca(config_path: Path | None, cluster: str | None, days: int, force: bool, directory: Path) -> None:
    """Make the cluster's certificate authority in DIRECTORY. Keep ca.key to yourself: it makes controllers."""
    _make_authority(directory, cluster or read_config(config_path).cluster_name, days, force)


@command.command("issue")
@ca_option
@click.option("--out", type=DIRECTORY, help="Where to; default: a directory NAME below the authority's.")
@click.option("--host", "hosts", multiple=True, help="A host name or address to stand in it, for other programs.")
@days_option
@force_option
@click.argument("name")
def issue(ca: Path, out: Path | None, hosts: tuple[str, ...], days: int, force: bool, name: str) -> None:
    """Issue a certificate for controller NAME, as it is called in `controllers`, or host:port where it has no name."""
    _issue(_authority(ca), name, hosts, days, out or ca / name, force)


@command.command("renew")
@config_option
@ca_option
@days_option
@click.argument("directory", type=DIRECTORY, required=False)
def renew(config_path: Path | None, ca: Path, days: int, directory: Path | None) -> None:
    """Issue the certificate in DIRECTORY anew, for the same controller and hosts, with a new key.

    Without DIRECTORY, the one that the configuration names. Running controllers take the new one for new connections.
    """
    place = directory or Path(read_config(config_path).raft_certificate).parent
    authority = _authority(ca)
    try:
        old = read_certificate(place / CERTIFICATE)
        issued = tls.renew(authority, old, now_s=time.time(), days=days)
        tls.write(place, tls.Bundle.of_controller(authority, issued), force=True)
    except (tls.CertificateError, ValueError) as error:
        raise click.ClickException(f"{place / CERTIFICATE}: {error}") from error
    _show(place / CERTIFICATE)


@command.command("show")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
def show(config_path: Path | None, as_json: bool, file: Path | None) -> None:
    """Show whose the certificate in FILE is and how long it is valid; without FILE, the controller's own.

    Exit status 1 where it is not valid now.
    """
    path = file or Path(read_config(config_path).raft_certificate)
    said = _describe(path)
    if as_json:
        click.echo(json.dumps({"file": str(path), **msgspec.to_builtins(said)}, indent=2))
    else:
        _show(path)
    if not said.from_s <= time.time() < said.until_s:
        raise click.exceptions.Exit(1)


@command.command("bootstrap")
@config_option
@cluster_option
@days_option
@force_option
@click.argument("directory", type=DIRECTORY)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def bootstrap(
    config_path: Path | None, cluster: str | None, days: int, force: bool, directory: Path, names: tuple[str, ...]
) -> None:
    """Make authority and certificates of a small cluster at once: one directory below DIRECTORY for each controller.

    Copy DIRECTORY/NAME to <state_dir>/tls of controller NAME, and keep DIRECTORY/ca.key in a safe place. An authority
    that is there already is used, so that the command can be repeated for further controllers.
    """
    if force or not (directory / CA).exists():
        _make_authority(directory, cluster or read_config(config_path).cluster_name, CA_DAYS, force)
    authority = _authority(directory)
    if cluster is not None and authority.cluster != cluster:
        raise click.ClickException(f"{directory / CA} is the authority of {authority.cluster}, not of {cluster}")
    for name in names:
        _issue(authority, name, (), days, directory / name, force)


def _make_authority(directory: Path, cluster: str, days: int, force: bool) -> None:
    issued = tls.new_authority(cluster, now_s=time.time(), days=days)
    _write(directory, tls.Bundle.of_authority(issued), force)
    _show(directory / CA)
    click.echo(f"  keep {directory / CA_KEY} safe: whoever has it can make controllers of cluster {cluster}")


def _issue(authority: tls.Authority, name: str, hosts: tuple[str, ...], days: int, place: Path, force: bool) -> None:
    if not name or "/" in name or name.startswith("."):
        raise click.UsageError(f"expected the name of a controller, found {name!r}")
    try:
        issued = tls.issue(authority, name, hosts, now_s=time.time(), days=days)
    except ValueError as error:
        raise click.ClickException(f"no certificate for {name}: {error}") from error
    _write(place, tls.Bundle.of_controller(authority, issued), force)
    _show(place / CERTIFICATE)
    click.echo(f"  copy {CA}, {CERTIFICATE} and {KEY} from {place} to <state_dir>/tls of {name}")


def _authority(directory: Path) -> tls.Authority:
    try:
        authority = tls.read_authority(directory)
    except tls.CertificateError as error:
        raise click.ClickException(str(error)) from error
    _warn(directory / CA, Description.of(authority.certificate))
    return authority


def _write(directory: Path, bundle: tls.Bundle, force: bool) -> None:
    try:
        tls.write(directory, bundle, force=force)
    except tls.CertificateError as error:
        raise click.ClickException(str(error)) from error


def _describe(path: Path) -> Description:
    try:
        return tls.describe(path)
    except tls.CertificateError as error:
        raise click.ClickException(str(error)) from error


def _show(path: Path) -> None:
    said = _describe(path)
    whose = {
        "authority": f"authority of cluster {said.cluster}",
        "controller": f"controller {said.name} of cluster {said.cluster}",
    }.get(said.kind, "not one of FLURM's")
    hosts = f", hosts {', '.join(said.hosts)}" if said.hosts else ""
    click.echo(f"{path}: {whose}{hosts}")
    click.echo(f"  valid from {_date(said.from_s)} until {_date(said.until_s)} UTC")
    click.echo(f"  issued by {said.issuer}, SHA-256 {said.fingerprint}")
    _warn(path, said)


def _warn(path: Path, said: Description) -> None:
    """What does not hold any more, or not for long."""
    left_s = said.until_s - time.time()
    again = "make a new authority" if said.kind == "authority" else f"`flurm cert renew --ca DIR {path.parent}`"
    if said.from_s > time.time():
        click.echo(f"warning: {path} is not valid yet: is the clock right?", err=True)
    elif left_s <= 0:
        click.echo(f"warning: {path} expired on {_date(said.until_s)}: {again}", err=True)
    elif left_s < SOON_DAYS * DAY_S:
        click.echo(f"warning: {path} expires in {int(left_s // DAY_S)} days: {again}", err=True)


def _date(moment_s: int) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%d %H:%M")
