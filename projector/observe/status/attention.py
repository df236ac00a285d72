"""Finds what in a status needs a person, and says what that person can do."""

from collections.abc import Iterator

from projector.capture.source import misfit
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import words
from projector.observe.status.read import Document
from projector.operate.origin.proof import Feed, find_problem
from projector.report.counted import counted, escape_hidden

# If no refresh from cron is known, cron may start one each minute, so a change may wait this long.
_UNATTENDED_SECONDS = 90.0
_UNPROVED_SECONDS = 90.0
_FORGOTTEN_SECONDS = 3600.0
_LAGGING_SECONDS = 60.0
# A scheduler notes at each try that its refresh fails.
_FAILING_SECONDS = 60.0
# A round ends within its days. One that was kept waiting may take longer.
_LATE_ROUNDS = 2.0
# The clock of a server may be set back a little, as NTP does, without any harm.
_CLOCK_TOLERANCE_SECONDS = 1.0
_MOST_NOTIFICATIONS = 0.5


def find_attention(status: Document) -> list[str]:
    """Return a sentence for each thing that needs a person, with what to do next; none when all is well."""
    if not status:
        return [
            (
                "The read model is not installed in this database: run `migrate`, then `rebuild`. Until then the API"
                " answers 503."
            )
        ]
    unattended = _unattended(status)
    return [
        *([] if unattended is None else [unattended]),
        *_attention_to_capture(status),
        *_attention_to_build(status),
        *_attention_to_feeds(status),
        *_attention_to_queue(status),
        *_attention_to_refresh(status),
        *_attention_to_locks(status),
        *_attention_to_notifications(status),
        *_attention_to_rows(status),
        *_attention_to_verify(status),
        *_attention_to_api(status),
        *_attention_to_rights(status),
    ]


def _unattended(status: Document) -> str | None:
    """Return a sentence if nothing keeps the read model up to date, with what to start; else None."""
    schedulers = status["schedulers"]
    if not schedulers["none_runs"]:
        return _not_refreshed(status)
    if schedulers["lost"]:
        return (
            f"No scheduler is running: {words.lost(schedulers['lost'][0])}. Start it again: `systemctl start"
            " leads-projector`, `docker compose up --detach projector`, or by hand `python -m projector run`; its log"
            " may say why it ended."
        )
    # A rebuild may take longer than the time between two refreshes.
    if status["rebuild"]["state"] == "running" or status["capture"]["state"] == "off":
        return None
    cron = schedulers["cron"]
    if cron is None:
        return _never_refreshed(status)
    if cron["age"] <= schedulers["cron_late_after_seconds"]:
        return None
    return (
        f"The data are not updated: the last `refresh` from cron ended at {words.moment(cron['last_at'])}, and one"
        f" ended every {words.age(cron['distance'])} before. See whether cron runs, whether its entry is there"
        " (`crontab -l`), and what the command in it printed, or run `python -m projector refresh` by hand."
    )


def _not_refreshed(status: Document) -> str | None:
    """Return a sentence if a scheduler is connected but no refresh ends; else None."""
    schedulers, projection = status["schedulers"], status["projection"]
    age, silent = schedulers["refreshed_age"], schedulers["silent"]
    # A scheduler that was stopped in the middle of a batch still owns its changes, so others cannot take
    # them.
    if silent and projection["as_of_age"] is not None:
        age = max(age, projection["as_of_age"])
    if age <= schedulers["refresh_allowed"] or not schedulers["present"] or _is_paused(status):
        return None
    scheduler = (silent or schedulers["present"])[0]
    advice = (
        words.wake(scheduler)
        if silent
        else "its log and pg_stat_activity say what it waits for. If neither does, start it again"
    )
    return (
        f"The projector on {scheduler['host']} (pid {scheduler['pid']}) has not refreshed for {words.age(age)}:"
        f" {advice}, with `systemctl restart leads-projector` or `docker compose restart projector`."
    )


def _is_paused(status: Document) -> bool:
    """Return whether refreshes wait for the first build, a rebuild, an erasure or `migrate`, or for an operator."""
    rebuild = status["rebuild"]
    is_migrating = any("migrate" in holder["purposes"] for holder in rebuild["lock_holders"])
    is_off = status["capture"]["state"] == "off"
    return status["projection"]["built_at"] is None or rebuild["state"] == "running" or is_migrating or is_off


