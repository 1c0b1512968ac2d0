"""Which models the specs are checked on.

A model gives a spec's constants values small enough that every state can be looked at. `default` models run in CI;
`large` ones on demand (`make tla MODEL=large`). A mutant is a model in which one rule is broken on purpose (the spec's
constant `Bug`): TLC has to refuse it, and with the invariant that the rule is there for.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Model(msgspec.Struct, frozen=True):
    """One run of TLC. Names like m1 in a constant are model values; `symmetric` needs some that are alike."""

    spec: str
    name: str
    constants: Mapping[str, str]
    invariants: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    """Properties of single steps."""
    liveness: tuple[str, ...] = ()
    symmetric: bool = False
    size: str = "default"
    bug: str = ""
    expected: str | None = None
    """What a mutant violates."""

    @property
    def title(self) -> str:
        """How tables name it."""
        return f"{self.spec}: {self.name}"

    def configuration(self) -> str:
        """The text of TLC's configuration file."""
        constants = {**self.constants, "Bug": f'"{self.bug}"'}
        lines = [f"SPECIFICATION {'LiveSpec' if self.liveness else 'Spec'}", "CONSTANTS"]
        lines += [f"  {name} = {name}" for name in _model_values(constants)]
        lines += [f"  {name} = {value}" for name, value in constants.items()]
        lines += ["SYMMETRY Symmetry"] if self.symmetric else []
        lines += [f"INVARIANT {name}" for name in self.invariants]
        lines += [f"PROPERTY {name}" for name in (*self.actions, *self.liveness)]
        return "\n".join(lines) + "\n"


def _model_values(constants: Mapping[str, str]) -> list[str]:
    words = " ".join(constants.values()).replace("{", " ").replace("}", " ").replace(",", " ").split()
    return sorted({word for word in words if len(word) == 2 and word[0].islower() and word[1].isdigit()})


_RAFT = {
    "Members": "{m1, m2, m3}", "Voters": "{m1, m2, m3}", "Targets": "{}", "MaxTerm": "2", "MaxLog": "2",
    "MaxCrashes": "0", "Lossy": "{}", "Appliers": "{}", "PreVote": "FALSE", "Cut": "{}", "Calm": "FALSE",
    "OldTerms": "FALSE",
}  # fmt: skip
_RAFT_SAFETY = (
    "TypeOK", "ElectionSafety", "LogMatching", "LeaderCompleteness", "StateMachineSafety", "CommittedIsDurable",
)  # fmt: skip


def _raft(name: str, **changes: str) -> Model:
    return Model("Raft", name, {**_RAFT, **changes}, _RAFT_SAFETY, symmetric=True)


_JOBS = {
    "Jobs": "{j1}", "Nodes": "{n1, n2}", "Wide": "{j1}", "Requeueable": "{j1}", "MaxRestarts": "2", "MaxFaults": "2",
}  # fmt: skip
_TWO_JOBS = {
    "Jobs": "{j1, j2}", "Nodes": "{n1}", "Wide": "{}", "Requeueable": "{j1}", "MaxRestarts": "1", "MaxFaults": "1",
}  # fmt: skip
_JOB_SAFETY = (
    "TypeOK", "HeldExactly", "OneJobPerNode", "RunsOnce", "NothingRunsUnknown", "ExitFits", "JudgedByItsOwnEnd",
)  # fmt: skip
_JOB_ACTIONS = ("OnlyKnownTransitions", "TerminalStaysTerminal")

_SCHEDULING = {
    "Nodes": "{n1, n2}", "Cpus": "2", "Jobs": '{"wide", "half", "short"}', "MaxPlans": "2", "MaxDrains": "1",
    "Again": "FALSE",
}  # fmt: skip
_ENDLESS = {
    "Nodes": "{n1, n2}", "Cpus": "1", "Jobs": '{"wide", "long", "other"}', "MaxPlans": "1", "MaxDrains": "0",
    "Again": "TRUE",
}  # fmt: skip
_SCHEDULING_SAFETY = ("TypeOK", "NeverOverAllocated", "NeverStartedTwice", "UsedIsWhatRuns")

