"""cgroup.conf as `scontrol show config` prints it under "Cgroup Support Configuration".

FLURM does nothing by it, slurmd reads its own; shown is what the file beside slurm.conf says, else Slurm's defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flurm.config.slurmconf.companions import CGROUP_CONF
from flurm.config.slurmconf.parser import read

__all__ = ["FILE", "pairs", "settings_beside"]

FILE = CGROUP_CONF.file
_NEW_STYLE = "23.11"
_OLD = {
    "AllowedKmemSpace": None, "AllowedRAMSpace": "100", "AllowedSwapSpace": "0", "CgroupAutomount": "no",
    "CgroupMountpoint": "/sys/fs/cgroup", "CgroupPlugin": None, "ConstrainCores": "no", "ConstrainDevices": "no",
    "ConstrainKmemSpace": "no", "ConstrainRAMSpace": "no", "ConstrainSwapSpace": "no", "IgnoreSystemd": "no",
    "IgnoreSystemdOnFailure": "no", "MaxKmemPercent": "100", "MaxRAMPercent": "100", "MaxSwapPercent": "100",
    "MemorySwappiness": None, "MinKmemSpace": "30", "MinRAMSpace": "30",
}  # fmt: skip
_NEW = {
    "AllowedRAMSpace": "100", "AllowedSwapSpace": "0", "CgroupMountpoint": "/sys/fs/cgroup",
    "CgroupPlugin": "autodetect", "ConstrainCores": "no", "ConstrainDevices": "no", "ConstrainRAMSpace": "no",
    "ConstrainSwapSpace": "no", "EnableControllers": "no", "IgnoreSystemd": "no", "IgnoreSystemdOnFailure": "no",
    "MaxRAMPercent": "100", "MaxSwapPercent": "100", "MemorySwappiness": "(null)", "MinRAMSpace": "30",
    "SystemdTimeout": "1000",
}  # fmt: skip
_PERCENT = {"AllowedRAMSpace", "AllowedSwapSpace", "MaxKmemPercent", "MaxRAMPercent", "MaxSwapPercent"}
_YES_NO = {name for name, usual in (*_OLD.items(), *_NEW.items()) if usual == "no"}


def settings_beside(slurm_conf: str, warnings: list[str]) -> dict[str, str]:
    """Key -> text in the cgroup.conf beside a slurm.conf; what is wrong there is slurmd's to refuse, and told here."""
    path = Path(slurm_conf).with_name(FILE)
    if not path.is_file():
        return {}
    parsed = read(str(path), CGROUP_CONF)
    warnings += [*map(str, parsed.faults), *parsed.warnings]
    return {key: each.value for key, each in parsed.last().items()}


def pairs(given: Mapping[str, str], version_name: str) -> list[tuple[str, str | None]]:
    """What a client of a release is shown, in its order."""
    new = version_name >= _NEW_STYLE
    usual: Mapping[str, str | None] = _NEW if new else _OLD
    return [(name, _shown(name, given.get(name, default), new=new)) for name, default in usual.items()]


def _shown(name: str, text: str | None, *, new: bool) -> str | None:
    if text is None:
        return None
    if name in _YES_NO:
        return "yes" if text.lower() in ("yes", "true", "up", "1") else "no"
    if name in _PERCENT:
        try:
            return f"{float(text.rstrip('%')):.1f}%"
        except ValueError:
            return text
    if name in ("MinKmemSpace", "MinRAMSpace"):
        return f"{text}MB" if new else f"{text} MB"
    return f"{text} ms" if name == "SystemdTimeout" else text
