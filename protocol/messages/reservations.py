"""Reservations: information, creation, updates, deletion."""

from __future__ import annotations

from protocol.constants import NO_VAL, NO_VAL64, MessageType, ReservationFlag
from protocol.schema import Field, Record, array, bits, epoch, message, repeat, string, u32, u64, vector
from protocol.wire import Bits

__all__ = [
    "CoreSpec",
    "ReservationInfo",
    "ReservationInfoRequest",
    "ReservationInfoResponse",
    "ReservationName",
    "ReservationUpdate",
]


@message(MessageType.REQUEST_RESERVATION_INFO)
class ReservationInfoRequest(Record):
    """Body of REQUEST_RESERVATION_INFO."""

    last_update: int = 0

    WIRE = (Field("last_update", epoch),)


@message(MessageType.REQUEST_CREATE_RESERVATION, MessageType.REQUEST_UPDATE_RESERVATION)
class ReservationUpdate(Record):
    """A change to a reservation, or a new one; the defaults mean no change or not given."""

    name: str | None = None
    start_time: int = NO_VAL
    end_time: int = NO_VAL
    duration: int = 0
    flags: int = NO_VAL64
    node_cnts: list[int] = []
    core_cnts: list[int] = []
    node_cnt: int = NO_VAL
    core_cnt: int = NO_VAL
    node_list: str | None = None
    features: str | None = None
    licenses: str | None = None
    max_start_delay: int = NO_VAL
    partition: str | None = None
    purge_comp_time: int = NO_VAL
    resv_watts: int = NO_VAL
    allowed_parts: str | None = None
    qos: str | None = None
    users: str | None = None
    accounts: str | None = None
    burst_buffer: str | None = None
    groups: str | None = None
    comment: str | None = None
    tres_str: str | None = None

    WIRE = (
        Field("name", string),
        Field("start_time", epoch),
        Field("end_time", epoch),
        Field("duration", u32, unit="min"),
        Field("flags", u64, means=ReservationFlag),
        Field("node_cnts", vector(u32), until="23.02"),
        Field("core_cnts", vector(u32), until="23.02", unit="cores"),
        Field("node_cnt", u32, since="23.11", unit="nodes"),
        Field("core_cnt", u32, since="23.11", unit="cores"),
        Field("node_list", string),
        Field("features", string),
        Field("licenses", string),
        Field("max_start_delay", u32, unit="s"),
        Field("partition", string),
        Field("purge_comp_time", u32, unit="s"),
        Field("resv_watts", u32, until="25.05", unit="W"),
        Field("allowed_parts", string, since="25.11"),
        Field("qos", string, since="25.11"),
        Field("users", string),
        Field("accounts", string),
        Field("burst_buffer", string),
        Field("groups", string),
        Field("comment", string, since="23.02"),
        Field("tres_str", string, since="23.11"),
    )


@message(MessageType.RESPONSE_CREATE_RESERVATION, MessageType.REQUEST_DELETE_RESERVATION)
class ReservationName(Record):
    """Body of REQUEST_DELETE_RESERVATION, RESPONSE_CREATE_RESERVATION."""

    name: str | None = None

    WIRE = (Field("name", string),)


class CoreSpec(Record):
    """One element of `core_spec` in ReservationInfo."""

    core_spec_node_name: str | None = None
    core_spec_core_id: str | None = None

    WIRE = (
        Field("core_spec_node_name", string),
        Field("core_spec_core_id", string),
    )


class ReservationInfo(Record):
    """One reservation in RESPONSE_RESERVATION_INFO."""

    accounts: str | None = None
    burst_buffer: str | None = None
    comment: str | None = None
    core_cnt: int = 0
    end_time: int = 0
    features: str | None = None
    flags: int = 0
    licenses: str | None = None
    max_start_delay: int = 0
    name: str | None = None
    node_cnt: int = 0
    node_list: str | None = None
    partition: str | None = None
    purge_comp_time: int = 0
    resv_watts: int = 0
    start_time: int = 0
    tres_str: str | None = None
    users: str | None = None
    groups: str | None = None
    qos: str | None = None
    allowed_parts: str | None = None
    node_inx: Bits | None = None
    core_spec: list[CoreSpec] = []

    WIRE = (
        Field("accounts", string),
        Field("burst_buffer", string),
        Field("comment", string, since="23.02"),
        Field("core_cnt", u32, unit="cores"),
        Field("end_time", epoch),
        Field("features", string),
        Field("flags", u64, means=ReservationFlag),
        Field("licenses", string),
        Field("max_start_delay", u32, unit="s"),
        Field("name", string),
        Field("node_cnt", u32, unit="nodes"),
        Field("node_list", string),
        Field("partition", string),
        Field("purge_comp_time", u32, unit="s"),
        Field("resv_watts", u32, until="25.05", unit="W"),
        Field("start_time", epoch),
        Field("tres_str", string),
        Field("users", string),
        Field("groups", string),
        Field("qos", string, since="25.11"),
        Field("allowed_parts", string, since="25.11"),
        Field("node_inx", bits),
        Field("core_spec", array(CoreSpec)),
    )


@message(MessageType.RESPONSE_RESERVATION_INFO)
class ReservationInfoResponse(Record):
    """Body of RESPONSE_RESERVATION_INFO."""

    record_count: int = 0
    last_update: int = 0
    reservation_array: list[ReservationInfo] = []

    WIRE = (
        Field("record_count", u32),
        Field("last_update", epoch),
        Field("reservation_array", repeat(ReservationInfo, "record_count")),
    )
