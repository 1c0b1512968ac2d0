"""The configuration as `scontrol show config` and every client's start-up read it.

`flurm.config.show` says what each field of Slurm's configuration record is; here the values become that record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flurm.config.records import Config
from flurm.config.show import values
from protocol import versions
from protocol.messages import BuildInfoResponse, ConfigKeyPair, ConfigPluginParams, JobDefaults

__all__ = ["build_info"]


def build_info(config: Config, version: int, now_s: int, *, started_s: int, next_job_id: int) -> BuildInfoResponse:
    """The configuration record for a client of `version`."""
    shown = values(
        config, versions.name(version), now_s=now_s, boot_time_s=started_s, next_job_id=next_job_id
    )  # fmt: skip
    for single, several in _PROGRAMS:
        if isinstance(shown.get(single), list):
            shown[several] = shown.pop(single)
    if defaults := shown.get("job_defaults_list"):
        shown["job_defaults_list"] = [JobDefaults(**each) for each in defaults]
    record = BuildInfoResponse()
    for name in record.__struct_fields__:
        if name in shown:
            setattr(record, name, _wire_value(shown[name]))
    return record


_PROGRAMS = (
    ("prolog", "prologs"),
    ("epilog", "epilogs"),
    ("prolog_slurmctld", "prologs_slurmctld"),
    ("epilog_slurmctld", "epilogs_slurmctld"),
)


def _wire_value(value: Any) -> Any:
    """Lists of keys and of plugins' parameters have records of their own; everything else travels as it is."""
    if not isinstance(value, Mapping):
        return value
    if "params" in value:
        params = value["params"]
        return None if params is None else [ConfigPluginParams(name, _pairs(pairs)) for name, pairs in params]
    return _pairs(value["pairs"])


def _pairs(pairs: Any) -> list[ConfigKeyPair] | None:
    return None if pairs is None else [ConfigKeyPair(key, text) for key, text in pairs]
