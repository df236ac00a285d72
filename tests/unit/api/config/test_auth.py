"""Who may read what, as the environment says it, and what does not fit together."""

from pathlib import Path

import pytest

from api.config import ConfigurationError, load
from api.config.auth import AuthConfig
from tests.support.cases import cases
from tests.unit.api.auth.tokens import RSA_PEM, SECRET

NO_FILE = Path("nowhere/.env")


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
    found = settings(
        LEADS_AUTH=" JWT ,key",
        LEADS_JWKS_URL="https://issuer.example:8443/jwks.json?v=1",
        LEADS_JWT_ALGORITHM="ps256",
        LEADS_JWT_AUDIENCE="leads",
        LEADS_JWT_ISSUER="https://issuer.example/",
        LEADS_JWT_TENANT_CLAIM="https://issuer.example/tenant",
        LEADS_JWT_ALL_SCOPE="OFF",
    )
    assert found == AuthConfig(
        ("jwt", "key"), (), "https://issuer.example:8443/jwks.json?v=1", "PS256", "leads", "https://issuer.example/",
        "https://issuer.example/tenant", "",
    )  # fmt: skip


@cases(
    ("values", "sentence"),
    [
        ({"LEADS_AUTH": "jwt"}, "LEADS_AUTH: jwt needs what tokens are checked with. Set LEADS_JWT_KEY"),
        ({"LEADS_AUTH": "key,jwt"}, "LEADS_AUTH: jwt needs"),
        *(
            ({"LEADS_AUTH": text}, f"LEADS_AUTH: {text!r} is not allowed. It has to be jwt (bearer tokens)")
            for text in ("basic", "jwt,none", "none,none", "jwt,jwt", "jwt;key", ",", "jwt,", "off")
        ),
        ({"LEADS_JWT_KEY": SECRET}, "LEADS_AUTH: it is not set, although LEADS_JWT_KEY is"),
        (
            {"LEADS_JWKS_URL": "https://issuer.example/"},
            "LEADS_AUTH: it is not set, although LEADS_JWKS_URL is",
        ),
        (
            {"LEADS_AUTH": "jwt", "LEADS_JWT_KEY": RSA_PEM, "LEADS_JWKS_URL": "https://issuer.example/"},
            "LEADS_JWKS_URL: LEADS_JWT_KEY is set too",
        ),
        ({"LEADS_AUTH": "jwt", "LEADS_JWT_KEY": "short"}, "LEADS_JWT_KEY: the value is not allowed"),
        (
            {"LEADS_AUTH": "jwt", "LEADS_JWKS_URL": "http://issuer.example/"},
            "LEADS_JWKS_URL: the value is not",
        ),
        ({"LEADS_AUTH": "jwt", "LEADS_JWKS_URL": "https://a:secret@b/"}, "without a user or a password"),
        ({"LEADS_AUTH": "jwt", "LEADS_JWKS_URL": "https:///jwks.json"}, "LEADS_JWKS_URL"),
        ({"LEADS_AUTH": "jwt", "LEADS_JWKS_URL": "https://a:99999/"}, "LEADS_JWKS_URL"),
        ({"LEADS_AUTH": "jwt", "LEADS_JWKS_URL": "https://a/ b"}, "LEADS_JWKS_URL"),
        ({"LEADS_AUTH": "jwt", "LEADS_JWKS_URL": "file:///etc/passwd"}, "LEADS_JWKS_URL"),
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
