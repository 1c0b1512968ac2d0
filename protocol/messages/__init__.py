# ruff: noqa: F403
"""All bodies, one file per area; importing this package registers them.

The records can be imported from here: `from protocol.messages import JobInfo`. Each area says in its `__all__` what it
offers.
"""

from __future__ import annotations

from protocol.constants import DbdMessageType, MessageType
from protocol.messages.accounting import *
from protocol.messages.accounting_qos import *
from protocol.messages.accounting_usage import *
from protocol.messages.common import *
from protocol.messages.config import *
from protocol.messages.credentials import *
from protocol.messages.dbd_cond import *
from protocol.messages.dbd_cond_history import *
from protocol.messages.dbd_controller import *
from protocol.messages.dbd_jobs import *
from protocol.messages.dbd_lists import *
from protocol.messages.dbd_messages import *
from protocol.messages.dbd_records import *
from protocol.messages.federation import *
from protocol.messages.gres import *
from protocol.messages.job_control import *
from protocol.messages.job_info import *
from protocol.messages.job_submit import *
from protocol.messages.launch import *
from protocol.messages.nodes import *
from protocol.messages.partitions import *
from protocol.messages.replies import *
from protocol.messages.reservations import *
from protocol.messages.srun import *
from protocol.messages.stats import *
from protocol.messages.stepmgr import *
from protocol.messages.stepmgr_state import *
from protocol.messages.steps import *
from protocol.messages.topology import *
from protocol.schema import empty

empty(
    (
        MessageType.REQUEST_NODE_REGISTRATION_STATUS,
        MessageType.REQUEST_RECONFIGURE,
        MessageType.REQUEST_PING,
        MessageType.REQUEST_CONTROL,
        MessageType.REQUEST_HEALTH_CHECK,
        MessageType.REQUEST_TAKEOVER,
        MessageType.REQUEST_ACCT_GATHER_UPDATE,
        MessageType.REQUEST_TOPO_CONFIG,
        MessageType.REQUEST_BURST_BUFFER_INFO,
        MessageType.REQUEST_FED_INFO,
        MessageType.REQUEST_CONTROL_STATUS,
        MessageType.REQUEST_DAEMON_STATUS,
        MessageType.SRUN_PING,
        MessageType.SRUN_STEPS_DRAINED,
        MessageType.RESPONSE_FORWARD_FAILED,
        MessageType.ACCOUNTING_FIRST_REG,
        MessageType.ACCOUNTING_REGISTER_CTLD,
        MessageType.REQUEST_CONTAINER_START,
        MessageType.REQUEST_CONTAINER_PTY,
        MessageType.REQUEST_CONTAINER_STATE,
        DbdMessageType.DBD_RECONFIG,
        DbdMessageType.DBD_GET_STATS,
        DbdMessageType.DBD_CLEAR_STATS,
        DbdMessageType.DBD_SHUTDOWN,
    )
)
