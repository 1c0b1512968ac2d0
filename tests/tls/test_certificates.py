"""Certificates of controllers: whom they speak of, how they lie on disk, and the command that makes them."""

from __future__ import annotations

import json
import stat
import time

import pytest
from click.testing import CliRunner
from cryptography import x509

from flurm import tls
from flurm.cli.cert import command
from flurm.tls import CertificateError, controller_uri, parse_uri
from flurm.tls.files import read_certificate
from flurm.tls.making import DAY_S, Description
from flurm.tls.names import cluster_uri

NOW_S = 1_800_000_000


def flurm_cert(*arguments):
    """Exit status, what it printed, what it complained of."""
    done = CliRunner().invoke(command, [str(each) for each in arguments], prog_name="flurm cert")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def bootstrapped(tmp_path):
    place = tmp_path / "certificates"
    status, _, complaints = flurm_cert("bootstrap", "--cluster", "blue", place, "ctl1", "ctl2")
    assert (status, complaints) == (0, "")
    return place


@pytest.mark.parametrize("name", ["ctl1", "127.0.0.1:6817", "[::1]:6817", "Zürich/1 %"])
def test_any_name_survives_in_a_uri(name):
    uri = controller_uri("my cluster", name)
    assert uri.isascii()
    assert parse_uri(uri) == ("my cluster", "controller", name)


@pytest.mark.parametrize("uri", ["https://x/controller/a", "flurm://x/controller", "flurm://x/controller/a/b", ""])
def test_other_uris_speak_of_nobody(uri):
    assert parse_uri(uri) is None


def test_a_certificate_names_its_controller_its_cluster_and_its_hosts(tmp_path):
    authority = _authority(tmp_path, days=100)
    issued = tls.issue(authority, "ctl1", ["ctl1.example.org", "10.0.0.1"], now_s=NOW_S, days=30)
    said = Description.of(x509.load_pem_x509_certificate(issued.certificate))
    assert (said.kind, said.cluster, said.name) == ("controller", "blue", "ctl1")
    assert said.hosts == ("ctl1.example.org", "10.0.0.1")
    assert said.until_s == NOW_S + 30 * DAY_S
    assert said.from_s < NOW_S


def test_no_certificate_outlives_its_authority(tmp_path):
    authority = _authority(tmp_path, days=10)
    issued = tls.issue(authority, "ctl1", now_s=NOW_S, days=30)
    said = Description.of(x509.load_pem_x509_certificate(issued.certificate))
    assert said.until_s == NOW_S + 10 * DAY_S


def test_only_controllers_of_the_own_cluster_are_renewed(tmp_path):
    blue, red = _authority(tmp_path / "1", "blue"), _authority(tmp_path / "2", "red")
    old = x509.load_pem_x509_certificate(tls.issue(red, "ctl1", now_s=NOW_S, days=30).certificate)
    for wrong in (old, blue.certificate):
        with pytest.raises(ValueError, match="expected the certificate of a controller of cluster blue"):
            tls.renew(blue, wrong, now_s=NOW_S, days=30)


def test_an_authority_whose_key_is_anothers_is_refused(tmp_path):
    _authority(tmp_path / "1")
    _authority(tmp_path / "2")
    (tmp_path / "1" / "ca.key").write_bytes((tmp_path / "2" / "ca.key").read_bytes())
    with pytest.raises(CertificateError, match=r"ca\.key is not the key of .*ca\.pem"):
        tls.read_authority(tmp_path / "1")


def test_bootstrap_makes_everything_that_controllers_need(bootstrapped):
    for name in ("ctl1", "ctl2"):
        said = tls.describe(bootstrapped / name / "cert.pem")
        assert (said.kind, said.cluster, said.name) == ("controller", "blue", name)
        assert (bootstrapped / name / "ca.pem").read_bytes() == (bootstrapped / "ca.pem").read_bytes()
    assert parse_uri(cluster_uri("blue")) == ("blue", "", "")
    assert not (bootstrapped / "ctl1" / "ca.key").exists()


