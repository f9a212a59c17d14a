"""Track: write a published run into an MLflow store, where the recipe asks for it.

The store is a folder; no server is needed, and nothing is sent anywhere. Asking for it is no part
of what any stage depends on, so that a finished run is logged by running it again, at once.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, ResourceError
from pipeline.progress import say

# From 3.13 on MLflow wants to be told that a folder will do; it reports its use unless told not to.
SAID = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
ID = "pix2pocket.id"
ARTIFACTS = ("report.html", "report.md", "report.json", "report.csv", "model_card.md")
MOST = {"params": 100, "metrics": 1000}  # that MLflow takes at a time
LONGEST = {"key": 200, "value": 6000}  # characters


def require(folder: Path) -> None:
    """Look whether a run can be logged, before it has begun.

    Raises:
        ConfigError: MLflow is not there, or the folder is none.
    """
    if folder.is_file():
        raise ConfigError(f"mlflow: {folder} is a file; give the folder of a store, or a new one")
    try:
        with _told():
            import_module("mlflow.tracking")
    except ImportError as error:
        raise ConfigError(
            f"mlflow: {folder}: MLflow cannot be loaded ({error}); "
            "pip install mlflow-skinny (the extra pix2pocket[mlflow]), or leave `mlflow` out"
        ) from error


def log(folder: Path, published: Path, report: Mapping[str, Any]) -> None:
    """Log a report once: settings, figures of each variant, curves, its files and the one to ship.

    Raises:
        ResourceError: it could not be written; the results are published all the same.
    """
    with _told():
        mlflow = import_module("mlflow.tracking")
        failure = import_module("mlflow.exceptions").MlflowException
        try:
            client = mlflow.MlflowClient(folder.resolve().as_uri())
            experiment = _experiment(client, report["name"])
            if not _is_there(client, experiment, report["id"]):
                _write(client, experiment, published, report)
                say(f"logged to MLflow: {folder}, {report['name']}, {report['id']}")
        except (failure, OSError) as error:
            told = " ".join(str(error).split())
            raise ResourceError(
                f"mlflow: {folder}: {told}; the results are published: mend that and run again"
            ) from error


@contextmanager
def _told() -> Iterator[None]:
    """Say to MLflow what it reads from the environment, for a while; what a user says counts."""
    before = dict(os.environ)
    os.environ.update({name: before.get(name, said) for name, said in SAID.items()})
    try:
        yield
    finally:
        for name in SAID:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


def _experiment(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _is_there(client: Any, experiment: str, run: str) -> bool:
    """Whether a report is logged already; what an attempt left that was cut off is removed."""
    found = client.search_runs([experiment], f"tags.`{ID}` = '{run}'")
    for one in found:
        if one.info.status != "FINISHED":
            client.delete_run(one.info.run_id)
    return any(one.info.status == "FINISHED" for one in found)


def _write(client: Any, experiment: str, published: Path, report: Mapping[str, Any]) -> None:
    created = round(datetime.fromisoformat(report["created"]).timestamp() * 1000)
    tags = {ID: report["id"], "pix2pocket.data_digest": report["dataset"]["digest"]}
    best = next((v for v in report["variants"] if v["name"] == report["recommended"]), None)
    if best:
        tags |= {"pix2pocket.recommended": best["name"], "pix2pocket.sha256": best["sha256"] or ""}
    run = client.create_run(experiment, created, tags, report["id"]).info.run_id
    try:
        _log_batches(client, run, report, created)
        for name in ARTIFACTS:
            client.log_artifact(run, str(published / name))
        if best:
            client.log_artifact(run, str(published / best["file"]), "tflite")
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)


def _log_batches(client: Any, run: str, report: Mapping[str, Any], created: int) -> None:
    mlflow = import_module("mlflow.entities")
    said = parameters(report["config"])
    params = [mlflow.Param(name, value) for name, value in said.items()]
    metrics = [mlflow.Metric(name, value, created, step) for name, value, step in figures(report)]
    for some in _in_lots(params, MOST["params"]):
        client.log_batch(run, params=some)
    for some in _in_lots(metrics, MOST["metrics"]):
        client.log_batch(run, metrics=some)


def parameters(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings by their whole names, `train.epochs`, as text that MLflow takes."""
    flat = dict(_flat(settings))
    longest = LONGEST["value"]
    texts = (said if isinstance(said, str) else json.dumps(said) for said in flat.values())
    cut = (text if len(text) <= longest else f"{text[: longest - 1]}…" for text in texts)
    return dict(zip(allowed(flat), cut, strict=True))


def figures(report: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    """Numbers by name and step: `int8/accuracy`, and `val_loss` epoch by epoch, from 1."""
    from pipeline.show.rows import flat
    from pipeline.show.schema import Report

    told = Report.model_validate(report)
    names = allowed(row.name for row in told.variants)
    for name, row in zip(names, told.variants, strict=True):
        for fact, value in flat(row).items():
            if isinstance(value, int | float):
                yield f"{name}/{fact}", float(value), 0
    curves = told.training.history if told.training else {}
    for name, curve in zip(allowed(curves), curves.values(), strict=True):
        for epoch, value in enumerate(curve, 1):
            yield name, value, epoch


def allowed(names: Iterable[str]) -> list[str]:
    """Names as MLflow takes them, `prune-int8` for `prune+int8`; no two come out the same."""
    found: dict[str, None] = {}
    for name in names:
        plain = re.sub(r"[^\w.\- ]", "_", name.replace("+", "-"))[: LONGEST["key"]].strip(" .")
        unique, number = plain or "_", 1
        while unique in found:
            number += 1
            unique = f"{plain}_{number}"
        found[unique] = None
    return list(found)


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _in_lots(values: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    for first in range(0, len(values), most):
        yield values[first : first + most]