def _never_refreshed(status: Document) -> str | None:
    """Return a sentence if the data get old and nobody is known to refresh them; else None."""
    silent, queue = status["projection"]["as_of_age"], status["queue"]
    if queue["changes"] and (silent is None or silent > _UNATTENDED_SECONDS):
        return (
            f"{words.waiting(queue)} and no scheduler is connected: keep `run` running,"
            " or start `refresh` from cron."
        )
    if silent is not None and silent > _FORGOTTEN_SECONDS:
        return (
            f"Nothing waits, but no refresh has run for {words.age(silent)}: keep `run` running, or start"
            " `refresh` from cron, so that callers are told how fresh their answers are."
        )
    return None


def _is_left_alone(status: Document) -> bool:
    """Return whether a rebuild waits for a person, and _unattended does not already report it."""
    schedulers = status["schedulers"]
    is_alone = schedulers["none_runs"] and schedulers["cron"] is None
    return is_alone and status["rebuild"]["state"] != "running" and _unattended(status) is None


def _attention_to_capture(status: Document) -> Iterator[str]:
    capture = status["capture"]
    if capture["state"] == "off":
        yield f"Changes are not seen, because {capture['reason']}. Run `capture on` when that is over."
    elif capture["missing_source"]:
        changed = f" Found: {capture['broken']}." if capture["broken"] else ""
        yield f"{misfit(capture['missing_source'])}{changed}"
    elif capture["fills"] is not None:
        # A scheduler that runs does it, and so does each refresh from cron.
        if _is_left_alone(status):
            fills = capture["fills"]
            yield f"{fills[:1].upper()}{fills[1:]}, once `run` is started or `refresh` is run."
    elif capture["state"] == "gap":
        yield (
            f"Changes may have been missed: {words.short(capture['gap'])}. A running scheduler heals that by itself,"
            " and so does `refresh`; find out how that came about."
        )


def _attention_to_build(status: Document) -> Iterator[str]:
    projection, rebuild = status["projection"], status["rebuild"]
    last = rebuild["runs"].get("rebuild")
    if last is not None and last["outcome"] == "failed" and rebuild["state"] != "running":
        reason = words.short(last["note"] or "no reason known")
        yield f"The last rebuild failed: {reason}. Repair that, and run `rebuild`."
    elif rebuild["state"] == "interrupted" and status["capture"]["fills"] is None and _is_left_alone(status):
        yield (
            "A rebuild was interrupted, and no scheduler is there to go on with it: start `run`, which does. `rebuild`"
            " begins again from the start."
        )
    if projection["replaced_definitions"]:
        names = ", ".join(projection["replaced_definitions"])
        yield (
            f"Not as `migrate` created it: {words.short(names)}. Rows may be computed by another rule: run `migrate`,"
            " which replaces what was changed, then `rebuild`."
        )
    if rebuild["state"] == "running":
        return
    if projection["built_at"] is None:
        yield "The read model was never built: run `rebuild`, or start the scheduler with `run`."
    elif projection["built_version"] != PROJECTION_VERSION:
        yield (
            f"The rows are of projection version {projection['built_version']}, this program has {PROJECTION_VERSION}:"
            " run `rebuild`, or restart the scheduler, which rebuilds by itself."
        )


def _attention_to_feeds(status: Document) -> Iterator[str]:
    origin = status["origin"]
    feeds = [Feed(**feed) for feed in origin["subscriptions"]]
    if not feeds and not origin["is_noted"]:
        return
    problem = find_problem(feeds, origin["unfed_tables"], origin["errors_at_proof"]) or origin["problem"]
    if problem is not None:
        yield (
            f"Changes of the platform may not arrive: {words.short(problem)}. See pg_stat_subscription and the log of"
            " this server; docs/internals/replication-and-citus.md says what to do."
            " X-Data-As-Of does not advance beyond what has arrived."
        )
        return
    if origin["proved_at"] is None:
        return
    silent = (status["projection"]["read_at"] - origin["proved_at"]).total_seconds()
    if silent > _UNPROVED_SECONDS and _unattended(status) is None:
        yield (
            f"Nothing is proved to have arrived from the platform for {words.age(silent)}: see in pg_stat_activity"
            " what the subscription's worker waits for, and whether `run` is connected."
        )


