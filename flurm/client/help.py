"""What `--help` prints: the options a command has, from its own table."""

from __future__ import annotations

from importlib import import_module

from flurm.client.options import Argument, Option

__all__ = ["help_text"]


def help_text(name: str) -> str:
    """The options of a command, one per line, shortest form first."""
    options: tuple[Option, ...] = import_module(f"flurm.client.{name}").OPTIONS
    return "\n".join([f"Usage: {name} [OPTIONS]", *(_line(each) for each in options)])


def _line(option: Option) -> str:
    short = f"-{option.short}, " if option.short else "    "
    value = {Argument.NONE: "", Argument.REQUIRED: "=VALUE", Argument.OPTIONAL: "[=VALUE]"}[option.argument]
    return f"  {short}--{option.longs[0]}{value}"
