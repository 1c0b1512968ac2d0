"""File name patterns, against the files that slurmd 22.05 made for the same patterns."""

import msgspec
import pytest

from flurm.node.filenames import expand, stdout_pattern
from flurm.node.spec import LaunchSpec

PLAIN = LaunchSpec(job_id=19, uid=1001, gid=1001, script=b"", user_name="alice", job_name="nm")
TASK = msgspec.structs.replace(PLAIN, job_id=46, array_job_id=20, array_task_id=7, job_name="wrap")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("a_%j_%J_%x_%u_%N_%n_%s_%t_%A_%a_%%_%b", "a_19_19_nm_alice_host_0_batch_0_19_4294967294_%_%b"),
        ("c_%5j_%10n_%3t_%4s_%6N_%4u_%20j", "c_00019_0000000000_000_batch_host_alice_0000000019"),
        (r"d_\%j_x", "d_%j_x"),
        (r"e_\\%j_x", r"e_\%j_x"),
        (r"bsl\ash_%j", "bslash_%j"),
        ("f_%q_%", "f_%q_%"),
        ("g_%%j_%0j", "g_%j_19"),
        ("k_%h_%i_%c", "k_%h_%i_%c"),
        ("z_%15x_%3x", "z_nm_nm"),
        ("é_%j", "é_19"),
        ("plain", "plain"),
    ],
)
def test_a_pattern_becomes_the_name_that_slurmd_makes_of_it(pattern, name):
    assert expand(pattern, PLAIN, "host") == name


def test_an_array_task_has_its_own_number_its_arrays_and_its_index():
    assert expand("b_%j_%J_%x_%A_%a_%4a_%04A", TASK, "host") == "b_46_46_wrap_20_7_0007_0020"


def test_the_index_modulo_ten_is_known_for_array_tasks():
    assert expand("%b", msgspec.structs.replace(TASK, array_task_id=123), "host") == "3"


def test_the_default_name_tells_array_tasks_apart():
    assert expand(stdout_pattern(PLAIN), PLAIN, "host") == "slurm-19.out"
    assert expand(stdout_pattern(TASK), TASK, "host") == "slurm-20_7.out"
