"""Numbers as people read them: the one place where a measured value becomes text.

The page, the Markdown and the terminal all call these, so one fact reads the same everywhere;
json and csv hold the unrounded values. `None`, what was not measured, reads as a dash.
"""

import math

MISSING = "–"
_ALMOST = 1e-9


def word(said: str | None) -> str:
    """What is no number."""
    return MISSING if said is None else said


def percent(share: float | None, digits: int = 2) -> str:
    """A share 0..1 as `98.61 %`; all and nothing are said only where they are true."""
    if share is None:
        return MISSING
    value = round(100 * share, digits)
    step = 10.0**-digits
    if value >= 100 and share < 1 - _ALMOST:
        value = 100 - step
    if value <= 0 and share > _ALMOST:
        value = step
    return f"{value:.{digits}f} %"


def interval(bounds: tuple[float, float] | None) -> str:
    """Two shares as `96.8–99.4 %`: one digit, more would promise what an interval denies."""
    if bounds is None:
        return MISSING
    low, high = (percent(share, 1).removesuffix(" %") for share in bounds)
    return f"{low}–{high} %"


def with_interval(share: float | None, bounds: tuple[float, float] | None) -> str:
    """An accuracy and its interval in one piece, as `98.61 % [96.8–99.4]`."""
    if bounds is None:
        return percent(share)
    return f"{percent(share)} [{interval(bounds).removesuffix(' %')}]"


def points(value: float | None) -> str:
    """Percentage points with their sign, as `+0.28 pp`."""
    if value is None:
        return MISSING
    rounded = round(value, 2)
    return f"{rounded:+.2f} pp" if rounded else "0.00 pp"


def spread(share: float | None) -> str:
    """A standard deviation of shares as `± 0.21 pp`."""
    return MISSING if share is None else f"{give_or_take(100 * share)} pp"


def give_or_take(points: float | None) -> str:
    """A standard deviation in percentage points, where the unit is plain, as `± 0.21`."""
    return MISSING if points is None else f"± {points:.2f}"


def size(count: float | None) -> str:
    """Bytes as `812 B`, `31.0 kB`, `1.23 MB` (1 kB is 1000 bytes)."""
    return _scaled(count, ("B", "kB", "MB", "GB", "TB"))


def round_size(count: float) -> str:
    """Bytes as an axis says them: `50 kB`."""
    unit = min(int(math.log10(max(count, 1)) // 3), 4)
    return f"{count / 1000**unit:.4g} {('B', 'kB', 'MB', 'GB', 'TB')[unit]}"


def amount(count: float | None) -> str:
    """Parameters or operations as `812`, `94.6 k`, `8.81 M`."""
    return _scaled(count, ("", "k", "M", "G", "T")).rstrip()


def latency(microseconds: float | None) -> str:
    """Microseconds as `12.3 µs`, `1.23 ms` or `1.23 s`, to three figures."""
    if microseconds is not None and 0 < microseconds < 1:
        return f"{microseconds:.2f} µs"
    return _scaled(microseconds, ("µs", "ms", "s"), whole=False)


def ratio(value: float | None) -> str:
    """A ratio to float32 as `0.27×`."""
    return MISSING if value is None else f"{value:.2f}×"


def count(value: int | None) -> str:
    """A whole number with its thousands set apart, as `94,634`."""
    return MISSING if value is None else f"{value:,}"


def chance(p: float | None) -> str:
    """A p-value as `0.63`; below a thousandth only that is said."""
    if p is None:
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.2f}" if p >= 0.1 else f"{p:.3f}"


def duration(seconds: float | None) -> str:
    """Seconds as `0.42 s`, `12.3 s`, `2 min 05 s`, `1 h 03 min`."""
    if seconds is None:
        return MISSING
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def _scaled(value: float | None, units: tuple[str, ...], whole: bool = True) -> str:
    """Three figures and the unit that suits them; `whole` numbers below 1000 have no fraction."""
    if value is None:
        return MISSING
    if whole and value < 1000:
        return f"{value:.0f} {units[0]}"
    scaled, unit = float(value), 0
    while scaled >= 999.5 and unit < len(units) - 1:
        scaled, unit = scaled / 1000, unit + 1
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{digits}f} {units[unit]}"
