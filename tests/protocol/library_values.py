"""Random records whose values Slurm's own decoders believe.

The tables say which bytes a message has; the library looks at some values too while it reads: a count must be that of
the array it belongs to, a plugin number must be that of a plugin, a magic number is what it is. What is known of that
stands here, one line per record, and nothing else is held back from chance.
"""

from __future__ import annotations

from typing import Any

from protocol.layout import fields, resolve
from protocol.schema import Record, list_of, string
from protocol.versions import Version
from tests.protocol.wire_data import Builder

__all__ = ["BelievableBuilder"]

_CONS_TRES, _NO_SWITCH, _GPU = 109, 100, 7696487
_VERSION = object()
_FIXED = {"select_jobinfo": _CONS_TRES, "magic": 0x438A34D4}
"""Fields that have one value wherever they stand."""
_FIXED_IN: dict[str, dict[str, Any]] = {
    "SelectNodeInfo": {"plugin_id": _CONS_TRES},
    "SwitchStepinfo": {"plugin_id": _NO_SWITCH},
    "ForwardData": {"address": "socket"},
    "PersistInit": {"version": _VERSION},
    "DbUpdateObject": {"type": 0xFFFF, "objects": []},
    "DbdRelay": {"msg_type": 1401, "data": b"\x05\x79\0\0\0\0"},
    "GresJobState": {"plugin_id": _GPU},
    "GresStepState": {"plugin_id": _GPU},
    "GresAllocation": {"plugin_id": _GPU},
    "GresNodeState": {"plugin_id": _GPU},
    "NodeRegistration": {"gres_info_size": 0, "gres_info": b""},
}
"""Record -> fields that have one value in it."""
_ALIKE: dict[str, tuple[tuple[str | None, tuple[str, ...]], ...]] = {
    "JobResources": (
        (None, ("sockets_per_node", "cores_per_socket", "sock_core_rep_count")),
        (None, ("cpu_array_value", "cpu_array_reps")),
        ("nhosts", ("cpus", "cpus_used", "memory_allocated", "memory_used")),
    ),
    "UserIdentity": ((None, ("gids", "gr_names")),),
    "CredentialBody": (
        (None, ("gids", "gr_names")),
        ("core_array_size", ("cores_per_socket", "sockets_per_node", "sock_core_rep_count")),
        ("cpu_array_count", ("cpu_array", "cpu_array_reps")),
        ("job_mem_alloc_size", ("job_mem_alloc", "job_mem_alloc_rep_count")),
        ("step_mem_alloc_size", ("step_mem_alloc", "step_mem_alloc_rep_count")),
    ),
    "LaunchTasksResponse": (("count_of_pids", ("local_pids", "task_ids")),),
    "ReattachTasksResponse": (("ntasks", ("gtids", "local_pids", "executable_names")),),
    "TaskExit": (("num_tasks", ("task_id_list",)),),
    "ReservationUpdate": ((None, ("node_cnts", "core_cnts")),),
    "StepLayout": ((None, ("cpt_compact_array", "cpt_compact_reps")),),
    "BuildInfoResponse": ((None, ("control_addr", "control_machine")),),
    "FileBcast": (("block_len", ("block",)),),
    "ForwardData": (("len", ("data",)),),
    "BufferItem": (("buf_size", ("data",)),),
    "Allocation": (
        ("node_cnt", ("node_addr",)),
        ("num_cpu_groups", ("cpus_per_node", "cpu_count_reps")),
    ),
    "BatchLaunch": (("num_cpu_groups", ("cpus_per_node", "cpu_count_reps")),),
    "StatsResponse": (
        ("rpc_type_size", ("rpc_type_id", "rpc_type_cnt", "rpc_type_time")),
        ("rpc_user_size", ("rpc_user_id", "rpc_user_cnt", "rpc_user_time")),
        (None, ("rpc_queue_type_id", "rpc_queue_count")),
        (None, ("rpc_dump_types", "rpc_dump_hostlist")),
    ),
}
"""Record -> groups of arrays of one length, and the field that tells it."""


class BelievableBuilder(Builder):
    """Makes records that a version can carry and that Slurm's decoder accepts."""

    def _value(self, record: Record, name: str, of: Any, deciding: set[str], version: int) -> Any:
        """Lists of texts are mostly lists of ids."""
        if of == list_of(string):
            return [str(self.random.randrange(1, 1000)) for _ in range(self.random.randrange(3))]
        return super()._value(record, name, of, deciding, version)

    def record(self, record: type[Record], version: int) -> Record:
        value = super().record(record, version)
        self.settle(value, version)
        return value

    def nothing(self, record: type[Record], version: int) -> Record:
        """The record that says as little as is believed."""
        value = record()
        for name in record.__struct_fields__:
            inner = getattr(value, name)
            if isinstance(inner, Record):
                setattr(value, name, self.nothing(type(inner), version))
        self.settle(value, version)
        return value

    def settle(self, value: Record, version: int) -> None:
        """Give the fields of a record the values that are believed."""
        record = type(value)
        own = {field.name for field in fields(resolve(record, version))}
        for name in own & _FIXED.keys():
            setattr(value, name, _FIXED[name])
        if hasattr(value, "cred_version"):
            value.cred_version = version
        if record.__name__ == "SbcastCredential":
            value.signature = b"s\0" if version <= Version.V23_02 else "s"  # type: ignore[attr-defined]
        for name, fixed in _FIXED_IN.get(record.__name__, {}).items():
            setattr(value, name, version if fixed is _VERSION else fixed)
        for count, arrays in _ALIKE.get(record.__name__, ()):
            present = [array for array in arrays if array in own]
            size = min((len(getattr(value, array)) for array in present), default=0)
            for array in present:
                setattr(value, array, getattr(value, array)[:size])
            if count is not None:
                setattr(value, count, size)
