"""Job submit plugins: what a site lets look at every submission and every change of a job before it is carried out."""

from actors.net.job_submit.chain import Chain, check

__all__ = ["Chain", "check"]
