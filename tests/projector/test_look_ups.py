"""How a look-up and a deletion are written for each engine."""

from projector.look_ups import CITUS, ENGINE, delete, fill_look_ups, of_tenant

STAGED = "SELECT l.* FROM (SELECT s.* FROM stale_leads AS s) AS s {look_up.leads as l by user_id, customer_phone of s}"


def test_postgresql_scans_an_index_for_each_key() -> None:
    text = fill_look_ups(STAGED, {})
    assert "CROSS JOIN LATERAL (SELECT stored.* FROM read_model.leads AS stored" in text
    assert "stored.user_id = s.user_id AND stored.customer_phone = s.customer_phone OFFSET 0) AS l" in text
    assert "OFFSET" not in fill_look_ups(STAGED, {"fence": ""})


def test_citus_joins_the_keys_of_one_tenant() -> None:
    text = fill_look_ups(STAGED, {ENGINE: CITUS, "fence": "OFFSET 0"})
    assert text.endswith(
        "INNER JOIN read_model.leads AS l"
        " ON l.user_id = s.user_id AND l.customer_phone = s.customer_phone AND l.user_id = {tenant}"
    )


def test_a_condition_for_citus_alone_is_true_elsewhere() -> None:
    assert fill_look_ups("WHERE {pinned of l}", {}) == "WHERE true"
    assert fill_look_ups("WHERE {pinned of l}", {ENGINE: CITUS}) == "WHERE l.user_id = {tenant}"


def test_rows_are_deleted_by_ctid_where_it_names_one_row() -> None:
    keys = "SELECT o.user_id FROM old_leads AS o;\n"
    assert "ctid" in delete("leads", "user_id", keys, {})
    on_citus = delete("leads", "user_id", keys, {ENGINE: CITUS})
    assert "ctid" not in on_citus
    assert "USING (SELECT o.user_id FROM old_leads AS o) AS doomed" in on_citus
    assert on_citus.endswith("stored.user_id = doomed.user_id AND stored.user_id = {tenant}")


def test_a_tenant_is_a_constant_of_the_text() -> None:
    assert of_tenant("user_id = {tenant}", "o'b%") == b"user_id = 'o''b%'"
    assert of_tenant("user_id = {tenant} AND %(x)s", "o%", is_formatted=True) == b"user_id = 'o%%' AND %(x)s"
