"""The API answers parts that a version or a mapping adds once a rebuild has filled them, and refuses them before.

Each request is compared with the oracle: it is right, or it is 503 `not_built` exactly if it reads a part that is not
filled.
"""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.routes import read_model as routes
from projector.capture.texts import Texts, default_mapping
from projector.core.refresh import refresh
from projector.database.rows import Connection
from projector.observe.metrics import metrics_of
from projector.observe.status.read import read_status
from projector.observe.status.render import as_dict, render
from projector.operate.export import export
from projector.operate.install import migrate
from projector.report.errors import ProjectorError
from projector.report.progress import QUIET
from projector.sweep import rebuild as rebuilding
from projector.sweep import recovery
from projector.sweep.rebuild import rebuild
from tests.acceptance.conftest import NOW
from tests.conftest import MakeDatabase
from tests.exactness.feed_copy import serving
from tests.exactness.older import restored
from tests.exactness.platform import Platform, assert_verified, rebuild_now, refresh_now, value
from tests.oracle import Model, answers, read_model
from tests.oracle.attributes import REFERENCE, Declaration
from tests.support import queries
from tests.support.cases import repeated
from tests.support.points import at_points
from tests.support.server import Database

Kill = Callable[[Connection], None]
HISTORY, WAITING, PLATFORMS = "history", "waiting", "platforms"
OTHER_ROWS = "UPDATE read_model.projection SET version = '6012a8d7d201'"
"""Makes the rows those of another version than the installed one, so that no part counts as filled."""

# Filters, sorts and what is included, each with the parts that it reads.
LISTS: dict[str, set[str]] = {
    "": set(),
    "lead_status=Hot,Warm&sort_by=total_score": set(),
    "platform=whatsapp&has_email=true": set(),
    "search=bo&sort_by=name&days=365": set(),
    "agent_id=agent-one-whatsapp": set(),
    "last_message_sender=user&fields=name": set(),
    "platform=sms": {PLATFORMS},
    "became=Hot": {HISTORY},
    "became=Warm,Cold&became_days=30": {HISTORY},
    "status_days=7": {HISTORY},
    "sort_by=status_since": {HISTORY},
    "include=status_since": {HISTORY},
    "fields=status_since,name": {HISTORY},
    "waiting_minutes=0": {WAITING},
    "reply_window=open": {WAITING},
    "reply_window=closed": {WAITING},
    "reply_window=none&sort_by=name": {WAITING},
    "reply_window_hours=24": {WAITING},
    "sort_by=waiting_since&sort_order=asc": {WAITING},
    "sort_by=reply_window_ends_at": {WAITING},
    "include=waiting": {WAITING},
    "became=Hot&reply_window=open": {HISTORY, WAITING},
}
ATTRIBUTES = {
    "source=web": "attributes[source]=web",
    "with": "with_attributes=source",
    "without": "without_attributes=source",
}
FACETS: dict[str, set[str]] = {
    "lead_status,agent_id,has_email,last_message_sender": set(),
    "platform": {PLATFORMS},
    "reply_window": {WAITING},
}


def pairs(query: str) -> queries.Pairs:
    return [(name, text) for name, _, text in (part.partition("=") for part in query.split("&") if part)]