def _attention_to_queue(status: Document) -> Iterator[str]:
    silent, lag = status["projection"]["as_of_age"], status["queue"]["lag"]
    if silent is not None and silent < -_CLOCK_TOLERANCE_SECONDS:
        yield (
            f"Callers are told of a moment that comes in {words.age(-silent)}: the server's clock was set back."
            " The next refresh corrects that: keep `run` running, or run `refresh`."
        )
    if lag is None or status["capture"]["state"] == "off" or status["rebuild"]["state"] == "running":
        return
    schedulers = status["schedulers"]
    is_by_cron = schedulers["cron"] is not None
    is_refreshed = _unattended(status) is None and (is_by_cron or not schedulers["none_runs"])
    most = schedulers["cron_late_after_seconds"] if is_by_cron else _LAGGING_SECONDS
    # Where the refresh fails, that says what keeps the change.
    if is_refreshed and lag > most and _failure_of_refresh(status) is None:
        yield (
            f"The oldest change has waited for {words.age(lag)}, though a refresh should take it: see"
            f" {'what `refresh` prints to cron' if is_by_cron else 'the log of the scheduler'} for what keeps it, and"
            " pg_stat_activity for long transactions."
        )


def _attention_to_refresh(status: Document) -> Iterator[str]:
    for kind, changes in status["queue"]["unknown_kinds"].items():
        yield (
            f"{counted(changes, 'change')} of the kind {words.short(kind)} stay in the queue, because"
            " this version does not know that kind, and X-Data-As-Of stands still: run `migrate` with the version that"
            " knows it, or `rebuild`, which computes everything again and drops them."
        )
    failure = _failure_of_refresh(status)
    if failure is not None:
        yield f"Refreshes fail again and again: {failure}. The scheduler goes on trying: its log has more."


def _failure_of_refresh(status: Document) -> str | None:
    """Return why refreshes fail, without a full stop; None if the last one succeeded, or was long ago."""
    last = status["rebuild"]["runs"].get("refresh")
    if last is None or last["outcome"] != "failed" or last["finished_at"] is None:
        return None
    ago = (status["projection"]["read_at"] - last["finished_at"]).total_seconds()
    return escape_hidden(last["note"] or "no reason known").rstrip(".") if ago < _FAILING_SECONDS else None


def _attention_to_rows(status: Document) -> Iterator[str]:
    dead_letters, erasures = status["dead_letters"], status["erasures"]
    if dead_letters["count"]:
        first = dead_letters["first"][0]
        set_aside = counted(dead_letters["count"], "dead letter")
        aside = (
            f"{set_aside} is set aside:"
            if dead_letters["count"] == 1
            else f"{set_aside} are set aside, first"
        )
        yield (
            f"{aside} {escape_hidden(words.item(first))}: {words.short(first['error'])}."
            " Repair the row that fails, then run `refresh --retry-failed`."
        )
    # An erasure that is under way holds the lock of rebuilds.
    if erasures is not None and erasures["interrupted"] and status["rebuild"]["state"] != "running":
        was = "was" if erasures["interrupted"] == 1 else "were"
        yield (
            f"{counted(erasures['interrupted'], 'erasure')} {was} interrupted, begun on"
            f" {words.moment(erasures['since'])}: what it was for is not all deleted. Run `erase --replay`, which ends"
            " it."
        )


