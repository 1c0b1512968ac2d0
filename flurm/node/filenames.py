r"""File name patterns of a job's input and output, as slurmd expands them.

A replacement is `%` + optional width + letter; numbers are padded with zeros to the width (at most ten digits), words
are not. `%%` is a percent sign, an unknown letter stays as it is written. A backslash anywhere switches expansion off
for the whole name, and one backslash is taken off each that is there.

    %j job id       %A array's job id   %a array task id   %n node id (from 0)   %t task id (from 0)
    %J job[.step]   %x job name         %u user            %N host               %s step name ('batch')
    %b array task id modulo ten (array tasks only; releases before 23.02 keep it as written)
"""

from __future__ import annotations

import re

from flurm.node.spec import BATCH_STEP, LaunchSpec

_PATTERN = re.compile(r"%(\d*)(.)", re.DOTALL)
_MAX_WIDTH = 10


def expand(pattern: str, spec: LaunchSpec, host: str, task_id: int = 0) -> str:
    """The file name that `pattern` stands for in this step on this host."""
    if "\\" in pattern:
        return re.sub(r"\\(.?)", r"\1", pattern, flags=re.DOTALL)
    numbers, words = _values(spec, host, task_id)

    def replace(match: re.Match[str]) -> str:
        width, letter = match[1], match[2]
        if letter == "%":
            return "%"
        if letter in words:
            return words[letter]
        if letter in numbers:
            return f"{numbers[letter]:0{min(int(width or 0), _MAX_WIDTH)}d}"
        return match[0]

    return _PATTERN.sub(replace, pattern)


def stdout_pattern(spec: LaunchSpec) -> str:
    """The output pattern of a job: its own, else Slurm's default."""
    return spec.std_out or ("slurm-%A_%a.out" if spec.is_array_task else "slurm-%j.out")


def _values(spec: LaunchSpec, host: str, task_id: int) -> tuple[dict[str, int], dict[str, str]]:
    step = "batch" if spec.step_id == BATCH_STEP else str(spec.step_id)
    numbers = {
        "A": spec.array_job_id if spec.is_array_task else spec.job_id,
        "a": spec.array_task_id,
        "j": spec.job_id,
        "n": spec.node_id,
        "t": task_id,
    }
    words = {"N": host, "s": step, "u": spec.user_name, "x": spec.job_name}
    if spec.is_array_task:
        numbers["b"] = spec.array_task_id % 10
    if spec.step_id == BATCH_STEP:
        numbers["J"] = spec.job_id
    else:
        words["J"] = f"{spec.job_id}.{spec.step_id}"
    return numbers, words