def test_keys_are_for_their_owner_alone(bootstrapped):
    for path in (bootstrapped / "ca.key", bootstrapped / "ctl1" / "key.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_bootstrap_again_adds_controllers_with_the_same_authority(bootstrapped):
    before = (bootstrapped / "ca.pem").read_bytes()
    assert flurm_cert("bootstrap", "--cluster", "blue", bootstrapped, "ctl3")[0] == 0
    assert (bootstrapped / "ca.pem").read_bytes() == before
    status, _, complaints = flurm_cert("bootstrap", "--cluster", "red", bootstrapped, "ctl4")
    assert (status, "is the authority of blue, not of red" in complaints) == (1, True)


@pytest.mark.parametrize(
    "again",
    [
        ("bootstrap", "--cluster", "blue", "PLACE", "ctl1"),
        ("issue", "ctl1", "--ca", "PLACE"),
        ("ca", "--cluster", "blue", "PLACE"),
    ],
)
def test_nothing_is_overwritten_unless_asked(bootstrapped, again):
    words = [bootstrapped if word == "PLACE" else word for word in again]
    kept = _contents(bootstrapped)
    status, _, complaints = flurm_cert(*words)
    assert (status, "exists already; --force overwrites it" in complaints) == (1, True)
    assert _contents(bootstrapped) == kept
    assert flurm_cert(*words, "--force")[0] == 0
    assert _contents(bootstrapped) != kept


def test_a_renewed_certificate_is_for_the_same_controller_with_a_new_key(bootstrapped):
    place = bootstrapped / "ctl1"
    flurm_cert("issue", "ctl1", "--ca", bootstrapped, "--host", "10.0.0.1", "--force")
    old, old_key = read_certificate(place / "cert.pem"), (place / "key.pem").read_bytes()
    status, shown, _ = flurm_cert("renew", "--ca", bootstrapped, place, "--days", "400")
    new = Description.of(read_certificate(place / "cert.pem"))
    assert (status, "controller ctl1 of cluster blue, hosts 10.0.0.1" in shown) == (0, True)
    assert (new.name, new.hosts) == ("ctl1", ("10.0.0.1",))
    assert new.fingerprint != Description.of(old).fingerprint
    assert (place / "key.pem").read_bytes() != old_key


def test_without_an_authority_it_says_how_to_make_one(tmp_path):
    status, _, complaints = flurm_cert("issue", "ctl1", "--ca", tmp_path)
    assert status == 1
    assert "No such file or directory; make an authority with `flurm cert ca" in complaints


def test_a_name_that_leads_elsewhere_is_refused(bootstrapped):
    assert flurm_cert("issue", "../ctl1", "--ca", bootstrapped)[0] == 2


def test_show_tells_dates_and_warns_of_an_end_that_is_near(bootstrapped):
    path = bootstrapped / "ctl1" / "cert.pem"
    status, shown, complaints = flurm_cert("show", path)
    assert (status, complaints) == (0, "")
    assert "controller ctl1 of cluster blue" in shown
    assert "valid from" in shown
    flurm_cert("renew", "--ca", bootstrapped, bootstrapped / "ctl1", "--days", "3")
    status, _, complaints = flurm_cert("show", path)
    assert (status, "expires in 2 days: `flurm cert renew --ca DIR" in complaints) == (0, True)


def test_show_fails_for_what_is_not_valid_any_more(bootstrapped):
    authority = tls.read_authority(bootstrapped)
    issued = tls.issue(authority, "ctl1", now_s=time.time() - 10 * DAY_S, days=3)
    tls.write(bootstrapped / "ctl1", tls.Bundle.of_controller(authority, issued), force=True)
    status, _, complaints = flurm_cert("show", bootstrapped / "ctl1" / "cert.pem")
    assert (status, "expired on" in complaints) == (1, True)


def test_show_gives_json(bootstrapped):
    status, shown, _ = flurm_cert("show", "--json", bootstrapped / "ctl2" / "cert.pem")
    said = json.loads(shown)
    assert (status, said["cluster"], said["name"], said["kind"]) == (0, "blue", "ctl2", "controller")


def test_show_refuses_what_is_no_certificate(bootstrapped):
    status, _, complaints = flurm_cert("show", bootstrapped / "ctl1" / "key.pem")
    assert (status, "holds no certificate in PEM" in complaints) == (1, True)


def _authority(place, cluster="blue", days=100):
    tls.write(place, tls.Bundle.of_authority(tls.new_authority(cluster, now_s=NOW_S, days=days)))
    return tls.read_authority(place)


def _contents(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
