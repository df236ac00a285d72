"""What of a status needs a person, and what that person can do."""

from collections.abc import Iterator

from projector.capture.source import misfit
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import words
from projector.observe.status.read import Status
from projector.observe.status.results import Cron, Projection
from projector.operate.origin.proof import find_problem
from projector.report.counted import counted, escape_hidden

# Where nothing is known of cron, it may start a refresh each minute, so a change may wait this long.
_UNATTENDED_SECONDS = 90.0
# The second refresh from cron that is missed is told, once it could have ended.
_MISSED_REFRESHES = 2
_REFRESH_SECONDS = 15.0
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


def find_attention(status: Status) -> list[str]:
    """Return a sentence for each thing that needs a person, with what to do next; none when all is well."""
    if status.projection is None:
        return [
            (
                "The read model is not installed in this database: run `migrate`, then `rebuild`. Until then the API"
                " answers 503."
            )
        ]
    unattended = _unattended(status, status.projection)
    return [
        *([] if unattended is None else [unattended]),
        *_attention_to_capture(status, status.projection),
        *_attention_to_build(status, status.projection),
        *_attention_to_feeds(status, status.projection),
        *_attention_to_queue(status, status.projection),
        *_attention_to_refresh(status, status.projection),
        *_attention_to_locks(status),
        *_attention_to_notifications(status.projection),
        *_attention_to_rows(status),
        *_attention_to_verify(status),
        *_attention_to_api(status),
        *_attention_to_rights(status),
    ]


def _unattended(status: Status, projection: Projection) -> str | None:
    """Return that nothing keeps the read model up to date, and what would; None where something does, or may."""
    silent, cron = projection.as_of_age, status.cron
    if not status.no_scheduler_runs:
        return None
    if status.lost_schedulers:
        return (
            f"No scheduler is running: {words.lost(status.lost_schedulers[0])}. Start it again: `systemctl start"
            " leads-projector`, `docker compose up --detach projector`, or by hand `python -m projector run`; its log"
            " may say why it ended."
        )
    # A rebuild may take longer than the time between two refreshes.
    if status.rebuild_state == "running" or status.capture_state == "off":
        return None
    if cron is not None and cron.age > _longest_pause(cron):
        return (
            f"The data are not updated: the last `refresh` from cron ended at {words.moment(cron.last_at)}, and one"
            f" ended every {words.age(cron.distance)} before. See whether cron runs, whether its entry is there"
            " (`crontab -l`), and what the command in it printed, or run `python -m projector refresh` by hand."
        )
    return _never_refreshed(status, silent) if cron is None else None


def _never_refreshed(status: Status, silent: float | None) -> str | None:
    """Return that the data get old, where it is not known who refreshes."""
    if status.queue.changes and (silent is None or silent > _UNATTENDED_SECONDS):
        return (
            f"{words.waiting(status.queue)} and no scheduler is connected: keep `run` running,"
            " or start `refresh` from cron."
        )
    if silent is not None and silent > _FORGOTTEN_SECONDS:
        return (
            f"Nothing waits, but no refresh has run for {words.age(silent)}: keep `run` running, or start"
            " `refresh` from cron, so that callers are told how fresh their answers are."
        )
    return None


def _longest_pause(cron: Cron) -> float:
    """Return how many seconds are between two refreshes from cron before somebody is told."""
    return _MISSED_REFRESHES * cron.distance + _REFRESH_SECONDS


def _is_left_alone(status: Status, projection: Projection) -> bool:
    """Return whether what has to be rebuilt waits for somebody, and _unattended does not say so already."""
    is_alone = status.no_scheduler_runs and status.cron is None and status.rebuild_state != "running"
    return is_alone and _unattended(status, projection) is None


def _attention_to_capture(status: Status, projection: Projection) -> Iterator[str]:
    if status.capture_state == "off":
        yield f"Changes are not seen, because {projection.switched_off}. Run `capture on` when that is over."
    elif status.missing_source:
        changed = f" Found: {projection.broken}." if projection.broken else ""
        yield f"{misfit(status.missing_source)}{changed}"
    elif status.fills is not None:
        # A scheduler that runs does it, and so does each refresh from cron.
        if _is_left_alone(status, projection):
            yield f"{status.fills[:1].upper()}{status.fills[1:]}, once `run` is started or `refresh` is run."
    elif status.capture_state == "gap":
        reason = words.short(projection.capture_gap or projection.broken or "")
        yield (
            f"Changes may have been missed: {reason}. A running scheduler heals that by itself, and so does"
            " `refresh`; find out how that came about."
        )


