"""An existing job_submit.lua, as slurmctld runs it: the table `slurm`, slurm_job_submit and slurm_job_modify.

As seen of slurmctld 22.05: an error at run time, and a result that is no number, let the request pass and are logged;
a script without one of the two functions is refused; `slurm.log_user` in slurm_job_modify is discarded. Lua is 5.1, as
Debian's Slurm has it; a script that 5.1 cannot read is given to 5.4. Needs lupa (the extra `lua`).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog

from actors.net.job_submit.plugins import Case
from flurm.bridge.hooks import CONSTANTS, job_fields, jobs_of, partitions_for

__all__ = ["LuaScript"]

STEPS_BETWEEN_LOOKS = 100_000
_DIALECTS = ("lua51", "lua54")
_EXACT = 1 << 53

log = structlog.get_logger(__name__)

_PRELUDE = b"""
local constants, write, tell, job, jobs, expired, steps = ...
local plain_pairs, format = pairs, string.format
function pairs(t)
    local meta = getmetatable(t)
    if type(meta) == "table" and meta.__pairs then return meta.__pairs(t) end
    return plain_pairs(t)
end
slurm = {}
for name, value in plain_pairs(constants) do slurm[name] = value end
for _, level in plain_pairs({"error", "info", "verbose", "debug", "debug2", "debug3", "debug4"}) do
    slurm["log_" .. level] = function(...) write(level, format(...)) end
