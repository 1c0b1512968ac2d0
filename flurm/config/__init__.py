"""FLURM's configuration: flurm.toml and slurm.conf into one validated value.

load() reads and checks everything at once and gives a frozen Config; whatever is wrong is a ConfigError that names
file, line, key, value and what would be right. The rest turns a Config into what others need: the slurm.conf of real
Slurm programs (render), the answer to `scontrol show config` (show), the MUNGE key, the difference between two
configurations.
"""

import flurm.config.show as show
from flurm.config.auth import authority_of, jwt_key_of, signer_of, slurm_key_path
from flurm.config.configless import ConfigFiles, config_files
from flurm.config.errors import ConfigError
from flurm.config.load import find_file, load
from flurm.config.machine import Machine, this_machine
from flurm.config.membership import TlsFiles, tls_files
from flurm.config.munge_key import (
    load_or_create_munge_key,
    munge_key_path,
    munge_socket_path,
    own_munge_socket_path,
)
from flurm.config.reconfigure import Change, changed_s, in_force, shared_digest, validate_for_reconfigure
from flurm.config.records import Config, ControllerAddress, NodeConfig, PartitionConfig, SlurmdConfig
from flurm.config.render import render_slurm_conf

__all__ = [
    "Change",
    "Config",
    "ConfigError",
    "ConfigFiles",
    "ControllerAddress",
    "Machine",
    "NodeConfig",
    "PartitionConfig",
    "SlurmdConfig",
    "TlsFiles",
    "authority_of",
    "changed_s",
    "config_files",
    "find_file",
    "in_force",
    "jwt_key_of",
    "load",
    "load_or_create_munge_key",
    "munge_key_path",
    "munge_socket_path",
    "own_munge_socket_path",
    "render_slurm_conf",
    "shared_digest",
    "show",
    "signer_of",
    "slurm_key_path",
    "this_machine",
    "tls_files",
    "validate_for_reconfigure",
]
