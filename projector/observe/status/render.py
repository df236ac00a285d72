"""The status as text for people, and as one object for machines."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from projector.database.rows import Row
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status.attention import find_attention
from projector.observe.status.read import COUNTED_CHANGES, Status
from projector.observe.status.words import (
    age_in_words,
    differing,
    late_in_words,
    late_seconds,
    moment_in_words,
    shorten,
    waiting_in_words,
)
from projector.report.counted import bytes_in_words, counted, counted_of, escape_hidden


def as_dict(status: Status) -> dict[str, Any]:
    """Return the status for machines. Times are in UTC, ages and durations in seconds."""
    letters = [_without(letter, "total") for letter in status.dead_letters]
    projection, proved, present = status.projection, status.proved_round, status.present_round
    return {
        "attention": find_attention(status),
        "installed": projection is not None,
        "as_of": projection and projection.as_of,
        "as_of_age": projection and projection.as_of_age,
        "late_tenants": status.queue.late_tenants,
        "late_keys": status.queue.late_keys,
        "late_seconds": late_seconds(status.queue),
        "lag": status.queue.lag,
        "queue": {"changes": status.queue.changes, "counted_up_to": COUNTED_CHANGES},
        "capture": {
            "state": status.capture_state,
            "gap_since": projection and projection.gap_since,
            "reason": projection and (projection.switched_off or projection.gap_reason or projection.broken),
            "missing_source": status.missing_source,
        },
        "origin": {
            "proved_at": projection and projection.proved_at,
            "problem": projection and projection.feed_problem,
            "position": projection and projection.origin_position,
            "failed_at": projection and projection.failed_at,
            "unfed_tables": status.unfed_tables,
            "subscriptions": [vars(feed) for feed in status.feeds],
        },
        "projection": {
            "version": PROJECTION_VERSION,
            "built_version": projection and projection.version,
            "built_at": projection and projection.built_at,
        },
        "schedulers": {"sessions": status.schedulers.sessions, "all_seen": status.schedulers.is_all_seen},
        "locks": [vars(holder) for holder in status.lock_holders],
        "rebuild": _rebuild_as_dict(status),
        "runs": {run.kind: vars(run) for run in status.runs},
        "verify": {
            "proved_at": proved and proved.finished_at,
            "proved": proved and vars(proved),
            "round": present and {**_without(present, "done"), "percent": round(100 * present.done, 1)},
            "drift": {
                "count": status.drift[0].total if status.drift else 0,
                "first": [_without(item, "total") for item in status.drift],
                "ended": [vars(ended) for ended in status.ended_drift],
            },
        },
        "row_security": _row_security_as_dict(status),
        "dead_letters": {"count": status.dead_letters[0].total if letters else 0, "first": letters},
        "erasures": vars(status.erasures),
        "tables": [vars(size) for size in status.sizes],
        "warnings": status.warnings,
    }


def summarize(status: Status) -> str:
    """Return what a person asks first: is it running, how fresh, how many leads, and what needs attention."""
    return _in_lines(status, [])


def render(status: Status) -> str:
    """Return that and every fact, under the names that `as_dict` gives them."""
    facts = {name: of for name, of in as_dict(status).items() if name not in {"attention", "warnings"}}
    return _in_lines(status, ["", *_fact_lines(facts)] if status.projection is not None else [])


def _in_lines(status: Status, facts: Iterable[str]) -> str:
    # Reasons and ids were written by others.
    first = [*_first_lines(status), *(("Warning", text) for text in status.warnings)]
    lines = [*(f"{label:<13}{escape_hidden(text)}" for label, text in first), *map(escape_hidden, facts)]
    attention = find_attention(status)
    if attention:
        lines += ["", "Needs attention:", *(f"  - {escape_hidden(sentence)}" for sentence in attention)]
    else:
        lines += ["", "Nothing needs attention."]
    return "\n".join(lines)


def _fact_lines(facts: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Return a line for each fact, and one for each element of a list; an object of objects is indented."""
    for name, of in facts.items():
        if isinstance(of, Mapping) and any(isinstance(one, Mapping | list) for one in of.values()):
            yield f"{indent}{name}:"
            yield from _fact_lines(of, f"{indent}  ")
        elif isinstance(of, list) and of:
            yield f"{indent}{name}:"
            yield from (f"{indent}  - {_in_words(one)}" for one in of)
        else:
            yield f"{indent}{name}: {_in_words(of)}"


