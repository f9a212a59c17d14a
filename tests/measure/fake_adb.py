"""A phone for tests: an `adb` of a few lines, whose phone is a folder of this machine.

What it is asked to run there is run by a real shell, as on a phone: a name that ended up in a
command would be obeyed.
"""

import json
import os
import sys
from pathlib import Path

ADB = """#!{python} -IS
import json, os, shutil, sys
from pathlib import Path
base = Path({base!r})
words = sys.argv[1:]
with (base / "calls.jsonl").open("a") as log:
    log.write(json.dumps(words) + "\\n")
phones = json.loads((base / "phones.json").read_text())
if words == ["devices"]:
    print("* daemon not running; starting now at tcp:5037\\n* daemon started successfully")
    print("List of devices attached")
    print("".join(f"{{serial}}\\t{{state}}\\n" for serial, state in phones.items()))
    sys.exit(0)
assert words[0] == "-s", words
serial, (what, *rest) = words[1], words[2:]
if (base / "unplugged").exists():
    sys.exit(f"adb: device '{{serial}}' not found")
if what == "push":
    local, remote = rest
    target = remote.replace("/data/local/tmp", str(base / "tmp"))
    if (base / "full").exists():
        sys.exit(f"adb: error: failed to copy '{{local}}' to '{{remote}}': No space left on device")
    shutil.copyfile(local, target)
    print(f"{{local}}: 1 file pushed, 0 skipped. 12.3 MB/s (36104 bytes in 0.003s)")
elif what == "shell":
    os.environ["PATH"] = f"{{base / 'system'}}:{{os.environ['PATH']}}"
    line = " ".join(rest).replace("/data/local/tmp", str(base / "tmp"))
    os.execv("/bin/sh", ["sh", "-c", line])
"""

GETPROP = """#!/bin/sh
case "$1" in
  ro.product.model) echo "Pocket 7" ;;
  ro.build.version.release) echo 14 ;;
  ro.product.cpu.abi) echo arm64-v8a ;;
esac
"""

# A file takes a microsecond a kilobyte, and twice that in every other round of two files.
BENCHMARK_MODEL = """#!/bin/sh
for word; do case "$word" in --graph=*) file=${word#--graph=} ;; esac; done
turns="$(dirname "$file")/turns"
echo >> "$turns"
turn=$(wc -l < "$turns")
mean=$(( $(wc -c < "$file") / 1000 * (1 + (turn - 1) / 2 % 2) ))
echo "INFO: STARTING!"
echo "INFO: Initialized session in 5.685ms." >&2
echo "INFO: Running benchmark for at least 50 iterations and at least 0.2 seconds." >&2
echo "INFO: count=60 first=18535 curr=14 min=14 max=18535 avg=1.4e+06 std=26" >&2
echo >&2
echo "INFO: count=51 first=9 curr=9 min=9 max=99 avg=$mean.0 std=3 p5=9 median=9 p95=9" >&2
echo >&2
echo "INFO: Inference timings in us: Init: 5685, First inference: 18535, Warmup (avg): 1.4e+06," \
  "Inference (avg): $mean.0" >&2
"""


class FakePhone:
    """What is on the phone, what adb was asked, and what goes wrong."""

    def __init__(self, base: Path) -> None:
        self.base, self.tmp, self.programs = base, base / "tmp", base / "programs"
        for folder in (self.tmp, self.programs, base / "system"):
            folder.mkdir(parents=True)
        text = ADB.format(python=sys.executable, base=str(base))
        self.program(self.programs / "adb", text)
        self.program(base / "system" / "getprop", GETPROP)
        self.plug({"ABC123": "device"})

    @staticmethod
    def program(path: Path, text: str) -> Path:
        path.write_text(text)
        path.chmod(0o755)
        return path

    def plug(self, phones: dict[str, str]) -> None:
        (self.base / "phones.json").write_text(json.dumps(phones))

    def install(self, text: str = BENCHMARK_MODEL) -> None:
        self.program(self.tmp / "benchmark_model", text)

    @property
    def path(self) -> str:
        return f"{self.programs}{os.pathsep}{os.environ['PATH']}"

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.base / "calls.jsonl").read_text().splitlines()]

    @property
    def left(self) -> list[str]:
        """Names in the folder for programs, but for the one that was installed there."""
        return [path.name for path in self.tmp.iterdir() if path.name != "benchmark_model"]
