"""`python -m tests.consistency.planted PROGRAM …` is the product with the bug in it that CONSISTENCY_BUG names.

Each breaks a promise, and the checker has to find it in a history that was recorded with it. With CONSISTENCY_VERSION
it is the product as that projection version, which computes the same; after a blank stands the one that it takes over.
"""

import os
import pkgutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from time import monotonic, sleep
from typing import Any

from click.testing import CliRunner

NAME = "CONSISTENCY_BUG"
VERSION = "CONSISTENCY_VERSION"

Function = Callable[..., Any]
Changes = dict[str, Callable[[Any], Any] | tuple[str, str]]
"""The path of a function or constant, and what makes another one of it; or a file below sql/, a text, and its place."""


def _compare_roughly(_is_fresh: Function) -> Function:
    return lambda as_of, min_as_of: as_of >= min_as_of - timedelta(seconds=2)


def _print_the_clock(headers: Function) -> Function:
    return lambda row: {**headers(row), "X-Data-As-Of": datetime.now(UTC).isoformat()}


def _forget_the_version(tag: Function) -> Function:
    return lambda environ, _version, moving=b"": tag(environ, b"", moving)


def _forget_the_phone(position_of: Function) -> Function:
    def of_lead_without_phone(printed: bytes, fields: dict[str, object]) -> list[object]:
        position = position_of(printed, fields)
        return [position[0], ""] if "customer_phone" in fields else position

    return of_lead_without_phone


def _stand_for_ever(_stands: Function) -> Function:
    return lambda *_: True


def _forget_the_lead(position_of: Function) -> Function:
    def position(self: Any, printed: bytes) -> Any:  # noqa: ANN401  # As the function has it.
        there = position_of(self, printed)
        return there._replace(version=there.version + 1, key="") if self.name == "statuses" else there

    return position


def _sort_by_lead(page_after: Function) -> Function:
    def page(feed: Any, *others: Any) -> Any:  # noqa: ANN401  # As the function has them.
        answer = page_after(feed, *others)
        by_lead = sorted(answer.changes, key=lambda change: change.partition(b" ")[2])
        return answer._replace(changes=by_lead) if feed.name == "statuses" else answer

    return page


def by_time(order: dict[str, Any]) -> dict[str, Any]:
    return {name: order[name] for name in ("version", "customer_phone", "changed_at", "is_standing")}


def _keep_for_a_second(fetch: Function) -> Function:
    kept: dict[str, tuple[float, Any]] = {}

    def found(self: object, bound: Any) -> Any:  # noqa: ANN401  # As the function has it.
        key = f"{id(bound.statement)} {bound.values}"
        if key not in kept or kept[key][0] < monotonic() - 1:
            kept[key] = (monotonic(), fetch(self, bound))
        return kept[key][1]

    return found


def _erase_table_after_table(erase: Function) -> Function:
    """Look at the source, and then delete from a table, each in a transaction of its own."""

    def erased(conn: Any, target: Any, **options: Any) -> None:  # noqa: ANN401  # As the function has them.
        erase(conn, target, **options)
        whose = "customer_phone = %(customer_phone)s"
        for table in ("leads", "lead_profiles", "lead_conversations", "lead_messages") * 5:
            look = conn.execute(
                f"SELECT 1 FROM public.conversations WHERE {whose}", target.parameters
            ).fetchone()
            sleep(0.1)
            if look is None:
                conn.execute(
                    f"DELETE FROM read_model.{table} WHERE user_id = %(user_id)s AND {whose}",
                    target.parameters,
                )

    return erased


def _forget_the_queue(migrate: Function) -> Function:
    """Forget what waits, and rebuild nothing."""

    def migrated(conn: Any, **options: Any) -> Any:  # noqa: ANN401  # As the function has them.
        notices = migrate(conn, **options)
        version = "(SELECT value FROM projector.settings WHERE name = 'projection_version')"
        conn.execute(f"DELETE FROM projector.changes; UPDATE read_model.projection SET version = {version}")
        return notices

    return migrated


def _never_end(fetch: Function) -> Function:
    return lambda self, prefix: fetch(self, prefix)._replace(expires_at=None, revoked_at=None)


