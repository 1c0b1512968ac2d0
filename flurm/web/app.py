"""The HTTP application: metrics, health and the page of the tree for everybody; control for who holds the socket.

`/metrics` and `/health` are as documented, `/` is a live page, `/api/tree`, `/api/status` and
`/api/trace` (the last spans: requests, scheduling cycles, messages to nodes) are JSON. What changes
anything lies under `/control/` and is answered on the unix socket in the state directory only, which the file system
keeps for FLURM's own user: `stop`, `kill/NAME` (a process by name or pid, `?how=crash` for an exception), with
which a supervision tree can be tried out while it works, and `eval` and `complete`, the console
(`flurm.console`).
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from actors.tracer import TRACER, Recent
from flurm import __version__
from flurm.otp import OtpError
from flurm.web import console
from flurm.web.control import is_control
from flurm.web.metrics import TreeCollector
from flurm.web.page import render


def create(system: Any) -> Starlette:
    """The application over a running system."""
    registry = CollectorRegistry()
    registry.register(TreeCollector(system))
    began_s = time.time()

    def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    def health(request: Request) -> Response:
        try:
            state = system.call("flurm_health_checker", "health", 2.0)
        except OtpError as error:
            state = {"status": "unhealthy", "reason": str(error)}
        return JSONResponse(state, status_code=200 if state["status"] == "healthy" else 503)

    def status() -> dict[str, Any]:
        config = system.env["config"]
        return {
            "version": __version__,
            "cluster": config.cluster_name,
            "controller": config.controller_name,
            "address": "{}:{}".format(*system.env["listener"].address),
            "pid": system.env["control"].pid,
            "uptime_s": round(time.time() - began_s, 1),
            "state_dir": config.state_dir,
            **system.terms.get("health", {"status": "starting"}),
        }

    def api_status(request: Request) -> Response:
        return JSONResponse(status())

    def api_tree(request: Request) -> Response:
        return JSONResponse(system.tree())

    def api_trace(request: Request) -> Response:
        try:
            asked = Recent(int(request.query_params.get("limit", 100)), request.query_params.get("name"))
        except ValueError:
            return JSONResponse({"error": "limit: expected a number"}, status_code=400)
        return JSONResponse([msgspec.to_builtins(span) for span in system.call(TRACER, asked)])

    def page(request: Request) -> Response:
        return HTMLResponse(render(status(), system.tree(), system.terms.get("cluster")))

    def stop(request: Request) -> Response:
        if not is_control(request):
            return JSONResponse({"error": "only on the control socket"}, status_code=403)
        system.env["control"].request_stop("flurm stop")
        return JSONResponse({"stopping": True})

    def kill(request: Request) -> Response:
        if not is_control(request):
            return JSONResponse({"error": "only on the control socket"}, status_code=403)
        name = request.path_params["name"]
        victim = next((each for each in system.processes() if name in (each.name, str(each.pid))), None)
        if victim is None:
            return JSONResponse({"error": f"there is no process {name}"}, status_code=404)
        end = system.crash if request.query_params.get("how") == "crash" else system.kill
        end(victim.pid)
        return JSONResponse({"killed": victim.name, "pid": str(victim.pid)})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/metrics", metrics),
            Route("/health", health),
            Route("/api/status", api_status),
            Route("/api/tree", api_tree),
            Route("/api/trace", api_trace),
            Route("/control/stop", stop, methods=["POST"]),
            Route("/control/kill/{name}", kill, methods=["POST"]),
            *console.routes(system),
        ]
    )
