"""The observer: a terminal application (textual) that shows a running controller through its control socket."""