def _in_words(fact: object) -> str:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_in_words(of)}" for name, of in fact.items())
    if isinstance(fact, list) and fact:
        return " and ".join(map(_in_words, fact))
    if isinstance(fact, datetime):
        return moment_in_words(fact)
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, int | float):
        return f"{fact:,.1f}".removesuffix(".0")
    return "none" if fact in (None, []) else str(fact)


def _first_lines(status: Status) -> Iterator[tuple[str, str]]:
    projection = status.projection
    if projection is None:
        yield "Read model", "not installed"
        return
    yield "Scheduler", _schedulers_in_words(status)
    lag = status.queue.lag
    waiting = "nothing waits" if lag is None else f"{waiting_in_words(status.queue)}, for {age_in_words(lag)}"
    if projection.built_at is None:
        yield "Data", "never built"
    elif projection.as_of is None or projection.as_of_age is None:
        yield "Data", f"as of no moment yet, {waiting}"
    else:
        yield "Data", f"{age_in_words(projection.as_of_age)} old, {waiting}"
    leads = next((size.about_rows for size in status.sizes if size.table_name == "read_model.leads"), 0)
    # PostgreSQL has an estimate once it has analyzed the table.
    known = f"about {counted(leads, 'lead')}" if leads else "not counted yet"
    size = bytes_in_words(sum(size.bytes for size in status.sizes))
    yield "Leads", f"{known}, {counted(status.tenants, 'tenant')}, {size}"
    # The rest only where it is not as always.
    if status.queue.late_tenants:
        yield "Mass changes", late_in_words(status.queue)
    if status.capture_state != "intact":
        yield "Capture", _capture_in_words(status, projection)
    if status.rebuild_state != "none":
        yield "Rebuild", _rebuild_in_words(status, projection)
    if status.drift:
        yield "Drift", differing(status.drift[0].total)
    if status.dead_letters:
        yield "Dead letters", f"{status.dead_letters[0].total:,}"


def _without(row: Row, name: str) -> dict[str, Any]:
    return {key: value for key, value in vars(row).items() if key != name}


def _row_security_as_dict(status: Status) -> dict[str, Any] | None:
    found, role = status.row_security, status.api_role
    if found is None:
        return None
    facts = _without(found, "database_name")
    if role is not None and role.can_create_temporary:
        facts["advice"] = (
            f"{role.name} may create temporary tables, as PUBLIC may; unless they are needed, run"
            f" REVOKE TEMPORARY ON DATABASE {found.database_name} FROM PUBLIC;"
        )
    return facts


def _rebuild_as_dict(status: Status) -> dict[str, Any]:
    """Return the state of a rebuild, and how far it is. `leads_total` is about how many leads it has to do."""
    run, done = status.rebuild_run, status.rebuild_done
    return {
        "state": status.rebuild_state,
        "leads": run and run.leads,
        "leads_total": run and run.leads_total,
        "percent": None if done is None else round(100 * done, 1),
    }


def _rebuild_in_words(status: Status, projection: Row) -> str:
    found = _rebuild_as_dict(status)
    text = str(found["state"])
    run = status.rebuild_run
    if run is not None and found["state"] == "running":
        text += f" for {age_in_words(run.seconds)}"
    if found["percent"] is not None:
        # As the progress of a rebuild counts: not each customer with a key is a lead.
        text += f", {counted_of(found['leads'], found['leads_total'], 'customer')}, {found['percent']} %"
    if projection.built_at is not None and projection.version != PROJECTION_VERSION:
        text += f", to projection version {PROJECTION_VERSION}"
    return text


def _capture_in_words(status: Status, projection: Row) -> str:
    if status.capture_state == "off":
        return str(projection.switched_off)
    since = "" if projection.gap_since is None else f" since {moment_in_words(projection.gap_since)}"
    return f"gap{since}: {shorten(projection.capture_gap or projection.broken or '')}"


def _schedulers_in_words(status: Status) -> str:
    if status.schedulers.sessions:
        return f"running, {counted(status.schedulers.sessions, 'session')}"
    return "none connected" if status.schedulers.is_all_seen else "cannot be seen by this database user"
