"""The Slurm wire, sans-IO: bytes in, records out. Knows no cluster, no socket and no clock.

From the outside in: `frame` (length, header, credential, body), `auth` (who sent it), `codec` (body <-> record),
`messages` (the records), `schema` and `compiler` (how a record's table becomes code), `wire` (values with a form of
their own), `constants`, `versions`, `errors`; beside them `credential` (job and step credentials) and `hostlist`.
"""
