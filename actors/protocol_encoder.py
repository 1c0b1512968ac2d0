"""Protocol encoder: owns the kept wire forms of records.

Infos    "sweep": drop the forms of jobs that are gone
Continue "populate": fill the acceptor pool; the encoder is the last to start, so decoder and forms are there
Calls    "status" -> dict
Effects  publishes the term "kept": a job's bytes are packed once per version and joined into every listing
"""

from __future__ import annotations

from typing import Any

from flurm.bridge.kept import KeptForms
from flurm.otp import GenServer, NoReply, Ok, Reply, Sender

SWEEP_S = 30.0


class ProtocolEncoder(GenServer):
    """Keeps what has been packed, as long as the record it was packed from is the current one."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        kept = KeptForms()
        self.system.terms["kept"] = kept
        self.send_after(SWEEP_S, "sweep")
        return Ok(kept, continue_="populate")

    def handle_continue(self, what: Any, state: KeptForms) -> NoReply:
        for _ in range(self.system.env["service"].pool.usual):
            self.system.start_child("flurm_acceptor_pool", {})
        return NoReply(state)

    def handle_call(self, request: Any, sender: Sender, state: KeptForms) -> Reply:
        return Reply(self.format_status(state), state)

    def handle_info(self, message: Any, state: KeptForms) -> NoReply:
        if message == "sweep":
            cluster = self.system.terms.get("cluster")
            if cluster is not None:
                state.sweep(cluster)
            self.send_after(SWEEP_S, "sweep")
        return NoReply(state)

    def format_status(self, state: KeptForms) -> Any:
        return {"forms": state.size}
