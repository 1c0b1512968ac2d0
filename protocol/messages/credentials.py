"""Launch and sbcast credentials as they travel; making and checking them is in `protocol.credential`."""

from __future__ import annotations

import msgspec

from protocol.constants import CpuBind, MessageType, SelectPlugin, SpecialStep, X11Flag
from protocol.messages.common import StepId, StepLayout, SwitchStepinfo, UserIdentity
from protocol.messages.gres import GresJobState, GresStepState
from protocol.schema import (
    Field,
    If,
    Record,
    addr,
    array,
    bits,
    boolean,
    epoch,
    mem,
    message,
    string,
    token_string,
    u16,
    u32,
    u64,
    vector,
)
from protocol.versions import Version
from protocol.wire import Address, Bits

__all__ = [
    "CredentialBody",
    "JobSbcastCred",
    "LaunchCredential",
    "SbcastCredNoJob",
    "SbcastCredential",
    "StepCreateResponse",
]


class CredentialBody(Record):
    """Part of LaunchCredential."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    uid: int = 0
    gid: int = 0
    pw_name: str | None = None
    pw_gecos: str | None = None
    pw_dir: str | None = None
    pw_shell: str | None = None
    gids: list[int] = []
    gr_names: list[str | None] = []
    id: UserIdentity = msgspec.field(default_factory=UserIdentity)
    job_gres_list: list[GresJobState] = []
    step_gres_list: list[GresStepState] = []
    job_core_spec: int = 0
    job_account: str | None = None
    job_node_addrs: list[Address] = []
    job_alias_list: str | None = None
    job_comment: str | None = None
    job_constraints: str | None = None
    job_end_time: int = 0
    job_extra: str | None = None
    job_exclusive: int = 0
    job_oversubscribe: int = 0
    job_partition: str | None = None
    job_qos: str | None = None
    job_reservation: str | None = None
    job_restart_cnt: int = 0
    job_start_time: int = 0
    job_std_err: str | None = None
    job_std_in: str | None = None
    job_std_out: str | None = None
    step_hostlist: str | None = None
    job_x11: int = 0
    ctime: int = 0
    tot_core_cnt: int = 0
    job_core_bitmap: Bits | None = None
    step_core_bitmap: Bits | None = None
    core_array_size: int = 0
    cores_per_socket: list[int] = []
    sockets_per_node: list[int] = []
    sock_core_rep_count: list[int] = []
    cpu_array_count: int = 0
    cpu_array: list[int] = []
    cpu_array_reps: list[int] = []
    job_nhosts: int = 0
    job_ntasks: int = 0
    job_hostlist: str | None = None
    job_licenses: str | None = None
    job_mem_alloc_size: int = 0
    job_mem_alloc: list[int] = []
    job_mem_alloc_rep_count: list[int] = []
    step_mem_alloc_size: int = 0
    step_mem_alloc: list[int] = []
    step_mem_alloc_rep_count: list[int] = []
    job_selinux_context: str | None = None
    switch_step: SwitchStepinfo = msgspec.field(default_factory=SwitchStepinfo)

    WIRE = (
        Field("step_id", StepId),
        Field("uid", u32, until="23.02"),
        Field("gid", u32, until="23.02"),
        Field("pw_name", string, until="23.02"),
        Field("pw_gecos", string, until="23.02"),
        Field("pw_dir", string, until="23.02"),
        Field("pw_shell", string, until="23.02"),
        Field("gids", vector(u32), until="23.02"),
        Field("gr_names", vector(string), until="23.02"),
        Field("id", UserIdentity, since="23.11"),
        Field("job_gres_list", array(GresJobState, u16)),
        Field("step_gres_list", array(GresStepState, u16)),
        Field("job_core_spec", u16),
        Field("job_account", string),
        Field("job_node_addrs", array(addr), since="23.11"),
        Field("job_alias_list", string),
        Field("job_comment", string),
        Field("job_constraints", string),
        Field("job_end_time", epoch, since="23.02"),
        Field("job_extra", string, since="23.02"),
        Field("job_exclusive", u16, since="26.05"),
        Field("job_oversubscribe", u16, since="23.02"),
        Field("job_partition", string),
        Field("job_qos", string, since="26.05"),
        Field("job_reservation", string),
        Field("job_restart_cnt", u16),
        Field("job_start_time", epoch, since="23.02"),
        Field("job_std_err", string),
        Field("job_std_in", string),
        Field("job_std_out", string),
        Field("step_hostlist", string),
        Field("job_x11", u16, means=X11Flag),
        Field("ctime", epoch),
        Field("tot_core_cnt", u32, unit="cores"),
        Field("job_core_bitmap", bits),
        Field("step_core_bitmap", bits),
        Field("core_array_size", u16),
        If(
            "core_array_size",
            (
                Field("cores_per_socket", vector(u16), unit="cores"),
                Field("sockets_per_node", vector(u16), unit="sockets"),
                Field("sock_core_rep_count", vector(u32)),
            ),
        ),
        Field("cpu_array_count", u32),
        If(
            "cpu_array_count",
            (
                Field("cpu_array", vector(u16), unit="CPUs"),
                Field("cpu_array_reps", vector(u32)),
            ),
        ),
        Field("job_nhosts", u32, unit="nodes"),
        Field("job_ntasks", u32, unit="tasks"),
        Field("job_hostlist", string),
        Field("job_licenses", string, since="23.02"),
        Field("job_mem_alloc_size", u32),
        If(
            "job_mem_alloc_size",
            (
                Field("job_mem_alloc", vector(u64), unit="MiB"),
                Field("job_mem_alloc_rep_count", vector(u32)),
            ),
        ),
        Field("step_mem_alloc_size", u32),
        If(
            "step_mem_alloc_size",
            (
                Field("step_mem_alloc", vector(u64), unit="MiB"),
                Field("step_mem_alloc_rep_count", vector(u32)),
            ),
        ),
        Field("job_selinux_context", string),
        Field("switch_step", SwitchStepinfo, since="24.11"),
    )


class LaunchCredential(Record):
    """Part of LaunchTasks, ReattachTasks, KillJob, BatchLaunch and others; a token alone where auth/slurm is used."""

    token: str | None = None
    credential: CredentialBody = msgspec.field(default_factory=CredentialBody)
    signature: bytes | str | None = None

    WIRE = (
        Field("credential", CredentialBody, until="23.02"),
        Field("signature", mem, until="23.02"),
        Field("token", token_string, since="23.11"),
        If(
            "token is None",
            (
                Field("credential", CredentialBody),
                Field("signature", string),
            ),
            since="23.11",
        ),
    )


@message(MessageType.RESPONSE_JOB_STEP_CREATE)
class StepCreateResponse(Record):
    """Body of RESPONSE_JOB_STEP_CREATE."""

    def_cpu_bind_type: int = 0
    resv_ports: str | None = None
    job_id: int = 0
    job_step_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    step_layout: StepLayout = msgspec.field(default_factory=StepLayout)
    stepmgr: str | None = None
    slurm_cred: LaunchCredential = msgspec.field(default_factory=LaunchCredential)
    has_cred: bool = False
    state: int = 0
    select_jobinfo: int = 0
    switch_step: SwitchStepinfo = msgspec.field(default_factory=SwitchStepinfo)
    use_protocol_ver: int = 0

    WIRE = (
        Field("def_cpu_bind_type", u32, means=CpuBind),
        Field("resv_ports", string),
        Field("job_id", u32, since="23.02", until="25.05"),
        Field("job_step_id", u32, until="25.05", means=SpecialStep),
        Field("step_id", StepId, since="25.11"),
        Field("step_layout", StepLayout),
        Field("stepmgr", string, since="24.05"),
        Field("slurm_cred", LaunchCredential, until="25.11"),
        Field("has_cred", boolean, since="26.05"),
        If(
            "has_cred",
            (Field("slurm_cred", LaunchCredential),),
            since="26.05",
        ),
        Field("state", u32, since="26.05"),
        Field("select_jobinfo", u32, until="22.05", means=SelectPlugin),
        Field("switch_step", SwitchStepinfo, until="24.05"),
        Field("use_protocol_ver", u16, until="25.05", means=Version),
    )


class SbcastCredential(Record):
    """Part of FileBcast, JobSbcastCred; a token alone where auth/slurm is used."""

    token: str | None = None
    step: StepId = msgspec.field(default_factory=StepId)
    id: UserIdentity = msgspec.field(default_factory=UserIdentity)
    ctime: int = 0
    expiration: int = 0
    job_id: int = 0
    het_job_id: int = 0
    step_id: int = 0
    uid: int = 0
    gid: int = 0
    pw_name: str | None = None
    gids: list[int] = []
    nodes: str | None = None
    signature: bytes | str | None = None

    WIRE = (
        Field("token", token_string, since="23.11"),
        If(
            "token is None",
            (
                Field("step", StepId, since="25.11"),
                Field("id", UserIdentity),
                Field("ctime", epoch),
                Field("expiration", epoch),
                Field("job_id", u32, until="25.05"),
                Field("het_job_id", u32),
                Field("step_id", u32, until="25.05", means=SpecialStep),
                Field("nodes", string),
                Field("signature", string),
            ),
            since="23.11",
        ),
        Field("ctime", epoch, until="23.02"),
        Field("expiration", epoch, until="23.02"),
        Field("job_id", u32, until="23.02"),
        Field("het_job_id", u32, until="23.02"),
        Field("step_id", u32, until="23.02", means=SpecialStep),
        Field("uid", u32, until="23.02"),
        Field("gid", u32, until="23.02"),
        Field("pw_name", string, until="23.02"),
        Field("gids", vector(u32), until="23.02"),
        Field("nodes", string, until="23.02"),
        Field("signature", mem, until="23.02"),
    )


@message(MessageType.RESPONSE_JOB_SBCAST_CRED)
class JobSbcastCred(Record):
    """Body of RESPONSE_JOB_SBCAST_CRED."""

    job_id: int = 0
    node_list: str | None = None
    unused: int = 0
    sbcast_cred: SbcastCredential = msgspec.field(default_factory=SbcastCredential)

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("node_list", string),
        Field("unused", u32, until="25.05"),
        Field("sbcast_cred", SbcastCredential),
    )


@message(MessageType.REQUEST_SBCAST_CRED_NO_JOB)
class SbcastCredNoJob(Record):
    """Body of REQUEST_SBCAST_CRED_NO_JOB."""

    node_list: str | None = None

    WIRE = (Field("node_list", string),)
