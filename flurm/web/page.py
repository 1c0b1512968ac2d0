"""The page at `/`: the tree, the nodes and the jobs at a glance, refreshed every two seconds. No script, no build."""

from __future__ import annotations

from html import escape
from typing import Any

from flurm.core.arrays import label
from flurm.core.records import Cluster

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
body{color:#1c2733;background:#fbfcfd}
h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #e4e9ee}
th{font-weight:600;color:#5b6b7b}td.n{font-variant-numeric:tabular-nums}
.up{color:#1a7f37}.down{color:#c0392b}.muted{color:#8a97a5}
"""
MOST_JOBS = 200


def render(status: dict[str, Any], tree: list[dict[str, Any]], cluster: Cluster | None) -> str:
    """The whole page."""
    healthy = status.get("status") == "healthy"
    cluster = cluster or Cluster()
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=2>"
        f"<title>{escape(status['cluster'])} · FLURM</title><style>{_STYLE}</style>"
        f"<h1>{escape(status['cluster'])} "
        f"<span class={'up' if healthy else 'down'}>{escape(status['status'])}</span></h1>"
        f"<p class=muted>FLURM {escape(status['version'])} on {escape(status['controller'])}, "
        f"{escape(status['address'])}, "
        f"{escape(str(status.get('consensus', '')))}, up {status['uptime_s']:.0f} s</p>"
        f"{_nodes(cluster)}{_jobs(cluster)}{_tree(tree)}</html>"
    )


def _table(title: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    cells = "".join(f"<th>{escape(name)}" for name in head)
    body = "".join("<tr>" + "".join(f"<td class=n>{value}" for value in row) for row in rows)
    return f"<h2>{escape(title)}</h2><table><tr>{cells}{body}</table>"


def _nodes(cluster: Cluster) -> str:
    rows = []
    for name in cluster.node_order:
        node = cluster.nodes[name]
        state = node.shown_state.name.lower() + ("+drain" if node.flags & 0x200 else "")
        kind = "up" if node.is_schedulable else "down"
        rows.append((
            escape(name), f"<span class={kind}>{state}</span>", f"{node.used_cpus} / {node.cpus}",
            f"{node.used_memory_mib} / {node.real_memory_mib} MiB", escape(node.reason or ""),
        ))  # fmt: skip
    return _table("Nodes", ("Node", "State", "CPUs", "Memory", "Reason"), rows)


def _jobs(cluster: Cluster) -> str:
    rows = []
    for job_id in [*cluster.active, *cluster.pending][:MOST_JOBS]:
        job = cluster.jobs[job_id]
        where = ",".join(job.node_names) if job.node_names else f"({job.reason})"
        rows.append((
            escape(label(job)), escape(job.spec.name), escape(str(job.spec.user_name or job.spec.user_id)),
            escape(job.partition), job.state.name.lower(), escape(where),
        ))  # fmt: skip
    return _table("Jobs", ("Job", "Name", "User", "Partition", "State", "Nodes or reason"), rows)


def _tree(tree: list[dict[str, Any]]) -> str:
    rows: list[tuple[Any, ...]] = []

    def walk(node: dict[str, Any], depth: int) -> None:
        rows.append((
            f"<span style='padding-left:{depth * 1.2}rem'>{escape(node['id'])}</span>", escape(node["strategy"] or ""),
            escape(node["status"]), node["restarts"], node["mailbox"], node["handled"], f"{node['uptime_s']:.0f} s",
        ))  # fmt: skip
        for child in node["children"]:
            walk(child, depth + 1)

    for root in tree:
        walk(root, 0)
    return _table("Tree", ("Process", "Strategy", "Status", "Restarts", "Mailbox", "Handled", "Up"), rows)