@dataclass
class Asked:
    """Compares what the API answers with the oracle. `unfilled` are names of parts, and of attributes."""

    conn: Connection
    client: FlaskClient
    declaration: Declaration = REFERENCE

    def compare(self, unfilled: Iterable[str]) -> None:
        missing = {*unfilled}
        model = read_model(self.conn, self.declaration)
        assert len(model.all_leads()) > 3
        self._ready(missing)
        for user_id in (*model.leads, "nobody"):
            self._lists(model, user_id, missing)
            self._others(model, user_id, missing)

    def _ready(self, missing: set[str]) -> None:
        answer = self.client.get("/health/ready")
        assert answer.status_code == 200, answer.data
        warned = {warning["code"]: warning["message"] for warning in answer.get_json().get("warnings", [])}
        assert ("not_filled" in warned) is bool(missing), warned
        if missing:
            unfilled = value(self.conn, "SELECT unfilled FROM read_model.projection")
            done = value(self.conn, "SELECT rebuild_done FROM read_model.projection")
            assert all(part["what"] in warned["not_filled"] for part in unfilled.values()), warned
            assert ("has not begun" if done is None else f"is {done:.0%} done") in warned["not_filled"], (
                warned
            )

    def _answer(self, path: str, reads: Iterable[str], missing: set[str]) -> TestResponse | None:
        """Return the body if the request has to be answered; None if it has to be refused, and is."""
        answer = self.client.get(path)
        if missing.isdisjoint(reads):
            assert answer.status_code == 200, (path, answer.data)
            return answer
        assert answer.status_code == 503, (path, answer.data)
        assert answer.headers["X-Error-Code"] == "not_built", path
        assert answer.headers["Retry-After"], path
        assert answer.get_json()["message"].startswith("Not built yet: "), answer.data
        return None

    def _lists(self, model: Model, user_id: str, missing: set[str]) -> None:
        base = queries.path(user_id)
        filters = LISTS | {query: {"source"} for query in ATTRIBUTES.values()}
        for query, reads in filters.items():
            expected = answers.list_leads(model, user_id, pairs(query), NOW)
            answer = self._answer(f"{base}?{query}", reads, missing)
            if answer is not None:
                found = answers.differences(expected, answer.status_code, answer.get_json())
                assert found == [], query
            exported = "&".join(part for part in query.split("&") if not part.startswith("fields="))
            if exported == query:
                self._answer(f"{base}.ndjson?{query}", reads, missing)
                self._answer(f"{base}.csv?{query}", reads, missing)
        for names, reads in FACETS.items():
            answer = self._answer(f"{base}/facets?facets={names}", reads, missing)
            if answer is not None:
                counted = {
                    name: {word: n for word, n in of_name.items() if n}
                    for name, of_name in answer.get_json()["data"].items()
                }
                assert counted == answers.facets(model, user_id, names.split(","), [], NOW)
        self._answer(f"{base}/facets?facets=attributes.source", {"source"}, missing)

    def _others(self, model: Model, user_id: str, missing: set[str]) -> None:
        base = queries.path(user_id)
        for path, reads, expected in (
            ("stats", (), answers.stats(model, user_id, [], NOW)),
            ("stats/series?from_date=2026-03-01&to_date=2026-03-28", (), None),
            ("stats/series?from_date=2026-03-01&to_date=2026-03-28&include=waiting", {WAITING}, None),
            ("stats/funnel", {HISTORY}, answers.funnel(model, user_id, [])),
            ("status-history.ndjson", {HISTORY}, None),
            ("status-history.csv", {HISTORY}, None),
        ):
            answer = self._answer(f"{base}/{path}", reads, missing)
            if answer is not None and expected is not None:
                assert answers.differences(expected, answer.status_code, answer.get_json()) == [], path
        feed = f"/users/{user_id}/status-changes"
        self._answer(feed, {HISTORY}, missing)
        self._answer(f"/users/{user_id}/lead-changes", (), missing)
        self._answer(f"/users/{user_id}/lead-changes?became=Hot", {HISTORY}, missing)
        self._answer(f"/users/{user_id}/messages.ndjson", (), missing)
        for path in (feed, f"/users/{user_id}/lead-changes?became=Hot"):
            with self.client.get(path, headers={"Accept": "text/event-stream"}) as stream:
                assert (stream.status_code == 503) is (HISTORY in missing), stream.status_code
        listed = [made["name"] for made in self.client.get(f"{base}/attributes").get_json()["data"]]
        assert listed == sorted({*self.declaration.lead} - missing)
        for phone, lead in model.of_tenant(user_id).items():
            own = f"{base}/{phone}"
            history = self._answer(f"{own}/history", {HISTORY}, missing)
            if history is not None:
                expected = answers.history(model, user_id, phone, [])
                assert answers.differences(expected, 200, history.get_json()) == []
            for query, reads in (
                ("", set()),
                ("?include=waiting", {WAITING}),
                ("?include=status_since", {HISTORY}),
            ):
                self._answer(f"{own}{query}", reads, missing)
                looked = self.client.post(f"{base}/lookup{query}", json={"customer_phones": [phone]})
                assert (looked.status_code == 200) is missing.isdisjoint(reads), query
            printed = self.client.get(f"{own}?include=attributes").get_json()["data"]["attributes"]
            whole = json.loads(json.dumps(lead.with_attributes()["attributes"]))
            assert printed == {name: found for name, found in whole.items() if name not in missing}


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Kill:
    """Rebuild until a second piece has been compared, and end there as by a kill."""
    monkeypatch.setattr(rebuilding, "LEADS_PER_SNAPSHOT", 2)

    def rebuild_half(conn: Connection) -> None:
        seen = []

        def at(point: str) -> None:
            seen.append(point)
            if seen.count("compared") == 2:
                raise KeyboardInterrupt

        with at_points(at), suppress(KeyboardInterrupt):
            rebuild(conn, tenants=None, progress=QUIET)
        assert value(conn, "SELECT rebuild_done > 0 FROM read_model.projection") is True

    return rebuild_half


