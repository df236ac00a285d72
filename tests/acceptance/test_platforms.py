"""Platforms that are none of the three with statistics: a lead has each of them, and filters and facets know them."""

from tests.acceptance.conftest import NOW, MakePlatform, Platform
from tests.exactness.platform import Platform as Source
from tests.exactness.platform import assert_verified
from tests.support.server import Database

# For each phone the platforms of its conversations, as the platform of the tenant writes them.
STORED = {
    "4901": ["sms", "Telegram", "whatsapp", " SMS"],
    "4902": ["WhatsApp", "webchat "],
    "4903": ["e-mail", "a word", "", "a_word_of_20_letters"],
    "4904": ["sms"],
    "4905": ["instagram"],
}
PRINTED = {
    "4901": ["whatsapp", "sms", "telegram"],
    "4902": ["whatsapp", "webchat"],
    "4903": ["a_word_of_20_letters"],
    "4904": ["sms"],
    "4905": ["instagram"],
    "4906": ["sms"],
}
# For each query the leads that it lists.
LISTED = {
    "platform=sms": ["4901", "4904", "4906"],
    "platform=SMS,telegram": ["4901", "4904", "4906"],
    "platform=telegram&sort_by=name": ["4901"],
    "platform=telegram,instagram": ["4901", "4905"],
    "platform=whatsapp": ["4901", "4902"],
    "platform=webchat,webchat": ["4902"],
    "platform=nobody": [],
    "platform=sms&has_conversation=false": ["4906"],
    "platform=sms&has_email=false": ["4901", "4904", "4906"],
    "platform=sms&from_date=2025-01-02": ["4906"],
    "platform=sms&search=4904": ["4904"],
    "platform=sms&agent_id=nobody": [],
}
REFUSED = [
    "platform=e-mail",
    "platform=a_word_of_21_letters_",
    "platform=a%20word",
    "platform=,",
    "platform=été",
]


def listed(made: Platform, query: str) -> list[str]:
    """The phones of the leads of a query, whose total is their number."""
    body = made.client.get(f"/users/one/leads?{query}").get_json()
    assert body["pagination"]["total"] == len(body["data"]), query
    return sorted(lead["customer_phone"] for lead in body["data"])


def test_a_lead_has_each_platform_and_is_found_by_it(database: Database, make_platform: MakePlatform) -> None:
    made = make_platform(database, NOW)
    source = Source(made.connection)
    source.tenant("one")
    for phone, platforms in STORED.items():
        for platform in platforms:
            source.message(source.conversation(source.agent("one", platform=platform), phone))
    template = source.template("one")
    made.connection.execute(
        "UPDATE phone_numbers AS p SET platform = 'SMS' FROM templates AS t WHERE t.phone_number_id = p.id"
    )
    for phone in ("4901", "4905", "4906"):
        source.send(template, phone)
    made.connection.execute("DELETE FROM template_sends WHERE customer_phone = '4905'")
    made.rebuild()
    assert_verified(made.connection)
    leads = made.client.get("/users/one/leads").get_json()["data"]
    assert {lead["customer_phone"]: lead["platforms"] for lead in leads} == PRINTED
    assert {query: listed(made, query) for query in LISTED} == LISTED
    for query in REFUSED:
        assert made.client.get(f"/users/one/leads?{query}").status_code == 400
    facets = made.client.get("/users/one/leads/facets?facets=platform").get_json()["data"]["platform"]
    assert list(facets.items()) == [
        ("whatsapp", 2), ("instagram", 1), ("webchat", 1), ("a_word_of_20_letters", 1), ("sms", 3), ("telegram", 1),
    ]  # fmt: skip
    beside = made.client.get("/users/one/leads/facets?facets=platform&search=4901&platform=sms").get_json()
    assert beside["data"]["platform"] == {
        "whatsapp": 1,
        "instagram": 0,
        "webchat": 0,
        "sms": 1,
        "telegram": 1,
    }
    statistics = made.client.get("/users/one/leads/stats").get_json()["data"]
    assert statistics["by_platform"] == {"whatsapp": 2, "instagram": 1, "webchat": 1}
    for query, total in {"sms": 2, "telegram,whatsapp": 2, "webchat": 0, "Telegram": 1}.items():
        messages = made.client.get(f"/users/one/leads/4901/messages?platform={query}").get_json()["data"]
        assert messages["pagination"]["total"] == total
    csv = made.client.get("/users/one/leads.csv?platform=telegram").text
    assert '"whatsapp,sms,telegram"' in csv
    made.connection.execute("DELETE FROM conversations WHERE customer_phone = '4904'")
    made.connection.execute("UPDATE phone_numbers SET platform = 'line' WHERE platform = 'Telegram'")
    made.refresh()
    assert_verified(made.connection)
    assert (listed(made, "platform=line"), listed(made, "platform=sms")) == (["4901"], ["4901", "4906"])
