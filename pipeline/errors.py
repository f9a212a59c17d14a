"""What can go wrong, in words every room shares: one class an exit code."""


class PipelineError(Exception):
    """A failure the user can act on; its text is one line: what, where, how to mend it."""

    exit_code = 1


class ConfigError(PipelineError):
    """A setting, a recipe or an argument is wrong."""

    exit_code = 2


class DataError(PipelineError):
    """The pictures or labels are missing, unreadable or contradict each other."""

    exit_code = 3


class TrainingError(PipelineError):
    """Training diverged or had nothing to learn from."""

    exit_code = 4


class ConversionError(PipelineError):
    """A model could not be transformed, mirrored, converted or run as converted."""

    exit_code = 4


class ResourceError(PipelineError):
    """Disk, memory or a lock is not to be had."""

    exit_code = 5


class IntegrityError(PipelineError):
    """A file is not what its digest says, or comes from where nothing is trusted."""

    exit_code = 6


class Interrupted(BaseException):
    """SIGTERM came: unwind as Ctrl-C does; no `except Exception` may swallow it."""