def _attention_to_build(status: Status, projection: Projection) -> Iterator[str]:
    last = status.last_run("rebuild")
    if last is not None and last.outcome == "failed" and status.rebuild_state != "running":
        yield f"The last rebuild failed: {words.short(last.note or 'no reason known')}. Repair that, and run `rebuild`."
    elif (
        status.rebuild_state == "interrupted" and status.fills is None and _is_left_alone(status, projection)
    ):
        yield (
            "A rebuild was interrupted, and no scheduler is there to go on with it: start `run`, which does. `rebuild`"
            " begins again from the start."
        )
    if status.replaced_definitions:
        names = ", ".join(status.replaced_definitions)
        yield (
            f"Not as `migrate` created it: {words.short(names)}. Rows may be computed by another rule: run `migrate`,"
            " which replaces what was changed, then `rebuild`."
        )
    if status.rebuild_state == "running":
        return
    if projection.built_at is None:
        yield "The read model was never built: run `rebuild`, or start the scheduler with `run`."
    elif projection.version != PROJECTION_VERSION:
        yield (
            f"The rows are of projection version {projection.version}, this program has {PROJECTION_VERSION}:"
            " run `rebuild`, or restart the scheduler, which rebuilds by itself."
        )


def _attention_to_feeds(status: Status, projection: Projection) -> Iterator[str]:
    if not status.feeds and not projection.has_origin:
        return
    problem = find_problem(status.feeds, status.unfed_tables, projection.errors_at_proof)
    problem = problem or projection.feed_problem
    if problem is not None:
        yield (
            f"Changes of the platform may not arrive: {words.short(problem)}. See pg_stat_subscription and the log of"
            " this server; docs/internals/replication-and-citus.md says what to do."
            " X-Data-As-Of does not advance beyond what has arrived."
        )
        return
    if projection.proved_at is None:
        return
    silent = (projection.read_at - projection.proved_at).total_seconds()
    if silent > _UNPROVED_SECONDS and _unattended(status, projection) is None:
        yield (
            f"Nothing is proved to have arrived from the platform for {words.age(silent)}: see in pg_stat_activity"
            " what the subscription's worker waits for, and whether `run` is connected."
        )


def _attention_to_queue(status: Status, projection: Projection) -> Iterator[str]:
    silent = projection.as_of_age
    if silent is not None and silent < -_CLOCK_TOLERANCE_SECONDS:
        yield (
            f"Callers are told of a moment that comes in {words.age(-silent)}: the server's clock was set back."
            " The next refresh corrects that: keep `run` running, or run `refresh`."
        )
    lag, cron = status.queue.lag, status.cron
    if lag is None or status.capture_state == "off" or status.rebuild_state == "running":
        return
    is_refreshed = not status.no_scheduler_runs or (
        cron is not None and _unattended(status, projection) is None
    )
    is_late = is_refreshed and lag > (_LAGGING_SECONDS if cron is None else _longest_pause(cron))
    # Where the refresh fails, that says what keeps the change.
    if is_late and _failure_of_refresh(status, projection) is None:
        yield (
            f"The oldest change has waited for {words.age(lag)}, though a refresh should take it: see"
            f" {'the log of the scheduler' if cron is None else 'what `refresh` prints to cron'} for what keeps it, and"
            " pg_stat_activity for long transactions."
        )


def _attention_to_refresh(status: Status, projection: Projection) -> Iterator[str]:
    for kind, changes in status.unknown_kinds.items():
        yield (
            f"{counted(changes, 'change')} of the kind {words.short(kind)} stay in the queue, because"
            " this version does not know that kind, and X-Data-As-Of stands still: run `migrate` with the version that"
            " knows it, or `rebuild`, which computes everything again and drops them."
        )
    failure = _failure_of_refresh(status, projection)
    if failure is not None:
        yield f"Refreshes fail again and again: {failure}. The scheduler goes on trying: its log has more."


def _failure_of_refresh(status: Status, projection: Projection) -> str | None:
    """Return why refreshes fail, without an end; None where the last one did not, or was long ago."""
    last = status.last_run("refresh")
    if last is None or last.outcome != "failed" or last.finished_at is None:
        return None
    is_present = (projection.read_at - last.finished_at).total_seconds() < _FAILING_SECONDS
    return escape_hidden(last.note or "no reason known").rstrip(".") if is_present else None


def _attention_to_rows(status: Status) -> Iterator[str]:
    if status.dead_letters:
        first = status.dead_letters[0]
        letters = counted(first.total, "dead letter")
        aside = f"{letters} is set aside:" if first.total == 1 else f"{letters} are set aside, first"
        yield (
            f"{aside} {escape_hidden(words.item(first))}: {words.short(first.error)}."
            " Repair the row that fails, then run `refresh --retry-failed`."
        )
    erasures = status.erasures
    # An erasure that is under way holds the lock of rebuilds.
    if erasures.since is not None and not status.is_rebuild_locked:
        was = "was" if erasures.interrupted == 1 else "were"
        yield (
            f"{counted(erasures.interrupted, 'erasure')} {was} interrupted, begun on {words.moment(erasures.since)}:"
            " what it was for is not all deleted. Run `erase --replay`, which ends it."
        )


