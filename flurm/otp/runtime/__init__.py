"""The runtimes: processes on threads in real time (pykka); a simulator in virtual time is to follow."""