_FAILOVER = {
    "Controllers": "{c1, c2}", "Requests": "{1}", "MaxAsks": "2", "MaxDeaths": "1", "MaxRestarts": "1",
    "MaxLine": "2", "LateReports": "TRUE",
}  # fmt: skip
_FAILOVER_SAFETY = (
    "TypeOK", "NoAcknowledgedJobIsLost", "NoDoubleSubmission", "LaunchedOnce", "NothingRunsUnwanted", "OneRunAtATime",
    "ReportsCountForTheirOwnRun",
)  # fmt: skip
_FAILOVER_LIVENESS = ("EveryLaunchHappens", "EveryEndIsCarriedOut", "EverySubmissionIsAnswered")

_DEFAULT = (
    _raft("three terms", MaxTerm="3"),
    _raft("a crash loses what was not written", Lossy="{m1}", MaxCrashes="1"),
    _raft("followers apply", Appliers="{m1}"),
    _raft("pre-vote and transfer", PreVote="TRUE"),
    msgspec.structs.replace(
        _raft("pre-vote, one cut off", PreVote="TRUE", Cut="{m1}"), invariants=(*_RAFT_SAFETY, "CutOffIsHarmless")
    ),
    _raft("joint membership, 1 -> 2", Voters="{m1}", Targets="{{m2, m3}}", MaxLog="4"),
    Model(
        "Raft",
        "somebody leads in the end",
        {**_RAFT, "Calm": "TRUE", "MaxTerm": "3", "MaxLog": "2"},
        liveness=("SomebodyLeads",),
    ),
    Model("JobLifeCycle", "one job, two nodes, faults", _JOBS, _JOB_SAFETY, _JOB_ACTIONS),
    Model("JobLifeCycle", "two jobs, one node", {**_TWO_JOBS, "MaxFaults": "0"}, _JOB_SAFETY, _JOB_ACTIONS),
    Model(
        "JobLifeCycle",
        "every job ends",
        {**_JOBS, "MaxRestarts": "1", "MaxFaults": "1"},
        liveness=("StartedJobsEnd", "NodesComeFree"),
    ),
    Model("Scheduling", "two plans under way", _SCHEDULING, _SCHEDULING_SAFETY, ("NothingNewOnDrained",)),
    Model("Scheduling", "nobody starves", _ENDLESS, _SCHEDULING_SAFETY, liveness=("NobodyStarves",)),
    Model("Failover", "a leader dies", _FAILOVER, _FAILOVER_SAFETY),
    Model(
        "Failover",
        "all is carried out",
        {**_FAILOVER, "MaxLine": "1", "LateReports": "FALSE"},
        liveness=_FAILOVER_LIVENESS,
    ),
)

_LARGE = (
    _raft("four terms", MaxTerm="4"),
    _raft("after two leaders", MaxTerm="4", OldTerms="TRUE"),
    _raft("three terms, a crash", Lossy="{m1}", MaxCrashes="1", MaxTerm="3"),
    _raft("two may crash", Lossy="{m1, m2}", MaxCrashes="2"),
    _raft("pre-vote, three terms", PreVote="TRUE", MaxTerm="3"),
    _raft("joint membership, 2 -> 2", Voters="{m1, m2}", Targets="{{m2, m3}}", MaxLog="4"),
    _raft(
        "joint membership and a crash", Voters="{m1}", Targets="{{m2, m3}}", MaxLog="4", Lossy="{m1}", MaxCrashes="1"
    ),
    Model("JobLifeCycle", "two jobs, one node, faults", _TWO_JOBS, _JOB_SAFETY, _JOB_ACTIONS),
    Model(
        "JobLifeCycle",
        "two jobs, two nodes",
        {**_TWO_JOBS, "Nodes": "{n1, n2}", "Wide": "{j1}"},
        _JOB_SAFETY,
        _JOB_ACTIONS,
    ),
    Model(
        "Scheduling",
        "four jobs that come again",
        {**_SCHEDULING, "Jobs": '{"wide", "half", "long", "short"}', "Again": "TRUE"},
        _SCHEDULING_SAFETY,
    ),
    Model(
        "Scheduling",
        "nobody starves, two CPUs",
        {**_ENDLESS, "Cpus": "2", "Jobs": '{"wide", "half", "long", "other"}'},
        _SCHEDULING_SAFETY,
        liveness=("NobodyStarves",),
    ),
    Model("Failover", "leaders die twice", {**_FAILOVER, "MaxDeaths": "2"}, _FAILOVER_SAFETY),
    Model("Failover", "two submissions", {**_FAILOVER, "Requests": "{1, 2}", "MaxRestarts": "0"}, _FAILOVER_SAFETY),
    Model("Failover", "all is carried out, reports come late", _FAILOVER, liveness=_FAILOVER_LIVENESS),
)

