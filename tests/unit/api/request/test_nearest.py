"""A name that does not exist is answered with a near one, or with none."""

from api.request.text import nearest
from tests.oracle.parameters import OF_LIST
from tests.support.cases import cases

TYPOS = {
    "platform": ("platfrom", "platforms", "Platform", "platform[]"),
    "lead_status": ("lead_stauts", "lead-status", "leadStatus", "LeadStatus", "status"),
    "limit": ("limt", "lmit", "limits", "page_limit"),
    "offset": ("ofset",),
    "search": ("serach",),
    "days": ("day",),
    "has_email": ("has_mail",),
    "has_extraction": ("hasextraction",),
    "min_total_score": ("min_score",),
    "max_total_score": ("maxTotalScore",),
    "sort_order": ("sort_oder", "order"),
    "customer_phone": ("customer_phon",),
    "from_date": ("form_date", "fromDate", "from"),
    # A word of several names finds them all.
    "customer_phone, phone_number_id": ("phone",),
    "from_date, date": ("date_from",),
    "agent_id, phone_number_id": ("id",),
    "sort_by, sort_order": ("sort",),
    "min_total_score, max_total_score": ("score",),
    # Names of other APIs.
    "": (
        "page", "per_page", "page_size", "size", "q", "query", "filter", "take", "skip", "top", "count",
        "after", "before", "since", "until", "name", "include", "token",
        "api_key", "format", "lang", "locale", "channel", "tag", "key", "x", "", "[]", "nonsense", "\N{SNOWMAN}",
    ),
}  # fmt: skip


@cases(("typo", "meant"), [(typo, meant) for meant, typos in TYPOS.items() for typo in typos])
def test_a_typo_finds_the_names_that_it_may_mean(typo: str, meant: str) -> None:
    assert ", ".join(nearest(typo, OF_LIST)) == meant
