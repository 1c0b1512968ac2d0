"""cgroup.conf as each release's `scontrol show config` prints it."""

from flurm.config.show_cgroup import pairs, settings_beside


def test_what_the_file_says_is_shown_in_the_form_of_the_release(tmp_path):
    (tmp_path / "cgroup.conf").write_text(
        "constraincores=YES\nAllowedRAMSpace=98.5\nMinRAMSpace=40\nCgroupPlugin=cgroup/v1\n"
    )
    given = settings_beside(str(tmp_path / "slurm.conf"), [])
    old, new = dict(pairs(given, "22.05")), dict(pairs(given, "24.11"))
    assert (old["ConstrainCores"], old["AllowedRAMSpace"], old["MinRAMSpace"]) == ("yes", "98.5%", "40 MB")
    assert (new["CgroupPlugin"], new["MinRAMSpace"], new["SystemdTimeout"]) == ("cgroup/v1", "40MB", "1000 ms")
    assert "ConstrainKmemSpace" not in new


def test_without_a_file_slurms_defaults_are_shown(tmp_path):
    assert settings_beside(str(tmp_path / "slurm.conf"), []) == {}
    assert dict(pairs({}, "24.11"))["CgroupPlugin"] == "autodetect"


def test_what_is_wrong_with_the_file_is_told_and_no_more(tmp_path):
    (tmp_path / "cgroup.conf").write_text("ConstrainKores=yes\nConstrainDevices=yes\n")
    warnings: list[str] = []
    assert settings_beside(str(tmp_path / "slurm.conf"), warnings) == {"ConstrainDevices": "yes"}
    assert "ConstrainKores" in warnings[0]
