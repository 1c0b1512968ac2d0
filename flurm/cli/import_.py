"""`flurm import`: begin a cluster with what a running slurmctld has.

Exit status: 0 the state is written, whatever had to be noted; 1 nothing is; 2 wrong usage.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import click
import msgspec

from flurm.bridge import configure, users
from flurm.bridge.importing import saved
from flurm.bridge.importing.answers import Answers, Note
from flurm.bridge.importing.cluster import Imported, cluster_of
from flurm.cli.common import alone
from flurm.client.connection import own_signer
from flurm.client.errors import NotSetUp
from flurm.config import Config, ConfigError, tls_files
from flurm.config.drop_in import load_drop_in, slurm_conf_path
from flurm.core.records import Cluster
from flurm.importing import spool
from flurm.importing.asking import Asking, CannotImport
from flurm.storage import founding
from flurm.storage.errors import StorageError
from protocol.errors import ProtocolError
from protocol.versions import name as version_name

NEVER_TOLD = (
    "--signal, --overcommit, --no-kill, --cpu-bind, --mem-bind, --acctg-freq, --wait-all-nodes, --open-mode where it "
    "is not in the script, and what SPANK plugins asked for"
)
"""What no answer of slurmctld says of a job, only its file `job_state`; what is not known counts as not given."""


@click.command("import", help="Take a running slurmctld's jobs, node states and changes over into a fresh state.")
@click.option("--from", "source", required=True, metavar="HOST[:PORT]", help="The slurmctld to ask.")
@click.option("-f", "slurm_conf", metavar="FILE", help="slurm.conf; default $SLURM_CONF or /etc/slurm/slurm.conf.")
@click.option(
    "--state", "state_dir", type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the new state; default StateSaveLocation/flurm.",
)  # fmt: skip
@click.option(
    "--spool", "spool_dir", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="slurmctld's own StateSaveLocation, for the environments of jobs; default that of slurm.conf.",
)  # fmt: skip
@click.option("--shutdown", is_flag=True, help="End that slurmctld right after its last answer; nodes and jobs go on.")
@click.option("--force", is_flag=True, help="Move a state that is there aside, to replaced-<time> in its directory.")
@click.option("--dry-run", is_flag=True, help="Ask and tell, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    source: str,
    slurm_conf: str | None,
    state_dir: Path | None,
    spool_dir: Path | None,
    shutdown: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Ask, translate, write, and say what came of it."""
    if shutdown and dry_run:
        raise click.UsageError("--dry-run ends nothing: leave --shutdown out")
    try:
        config = load_drop_in(slurm_conf_path(slurm_conf), "SlurmctldDebug")
        _check_user(config)
        directory = (state_dir or Path(config.state_dir)).absolute()
        if not dry_run:
            tls_files(config)  # a controller that could not start for want of certificates is not worth a shutdown
            if not force:
                founding.check_free(directory)
        asking = Asking(_address(source, config), own_signer(config))
        kept_in = spool_dir or _own_spool(config)
        answers = asking.all(kept_in)
        _check_cluster(answers, config, source)
        if shutdown:
            asking.shut_down()
        if kept_in is not None:
            answers = msgspec.structs.replace(answers, saved=saved.read(spool.job_state(kept_in)))
        imported = _translated(answers, config)
        if not dry_run:
            founding.found(directory, imported.cluster, imported.blobs, force, alone(config))
    except ConfigError as error:
        raise click.ClickException("\n".join(str(each) for each in error.all)) from error
    except (CannotImport, NotSetUp, ProtocolError, StorageError) as error:
        raise click.ClickException(str(error)) from error
    show = _show_json if as_json else _show
    show(asking.where, answers, imported, None if dry_run else directory)
    if not as_json:
        click.echo(_what_next(dry_run, shutdown, directory, len(config.controllers)))


def _check_user(config: Config) -> None:
    """Others are shown less, and are given no scripts."""
    slurm_uid = users.uid_of(config.slurm_user)
    if os.geteuid() not in (0, slurm_uid):
        raise CannotImport(
            f"only root and SlurmUser ({config.slurm_user}) are told everything: run this as one of them"
        )


