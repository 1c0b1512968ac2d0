"""Sockets for the actors: the listener that connection handlers share, and calls to other daemons."""
