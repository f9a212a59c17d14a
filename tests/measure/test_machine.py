import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from pipeline.measure import machine as room
from pipeline.measure.machine import machine, versions


def test_the_machine_is_described_in_values_a_report_can_hold():
    facts = json.loads(json.dumps(machine()))
    assert list(facts) == ["cpu", "cores", "memory_bytes", "os", "python", "load"]
    assert facts["cpu"]
    assert facts["cores"] == len(os.sched_getaffinity(0))
    assert facts["memory_bytes"] > 2**28
    assert facts["python"] == sys.version.split()[0]
    assert facts["load"] >= 0


def test_versions_are_those_installed():
    found = versions()
    assert found["numpy"] == version("numpy")
    assert found["ai-edge-litert"] == version("ai-edge-litert")
    assert list(found)[:2] == ["tensorflow", "keras"]


def test_packages_that_are_absent_are_left_out(monkeypatch):
    monkeypatch.setattr(room, "_PACKAGES", ("numpy", "surely-not-installed"))
    assert list(versions()) == ["numpy"]


def test_the_room_opens_without_tensorflow_keras_or_scipy():
    rooms = ["arena", "flatbuffer", "latency", "litert", "machine", "statistics", "tflite"]
    script = "".join(f"import pipeline.measure.{name}\n" for name in rooms)
    script += "import sys; print([m for m in ('tensorflow', 'keras', 'scipy') if m in sys.modules])"
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