MODELS = (*_DEFAULT, *(msgspec.structs.replace(model, size="large") for model in _LARGE))


def _mutant(of: Model, bug: str, expected: str, **changes: str) -> Model:
    live = expected in of.liveness
    return msgspec.structs.replace(
        of,
        name=bug,
        bug=bug,
        expected=expected,
        constants={**of.constants, **changes},
        liveness=(expected,) if live else (),
        invariants=() if live else of.invariants,
        size="mutant",
    )


_PLAIN = _raft("")
_CRASH = _raft("", Lossy="{m1}", MaxCrashes="1")
_CUT = msgspec.structs.replace(_raft("", PreVote="TRUE", Cut="{m1}"), invariants=(*_RAFT_SAFETY, "CutOffIsHarmless"))
_JOINT = _raft("", Voters="{m1}", Targets="{{m2, m3}}", MaxLog="3", Lossy="{m1}", MaxCrashes="1")
_JOB = Model("JobLifeCycle", "", {**_JOBS, "MaxRestarts": "1", "MaxFaults": "1"}, _JOB_SAFETY, _JOB_ACTIONS)
_PLAN = Model("Scheduling", "", _SCHEDULING, _SCHEDULING_SAFETY)
_STARVING = Model("Scheduling", "", _ENDLESS, liveness=("NobodyStarves",))
_OVER = Model("Failover", "", _FAILOVER, _FAILOVER_SAFETY)
_OVER_LIVE = Model(
    "Failover", "", {**_FAILOVER, "MaxLine": "1", "MaxRestarts": "0", "LateReports": "FALSE"},
    liveness=_FAILOVER_LIVENESS,
)  # fmt: skip

MUTANTS = (
    _mutant(_PLAIN, "vote twice", "ElectionSafety"),
    _mutant(_PLAIN, "shorter log wins", "LeaderCompleteness"),
    _mutant(_PLAIN, "commit an old term", "LeaderCompleteness", MaxTerm="4", OldTerms="TRUE"),
    _mutant(_PLAIN, "commit what does not match", "StateMachineSafety", Appliers="{m1}"),
    _mutant(_PLAIN, "truncate what agrees", "CommittedIsDurable"),
    _mutant(_CRASH, "vote before durable", "ElectionSafety"),
    _mutant(_CRASH, "ask before durable", "ElectionSafety"),
    _mutant(_CRASH, "acknowledge before durable", "CommittedIsDurable"),
    _mutant(_JOINT, "one majority", "CommittedIsDurable"),
    _mutant(_JOINT, "no joint configuration", "CommittedIsDurable"),
    _mutant(_CUT, "no pre-vote", "CutOffIsHarmless"),
    _mutant(_JOB, "requeue at once", "HeldExactly"),
    _mutant(_JOB, "start while completing", "HeldExactly", Wide="{}"),
    _mutant(_JOB, "clean while it runs", "NothingRunsUnknown"),
    _mutant(_JOB, "epilog overtakes the end", "JudgedByItsOwnEnd"),
    _mutant(_JOB, "back with old processes", "NothingRunsUnknown"),
    _mutant(_JOB, "back before a launch arrives", "NothingRunsUnknown"),
    _mutant(_PLAN, "apply without a second look", "NeverOverAllocated"),
    _mutant(_PLAN, "start what already runs", "NeverStartedTwice"),
    _mutant(_STARVING, "no promise", "NobodyStarves"),
    _mutant(_OVER, "answer before commit", "NoAcknowledgedJobIsLost"),
    _mutant(_OVER, "no table of request ids", "NoDoubleSubmission"),
    _mutant(_OVER, "launch taken twice", "LaunchedOnce"),
    _mutant(_OVER, "kill leaves no mark", "NothingRunsUnwanted"),
    _mutant(_OVER, "reports do not name the run", "ReportsCountForTheirOwnRun"),
    _mutant(_OVER_LIVE, "the new leader forgets", "EveryLaunchHappens"),
)
