"""The documented supervision tree, and what a supervisor has to restart when one of its processes dies.

From the architecture document, "Full Supervision Tree" and "Supervisor Strategies Explained". It gives no strategy for
flurm_metrics_sup and flurm_sched_plugin_sup beyond the tree's own words; their children are independent of each other.
"""

from __future__ import annotations

from collections.abc import Iterator

ROOT = "flurm_sup"
STRATEGY = {
    "flurm_sup": "one_for_one",
    "flurm_protocol_sup": "one_for_all",
    "flurm_acceptor_pool": "simple_one_for_one",
    "flurm_core_sup": "rest_for_one",
    "flurm_scheduler_sup": "one_for_one",
    "flurm_sched_plugin_sup": "simple_one_for_one",
    "flurm_metrics_sup": "one_for_one",
}
CHILDREN = {
    "flurm_sup": ("flurm_protocol_sup", "flurm_core_sup", "flurm_scheduler_sup", "flurm_metrics_sup"),
    "flurm_protocol_sup": ("flurm_acceptor_pool", "flurm_protocol_decoder", "flurm_protocol_encoder"),
    "flurm_acceptor_pool": (),  # connection handlers, which have no names
    "flurm_core_sup": (
        "flurm_consensus",
        "flurm_state_manager",
        "flurm_job_manager",
        "flurm_node_manager",
        "flurm_partition_manager",
        "flurm_queue_manager",
    ),
    "flurm_scheduler_sup": ("flurm_scheduler_engine", "flurm_sched_plugin_sup"),
    "flurm_sched_plugin_sup": ("flurm_sched_fifo", "flurm_sched_backfill", "flurm_sched_fairshare"),
    "flurm_metrics_sup": ("flurm_prometheus_exporter", "flurm_tracer", "flurm_health_checker"),
}
PARENT = {child: parent for parent, children in CHILDREN.items() for child in children}
SUPERVISORS = tuple(STRATEGY)
WORKERS = tuple(name for name in PARENT if name not in STRATEGY)


def below(name: str) -> Iterator[str]:
    """A process and everything under it."""
    yield name
    for child in CHILDREN.get(name, ()):
        yield from below(child)


def siblings_restarted(victim: str) -> tuple[str, ...]:
    """The children of the victim's supervisor that are restarted, the victim among them."""
    parent = PARENT[victim]
    children = CHILDREN[parent]
    match STRATEGY[parent]:
        case "one_for_all":
            return children
        case "rest_for_one":
            return children[children.index(victim) :]
    return (victim,)


def restarted(victim: str) -> set[str]:
    """Every process that is another one after the victim has died."""
    return {name for sibling in siblings_restarted(victim) for name in below(sibling)}


class Restarts:
    """The figure that `flurm tree` shows for every process: restarts by its supervisor as that now is."""

    def __init__(self) -> None:
        self.count = dict.fromkeys((ROOT, *PARENT), 0)

    def killed(self, victim: str) -> None:
        """Note a death: who is restarted counts one more, who is below is new to a new supervisor."""
        for sibling in siblings_restarted(victim):
            self.count[sibling] += 1
            for name in below(sibling):
                if name != sibling:
                    self.count[name] = 0
