"""The status: what is read, what needs a person, when nothing does, and how it is told."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from projector.core.dead_letters import retry_all_dead_letters
from projector.core.refresh import refresh
from projector.database import locks
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import words
from projector.observe.status.attention import find_attention
from projector.observe.status.facts import FACTS
from projector.observe.status.read import COUNTED_CHANGES, Document, read_status
from projector.observe.status.render import as_dict, render, summarize
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.conftest import MakeDatabase
from tests.rules.files import check
from tests.support.commands import run_command
from tests.support.patience import UNREACHED
from tests.support.roles import logins
from tests.support.running import value, wait_until, write_conversations, write_source
from tests.support.server import Database, Server
from tests.support.status import changed

EARLIER = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
RUN = {
    "kind": "rebuild", "started_at": EARLIER, "finished_at": None, "seconds": 90.0, "outcome": "running",
    "tenants": None, "changes": 0, "leads": 3_000, "messages": 0, "leads_total": 12_000, "note": None,
}  # fmt: skip
DRIFT = {
    "kind": "lead", "user_id": "u", "customer_phone": "49151", "key": "", "first_field": "document.name",
    "found_at": EARLIER, "seen_at": EARLIER, "tenant_name": None,
}  # fmt: skip
ROUND = {
    "started_at": EARLIER, "days": 1.0, "age": 7200.0, "leads": 502, "leads_total": 2004, "left_out": 1,
    "differences": 1, "failure": None, "percent": 25.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def status(server: Server, built_template: Database) -> Iterator[Document]:
    """The status where all is well."""
    database = server.create("status", template=built_template.name)
    with database.connect() as conn:
        write_source(conn)
        recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
        yield read_status(conn)
    server.drop(database)


def one_sentence(status: Document) -> str:
    [sentence] = find_attention(status)
    return sentence


def test_a_role_of_the_api_that_cannot_read_is_said(built: Connection) -> None:
    assert find_attention(read_status(built, api_role="")) == []
    assert one_sentence(read_status(built, api_role="nobody_at_all")) == (
        "The role nobody_at_all, which LEADS_API_ROLE names, does not exist, so the API cannot read: create it with"
        " CREATE ROLE nobody_at_all IN ROLE leads_api, or leave LEADS_API_ROLE unset."
    )
    assert one_sentence(read_status(built, api_role="pg_monitor")) == (
        "The role pg_monitor may not read read_model.attribute_counts, so the API cannot either: run `migrate`, which"
        " lets leads_api read all tables, and GRANT leads_api TO pg_monitor."
    )
    built.execute("REVOKE SELECT ON read_model.tenants FROM leads_api")
    assert "leads_api may not read read_model.tenants" in one_sentence(read_status(built))
    migrate(built, create_source=False)
    built.execute("REVOKE EXECUTE ON FUNCTION leads_access.key_of FROM leads_api")
    assert "leads_api may not read leads_access.key_of" in one_sentence(read_status(built))
    migrate(built, create_source=False)
    assert find_attention(read_status(built)) == []


def test_a_queue_that_nobody_takes_needs_a_person(built: Connection) -> None:
    write_conversations(built, 1, first=2)
    status = read_status(built)
    long_ago = changed(status, {"projection.as_of_age": 3600.0})
    assert "no scheduler is connected" in one_sentence(long_ago)
    running = changed(long_ago, {"schedulers.running": 2, "schedulers.none_runs": False})
    assert find_attention(running) == []
    lagging = changed(running, {"queue.lag": 3600.0})
    assert "has waited for 60 min" in one_sentence(lagging)
    note = "The server has no space left on its disk: could not extend file. Free or add disk space: no change is lost."
    failed = {**RUN, "finished_at": status["projection"]["read_at"], "outcome": "failed", "note": note}
    assert one_sentence(changed(lagging, {"rebuild.runs.refresh": failed})) == (
        f"Refreshes fail again and again: {note} The scheduler goes on trying: its log has more."
    )


def test_another_projection_version_needs_a_person_where_no_rebuild_is_under_way(built: Connection) -> None:
    built.execute("UPDATE read_model.projection SET version = 'another'")
    status = read_status(built)
    assert f"this program has {PROJECTION_VERSION}" in one_sentence(status)
    assert find_attention(changed(status, {"rebuild.state": "running"})) == []


def test_a_run_that_ended_badly_needs_a_person(status: Document) -> None:
    for kind in ("rebuild", "verify"):
        run = {**RUN, "kind": kind, "outcome": "failed", "note": "value too long"}
        failed = changed(status, {"rebuild.runs": {kind: run}})
        assert f"last {kind} failed: value too long" in one_sentence(failed)
        assert "value too long" in render(failed)


def test_a_verify_that_goes_round_too_slowly_needs_a_person(status: Document) -> None:
    status = changed(status, {"schedulers.running": 2, "schedulers.none_runs": False})
    late = {**ROUND, "age": 3 * 86400.0}
    told = one_sentence(changed(status, {"verify.round": late}))
    assert "has begun 3 d ago, and should take 1 day" in told
    in_time = {**ROUND, "age": 86400.0}
    assert find_attention(changed(status, {"verify.round": in_time})) == []
    failing = {**in_time, "failure": "out of memory"}
    assert "cannot go on with its verify: out of memory" in one_sentence(
        changed(status, {"verify.round": failing})
    )
    # Without a scheduler, that is what is said.
    alone = changed(status, {"schedulers.running": 0, "schedulers.none_runs": True})
    assert find_attention(changed(alone, {"verify.round": late})) == []


def test_the_summary_says_what_a_person_asks_and_what_is_not_as_always(status: Document) -> None:
    def labels(of_status: Document) -> list[str]:
        return [line[:13].strip() for line in summarize(of_status).split("\n\n")[0].splitlines()]

    leads = {"table_name": "read_model.leads", "about_rows": 2004, "bytes": 2048}
    sized = changed(status, {"tables": {"tenants": 2, "sizes": [leads]}})
    assert labels(sized)[:3] == ["Scheduler", "Data", "Leads"]
    assert "about 2,004 leads, 2 tenants, 2 kB" in summarize(sized)
    assert "not counted yet" in summarize(changed(status, {"tables.sizes": []}))
    drifting = changed(sized, {"verify.drift": {"count": 3, "first": [DRIFT], "ended": []}})
    assert labels(drifting) == [*labels(sized), "Drift"]
    # What needs a person is the same as in full.
    assert summarize(drifting).split("\n\n")[1] == render(drifting).split("\n\n")[1]
    assert summarize({}).startswith("Read model   not installed")


KEYS = {
    "": (
        "attention installed projection lag queue unknown_kinds as_of as_of_age late_tenants late_keys late_seconds"
        " capture origin schedulers rebuild locks runs verify row_security dead_letters attributes_left_out erasures"
        " tables warnings"
    ),
    "projection": "version built_version built_at unfilled",
    "queue": "changes counted_up_to",
    "capture": "state gap_since reason fills missing_source",
    "origin": "proved_at problem position failed_at unfed_tables subscriptions",
    "schedulers": "running sessions refreshed_age silent lost cron all_seen",
    "rebuild": "state leads leads_total percent",
    "verify": "proved_at proved round drift",
    "row_security": "tables unprotected problem",
    "dead_letters": "count first",
    "attributes_left_out": "leads conversations",
    "erasures": "interrupted since",
}


def test_the_object_for_machines_keeps_its_keys_and_their_order(status: Document) -> None:
    printed, absent = as_dict(status), as_dict({})
    told = {"": printed} | {name: part for name, part in printed.items() if name in KEYS}
    assert {name: " ".join(part) for name, part in told.items()} == KEYS
    # What a mapping of its name gives, where nothing is installed, is null.
    assert {name: [*part] for name, part in absent.items() if isinstance(part, dict) and part} == {
        name: keys.split()
        for name, keys in KEYS.items()
        if name not in {"", "row_security", "attributes_left_out"}
    }
    assert " ".join(absent) == KEYS[""]
    assert (absent["installed"], absent["queue"]["changes"], absent["lag"]) == (False, 0, None)


def test_each_column_of_the_document_is_a_fact_or_in_a_sentence(status: Document) -> None:
    facts = {fact.of or fact.path for fact in FACTS}
    columns = {f"{group}.{name}" for group, row in status.items() if isinstance(row, dict) for name in row}
    code = "".join(path.read_text("utf-8") for path in Path(words.__file__).parent.glob("*.py"))
    whole = {"row_security", "attributes_left_out", "erasures"}
    check(
        [
            column
            for column in sorted(columns - facts)
            if column.split(".")[0] not in whole
            and f'["{column.split(".")[1]}"]' not in code.replace("'", '"')
        ],
        "Nothing tells this column of sql/queries/status.sql. Give it a row of FACTS:",
    )


def test_ages_counts_moments_and_texts_are_short(status: Document) -> None:
    ages = {1.26: "1.3 s", 119.9: "119.9 s", 120: "2 min", 7199: "120 min", 7200: "2 h", 172800: "2 d"}
    assert {seconds: words.age(seconds) for seconds in ages} == ages
    assert [
        words.waiting({**status["queue"], "changes": changes}) for changes in (1, 2004, COUNTED_CHANGES)
    ] == [
        "1 change waits",
        "2,004 changes wait",
        "100,000 or more changes wait",
    ]
    assert words.moment(EARLIER.replace(microsecond=999000)) == "2026-11-25 01:02:03 UTC"
    assert words.short("x" * 100) == "x" * 100
    assert words.short("x" * 101) == "x" * 99 + "…"
    assert words.short("a\x1b[2Jb") == r"a\x1b[2Jb"
    row = {"kind": "contacts", "key": "k", "user_id": "u", "customer_phone": "4915", "tenant_name": None}
    assert words.item(row) == "lead 4915 of u (contacts k)"
    assert words.item({**row, "tenant_name": "Acme"}) == "lead 4915 of Acme (u) (contacts k)"
    assert words.item({**row, "user_id": None}) == "contacts k"
    sizes = {1023: "1023 B", 1024: "1 kB", 1024**2: "1 MB", 1.5 * 1024**3: "1.5 GB", 1024**4: "1024.0 GB"}
    for size, text in sizes.items():
        table = {"table_name": "t", "about_rows": 1, "bytes": int(size)}
        shown = render(changed(status, {"tables.sizes": [table]}))
        assert f"Size         {text}, of it:" in shown


STRANGER = "leads_test_stranger"


def take(conn: Connection, lock_class: int, key: int = 0) -> None:
    conn.execute("SELECT pg_advisory_lock(%s, %s)", (lock_class, key))


def test_a_dead_letter_is_listed_until_its_retry_succeeds(database: Database, built: Connection) -> None:
    built.execute(
        "ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '49151000002')"
    )
    write_conversations(built, 3, first=2)
    with database.connect() as conn:
        refresh(conn, retry_failed=False, progress=QUIET)
        status = read_status(built)
        [dead_letter] = status["dead_letters"]["first"]
        assert "refused" in dead_letter["error"]
        assert dead_letter["error"].endswith("(sql/refresh/8_write_leads/40_upsert_leads.sql)")
        assert "refresh --retry-failed" in one_sentence(status)
        assert "1 dead letter is set aside: lead 49151000002 of u" in one_sentence(status)
        assert "lead 49151000002 of u" in render(status)
        assert "(tried 1 time)" in render(status)
        assert as_dict(status)["dead_letters"]["count"] == 1
        # Not due yet, so it is left alone; tried again it fails again, after a longer pause.
        built.execute(
            "UPDATE projector.dead_letters"
            " SET attempts = 9, retry_at = clock_timestamp() + interval '30 minutes'"
        )
        refresh(conn, retry_failed=False, progress=QUIET)
        assert read_status(built)["dead_letters"]["first"][0]["attempts"] == 9
        again = value(built, "SELECT clock_timestamp()")
        refresh(conn, retry_failed=True, progress=QUIET)
        assert read_status(built)["dead_letters"]["first"][0]["attempts"] == 10
        # Ten seconds, and twice as long after each failure, up to an hour.
        assert value(built, "SELECT retry_at > %s + interval '2560 s' FROM projector.dead_letters", again)
        built.execute("ALTER TABLE read_model.leads DROP CONSTRAINT refused")
        assert retry_all_dead_letters(conn) == (1, 0)
    assert find_attention(read_status(built)) == []


def test_it_is_counted_of_how_much_an_attribute_is_left_out(built: Connection) -> None:
    status = read_status(built)
    assert "Attributes" not in render(status) + summarize(status)
    write_conversations(built, 1, first=2)
    built.execute(
        "INSERT INTO contacts (contact_id, user_id, phone, tags) VALUES ('k', 'u', '49151000002', %s)",
        [["x" * 2000] * 5],
    )
    refresh(built, retry_failed=False, progress=QUIET)
    status = read_status(built)
    reasons = "beyond 64 or 8 KiB, in JSON of more than 64 KiB, or of another type than declared"
    line = f"Attributes   some are left out of 1 lead: {reasons}"
    assert line in render(status)
    assert line in summarize(status)
    assert find_attention(status) == []
    assert as_dict(status)["attributes_left_out"] == {"leads": 1, "conversations": 0}
    both = changed(status, {"attributes_left_out": {"leads": 2, "conversations": 1000}})
    assert "left out of 2 leads and 1,000 conversations: " in render(both)


def test_a_table_or_an_index_that_another_session_locks_does_not_block(
    database: Database, built: Connection
) -> None:
    def sizes_of(status: Document) -> dict[str, int]:
        return {size["table_name"]: size["bytes"] for size in status["tables"]["sizes"]}

    free = sizes_of(read_status(built))
    built.execute("VACUUM read_model.leads")
    with database.connect() as other, other.transaction():
        other.execute("LOCK TABLE read_model.leads, read_model.lead_messages IN ACCESS EXCLUSIVE MODE")
        other.execute("TRUNCATE read_model.lead_profiles")
        built.execute(f"SET statement_timeout = '{UNREACHED:.0f}s'".encode())
        locked = read_status(built)
        sizes = sizes_of(locked)
    assert as_dict(locked)["attributes_left_out"] is None
    assert "Attributes   not counted, because another session has locked the tables" in render(locked)
    assert (find_attention(locked), "Attributes" in summarize(locked)) == ([], False)
    assert read_status(built)["attributes_left_out"] == {"leads": 0, "conversations": 0}
    assert set(sizes) == set(free)
    assert 0 < sizes["read_model.leads"] <= free["read_model.leads"]
    assert sizes["read_model.tenants"] == free["read_model.tenants"]
    with database.connect() as other, other.transaction():
        other.execute("DROP INDEX read_model.lead_messages_in_order")
        assert sizes_of(read_status(built))


def test_a_rebuild_is_running_or_interrupted_by_who_holds_its_lock(
    database: Database, built: Connection
) -> None:
    built.execute(
        "INSERT INTO projector.runs (kind, started_at, leads, leads_total) VALUES ('rebuild', now(), 250, 1000)"
    )
    built.execute(
        "INSERT INTO projector.sweep_positions (purpose, version, phase) VALUES ('rebuild', %s, 'keys')",
        (PROJECTION_VERSION,),
    )
    with database.connect() as holder:
        take(holder, locks.REBUILD)
        status = read_status(built)
        assert find_attention(status) == []
        assert as_dict(status)["rebuild"] == {
            "state": "running",
            "leads": 250,
            "leads_total": 1000,
            "percent": 25.0,
        }
        assert "250 of 1,000 customers, 25.0 %" in render(status)
    wait_until(built, "count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    status = read_status(built)
    assert as_dict(status)["rebuild"]["state"] == "interrupted"
    assert "interrupted" in one_sentence(status)


def test_locks_of_this_session_of_others_and_of_other_databases_are_left_out(
    built: Connection, make_database: MakeDatabase
) -> None:
    with make_database(None).connect() as elsewhere:
        take(elsewhere, locks.REBUILD)
        take(built, locks.REBUILD)
        built.execute("SELECT pg_advisory_lock(1, 2), pg_advisory_lock(2010369)")
        status = read_status(built)
    assert (status["rebuild"]["lock_holders"], status["rebuild"]["state"]) == ([], "none")
    assert "Locks" not in render(status)


def test_a_stranger_who_stops_the_projector_is_named(
    built: Connection, database: Database, tmp_path: Path
) -> None:
    with (
        logins(built, STRANGER),
        database.by(STRANGER).connect(application_name="grab\x1b[31m") as conn,
    ):
        pid = conn.info.backend_pid
        for shard in locks.SHARDS:
            take(conn, locks.SHARD, shard)
        take(conn, locks.REBUILD)
        [holder] = read_status(built)["rebuild"]["lock_holders"]
        assert (holder["pid"], holder["login"], holder["is_ours"]) == (pid, STRANGER, False)
        assert holder["purposes"] == ["rebuilds", "refreshes"]
        assert holder["since"] is not None
        sentence = one_sentence(read_status(built))
        assert sentence.startswith(
            f"Process {pid} keeps rebuilds and refreshes waiting: it holds locks of the projector and is no session of"
            f" it (login {STRANGER}, program grab"
        )
        assert f"SELECT pg_terminate_backend({pid});" in sentence
        assert "\x1b" not in sentence
        done = run_command(tmp_path, "--database-url", database.url, "status", "--json")
        assert done.returncode == 1
        assert [held["pid"] for held in json.loads(done.stdout)["locks"]] == [pid]


def test_a_definition_that_was_replaced_by_hand_is_named(built: Connection, other: Connection) -> None:
    assert find_attention(read_status(built)) == []
    other.execute(
        "CREATE OR REPLACE FUNCTION projector.format_time(value timestamptz) RETURNS text"
        " LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'late'"
    )
    other.execute("CREATE OR REPLACE VIEW read_model.tenant_ids AS SELECT ''::text COLLATE \"C\" AS user_id")
    sentence = one_sentence(read_status(built))
    assert sentence.startswith(
        "Not as `migrate` created it: function projector.format_time(timestamp with time zone), view"
        " read_model.tenant_ids. Rows may be computed by another rule: run `migrate`"
    )
    migrate(other, create_source=False)
    assert find_attention(read_status(built)) == []


WELL = {
    "name": "leads", "slot_name": "leads", "is_enabled": True, "unready_tables": 0, "has_worker": True,
    "position": "0/1", "errors": 3, "bytes_behind": 2048,
}  # fmt: skip


def test_status_tells_of_each_subscription_and_of_what_none_brings(built: Connection) -> None:
    origin = {
        **read_status(built)["origin"],
        "proved_at": EARLIER,
        "errors_at_proof": 3,
        "unfed_tables": ["public.contacts"],
        "subscriptions": [WELL, {**WELL, "is_enabled": False, "errors": 0}, {**WELL, "has_worker": False}],
    }
    fed = changed(read_status(built), {"projection.read_at": EARLIER, "origin": origin})
    arrived = "all until 2026-11-25 01:02:03 UTC is proved to have arrived"
    assert [line[13:] for line in render(fed).splitlines() if line.startswith("Origin ")] == [
        f"subscription leads: its worker is at 0/1, 2 kB behind; failed 3 times; {arrived}",
        f"subscription leads: disabled; never failed; {arrived}",
        f"subscription leads: no worker; failed 3 times; {arrived}",
        "no subscription brings rows of public.contacts",
    ]
    [sentence] = find_attention(fed)
    assert sentence.startswith("Changes of the platform may not arrive: The subscription leads is disabled.")
    [sentence] = find_attention(changed(fed, {"origin.subscriptions": [{**WELL, "unready_tables": 1}]}))
    assert "The subscription leads has yet to copy 1 table" in sentence
    [sentence] = find_attention(changed(fed, {"origin.subscriptions": [WELL]}))
    assert "may not arrive: No subscription brings rows of public.contacts." in sentence
    told = as_dict(fed)["origin"]
    assert (told["proved_at"], told["unfed_tables"]) == (EARLIER, ["public.contacts"])
    assert told["subscriptions"][0] == WELL
    alone = changed(fed, {"origin.subscriptions": [WELL], "origin.unfed_tables": []})
    assert find_attention(alone) == []
    later = EARLIER + timedelta(minutes=3)
    alone = changed(alone, {"origin.failed_at": EARLIER, "projection.read_at": later})
    assert "failed 3 times, seen last 2026-11-25 01:02:03 UTC; " in render(alone)
    [sentence] = find_attention(alone)
    assert "Nothing is proved to have arrived from the platform for 3 min" in sentence
