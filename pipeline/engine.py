"""The engine: take a config through its steps, doing only what is not done already."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from pipeline import publish, track
from pipeline.config import Config
from pipeline.fingerprint import FileMemo
from pipeline.guard import locked, logged, terminable
from pipeline.plan import Plan
from pipeline.progress import native_noise_to
from pipeline.runner import Outcome, Runner
from pipeline.store import Store


def run(
    config: Config,
    *,
    artifacts: Path | str = "artifacts",
    until: str | None = None,
    force: Sequence[str] = (),
    verify: bool = False,
    quiet: bool = False,
) -> Outcome:
    """Run every step that is not done, publish `<artifacts>/<name>/`, log it if that is asked for.

    Args:
        until: the last stage to run; nothing is published then, unless it is "report".
        force: stages to run though they are done.
        verify: read every cached byte before it is trusted.
        quiet: what native libraries write on standard error goes to the log instead.

    Raises:
        PipelineError: of the class that says what went wrong; earlier results stay as they were.
    """
    root = Path(artifacts)
    store = Store(root / ".cache")
    plan = Plan(config, store, FileMemo(store.root / "digests.db"))
    for stage in filter(None, (until, *force)):
        plan.require(stage)
    publish.require_ours(root, config.name)
    if config.mlflow:
        track.require(config.mlflow.expanduser())
    log_file = publish.log_file(root, config.name)
    with ExitStack() as stack:
        stack.enter_context(locked(root))
        stop = stack.enter_context(terminable())
        stack.enter_context(logged(log_file))
        if quiet:
            stack.enter_context(native_noise_to(log_file))
        store.sweep()
        publish.repair(root)
        outcome = Runner(plan, stop, frozenset(force), verify).do(plan.until(until))
        if "report" in outcome.entries:
            publish.publish(root, config.name, outcome.entries)
            outcome.folder = root / config.name
            outcome.report = publish.load_report(outcome.entries["report"].folder / "report.json")
            if config.mlflow:
                track.log(config.mlflow.expanduser(), outcome.folder, outcome.report)
    return outcome