def _attention_to_verify(status: Status) -> Iterator[str]:
    """Return nothing of what was healed, or was found right since: that is history."""
    if status.drift:
        first = status.drift[0]
        advice = "run `verify --all --heal`, and report the bug."
        if status.has_mapping:
            advice = (
                "run `migrate --check`, which names the rules that the mapping lacks. It samples rows, so it does not"
                " see what only rare rows do, nor writes that ran without the triggers. Then run"
                " `verify --all --heal`; if no rule was missing, report the bug."
            )
        yield (
            f"{words.differing(first.total)}, first {words.item(first)} ({words.short(first.first_field)}), found"
            f" {words.moment(first.found_at)}: {advice}"
        )
    last = status.last_run("verify")
    if last is not None and last.outcome == "failed":
        yield f"The last verify failed: {words.short(last.note or 'no reason known')}. Run `verify`: is that over?"
    present = status.present_round
    # A gap, a rebuild or a missing scheduler has its own sentence, and keeps the round waiting.
    if present is None or status.rebuild_state != "none" or status.capture_state != "intact":
        return
    if present.failure is not None:
        yield (
            f"The scheduler cannot go on with its verify: {words.short(present.failure)}. It tries again by itself; run"
            " `verify --all` to see whether that fails too."
        )
    elif status.schedulers.sessions and present.age > _LATE_ROUNDS * present.days * 86_400:
        days = f"{present.days:g} {'day' if present.days == 1 else 'days'}"
        yield (
            f"The verify of everything has begun {words.age(present.age)} ago, and should take"
            f" {days}: see the log of the scheduler for what keeps it, or raise"
            " LEADS_VERIFY_DAYS."
        )


def _attention_to_locks(status: Status) -> Iterator[str]:
    for holder in status.lock_holders:
        if holder.is_ours:
            continue
        since = f", connected or in a transaction since {words.moment(holder.since)}" if holder.since else ""
        yield (
            f"Process {holder.pid} keeps {' and '.join(holder.purposes)} waiting: it holds locks of the"
            f" projector and is no session of it (login {words.short(holder.login or 'unknown')},"
            f" program {words.short(holder.application or 'without a name')}{since}). End it with"
            f" SELECT pg_terminate_backend({holder.pid}); and let nobody connect to this database who need not."
        )


def _attention_to_notifications(projection: Projection) -> Iterator[str]:
    if projection.notification_queue_usage > _MOST_NOTIFICATIONS:
        holder = projection.notification_queue_holder
        said = (
            f"{words.short(holder)} has stood still in a transaction for longest: end it with pg_terminate_backend()"
            if holder
            else "this login sees none: as a superuser, end the oldest one in pg_stat_activity"
        )
        yield (
            f"The NOTIFY queue of the server is {projection.notification_queue_usage:.0%} full"
            " (pg_notification_queue_usage()), and no transaction that notifies commits once it is full. A session that"
            f" listens and is idle in a transaction keeps it so; {said}, and let nobody connect who need not."
        )


def _attention_to_api(status: Status) -> Iterator[str]:
    role, security = status.api_role, status.row_security
    # That leads_api is missing is among what is left for a superuser.
    if role is not None and not role.exists and role.name != "leads_api":
        yield (
            f"The role {role.name}, which LEADS_API_ROLE names, does not exist, so the API cannot read: create it with"
            f" CREATE ROLE {role.name} IN ROLE leads_api, or leave LEADS_API_ROLE unset."
        )
    elif role is not None and role.exists and role.unreadable is not None:
        yield (
            f"The role {role.name} may not read {role.unreadable}, so the API cannot either: run `migrate`, which lets"
            f" leads_api read all tables{'' if role.name == 'leads_api' else f', and GRANT leads_api TO {role.name}'}."
        )
    if security is not None and security.unprotected is not None:
        yield (
            f"The table {security.unprotected} is not protected from being read for another tenant: {security.problem}."
            " Run `migrate`, which installs its policies again. Until then the API is not ready."
        )
    if role is not None and role.unreadable is None and role.is_unfiltered:
        yield (
            f"Row security does not hold for the role {role.name}, which the API takes: it is a superuser, has"
            " BYPASSRLS, owns the tables, or is not a member of leads_api. Leave LEADS_API_ROLE unset, or run"
            f" ALTER ROLE {role.name} NOSUPERUSER NOBYPASSRLS; GRANT leads_api TO {role.name};"
        )


def _attention_to_rights(status: Status) -> Iterator[str]:
    if status.further_rights is not None:
        sentence, statements = status.further_rights
        yield f"{sentence} {' '.join(statements)}"
    access = status.access
    if access is not None and access.left is not None:
        yield access.left