def _attention_to_verify(status: Document) -> Iterator[str]:
    """Return sentences about open drift and failed verifies. Drift that has ended needs no person."""
    drift, present = status["verify"]["drift"], status["verify"]["round"]
    if drift["count"]:
        first = drift["first"][0]
        advice = "run `verify --all --heal`, and report the bug."
        if status["projection"]["has_mapping"]:
            advice = (
                "run `migrate --check`, which names the rules that the mapping lacks. It samples rows, so it does not"
                " see what only rare rows do, nor writes that ran without the triggers. Then run"
                " `verify --all --heal`; if no rule was missing, report the bug."
            )
        yield (
            f"{words.differing(drift['count'])}, first {words.item(first)} ({words.short(first['first_field'])}), found"
            f" {words.moment(first['found_at'])}: {advice}"
        )
    last = status["rebuild"]["runs"].get("verify")
    if last is not None and last["outcome"] == "failed":
        reason = words.short(last["note"] or "no reason known")
        yield f"The last verify failed: {reason}. Run `verify`: is that over?"
    # A gap, a rebuild or a missing scheduler has its own sentence, and keeps the round waiting.
    if present is None or status["rebuild"]["state"] != "none" or status["capture"]["state"] != "intact":
        return
    if present["failure"] is not None:
        yield (
            f"The scheduler cannot go on with its verify: {words.short(present['failure'])}. It tries again by itself;"
            " run `verify --all` to see whether that fails too."
        )
    elif status["schedulers"]["running"] and present["age"] > _LATE_ROUNDS * present["days"] * 86_400:
        days = f"{present['days']:g} {'day' if present['days'] == 1 else 'days'}"
        yield (
            f"The verify of everything has begun {words.age(present['age'])} ago, and should take"
            f" {days}: see the log of the scheduler for what keeps it, or raise"
            " LEADS_VERIFY_DAYS."
        )


def _attention_to_locks(status: Document) -> Iterator[str]:
    for holder in status["rebuild"]["lock_holders"]:
        if holder["is_ours"]:
            continue
        since = (
            f", connected or in a transaction since {words.moment(holder['since'])}"
            if holder["since"]
            else ""
        )
        yield (
            f"Process {holder['pid']} keeps {' and '.join(holder['purposes'])} waiting: it holds locks of the"
            f" projector and is no session of it (login {words.short(holder['login'] or 'unknown')},"
            f" program {words.short(holder['application'] or 'without a name')}{since}). End it with"
            f" SELECT pg_terminate_backend({holder['pid']}); and let nobody connect to this database who need not."
        )


def _attention_to_notifications(status: Document) -> Iterator[str]:
    usage, holder = status["notifications"]["usage"], status["notifications"]["holder"]
    if usage > _MOST_NOTIFICATIONS:
        said = (
            f"{words.short(holder)} has stood still in a transaction for longest: end it with pg_terminate_backend()"
            if holder
            else "this login sees none: as a superuser, end the oldest one in pg_stat_activity"
        )
        yield (
            f"The NOTIFY queue of the server is {usage:.0%} full"
            " (pg_notification_queue_usage()), and no transaction that notifies commits once it is full. A session that"
            f" listens and is idle in a transaction keeps it so; {said}, and let nobody connect who need not."
        )


def _attention_to_api(status: Document) -> Iterator[str]:
    role, security = status["api_role"], status["row_security"]
    unreadable = None if role is None else role["unreadable"]
    # _attention_to_rights reports that the role leads_api is missing.
    if role is not None and not role["exists"] and role["name"] != "leads_api":
        yield (
            f"The role {role['name']}, which LEADS_API_ROLE names, does not exist, so the API cannot read: create it"
            f" with CREATE ROLE {role['name']} IN ROLE leads_api, or leave LEADS_API_ROLE unset."
        )
    elif role is not None and role["exists"] and unreadable is not None:
        grant = "" if role["name"] == "leads_api" else f", and GRANT leads_api TO {role['name']}"
        yield (
            f"The role {role['name']} may not read {unreadable}, so the API cannot either: run `migrate`, which lets"
            f" leads_api read all tables{grant}."
        )
    if security["unprotected"] is not None:
        yield (
            f"The table {security['unprotected']} is not protected from being read for another tenant:"
            f" {security['problem']}. Run `migrate`, which installs its policies again. Until then the API is not"
            " ready."
        )
    if role is not None and unreadable is None and role["is_unfiltered"]:
        yield (
            f"Row security does not hold for the role {role['name']}, which the API takes: it is a superuser, has"
            " BYPASSRLS, owns the tables, or is not a member of leads_api. Leave LEADS_API_ROLE unset, or run"
            f" ALTER ROLE {role['name']} NOSUPERUSER NOBYPASSRLS; GRANT leads_api TO {role['name']};"
        )


def _attention_to_rights(status: Document) -> Iterator[str]:
    rights = status["rights"]
    if rights["further"] is not None:
        sentence, statements = rights["further"]
        yield f"{sentence} {' '.join(statements)}"
    if rights["left"] is not None:
        yield rights["left"]
