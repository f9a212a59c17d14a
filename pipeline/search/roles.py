"""Which part a process has in a search: said by KerasTuner's three environment variables."""

import os

from pipeline.errors import ConfigError

ID, IP, PORT = "KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"
LAST_PORT = 65535
LOOPBACK = "127.0.0.1"  # the port asks nobody who they are: it is for this machine, unless told


def worker() -> str | None:
    """The name this process works under for a chief that is elsewhere; None of any other.

    Raises:
        ConfigError: an address without a port or a name.
    """
    if IP not in os.environ:
        return None
    for name in (PORT, ID):
        if name not in os.environ:
            raise ConfigError(f"{IP} is set and {name} is not: a search of many needs all three")
    if not os.environ[PORT].isdecimal() or not 0 < int(os.environ[PORT]) <= LAST_PORT:
        raise ConfigError(f"{PORT}: a number, 1 to {LAST_PORT}, not {os.environ[PORT]!r}")
    return None if is_chief() else os.environ[ID]


def address() -> tuple[str, int]:
    """Where a chief listens: on this machine, at any port that is free, unless told otherwise."""
    if IP not in os.environ:
        return LOOPBACK, 0
    return os.environ[IP], int(os.environ[PORT])


def is_chief() -> bool:
    """Whether this process says what others try."""
    return IP in os.environ and "chief" in os.environ.get(ID, "")
