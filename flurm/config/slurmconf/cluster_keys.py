"""Every key of slurm.conf but those inside records, releases 22.05 to 26.05: how it is read, what FLURM makes of it.

Keys stand in blocks: those that FLURM acts on; those that it does not act on though Slurm would, so that something
differs; those that it takes because they mean nothing here. Each block says why. A key outside the table is refused: a
misspelt limit that is silently ignored is worse than a refusal. docs/slurm-conf.md is made from this.
"""

import msgspec

from flurm.config.slurmconf.keys import Key, State
from flurm.config.slurmconf.kinds import KINDS


class Block(msgspec.Struct, frozen=True):
    """Keys of which FLURM makes the same: kind -> names."""

    state: State
    note: str
    names: dict[str, str]


BLOCKS = (
    Block(State.ACTS, "", {
        "controller": "SlurmctldHost",
        "part limits": "EnforcePartLimits",
        "ports": "SlurmctldPort",
        "select": "SelectTypeParameters",
        "text": """
            AuthAltParameters AuthAltTypes AuthInfo AuthType BackupAddr BackupController ClusterName
            ControlAddr ControlMachine CredType DependencyParameters GresTypes Licenses PriorityType
            SchedulerParameters SchedulerType SlurmUser SlurmdParameters SlurmdSpoolDir
            SlurmdUser StateSaveLocation TaskPlugin
            """,
        "u16": """
            BatchStartTimeout CompleteWait InactiveLimit JobFileAppend JobRequeue KillOnBadExit KillWait
            MaxTasksPerNode MessageTimeout OverTimeLimit ReturnToService SlurmdTimeout TCPTimeout TreeWidth
            WaitTime
            """,
        "u32": """
            DefMemPerCPU DefMemPerNode FirstJobId MaxArraySize MaxBatchRequeue MaxJobCount MaxJobId
            MaxMemPerCPU MaxMemPerNode MaxNodeCount MaxStepCount MinJobAge SlurmdPort
            """,
        "yes/no": "DisableRootJobs",
    }),
    Block(State.ACTS, "on FLURM's own nodes, see flurmd.md; a real slurmd does so by its own file", {
        "prolog flags": "PrologFlags",
        "text": """
            Epilog HealthCheckNodeState HealthCheckProgram HealthCheckTimeout Prolog TaskEpilog TaskProlog
            UnkillableStepProgram
            """,
        "u16": "HealthCheckInterval UnkillableStepTimeout",
    }),
    Block(State.ACTS, "under the names slurmctld and slurmd, see migrating.md", {
        "level": "SlurmctldDebug SlurmdDebug",
        "text": "SlurmctldLogFile SlurmctldPidFile SlurmdLogFile SlurmdPidFile",
    }),
    Block(State.DIFFERS, "not sent anywhere and not enforced: FLURM does not speak to slurmdbd yet", {
        "accounting plugin": "AccountingStorageType",
        "enforce": "AccountingStorageEnforce",
        "text": """
            AccountingStorageBackupHost AccountingStorageExternalHost AccountingStorageHost
            AccountingStorageLoc AccountingStorageParameters AccountingStoragePass AccountingStorageTRES
            AccountingStorageUser AccountingStoreFlags
            """,
        "u16": "AccountingStoragePort",
        "u32": "MaxDBDMsgs",
        "yes/no": "AccountingStoreJobComment TrackWCKey",
    }),
    Block(State.DIFFERS, "not done yet", {
        "text": """
            BurstBufferParameters BurstBufferType CpuFreqDef CpuFreqGovernors FederationParameters
            GpuFreqDef MCSParameters MCSPlugin NodeFeaturesPlugins ScronParameters
            """,
        "u16": "ResvOverRun",
        "yes/no": "AllowSpecResourcesUsage",
    }),
    Block(State.DIFFERS, "generic resources are not counted yet", {
        "u32": "DefCpuPerGPU DefMemPerGPU",
    }),
    Block(State.DIFFERS, "no program is run at that moment yet", {
        "text": """
            PrEpParameters PrEpPlugins ResvEpilog ResvProlog SlurmctldPrimaryOffProg SlurmctldPrimaryOnProg
            """,
    }),
    Block(State.DIFFERS, "queue order knows the job's own factors, not usage", {
        "minutes": "PriorityCalcPeriod PriorityDecayHalfLife PriorityMaxAge",
        "reset": "PriorityUsageResetPeriod",
        "text": """
            PriorityFlags PriorityParameters PrioritySiteFactorParameters PrioritySiteFactorPlugin
            PriorityWeightTRES
            """,
        "u16": "FairShareDampeningFactor",
        "u32": """
            PriorityWeightAge PriorityWeightAssoc PriorityWeightFairShare PriorityWeightJobSize
            PriorityWeightPartition PriorityWeightQOS
            """,
        "yes/no": "PriorityFavorSmall",
    }),
    Block(State.DIFFERS, "licenses are counted here alone, none of an accounting daemon's", {
        "text": "LicenseParameters",
    }),
    Block(State.DIFFERS, "no job is preempted yet", {
        "preempt plugin": "PreemptType",
        "minutes": "PreemptExemptTime",
        "preempt": "PreemptMode",
        "text": "PreemptParameters",
        "u16": "SchedulerTimeSlice",
    }),
    Block(State.DIFFERS, "exit codes do not requeue a job", {
        "text": "RequeueExit RequeueExitHold",
    }),
    Block(State.DIFFERS, "nodes are never powered down or up", {
        "text": """
            ResumeFailProgram ResumeProgram SuspendExcNodes SuspendExcParts SuspendExcStates SuspendProgram
            SuspendTime
            """,
        "u16": "ResumeRate SuspendRate SuspendTimeout",
    }),
    Block(State.DIFFERS, "jobs share nodes as under select/cons_tres", {
        "text": "SelectType",
    }),
    Block(State.DIFFERS, "topology/tree places jobs; under any other, nodes are all equally far from each other", {
        "text": "TopologyPlugin",
    }),
    Block(State.DIFFERS, "below a tree of switches every job is placed by it", {
        "text": "TopologyParam",
    }),
    Block(State.ACCEPTED, "of the node daemon: real slurmd reads it from its own file", {
        "level": "SlurmdSyslogDebug",
        "text": """
            AcctGatherEnergyType AcctGatherFilesystemType AcctGatherInfinibandType
            AcctGatherInterconnectType AcctGatherProfileType CoreSpecPlugin ExtSensorsType
            JobAcctGatherFrequency JobAcctGatherParams JobAcctGatherType JobContainerType NamespaceType
            ProctrackType SlurmdHttpAuthParameters TaskPluginParam TmpFS
            X11Parameters
            """,
        "u16": """
            AcctGatherNodeFreq ExtSensorsFreq GetEnvTimeout PropagatePrioProcess
            VSizeFactor
            """,
        "u32": "EpilogMsgTime",
        "yes/no": "UsePam",
    }),
    Block(State.ACCEPTED, "of the client commands: they read it from their own file, or are told it", {
        "rlimits": "PropagateResourceLimits PropagateResourceLimitsExcept",
        "text": """
            BcastExclude BcastParameters CliFilterParameters CliFilterPlugins DataParserParameters
            InteractiveStepOptions LaunchParameters LaunchType MpiDefault MpiParams PlugStackConfig
            SallocDefaultCommand SbcastParameters
            SrunEpilog SrunPortRange SrunProlog
            """,
        "u16": "EioTimeout",
    }),
    Block(State.ACTS, "of `SlurmctldParameters` on `allow_user_triggers`, `enable_configless` and "
          "`reboot_from_controller` alone", {"text": "SlurmctldParameters"}),
    Block(State.ACTS, "see operations.md, programs around jobs", {
        "text": "EpilogSlurmctld MailDomain MailProg PrologSlurmctld",
        "u16": "ResumeTimeout",
    }),
    Block(State.ACTS, "the controller's programs, see operations.md, and those of FLURM's own nodes, see flurmd.md", {
        "text": "EpilogTimeout PrologTimeout RebootProgram",
        "u16": "PrologEpilogTimeout",
    }),
    Block(State.ACTS, "the plugins of hooks.md; any other is refused", {
        "text": "JobSubmitPlugins",
    }),
    Block(State.ACTS, "jobs, nodes and partitions; of the others there is nothing to see yet", {"text": "PrivateData"}),
    Block(State.ACCEPTED, "FLURM has the like built in", {
        "text": """
            CertgenParameters CertgenType CertmgrParameters CertmgrType CommunicationParameters HashPlugin
            HttpParserType MetricsAuthUsers MetricsParameters MetricsType PluginDir ReconfigFlags
            RoutePlugin SlurmctldAddr SlurmctldHttpAuthParameters
            SlurmctldPlugstack SwitchParameters SwitchType TLSParameters TLSType UrlParserType
            """,
        "u16": "GroupUpdateForce GroupUpdateTime SlurmctldTimeout",
        "u32": "KeepAliveTime",
    }),
    Block(State.ACCEPTED, "Slurm itself ignores it by now", {
        "text": """
            CryptoType JobCredentialPrivateKey JobCredentialPublicCertificate PowerParameters PowerPlugin
            SchedulerAuth
            """,
        "u16": "FastSchedule",
    }),
    Block(State.ACCEPTED, "FLURM logs in its own way, see log_dir and log_level", {
        "debug flags": "DebugFlags",
        "level": "SlurmctldSyslogDebug",
        "text": "LogTimeFormat SlurmSchedLogFile",
        "u16": "SlurmSchedLogLevel",
    }),
    Block(State.ACCEPTED, "no records of completed jobs are written beside accounting", {
        "text": "JobCompHost JobCompLoc JobCompParams JobCompPass JobCompType JobCompUser",
        "u32": "JobCompPort",
    }),
)  # fmt: skip

