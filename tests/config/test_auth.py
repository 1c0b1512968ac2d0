"""Which plugins and keys a configuration asks for, and what is said about bad ones."""

from pathlib import Path

import pytest

from flurm.config import ConfigError, Machine, authority_of, jwt_key_of, load, render_slurm_conf, signer_of
from protocol.auth import MungeKey, NoneSigner, Signer, TokenKey, TokenSigner

HOST = Machine(hostname="ctl1", is_root=False)
SITE = "ClusterName=site\nSlurmctldHost=ctl1(127.0.0.1)\nNodeName=n1\nPartitionName=p Nodes=n1\n"


def config(tmp_path: Path, text: str = "", slurm_conf: str | None = None):
    if slurm_conf is not None:
        (tmp_path / "slurm.conf").write_text(SITE + slurm_conf)
        text += '\nslurm_conf = "slurm.conf"'
    (tmp_path / "flurm.toml").write_text(f'[flurm]\nstate_dir = "state"\n{text}\n')
    return load(tmp_path / "flurm.toml", machine=HOST)


def refusal(tmp_path: Path, text: str = "", slurm_conf: str | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        authority_of(config(tmp_path, text, slurm_conf), user_ids=lambda name: None)
    return str(refused.value)


def test_without_a_word_munge_is_used_and_no_tokens_are_taken(tmp_path):
    (tmp_path / "munge.key").write_bytes(b"m" * 64)
    authority = authority_of(config(tmp_path, 'munge_key = "munge.key"\nmunge_ttl = 60'), user_ids=lambda name: None)
    assert isinstance(authority.signer, Signer) and authority.signer.ttl_s == 60
    assert authority.jwt_key is None and isinstance(authority.launch_key, MungeKey)


def test_auth_slurm_wants_the_key_that_is_named_and_launches_with_tokens(tmp_path):
    ours = config(tmp_path, 'auth_type = "slurm"\nslurm_key = "state/slurm.key"')
    with pytest.raises(ConfigError, match="slurm_key"):
        signer_of(ours)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/slurm.key").write_bytes(b"s" * 32)
    authority = authority_of(ours, user_ids=lambda name: None)
    assert isinstance(authority.signer, TokenSigner) and isinstance(authority.launch_key, TokenKey)
    assert "CredType=auth/slurm\n" in render_slurm_conf(ours)


def test_the_key_of_a_site_lies_beside_its_slurm_conf_and_credtype_decides_about_launches(tmp_path):
    (tmp_path / "slurm.key").write_bytes(b"s" * 64)
    plain = authority_of(config(tmp_path, slurm_conf="AuthType=auth/slurm\n"), user_ids=lambda name: None)
    assert isinstance(plain.signer, TokenSigner) and plain.launch_key is None
    tokens = config(tmp_path, slurm_conf="AuthType=auth/slurm\nCredType=cred/slurm\n")
    assert isinstance(authority_of(tokens, user_ids=lambda name: None).launch_key, TokenKey)


def test_tokens_of_users_are_taken_with_the_key_that_slurm_conf_names(tmp_path):
    (tmp_path / "jwt.key").write_bytes(b"j" * 32)
    text = f"AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={tmp_path}/jwt.key\n"
    key = jwt_key_of(config(tmp_path, slurm_conf=text))
    assert key is not None and key.secret == b"j" * 32


def test_a_key_that_is_not_named_is_made_and_stays(tmp_path):
    ours = config(tmp_path, 'auth_alt_types = ["jwt"]')
    first, second = jwt_key_of(ours), jwt_key_of(ours)
    assert first is not None and second is not None and first.secret == second.secret
    assert (tmp_path / "state/jwt_hs256.key").stat().st_mode & 0o777 == 0o600


def test_auth_slurm_makes_a_key_of_its_own_where_none_is_named(tmp_path):
    first, second = (signer_of(config(tmp_path, 'auth_type = "slurm"')) for _ in range(2))
    assert isinstance(first, TokenSigner) and isinstance(second, TokenSigner)
    assert first.key.secret == second.key.secret


def test_auth_none_has_no_key(tmp_path):
    authority = authority_of(config(tmp_path, 'auth_type = "none"'), user_ids=lambda name: None)
    assert isinstance(authority.signer, NoneSigner) and authority.launch_key is None


def test_bad_settings_are_refused_with_what_is_right(tmp_path):
    (tmp_path / "short.key").write_bytes(b"s" * 31)
    assert "expected jwt, or nothing" in refusal(tmp_path, 'auth_alt_types = ["kerberos"]')
    assert "found 31" in refusal(tmp_path, 'auth_type = "slurm"\nslurm_key = "short.key"')
    assert "cannot read the key" in refusal(tmp_path, 'auth_alt_types = ["jwt"]\njwt_key = "nowhere.key"')
    assert "auth_type = slurm" in refusal(tmp_path, 'auth_type = "none"\ncred_type = "slurm"')
    assert "jwks" in refusal(tmp_path, slurm_conf="AuthAltTypes=auth/jwt\nAuthAltParameters=jwks=/etc/jwks.json\n")