def test_after_an_upgrade_each_request_is_right_or_refused_until_the_rebuild_has_ended(
    make_database: MakeDatabase, killed: Kill, tmp_path: Path
) -> None:
    older = restored(make_database)
    with older.connect() as conn, serving(older, clock=lambda: NOW) as app:
        conn.execute(OTHER_ROWS)
        migrate(conn, create_source=False)
        asked = Asked(conn, app.test_client())
        refresh(conn, retry_failed=True, progress=QUIET)
        new = {HISTORY, WAITING, PLATFORMS, *REFERENCE.lead}
        asked.compare(new)
        killed(conn)
        asked.compare(new)
        read_by_sql(older, is_filled=False)
        told = render(read_status(conn))
        assert "\nNot built" in told, told
        assert "the history of statuses: the API refuses what reads it" in told, told
        assert as_dict(read_status(conn))["projection"]["unfilled"]
        with pytest.raises(ProjectorError, match=r"the history of statuses.* has done \d+%"):
            export(conn, "one", "leads.csv", tmp_path / "leads.csv", progress=QUIET)
        recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
        asked.compare(())
        read_by_sql(older, is_filled=True)
        assert_verified(conn)
        assert "Not built" not in render(read_status(conn))
        export(conn, "one", "leads.csv", tmp_path / "leads.csv", progress=QUIET)


def read_by_sql(database: Database, *, is_filled: bool) -> None:
    """What is not filled is null in the views of leads_sql, and its own view fails."""
    with database.connect() as conn:
        conn.execute("SET ROLE leads_reader")
        columns = "attributes, waiting_since, reply_window_ends_at, last_customer_message_at"
        found = conn.execute(f"SELECT {columns} FROM leads_sql.leads".encode()).fetchall()
        # Not each lead has a value of each.
        assert any(any(row) for row in found) is is_filled
        assert value(conn, "SELECT count(*) FROM leads_sql.conversations WHERE reply_window IS NULL") == (
            0 if is_filled else value(conn, "SELECT count(*) FROM leads_sql.conversations")
        )
        if is_filled:
            conn.execute("SELECT * FROM leads_sql.lead_status_changes")
        else:
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not built yet"):
                conn.execute("SELECT * FROM leads_sql.lead_status_changes")


