"""slurm.conf and the files beside it: their grammar, the keys that they may hold, and what FLURM makes of each.

lexer.py turns text into lines, parser.py lines into settings and records by a grammar (keys.py); the tables are in
cluster_keys.py, record_keys.py and companions.py. What slurm.conf means for a controller is in flurm.config.from_slurm.
"""

from flurm.config.slurmconf.cluster_keys import CLUSTER_KEYS, REPEATED
from flurm.config.slurmconf.keys import Grammar, Key, RecordKind, State
from flurm.config.slurmconf.lexer import Files
from flurm.config.slurmconf.parser import Parsed, Record, Setting, parse, read
from flurm.config.slurmconf.record_keys import RECORDS

__all__ = [
    "REPEATED",
    "SLURM_CONF",
    "Files",
    "Grammar",
    "Key",
    "Parsed",
    "Record",
    "RecordKind",
    "Setting",
    "State",
    "parse",
    "parse_slurm_conf",
    "read",
    "read_slurm_conf",
]

SLURM_CONF = Grammar("slurm.conf", CLUSTER_KEYS, RECORDS)


def read_slurm_conf(path: str) -> Parsed:
    """Read the slurm.conf at path with all that it includes. Raises nothing: see Parsed.faults."""
    return read(path, SLURM_CONF)


def parse_slurm_conf(text: str, path: str = "slurm.conf", files: Files | None = None) -> Parsed:
    """Read the text of a slurm.conf. Raises nothing: see Parsed.faults."""
    return parse(text, SLURM_CONF, path, files)