end
function slurm.log(level, ...) write("info", format(...)) end
function slurm.error(...) write("error", format(...)) end
function slurm.log_user(...) tell(format(...)) end
function slurm.user_msg(text) tell(tostring(text)) end
function slurm.time_str2mins(text)
    local days, rest = text:match("^(%d+)%-(.+)$")
    local parts = {}
    for each in (rest or text):gmatch("%d+") do parts[#parts + 1] = tonumber(each) end
    if days then
        local hours, minutes, seconds = parts[1] or 0, parts[2] or 0, parts[3] or 0
        return tonumber(days) * 1440 + hours * 60 + minutes + (seconds > 0 and 1 or 0)
    end
    if #parts == 3 then return parts[1] * 60 + parts[2] + (parts[3] > 0 and 1 or 0) end
    if #parts == 2 then return parts[1] + (parts[2] > 0 and 1 or 0) end
    return parts[1] or slurm.NO_VAL
end
slurm.jobs = setmetatable({}, {
    __index = function(_, id) return job(id) end,
    __pairs = function() return plain_pairs(jobs()) end,
})
slurm.reservations = {}
local function desc(get, set, get_variable, set_variable)
    local environment = setmetatable({}, {
        __index = function(_, name) return get_variable(name) end,
        __newindex = function(_, name, value) set_variable(name, value) end,
    })
    return setmetatable({}, {
        __index = function(_, name) if name == "environment" then return environment end return get(name) end,
        __newindex = function(_, name, value) set(name, value) end,
    })
end
local function look() if expired() then error("the script took too long", 0) end end
return function(name, accessors, record, partitions, uid)
    local job_desc = desc((unpack or table.unpack)(accessors))
    debug.sethook(look, "", steps)
    local ok, result
    if record then ok, result = pcall(_G[name], job_desc, record, partitions, uid)
    else ok, result = pcall(_G[name], job_desc, partitions, uid) end
    debug.sethook()
    return ok, result
end
"""


class LuaScript:
    """One script, read. Raises ValueError for what Slurm would not take, ImportError where lupa is not installed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._case: Case | None = None
        self._expired: Callable[[], bool] = lambda: False
        text = path.read_bytes()
        failure: Exception | None = None
        for dialect in _DIALECTS:
            try:
                self._open(dialect, text)
                break
            except ValueError as error:
                failure = failure or error
        else:
            raise ValueError(str(failure))

    def _open(self, dialect: str, text: bytes) -> None:
        try:
            lupa: Any = import_module(f"lupa.{dialect}")
        except ImportError as error:
            raise ImportError("JobSubmitPlugins=lua needs lupa: pip install 'flurm[lua]'") from error
        lua = lupa.LuaRuntime(encoding=None, register_eval=False, unpack_returned_tuples=True)
        self._lua, self._error, self._table_type = lua, lupa.LuaError, lupa.lua_type
        prelude = lua.eval(b"loadstring or load")(_PRELUDE, b"=slurm")
        constants = self._table(dict[str, Any](CONSTANTS))
        self._run = prelude(
            constants, self._write, self._tell, self._job, self._jobs, self._has_expired, STEPS_BETWEEN_LOOKS
        )
        loader = lua.eval(b"loadstring or load")(text, b"@" + str(self._path).encode())
        if isinstance(loader, tuple):
            raise ValueError(_text(loader[1]))
        try:
            loader()
        except self._error as error:
            raise ValueError(str(error)) from error
        for name in (b"slurm_job_submit", b"slurm_job_modify"):
            if lupa.lua_type(lua.globals()[name]) != "function":
                raise ValueError(f"{self._path}: missing required function {name.decode()}")

    def look(self, case: Case, expired: Callable[[], bool]) -> int:
        """Call the one or the other function. Raises TimeoutError where the script has had its time."""
        self._case, self._expired = case, expired
        self._lua.globals()[b"slurm"][b"CLUSTER_NAME"] = case.context.config.cluster_name.encode()
        partitions = self._table({n: self._table(f) for n, f in partitions_for(case.context, case.user_id).items()})
        record = None if case.job is None else self._table(job_fields(case.context, case.job))
        name = b"slurm_job_submit" if case.job is None else b"slurm_job_modify"
        view = case.view

        def get(name: Any) -> Any:
            return self._to_lua(view.get(_text(name)))

        def put(name: Any, value: Any) -> None:
            try:
                view.set(_text(name), _from_lua(value))
            except (KeyError, TypeError, ValueError) as error:
                log.error("job_submit/lua: unrecognized field or value", field=_text(name), reason=str(error))

        def variable(name: Any) -> Any:
            return self._to_lua(view.get("environment").get(_text(name)))

        def put_variable(name: Any, value: Any) -> None:
            view.set_environment(_text(name), None if value is None else str(_from_lua(value)))

        accessors = self._lua.table(get, put, variable, put_variable)
        ok, result = self._run(name, accessors, record, partitions, float(case.context.uid))
        if expired():
            raise TimeoutError(str(self._path))
        if not ok or isinstance(result, bool) or not isinstance(result, int | float):
            reason = "non-numeric return code" if ok else _text(result)
            log.error("job_submit/lua: the request passes", file=str(self._path), reason=reason)
            return 0
        return int(result)

    def _has_expired(self) -> bool:
        return self._expired()

    def _write(self, level: bytes, text: bytes) -> None:
        """slurm.log_info and its kin."""
        method = {"error": log.error, "info": log.info}.get(_text(level), log.debug)
        method("job_submit/lua", said=_text(text))

    def _tell(self, text: bytes) -> None:
        """slurm.log_user: a line for the user."""
        if self._case is None or self._case.job is not None:
            log.error("job_submit/lua: log_user is for submissions only", said=_text(text))
        else:
            self._case.messages.append(_text(text))

    def _job(self, number: Any) -> Any:
        """slurm.jobs[id]."""
        if self._case is None or not isinstance(number, int | float):
            return None
        context = self._case.context
        job = context.cluster.jobs.get(int(number))
        return None if job is None else self._table(job_fields(context, job))

    def _jobs(self) -> Any:
        """All of slurm.jobs, for pairs()."""
        jobs = jobs_of(self._case.context) if self._case is not None else ()
        return self._lua.table_from({job_id: self._table(fields) for job_id, fields in jobs})

    def _table(self, fields: dict[str, Any]) -> Any:
        return self._lua.table_from({name.encode(): self._to_lua(value) for name, value in fields.items()})

    @staticmethod
    def _to_lua(value: Any) -> Any:
        """Numbers that a double does not hold exactly become the nearest that it does, as in Slurm's Lua."""
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, int) and abs(value) > _EXACT:
            return float(value)
        return None if isinstance(value, list) else value


def _from_lua(value: Any) -> Any:
    if isinstance(value, bytes):
        return _text(value)
    return int(value) if isinstance(value, float) else value


def _text(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