def test_parts_that_the_version_before_had_filled_are_answered_at_once(make_database: MakeDatabase) -> None:
    older = restored(make_database)
    with older.connect() as conn, serving(older, clock=lambda: NOW) as app:
        migrate(conn, create_source=False)
        refresh_now(conn)
        Asked(conn, app.test_client()).compare(())


def test_a_part_with_a_table_that_a_migrate_creates_is_not_filled(make_database: MakeDatabase) -> None:
    older = restored(make_database)
    with older.connect() as conn, serving(older, clock=lambda: NOW) as app:
        conn.execute("DROP TABLE read_model.status_change_tombstones CASCADE")
        migrate(conn, create_source=False)
        refresh_now(conn)
        Asked(conn, app.test_client()).compare({HISTORY})


@pytest.mark.parametrize(
    "left",
    [
        "INSERT INTO projector.sweep_positions (purpose, version, phase) VALUES ('rebuild', '35713b90d9e2', 'leads')",
        *repeated("INSERT INTO projector.capture_gaps (reason, reinstalled_at) VALUES ('it was', now())"),
    ],
    ids=["a killed rebuild", "a gap"],
)
def test_parts_are_not_believed_filled_where_a_rebuild_was_to_follow(
    make_database: MakeDatabase, left: str
) -> None:
    older = restored(make_database)
    with older.connect() as conn, serving(older, clock=lambda: NOW) as app:
        conn.execute(left.encode())
        migrate(conn, create_source=False)
        refresh_now(conn)
        asked = Asked(conn, app.test_client())
        asked.compare({HISTORY, WAITING, PLATFORMS, *REFERENCE.lead})
        recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
        asked.compare(())


def test_what_is_not_filled_is_refused_before_it_is_read(make_database: MakeDatabase) -> None:
    older = restored(make_database)
    with older.connect() as conn, serving(older, clock=lambda: NOW) as app, older.connect() as holder:
        conn.execute(OTHER_ROWS)
        migrate(conn, create_source=False)
        holder.execute("BEGIN; LOCK TABLE read_model.lead_status_changes IN ACCESS EXCLUSIVE MODE")
        for path in (
            "leads?became=Hot",
            "leads/status-history.ndjson",
            "status-changes",
            "leads.csv?became=Hot",
        ):
            answer = app.test_client().get(f"/users/one/{path}")
            assert (answer.status_code, answer.headers["X-Error-Code"]) == (503, "not_built"), path
        holder.execute("ROLLBACK")


def test_a_table_that_a_rebuild_fills_has_statistics_at_its_end(platform: Platform) -> None:
    """PostgreSQL would look up each lead by an index that finds all of its tenant."""
    conn = platform.conn
    platform.tenant("one")
    agent = platform.agent("one")
    conn.execute(
        "INSERT INTO conversations (conversation_id, agent_id, customer_phone) SELECT n, %s, n"
        " FROM generate_series(1, 3000) AS n",
        [agent],
    )
    conn.execute(
        "INSERT INTO extractions (extraction_id, conversation_id, lead_status_tag)"
        " SELECT gen_random_uuid(), n, 'Hot' FROM generate_series(1, 3000) AS n"
    )
    rebuild_now(conn, first=True)
    conn.execute("TRUNCATE read_model.lead_status_changes")
    conn.execute("ALTER TABLE read_model.lead_status_changes SET (autovacuum_enabled = off)")
    rebuild_now(conn)
    known = "SELECT reltuples > 0 FROM pg_class WHERE oid = 'read_model.lead_status_changes'::regclass"
    assert value(conn, known) is True


def with_columns(**columns: str) -> Texts:
    """The default mapping, whose relations give these columns too."""
    files = dict(default_mapping().files)
    for name, column in columns.items():
        [file] = [file for file in files if file.startswith(name)]
        head, from_, tail = files[file].partition("\nFROM ")
        files[file] = f"{head},\n{column}{from_}{tail}"
    return Texts(files)