def _address(source: str, config: Config) -> tuple[str, int]:
    """Where to ask; a controller that slurm.conf names is where slurm.conf says."""
    host, _, port = source.rpartition(":") if ":" in source and not source.endswith("]") else (source, "", "")
    if port and not (port.isdecimal() and 0 < int(port) < 1 << 16):
        raise click.UsageError(f"--from {source}: expected HOST or HOST:PORT, the port a number up to 65535")
    host = next((each.host for each in config.controllers if each.name == host), host.strip("[]"))
    return host, int(port) if port else config.slurmctld_port


def _own_spool(config: Config) -> Path | None:
    """StateSaveLocation, where a slurmctld keeps its state there."""
    path = Path(config.slurm.get("StateSaveLocation", "/var/spool"))
    return path if spool.is_spool(path) else None


def _check_cluster(answers: Answers, config: Config, source: str) -> None:
    if answers.cluster_name != config.cluster_name:
        raise CannotImport(
            f"{source} controls cluster {answers.cluster_name}, and slurm.conf is of cluster {config.cluster_name}"
        )


def _translated(answers: Answers, config: Config) -> Imported:
    # As the controller will find it when it starts, so that it keeps the changes of administrators.
    configured = configure.command(config, now_s=int(time.time()), keep_changes=True)
    return cluster_of(answers, configured, users.user_name)


def _counts(cluster: Cluster) -> dict[str, int]:
    found = Counter(job.state.name.lower() for job in cluster.jobs.values())
    return dict(sorted(found.items()))


def _show(where: str, answers: Answers, imported: Imported, _: Path | None) -> None:
    cluster = imported.cluster
    counts = ", ".join(f"{count} {state}" for state, count in _counts(cluster).items()) or "none"
    click.echo(f"asked        {where}: slurmctld {answers.release}, protocol {version_name(answers.version)}")
    click.echo(f"cluster      {answers.cluster_name}, {len(cluster.nodes)} nodes, {len(cluster.partitions)} partitions")
    click.echo(f"jobs         {len(cluster.jobs)}: {counts}")
    click.echo(f"next job id  {cluster.next_job_id}")
    _section("Changed at run time, and taken over", imported.taken)
    _section("Comes along, but not as it was", imported.differs)
    _section("Does not come along", imported.left)
    if imported.told_in_part:
        click.echo(f"\nNot known of {imported.told_in_part} jobs, and taken for not given: {NEVER_TOLD}.")


def _what_next(dry_run: bool, shutdown: bool, directory: Path, controllers: int) -> str:
    if dry_run:
        return "Nothing was written."
    ended = (
        "It has ended" if shutdown else "What it does from now on is not in there: end it (scontrol shutdown slurmctld)"
    )
    then = f"Written to {directory}. {ended}; start FLURM's on the same slurm.conf."
    if controllers < 2:
        return then
    return f"{then} It begins as a cluster of one: empty the state of another controller, start it, add it, and so on."


def _section(title: str, rows: tuple[str, ...] | tuple[Note, ...]) -> None:
    if rows:
        click.echo(f"\n{title}:")
        for row in rows:
            click.echo(f"  {row}")


def _show_json(where: str, answers: Answers, imported: Imported, directory: Path | None) -> None:
    facts = {
        "from": where,
        "release": answers.release,
        "cluster": answers.cluster_name,
        "jobs": _counts(imported.cluster),
        "nodes": len(imported.cluster.nodes),
        "partitions": len(imported.cluster.partitions),
        "next_job_id": imported.cluster.next_job_id,
        "taken_over": list(imported.taken),
        "differs": [note._asdict() for note in imported.differs],
        "left": [note._asdict() for note in imported.left],
        "told_in_part": imported.told_in_part,
        "state_dir": str(directory) if directory is not None else None,
    }
    click.echo(json.dumps(facts, indent=2))