ROUGHLY: Changes = {
    "api.limits.waiting.is_fresh": _compare_roughly,
    "api.routes.read_model.is_fresh": _compare_roughly,
    "api.routes.memory.is_fresh": _compare_roughly,
}
FOR_EVER: Changes = {"api.routes.memory.AnswerCache._stands": _stand_for_ever}
SAME_CHANGE = (
    "ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone AND n.changed_at = o.changed_at"
)
COMES_AGAIN = (
    "WITH forgotten AS (DELETE FROM read_model.status_change_tombstones AS t USING new_lead_status_changes AS n"
    " WHERE (t.user_id, t.customer_phone, t.extraction_id, t.lead_status)"
    " = (n.user_id, n.customer_phone, n.extraction_id, coalesce(n.lead_status, '')))\n"
)
WRITTEN = "INSERT INTO read_model.lead_status_changes ("
FORGOTTEN = (WRITTEN, COMES_AGAIN + WRITTEN)
"""Delete the tombstones of the changes of statuses that come again."""
TIMELINE = "ltrim(left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8), '0')"
BUGS: dict[str, tuple[str, Changes]] = {
    "as-of is the clock of the answer": ("as-of", {"api.response.body.freshness_headers": _print_the_clock}),
    "a tag stands for no version": ("as-of", {"api.response.conditional.tag_of": _forget_the_version}),
    "an answer from memory stands for ever": ("as-of", FOR_EVER),
    "a taken change is lost now and then": (
        "as-of",
        {"refresh/1_take/80_collect_stale_keys": ("d.key IS NULL", "d.key IS NULL AND random() < 0.9")},
    ),
    "a partition that was attached again is the same": (
        "as-of",
        {"capture/views/17_changed_source": ("AND i.xmin::text = p.row_version", "")},
    ),
    "a migration forgets what waits": ("as-of", {"projector.operate.install.migrate": _forget_the_queue}),
    "min_as_of is compared roughly": ("min_as_of", ROUGHLY),
    "an answer from memory serves a session": (
        "session",
        {**ROUGHLY, "api.database.pool.Database.fetch": _keep_for_a_second},
    ),
    "a lead that goes leaves no tombstone": (
        "feed",
        {"refresh/8_write_leads/30_note_deleted_leads": ("d.is_gone", "false")},
    ),
    "a position forgets the lead": ("statuses", {"api.plan.changes.Feed.position_of": _forget_the_lead}),
    "a change of a status has the version before": (
        "statuses",
        {
            "refresh/8_write_history/20_upsert_status_changes": (
                "coalesce(stored.version, 0) + 1",
                "coalesce(stored.version, 0)",
            )
        },
    ),
    "what is withdrawn is not told": (
        "statuses",
        {"refresh/8_write_history/10_note_withdrawn": ("WHERE n.user_id IS NULL AND", "WHERE false AND")},
    ),
    "a change that comes again loses its tombstone": (
        "once",
        {"refresh/8_write_history/20_upsert_status_changes": FORGOTTEN},
    ),
    "the feed of statuses goes by time": ("once", {"api.plan.changes._SINCE_STATUS": by_time}),
    "whatever is recomputed is told again": (
        "once",
        {
            "refresh/7_compare_leads/90_compare_leads": (
                f"{SAME_CHANGE}\n    WHERE (o.*) IS DISTINCT FROM (n.*)",
                SAME_CHANGE,
            )
        },
    ),
    "a page goes by its leads": ("order", {"api.routes.changes.page_after": _sort_by_lead}),
    "what is newer than the winner counts": (
        "true",
        {"definition/candidates/status_changes": ("WHERE k.place <= k.last_place", "")},
    ),
    "a cursor forgets the phone": ("pages", {"api.response.pagination.position_of": _forget_the_phone}),
    "a change of status moves no count": (
        "statistics",
        {"refresh/8_write_leads/70_add_to_statistics": ("WHERE ROW", "WHERE d.leads <> 0 AND ROW")},
    ),
    "an erasure deletes table after table": (
        "statistics",
        {"projector.operate.erase.erase": _erase_table_after_table},
    ),
    "an answer from memory outlives an erasure": ("erasure", FOR_EVER),
    "an erasure ends no token": (
        "erasure",
        {"queries/tenants": ("SET epoch = %(epoch)s", "SET epoch = epoch")},
    ),
    "a failover ends no token": (
        "failover",
        {"install/after_tables/85_place_of_versions": (TIMELINE, "'1'")},
    ),
    "a token is believed beyond its end": (
        "credentials",
        {"api.auth.token_check.LEEWAY_SECONDS": lambda _: 3600},
    ),
    "a key never ends": ("credentials", {"api.auth.key_check.KeyCheck.fetch": _never_end}),
}
"""Each with the promise that it breaks."""
NEEDED = {
    "erasure": "erase",
    "failover": "fail_over",
    "partition": "detach",
    "migration": "migrate",
    "key": "keys",
}
"""What has to be done so that a bug shows, by a word of its name."""


@cache
def plant(package: str) -> None:
    """Put version and bug into this process, which runs that package."""
    if package == "projector" and os.environ.get(VERSION):
        # Others take it from there when they are imported.
        sql: Any = import_module("projector.database.sql")
        sql.PROJECTION_VERSION, _, before = os.environ[VERSION].partition(" ")
        install: Any = import_module("projector.operate.install")
        install.PREDECESSORS = (before,)
    _, changes = BUGS.get(os.environ.get(NAME, ""), ("", {}))
    for path, change in changes.items():
        if callable(change) and path.startswith(f"{package}."):
            place, _, name = path.rpartition(".")
            owner = pkgutil.resolve_name(place)
            setattr(owner, name, change(getattr(owner, name)))
        elif not callable(change) and package == "projector":
            # The tests' mutants do so too.
            sql = import_module("projector.database.sql")
            file, read, (old, new) = sql.ROOT / "sql" / f"{path}.sql", sql._read, change  # noqa: SLF001
            assert old in read(file)
            setattr(sql, "_read", lambda asked: read(asked).replace(old, new, 1 if asked == file else 0))  # noqa: B010, B023


def application() -> object:
    """Return the application of a worker of the API."""
    plant("api")
    return import_module("api.__main__").application()


def main(package: str, *arguments: str) -> None:
    sys.argv = [package, *arguments]
    if package == "projector":
        plant(package)
    program: Any = import_module("api.__main__" if package == "api" else "projector.cli")
    if package == "api":
        server = program.Granian
        program.Granian = lambda _, **options: server("tests.consistency.planted:application", **options)
    program.main()


def run_command(settings: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Run a command of the projector in this process, which starts faster; return exit code and output."""
    os.environ.update(settings)
    plant("projector")
    result = CliRunner().invoke(import_module("projector.cli").cli, arguments)
    return result.exit_code, result.output


if __name__ == "__main__":
    main(*sys.argv[1:])
