"""An Android phone through adb: which one it is, files put there, commands run there.

`adb shell` hands its words, joined by blanks, to a shell on the phone. So the words are our own
throughout: no name that a user gave, of a file or of anything else, ever goes into them.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pipeline.errors import ResourceError

PLACE = "/data/local/tmp"  # the one folder where a phone lets adb keep programs and run them
ANSWER_SECONDS = 30.0  # for what takes no time; the first call of a day starts adb's server
PUSH_SECONDS = 300.0
LOST = ("adb: device", "adb: no devices", "error: device", "error: no devices", "error: closed")
MENDING = {
    "unauthorized": "unlock it and allow USB debugging in the question on its screen",
    "offline": "unplug it and plug it in again",
}


@dataclass(frozen=True)
class Said:
    """What a command left: exit status, and both outputs, one after the other."""

    code: int
    text: str

    @property
    def last_line(self) -> str:
        """The last that was said, on one line."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return lines[-1] if lines else "nothing was said"


@dataclass(frozen=True)
class Phone:
    """A phone that is plugged in and lets itself be used."""

    program: str
    serial: str

    def call(self, *words: str, seconds: float = ANSWER_SECONDS) -> Said:
        """Run adb on this phone.

        Raises:
            ResourceError: the phone is gone, or does not answer in so many `seconds`.
        """
        said = _run(self.program, "-s", self.serial, *words, seconds=seconds)
        if said.code and said.last_line.startswith(LOST):
            raise ResourceError(f"phone {self.serial}: {said.last_line}")
        return said

    def shell(self, *words: str, seconds: float = ANSWER_SECONDS) -> Said:
        """Run a command on the phone; its shell reads the words, so they must be ours."""
        return self.call("shell", *words, seconds=seconds)

    def push(self, path: Path, there: str) -> None:
        """Copy a file to the phone.

        Raises:
            ResourceError: there is no room, or the phone does not let it.
        """
        said = self.call("push", str(path.absolute()), there, seconds=PUSH_SECONDS)
        if said.code:
            raise ResourceError(f"phone {self.serial}: cannot take {path}: {said.last_line}")

    def property(self, name: str) -> str:
        """A property of the system, such as `ro.product.model`; "unknown" where it has none."""
        said = self.shell("getprop", name)
        return said.text.strip() if not said.code and said.text.strip() else "unknown"

    def has(self, there: str) -> bool:
        """Whether there is such a file on the phone."""
        return "there" in self.shell("test", "-f", there, "&&", "echo", "there").text.split()

    @contextmanager
    def folder(self) -> Iterator[str]:
        """A folder of a new name on the phone, removed in the end, also by Ctrl-C."""
        there = f"{PLACE}/pix2pocket-{uuid4().hex}"
        try:
            said = self.shell("mkdir", there)
            if said.code:
                raise ResourceError(f"phone {self.serial}: no folder there: {said.last_line}")
            yield there
        finally:
            with suppress(ResourceError):  # it was unplugged: nothing can be removed
                self.shell("rm", "-rf", there)


def find(serial: str | None = None) -> Phone:
    """The phone called `serial`, or the only one there is.

    Raises:
        ResourceError: there is no adb, no such phone, one that does not let itself be used, or
            several and none was named.
    """
    program = shutil.which("adb")
    if program is None:
        raise ResourceError("no adb on PATH: install Android's platform tools")
    states = devices(program)
    if serial is None:
        if not states:
            raise ResourceError("adb sees no phone: plug one in and allow USB debugging on it")
        if len(states) > 1:
            raise ResourceError(f"several phones: say --serial, one of {', '.join(states)}")
        serial = next(iter(states))
    if serial not in states:
        known = f"; there is {', '.join(states)}" if states else ""
        raise ResourceError(f"adb sees no phone {serial}{known}")
    if (state := states[serial]) != "device":
        word = state.partition(" ")[0]
        raise ResourceError(f"phone {serial} is {state}: {MENDING.get(word, 'see `adb devices`')}")
    return Phone(program, serial)


def devices(program: str) -> dict[str, str]:
    """What adb sees: serials with their state, which is `device` where all is well."""
    said = _run(program, "devices", seconds=ANSWER_SECONDS)
    if said.code:
        raise ResourceError(f"adb does not list phones: {said.last_line}")
    pairs = [line.split("\t", 1) for line in said.text.splitlines() if "\t" in line]
    return {serial: state.strip() for serial, state in pairs}


def _run(*words: str, seconds: float) -> Said:
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        asked = " ".join(words[1:4])
        raise ResourceError(f"adb gave no answer in {seconds:g} s to: {asked}") from None
    except OSError as error:
        raise ResourceError(f"{words[0]} cannot be run: {error.strerror}") from error
    texts = [stream.decode(errors="replace") for stream in (done.stdout, done.stderr)]
    return Said(done.returncode, "\n".join(filter(None, texts)))
