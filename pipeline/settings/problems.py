"""What pydantic finds wrong with settings, in one line and in our words."""

import re
from collections.abc import Callable, Iterable, Sequence

from pydantic import ValidationError

from pipeline.lazy import nearest

LONGEST = 60  # characters of a value that is shown


def first_problem(
    error: ValidationError, known: Callable[[Sequence[str]], Iterable[str]], *above: str
) -> str:
    """Say the first thing wrong, as `section.key: what`; what is deepest is most exact.

    Args:
        known: the settings there are in a place, for an unknown one.
        above: where the whole of what was checked stands.
    """
    problem = max(error.errors(include_url=False), key=lambda problem: len(problem["loc"]))
    inside = [str(part) for part in problem["loc"] if not _is_union_branch(part)]
    place = ".".join([*above, *inside])
    begin = f"{place}: " if place else ""
    if problem["type"] == "extra_forbidden":
        *sections, key = inside
        return f"{begin}unknown setting: {nearest(key, set(known(sections)))}"
    if problem["type"] == "value_error":
        return f"{begin}{problem['ctx']['error']}"
    said = repr(problem["input"])
    message = problem["msg"][0].lower() + problem["msg"][1:].replace("valid tuple", "valid list")
    return f"{begin}{message}, not {said if len(said) < LONGEST else said[: LONGEST - 3] + '...'}"


def _is_union_branch(part: object) -> bool:
    kinds = r"[\[\]]|^(str|tuple|dict|(constrained-)?(int|float))$"
    return isinstance(part, str) and re.search(kinds, part) is not None
