"""Settings come from the environment, each as it is read, and all that cannot be used are named at once."""

from collections.abc import Callable
from ipaddress import IPv4Network
from math import inf
from pathlib import Path

import pytest

from api.config import Config, ConfigurationError, load, log_format, misspelt, names, owner_database_url
from api.config import values as read
from api.config.auth import AuthConfig
from api.config.names import unknown_settings
from tests.support.cases import cases
from tests.unit.api.auth.tokens import RSA_PEM, SECRET

NO_FILE = Path("nowhere/.env")
URL = "postgresql://somebody:secret@db.example:5433/platform"
# As an address for the projector or for `python -m api keys`, which write.
READ_WRITE = "postgresql://a,b/d?target_session_attrs=read-write"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", URL)
    return monkeypatch


def test_defaults(environment: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    assert load(NO_FILE) == Config(URL)


SETTINGS = (
    ("LEADS_API_DATABASE_URL", "host=replica", "database_url", "host=replica"),
    ("DATABASE_URL", "host=db dbname=platform", "database_url", "host=db dbname=platform"),
    ("LEADS_API_ROLE", "reader", "role", "reader"),
    ("LEADS_API_ROLE", "OFF", "role", ""),
    ("HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("PORT", " 8080 ", "port", 8080),
    ("PORT", " ", "port", 4000),
    ("LEADS_HOSTS", "nas", "host_names", ("nas",)),
    ("LEADS_PROXIES", "10.0.0.5", "proxies", (IPv4Network("10.0.0.5"),)),
    ("LEADS_API_THREADS", "9", "threads", 9),
    ("LEADS_RATE_LIMIT", "5 per second", "rate_limit", "5 per second"),
    ("LEADS_RATE_LIMIT_STORAGE", "redis://store:6379", "rate_limit_storage", "redis://store:6379"),
    ("LEADS_STATEMENT_TIMEOUT_MS", "250", "statement_timeout_ms", 250),
    ("LEADS_LOG_LEVEL", "debug", "log_level", "DEBUG"),
    ("LEADS_LOG_FORMAT", "JSON", "log_format", "json"),
    ("LEADS_LOG_PERSONAL_DATA", "ON", "log_personal_data", True),
    ("LEADS_METRICS_HOST", "0.0.0.0", "metrics_host", "0.0.0.0"),
    ("LEADS_API_METRICS_PORT", "9464", "metrics_port", 9464),
    ("LEADS_API_METRICS_PORT", "OFF", "metrics_port", 0),
    ("LEADS_READY_MAX_AGE", "2.5", "ready_max_age", 2.5),
    ("LEADS_READY_MAX_AGE", "Off", "ready_max_age", inf),
    ("LEADS_TRACING", "on", "tracing", True),
)


def test_each_setting(environment: pytest.MonkeyPatch) -> None:
    for name, value, setting, expected in SETTINGS:
        with environment.context() as changed:
            changed.setenv(name, value)
            assert getattr(load(NO_FILE), setting) == expected, (name, value)


def test_a_setting_that_is_gone_is_refused_with_what_to_do(environment: pytest.MonkeyPatch) -> None:
    for name in ("LEADS_READ_MODEL_URL", "LEADS_READ_MODEL_ENGINE"):
        with environment.context() as changed:
            changed.setenv(name, "x")
            for read in (load, owner_database_url):
                with pytest.raises(
                    ConfigurationError, match=rf"{name}: this setting no longer exists\. .*Unset it"
                ):
                    read(NO_FILE)
            assert misspelt(NO_FILE) == []


def test_no_server_takes_writes_of_sessions_that_are_read_only(environment: pytest.MonkeyPatch) -> None:
    for name in ("LEADS_API_DATABASE_URL", "DATABASE_URL"):
        with environment.context() as changed:
            changed.setenv(name, READ_WRITE)
            with pytest.raises(ConfigurationError, match=rf"{name}: the value is not allowed.* primary"):
                load(NO_FILE)
    environment.setenv("PGTARGETSESSIONATTRS", "read-write")
    with pytest.raises(
        ConfigurationError, match=r"PGTARGETSESSIONATTRS: 'read-write' .* prefer-standby, .* primary"
    ):
        load(NO_FILE)
    environment.setenv("DATABASE_URL", "postgresql://a,b/platform?target_session_attrs=primary")
    assert load(NO_FILE).database_url.endswith("primary")
    # The commands that manage keys write, with another login than the API has.
    environment.setenv("DATABASE_URL", READ_WRITE)
    environment.setenv("LEADS_API_DATABASE_URL", "postgresql://api/platform?target_session_attrs=any")
    assert owner_database_url(NO_FILE) == READ_WRITE
    assert load(NO_FILE).database_url.startswith("postgresql://api/")


def test_any_origin_needs_a_caller_who_shows_something(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LEADS_CORS_ORIGINS", "https://app.example.com, *")
    for methods in ("", "none"):
        environment.setenv("LEADS_AUTH", methods)
        with pytest.raises(ConfigurationError, match=r"LEADS_CORS_ORIGINS: '\*' would let every page"):
            load(NO_FILE)
    environment.setenv("LEADS_AUTH", "key")
    assert load(NO_FILE).cors_origins == ("https://app.example.com", "*")


def test_all_that_is_wrong_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    # What each may be is below.
    wrong = {
        "DATABASE_URL": "mysql://somebody:secret@db/platform",
        "PORT": "9" * 5000,
        "LEADS_API_WORKERS": "0",
        "LEADS_RATE_LIMIT": "often",
        "LEADS_RATE_LIMIT_STORAGE": "file:///tmp",
        "LEADS_STATEMENT_TIMEOUT_MS": "-1",
        "LEADS_READY_MAX_AGE": "0",
    }
    for name, value in wrong.items():
        environment.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load(NO_FILE)
    assert [name for name in wrong if name not in str(caught.value)] == []
    assert "secret" not in str(caught.value)
    assert f"\n  PORT: {'9' * 60!r} is not allowed. It has to be a whole number from 1 to 65535." in str(
        caught.value
    )
    environment.delenv("DATABASE_URL")
    with pytest.raises(ConfigurationError, match="DATABASE_URL: it is not set"):
        load(NO_FILE)


def test_the_file_gives_what_the_environment_lacks(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=8080\nHOST=0.0.0.0\nLEADS_LOG_FORMAT=json\nexport LEADS_LOG_LEVL=x\n#LEADS_A=1\n")
    environment.setenv("PORT", "8081")
    environment.setenv("LEADS_API_ROL", "x")
    config = load(file)
    assert (config.port, config.host, config.log_format) == (8081, "0.0.0.0", "json")
    assert log_format(file) == "json"
    assert [sentence.split()[0] for sentence in misspelt(file)] == ["LEADS_API_ROL", "LEADS_LOG_LEVL"]
    assert [sentence.split()[0] for sentence in misspelt(NO_FILE)] == ["LEADS_API_ROL"]


def test_a_file_that_cannot_be_read_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"HOST=\xff")
    for path in (file, tmp_path):
        with pytest.raises(ConfigurationError, match=str(path)):
            load(path)
        assert misspelt(path) == []
        assert log_format(path) == "auto"
    environment.setenv("LEADS_LOG_FORMAT", "json")
    assert log_format(file) == "json"
    environment.setenv("LEADS_LOG_FORMAT", "xml")
    assert log_format(NO_FILE) == "auto"


def test_a_config_keeps_its_secrets() -> None:
    assert "secret" not in repr(Config(URL))


@cases(
    ("name", "meant"),
    [
        ("LEADS_LOG_LEVL", "LEADS_LOG_LEVEL"),
        # Of the projector: both may have one environment.
        ("LEADS_REFRESH_SECOND", "LEADS_REFRESH_SECONDS"),
        # A setting without the prefix.
        ("LEADS_PORT", "PORT"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_one_that_may_be_meant(name: str, meant: str) -> None:
    [sentence] = unknown_settings({name: "x", "PATH": "/bin", "LEDS_PORT": "1"})
    assert sentence == f"{name} is not a setting, and has no effect. Did you mean {meant}?"


def test_a_setting_that_is_near_to_none_is_named_with_where_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    [sentence] = unknown_settings({"LEADS_COLOUR": "red"})
    assert sentence.startswith("LEADS_COLOUR is not a setting")
    assert "docs/settings.md" in sentence
    assert "mean" not in sentence
    # Without its page the program warns of nothing.
    monkeypatch.setattr(names, "_page", str)
    assert unknown_settings({"LEADS_COLOUR": "red"}) == []


def test_what_kubernetes_sets_for_services_of_our_names_is_no_setting() -> None:
    addresses = {"LEADS_SERVICE_HOST": "10.0.0.1", "LEADS_API_PORT_4000_TCP_ADDR": "10.0.0.1"}
    ports = {"LEADS_API_SERVICE_PORT_HTTP": "4000", "LEADS_PORT": "tcp://10.0.0.1:4000"}
    assert unknown_settings(addresses | ports) == []


def settings(**values: str) -> AuthConfig:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {"DATABASE_URL": "postgresql://db/platform", **values}.items():
            environment.setenv(name, value)
        return load(NO_FILE).auth


def problems(**values: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        settings(**values)
    assert all(value not in str(raised.value) for value in values.values() if len(value) > 20)
    return str(raised.value)


def test_all_about_tokens() -> None:
    secret = settings(
        LEADS_AUTH=" JWT ,key",
        LEADS_JWKS_URL="https://issuer.example:8443/jwks.json?v=1",
        LEADS_JWT_ALGORITHM="ps256",
        LEADS_JWT_AUDIENCE="leads",
        LEADS_JWT_ISSUER="https://issuer.example/",
        LEADS_JWT_TENANT_CLAIM="https://issuer.example/tenant",
        LEADS_JWT_ALL_SCOPE="OFF",
    )
    assert secret == AuthConfig(
        ("jwt", "key"), (), "https://issuer.example:8443/jwks.json?v=1", "PS256", "leads", "https://issuer.example/",
        "https://issuer.example/tenant", "",
    )  # fmt: skip


@cases(
    ("values", "sentence"),
    [
        ({"LEADS_AUTH": "key,jwt"}, "LEADS_AUTH: jwt needs what tokens are checked with. Set LEADS_JWT_KEY"),
        *(
            ({"LEADS_AUTH": text}, f"LEADS_AUTH: {text!r} is not allowed. It has to be jwt (bearer tokens)")
            for text in ("basic", "jwt,none", "jwt,jwt", ",")
        ),
        ({"LEADS_JWT_KEY": SECRET}, "LEADS_AUTH: it is not set, although LEADS_JWT_KEY is"),
        ({"LEADS_JWKS_URL": "https://a/"}, "LEADS_AUTH: it is not set, although LEADS_JWKS_URL is"),
        (
            {"LEADS_AUTH": "jwt", "LEADS_JWT_KEY": RSA_PEM, "LEADS_JWKS_URL": "https://issuer.example/"},
            "LEADS_JWKS_URL: LEADS_JWT_KEY is set too",
        ),
        ({"LEADS_AUTH": "jwt", "LEADS_JWT_KEY": "short"}, "LEADS_JWT_KEY: the value is not allowed"),
        ({"LEADS_AUTH": "jwt", "LEADS_JWKS_URL": "http://a/"}, "LEADS_JWKS_URL: the value is not"),
        ({"LEADS_AUTH": "jwt", "LEADS_JWKS_URL": "https://a:secret@b/"}, "without a user or a password"),
        ({"LEADS_AUTH": "jwt", "LEADS_JWKS_URL": "https://a:99999/"}, "LEADS_JWKS_URL"),
        (
            {"LEADS_AUTH": "jwt", "LEADS_JWT_KEY": SECRET, "LEADS_JWT_ALGORITHM": "none"},
            "LEADS_JWT_ALGORITHM: 'none' is not allowed. It has to be HS256,",
        ),
        ({"LEADS_JWT_TENANT_CLAIM": "scope"}, "LEADS_JWT_TENANT_CLAIM: 'scope' is not allowed"),
        ({"LEADS_JWT_ALL_SCOPE": "a b"}, "LEADS_JWT_ALL_SCOPE: 'a b' is not allowed"),
    ],
)
def test_what_does_not_fit(values: dict[str, str], sentence: str) -> None:
    assert sentence in problems(**values)


SEVERAL_HOSTS = (
    "postgresql://u:p@a:5432,b:5433/d",
    "postgresql://u:p@a,b/d?target_session_attrs=prefer-standby&load_balance_hosts=random",
    "host=a,b port=5432 dbname=d target_session_attrs=primary",
    "hostaddr=10.0.0.1,10.0.0.2 port=1,2 dbname=d",
)


@cases(
    ("reader", "text", "value"),
    [
        (read.switch, "off", False),
        (read.whole_number(1, 64), "64", 64),
        *((reader, url, url) for reader in (read.database_url, read.readers_url) for url in SEVERAL_HOSTS),
        (read.database_url, READ_WRITE, READ_WRITE),
        (read.storage, "valkey://h:6379", "valkey://h:6379"),
        (
            read.origins,
            " https://A.example , https://a.example:443,,http://[::1]:3000",
            ("https://a.example", "http://[::1]:3000"),
        ),
        (read.origins, "http://a:80,https://a:80", ("http://a", "https://a:80")),
        (read.origins, "*", ("*",)),
        (read.host_names, " Leads.Internal,, nas ", ("leads.internal", "nas")),
    ],
)
def test_a_value_is_read(reader: Callable[[str], object], text: str, value: object) -> None:
    assert reader(text) == value


@cases(
    ("reader", "text", "allowed"),
    [
        (read.switch, "yes", "on or off"),
        (read.whole_number(1, 64), "65", "a whole number from 1 to 64"),
        (read.whole_number(1, 64), "٣", "a whole number from 1 to 64"),
        (read.seconds, "0", "a number of seconds up to 86400"),
        (read.off_or(read.seconds, inf), "nan", "such as 60 or 2.5, or off"),
        (read.one_of(("DEBUG", "INFO")), "trace", "DEBUG or INFO"),
        *(
            (read.origins, text, "origins such as https://app.example.com")
            for text in ("null", "https://a.example/", "https://*.example", "https://a:99999")
        ),
        *((read.host_names, text, "names such as leads.internal") for text in ("*", "nas:4000", "a_b")),
        (read.database_url, "postgresql://u:p@h:99999/d", "its port a number from 1 to 65535"),
        (read.database_url, "postgresql://h/d?sslmode=maybe", "its sslmode one of disable"),
        (read.database_url, "postgresql://h/d?target_session_attrs=best", "target_session_attrs one of any"),
        (read.database_url, "postgresql://a:1,b:2/d?port=1,2,3", "one port or as many as it has hosts"),
        (
            read.readers_url,
            "postgresql://a,b/d?target_session_attrs=read-write",
            "prefer-standby, .* or primary: .* read-only",
        ),
        (read.readers_url, "postgresql://h/d?sslmode=maybe", "its sslmode one of disable"),
        (read.rate_limit, "0 per minute", "one limit such as '100 per minute'"),
        (read.rate_limit, "5 per second; 100 per minute", "one limit such as '100 per minute'"),
        (read.storage, "http://h", "memory://, redis://HOST:PORT or valkey://HOST:PORT"),
        (read.storage, "redis://h:port", "a number up to 65535"),
    ],
)
def test_a_value_is_refused(reader: Callable[[str], object], text: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed):
        reader(text)
