"""The showcase tenant, which has rows of every kind."""

import pytest

from projector.trial import demo
from tests.unit.projector.demo.loaded import Connection, one, rows

KINDS = {
    "leads": ("SELECT DISTINCT lead FROM canonical WHERE user_id = %(user)s", 2000),
    "WhatsApp numbers": (
        "SELECT 1 FROM canonical WHERE platform = 'whatsapp' AND lead ~ '^[1-9][0-9]{9,12}$'",
        500,
    ),
    "spelled with +": ("SELECT 1 FROM conversations WHERE customer_phone ~ '^[+][0-9]+$'", 50),
    "spelled with + and blanks": ("SELECT 1 FROM conversations WHERE customer_phone ~ '^[+][0-9]+ '", 3),
    "Instagram ids": (
        "SELECT 1 FROM canonical WHERE platform = 'instagram' AND lead ~ '^17841[0-9]{12}$'",
        200,
    ),
    "web sessions": (
        "SELECT 1 FROM canonical WHERE platform = 'webchat' AND lead ~ '^web-[a-z0-9]{6}-[a-z0-9]{6}$'",
        200,
    ),
    "several conversations": (
        "SELECT 1 FROM canonical GROUP BY user_id, lead HAVING count(conversation_id) > 1",
        100,
    ),
    "two platforms": (
        "SELECT 1 FROM canonical GROUP BY user_id, lead HAVING count(DISTINCT platform) > 1",
        50,
    ),
    "two spellings": ("SELECT 1 FROM canonical GROUP BY user_id, lead HAVING count(DISTINCT phone) > 1", 50),
    "template only": (
        "SELECT 1 FROM canonical GROUP BY user_id, lead HAVING count(conversation_id) = 0",
        100,
    ),
    "conversations with sends": (
        (
            "SELECT 1 FROM canonical GROUP BY user_id, lead "
            "HAVING count(conversation_id) > 0 AND count(send_id) > 0"
        ),
        50,
    ),
    "uncounted sends": ("SELECT 1 FROM template_sends WHERE status = 'PENDING' AND sent_at IS NULL", 20),
    "failed sends": ("SELECT 1 FROM template_sends WHERE status = 'FAILED'", 20),
    "counted sends without time": (
        "SELECT 1 FROM template_sends WHERE status NOT IN ('PENDING', 'FAILED') AND sent_at IS NULL",
        5,
    ),
    "recipients who are no leads": (
        (
            "SELECT 1 FROM template_sends WHERE regexp_replace(customer_phone, '[^0-9]', '', 'g') "
            "NOT IN (SELECT lead FROM canonical)"
        ),
        10,
    ),
    "contacts who are no leads": (
        "SELECT 1 FROM contacts WHERE ltrim(phone, '+') NOT IN (SELECT lead FROM canonical)",
        10,
    ),
    "contacts with +": ("SELECT 1 FROM contacts WHERE phone LIKE '+%%'", 300),
    "contacts twice": ("SELECT 1 FROM contacts GROUP BY user_id, ltrim(phone, '+') HAVING count(*) > 1", 10),
    "contacts that fill in": (
        (
            "SELECT 1 FROM contacts AS k JOIN canonical AS c ON c.lead = ltrim(k.phone, '+') "
            "JOIN extractions AS e USING (conversation_id) "
            "WHERE e.is_latest AND trim(coalesce(e.name, '')) = '' AND k.name > ''"
        ),
        10,
    ),
    "contacts without time": ("SELECT 1 FROM contacts WHERE updated_at IS NULL", 5),
    "histories": ("SELECT 1 FROM extractions GROUP BY conversation_id HAVING count(*) > 2", 100),
    "histories without latest": (
        "SELECT 1 FROM extractions GROUP BY conversation_id HAVING NOT bool_or(is_latest)",
        20,
    ),
    "conversations without extraction": (
        "SELECT 1 FROM conversations WHERE conversation_id NOT IN (SELECT conversation_id FROM extractions)",
        200,
    ),
    "empty extractions": (
        (
            "SELECT 1 FROM extractions WHERE trim(concat(name, email, company), E' \\t') = '' "
            "AND total_score IS NULL AND intent_score IS NULL"
        ),
        5,
    ),
    "hot": ("SELECT 1 FROM extractions WHERE is_latest AND lead_status_tag = 'Hot'", 100),
    "warm": ("SELECT 1 FROM extractions WHERE is_latest AND lead_status_tag = 'Warm'", 100),
    "cold": ("SELECT 1 FROM extractions WHERE is_latest AND lead_status_tag = 'Cold'", 100),
    "oddly spelled status": (
        (
            "SELECT 1 FROM extractions WHERE lead_status_tag NOT IN ('Hot', 'Warm', 'Cold') "
            "AND lower(trim(lead_status_tag, E' \\n')) IN ('hot', 'warm', 'cold')"
        ),
        50,
    ),
    "no status": ("SELECT 1 FROM extractions WHERE coalesce(lead_status_tag, '') = ''", 20),
    "unknown status": ("SELECT 1 FROM extractions WHERE lead_status_tag = 'Not interested'", 10),
    "total to be summed up": (
        (
            "SELECT 1 FROM extractions WHERE total_score IS NULL "
            "AND intent_score + urgency_score + budget_score + fit_score + engagement_score IS NOT NULL"
        ),
        20,
    ),
    "a score missing": (
        "SELECT 1 FROM extractions WHERE intent_score IS NOT NULL AND engagement_score IS NULL",
        5,
    ),
    "total that is not the sum": (
        (
            "SELECT 1 FROM extractions "
            "WHERE total_score <> intent_score + urgency_score + budget_score + fit_score + engagement_score"
        ),
        20,
    ),
    "late messages": (
        (
            "SELECT 1 FROM messages AS a JOIN messages AS b USING (conversation_id) "
            "WHERE a.sequence_no < b.sequence_no AND a.timestamp > b.timestamp"
        ),
        50,
    ),
    "inserted out of order": (
        (
            "SELECT 1 FROM messages AS a JOIN messages AS b USING (conversation_id) "
            "WHERE a.sequence_no < b.sequence_no AND a.arrival > b.arrival"
        ),
        50,
    ),
    "equal times": (
        "SELECT 1 FROM messages GROUP BY conversation_id, timestamp HAVING count(*) > 1",
        20,
    ),
    "gaps in sequence_no": (
        "SELECT 1 FROM messages GROUP BY conversation_id HAVING max(sequence_no) > count(*)",
        50,
    ),
    "more messages than a page": ("SELECT 1 FROM messages GROUP BY conversation_id HAVING count(*) > 200", 1),
    "silent conversations": (
        "SELECT 1 FROM conversations WHERE conversation_id NOT IN (SELECT conversation_id FROM messages)",
        30,
    ),
    "inactive conversations": ("SELECT 1 FROM conversations WHERE NOT is_active", 100),
    "neither active nor inactive": ("SELECT 1 FROM conversations WHERE is_active IS NULL", 10),
    "a note that is off": (
        (
            "SELECT 1 FROM conversations AS c WHERE last_message_at <> "
            "(SELECT max(timestamp) FROM messages AS m WHERE m.conversation_id = c.conversation_id)"
        ),
        100,
    ),
    "no note": ("SELECT 1 FROM conversations WHERE last_message_at IS NULL", 50),
    "active on the last day": (
        "SELECT DISTINCT conversation_id FROM messages WHERE timestamp >= timestamp '2026-11-24'",
        100,
    ),
    "active a year ago": (
        "SELECT DISTINCT conversation_id FROM messages WHERE timestamp < timestamp '2025-12-01'",
        50,
    ),
    "apostrophes": ("SELECT 1 FROM extractions WHERE name LIKE '%%''%%'", 10),
    "accents": ("SELECT 1 FROM extractions WHERE name ~ '[éíóñçüŁığ]'", 50),
    "Devanagari": ("SELECT 1 FROM extractions WHERE name ~ '[ऀ-ॿ]'", 10),
    "Arabic": ("SELECT 1 FROM extractions WHERE name ~ '[؀-ۿ]'", 10),
    "Cyrillic": ("SELECT 1 FROM extractions WHERE name ~ '[\u0400-\u04ff]'", 10),
    "Chinese characters": ("SELECT 1 FROM extractions WHERE name ~ '[一-龯]'", 10),
    "emoji": ("SELECT 1 FROM extractions WHERE name ~ '[✨🌸🔥🙏💎🌍⚽🦋]'", 10),
    "wild cards": ("SELECT 1 FROM extractions WHERE company ~ '[%%_]'", 10),
    "backslashes": ("SELECT 1 FROM extractions WHERE position(E'\\\\' IN company) > 0", 3),
    "several lines": ("SELECT 1 FROM messages WHERE position(E'\\n' IN text) > 0", 50),
    **{
        f"messages that are {status}": (f"SELECT 1 FROM messages WHERE status = '{status}'", 50)
        for status in ("sent", "delivered", "read", "failed", "pending")
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_showcase_has_rows_of_every_kind(full: Connection, kind: str) -> None:
    query, least = KINDS[kind]
    found = full.execute(
        f"SELECT count(*) FROM ({query}) AS x".encode(), {"user": demo.SHOWCASE_USER_ID}
    ).fetchone()
    assert found is not None
    assert found[0] >= least


def test_leads_are_as_many_as_asked_for(full: Connection) -> None:
    count = one(full, "SELECT count(DISTINCT lead) FROM canonical WHERE user_id = %s", demo.SHOWCASE_USER_ID)
    assert count == demo.DEFAULT_LEADS


def test_names_come_without_leftovers(full: Connection) -> None:
    odd = rows(
        full, r"SELECT name, email FROM contacts WHERE name ~ '[_=]' OR email !~ '^$|^[a-z0-9._-]+@[a-z.]+$'"
    )
    assert odd == []