FIRST_RELEASE = {
    "23.11": """
        MaxBatchRequeue PreemptParameters SuspendExcStates DataParserParameters CertmgrParameters
        CertmgrType TLSParameters TLSType
        """,
    "25.05": """
        EpilogTimeout HealthCheckTimeout PrologTimeout LicenseParameters NamespaceType
        SlurmdHttpAuthParameters CliFilterParameters CertgenParameters CertgenType HttpParserType
        MetricsAuthUsers MetricsParameters MetricsType SlurmctldHttpAuthParameters UrlParserType
        """,
    "22.05": "HashPlugin",
}  # fmt: skip
"""Keys that 22.05 does not know, by the first release seen to know them."""

LAST_RELEASE = {
    "23.11": "SlurmctldPlugstack SchedulerAuth",
}  # fmt: skip
"""Keys that 24.11 refuses, by the last release before."""

REPEATED = frozenset({"SlurmctldHost", "Prolog", "Epilog", "PrologSlurmctld", "EpilogSlurmctld"})
"""May stand more than once; every value counts."""


def _keys() -> tuple[Key, ...]:
    since = {name: release for release, names in FIRST_RELEASE.items() for name in names.split()}
    until = {name: release for release, names in LAST_RELEASE.items() for name in names.split()}
    return tuple(
        Key(
            name,
            KINDS[kind],
            state=block.state,
            note=block.note,
            since=since.get(name, ""),
            until=until.get(name, ""),
            repeated=name in REPEATED,
        )
        for block in BLOCKS
        for kind, names in block.names.items()
        for name in names.split()
    )


CLUSTER_KEYS = _keys()
