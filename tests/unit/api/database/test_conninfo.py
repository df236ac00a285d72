"""The address that each session of the API connects to."""

from psycopg.conninfo import conninfo_to_dict

from api.config import Config
from api.database.connect import conninfo


def test_the_settings_of_the_api_come_after_those_of_the_address() -> None:
    given = conninfo_to_dict(conninfo(Config("postgresql://a@b/c?options=-c%20jit%3Don&connect_timeout=9")))
    options = str(given["options"])
    assert options.index("-c jit=on") < options.index("-c jit=off")
    assert "-c default_transaction_read_only=on" in options
    assert (given["connect_timeout"], given["application_name"]) == ("9", "leads-api")
