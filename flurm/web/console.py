"""The console over HTTP, on the control socket only: `/control/eval`, `/control/complete` and `/control/trace/NAME`.

The first two take JSON: `source`, what was typed; `session`, under which name variables are kept, if at all;
`timeout_s`; and `json`, to have the value as data beside its text. The third streams lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flurm.console import show
from flurm.console.evaluate import DEFAULT_TIMEOUT_S, Evaluator
from flurm.console.names import namespace
from flurm.console.tracing import watch
from flurm.otp import OtpError
from flurm.web.control import is_control

MOST_EVENTS = 1_000_000


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """What a console client sends."""

    source: str
    session: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    json: bool = False


def routes(system: Any) -> list[Route]:
    """The console of a running system."""
    evaluator = Evaluator(lambda: namespace(system))

    def evaluate(asked: Asked) -> dict[str, Any]:
        outcome = evaluator.evaluate(asked.source, asked.session, asked.timeout_s)
        answer = {"error": outcome.error, "printed": outcome.printed, "text": show.text(outcome.value)}
        if asked.json:
            answer["value"] = show.plain(outcome.value)
        return answer

    def complete(asked: Asked) -> list[str]:
        return evaluator.complete(asked.source, asked.session)

    def trace(request: Request) -> Response:
        if not is_control(request):
            return JSONResponse({"error": "only on the control socket"}, status_code=403)
        try:
            most = int(request.query_params.get("most", MOST_EVENTS))
            lines = watch(system, request.path_params["name"], most)
        except (LookupError, ValueError, OtpError) as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        return StreamingResponse((f"{line}\n" for line in lines), media_type="text/plain")

    return [
        _route("/control/eval", evaluate),
        _route("/control/complete", complete),
        Route("/control/trace/{name}", trace),
    ]


def _route(path: str, answer: Callable[[Asked], Any]) -> Route:
    async def endpoint(request: Request) -> Response:
        if not is_control(request):
            return JSONResponse({"error": "only on the control socket"}, status_code=403)
        try:
            asked = msgspec.json.decode(await request.body(), type=Asked)
        except msgspec.MsgspecError as error:
            return JSONResponse({"error": f"bad request: {error}"}, status_code=400)
        # NaN and the infinities are no JSON; as Python writes and reads them they survive
        return Response(json.dumps(await run_in_threadpool(answer, asked)), media_type="application/json")

    return Route(path, endpoint, methods=["POST"])