FIRM = "c.company AS firm"


def during(conn: Connection, point: str, work: Callable[[Connection], object]) -> None:
    """Rebuild, and do some work in another session when the rebuild first comes to a point."""
    database = Platform(conn).database
    seen: list[str] = []

    def at(reached: str) -> None:
        seen.append(reached)
        if reached == point and seen.count(point) == 1:
            with database.connect() as other:
                work(other)

    with at_points(at):
        rebuild(conn, tenants=None, progress=QUIET)
    assert point in seen


def test_an_attribute_of_a_new_mapping_is_refused_until_its_rebuild_has_ended(
    platform: Platform, killed: Kill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "CATALOG_SECONDS", 0.0)
    conn, database = platform.conn, platform.database
    platform.tenant("one")
    agent = platform.agent("one")
    for phone in ("4915", "4916", "4917", "4918"):
        platform.conversation(agent, phone)
        platform.insert(
            "contacts", contact_id=phone, user_id="one", phone=phone, company="Acme", source="web"
        )
    rebuild_now(conn)
    # Else the changes wait, as of the moment at which the database was made.
    refresh_now(conn)
    with serving(database) as app:
        client = app.test_client()

        def total(query: str) -> int | None:
            answer = client.get(f"/users/one/leads?{query}")
            if answer.status_code == 503:
                assert "the attribute firm of leads" in answer.get_json()["message"]
                return None
            assert answer.status_code == 200, answer.data
            count: int = answer.get_json()["pagination"]["total"]
            return count

        def printed() -> list[str]:
            lead = client.get("/users/one/leads/4915?include=attributes").get_json()["data"]
            return [*lead["attributes"]]

        assert client.get("/users/one/leads?with_attributes=firm").status_code == 400
        with database.connect() as own:
            migrate(own, create_source=False, mapping=with_columns(contacts=FIRM))
        for interrupted in (False, True):
            if interrupted:
                # The changed row has it, but its value is not reported as if it were the only one.
                conn.execute("UPDATE contacts SET name = 'Bo' WHERE phone = '4915'")
                refresh_now(conn)
                killed(conn)
            assert (
                total("attributes[firm]=Acme")
                is total("with_attributes=firm")
                is total("without_attributes=firm")
                is None
            )
            assert client.get("/users/one/leads/facets?facets=attributes.firm").status_code == 503
            assert total("attributes[source]=web") == 4
            assert printed() == ["source"]
            # A gap that a migrate opened is named after what fills it, and nobody is told to find its cause.
            ready = client.get("/health/ready")
            told = {warning["code"]: warning["message"] for warning in ready.get_json()["warnings"]}
            far = r": \d+%, about [\d.]+ \w+ left" if interrupted else ""
            assert (ready.status_code, {*told}) == (200, {"filling", "not_filled"})
            assert re.match(
                rf"The mapping of [\d :-]+ UTC is being filled{far}\. X-Data-As-Of", told["filling"]
            )
            state = as_dict(read_status(conn))
            states = next(
                made for made in metrics_of(read_status(conn)) if made.name.endswith("capture_state")
            )
            assert {sample.labels["state"] for sample in states.samples if sample.value} == {"filling"}
            [sentence] = state["attention"]
            assert sentence.startswith("The mapping of "), sentence
            assert re.search(
                rf"\nCapture      the mapping of .* is being filled{far}".removesuffix(" more"),
                render(read_status(conn)),
            )
        # It was added during this rebuild: some leads were computed without it.
        with database.connect() as own:
            migrate(own, create_source=False, mapping=default_mapping())
            during(
                own,
                "compared",
                lambda other: migrate(other, create_source=False, mapping=with_columns(contacts=FIRM)),
            )
        assert total("with_attributes=firm") is None
        recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
        assert (total("attributes[firm]=Acme"), total("without_attributes=firm")) == (4, 0)
        assert printed() == ["firm", "source"]
