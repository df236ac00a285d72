"""Which keys LEADS_JWT_KEY may hold, and which tokens are accepted. Those of attackers are made by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
import time_machine
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.jws import JWSRegistry, serialize_compact

from api.auth.access import Access, CredentialsRefusedError
from api.auth.token_check import LEEWAY_SECONDS, TokenCheck
from api.config.jwt_keys import read_keys
from tests.support.cases import cases
from tests.unit.api.auth.tokens import (
    EC,
    EC_PEM,
    OTHER_RSA,
    RSA,
    RSA_PEM,
    SECRET,
    TENANT,
    claims,
    forged,
    signed,
    token_config,
)


def checker(key: str = SECRET, **settings: Any) -> TokenCheck:  # noqa: ANN401
    config = token_config(key, **settings)
    return TokenCheck(config, lambda _key_id: config.jwt_keys)


def refused(token: str, check: TokenCheck | None = None) -> str:
    """Why a token is refused."""
    with pytest.raises(CredentialsRefusedError) as raised:
        (check or checker()).check(token)
    return str(raised.value.description)


ACCESS = Access(TENANT, reads_all=False, name=f"token:{TENANT}")
NOT_SIGNED = "The token is not signed by a key"


@cases(
    ("key", "algorithm", "token"),
    [
        (RSA_PEM, "", signed(claims(), RSA, "RS256")),
        (EC_PEM, "", signed(claims(), EC, "ES256")),
        (RSA_PEM, "PS256", signed(claims(), RSA, "PS256")),
        # Another header is no concern.
        (SECRET, "", forged({"alg": "HS256", "nonce": "1", "typ": "at+jwt"}, claims(), SECRET.encode())),
    ],
)
def test_a_token_of_a_key_is_accepted(key: str, algorithm: str, token: str) -> None:
    check = checker(key, algorithm=algorithm)
    assert check.check(token).access == ACCESS
    # Each key has one algorithm.
    assert NOT_SIGNED in refused(signed(claims(), RSA, "RS512"), check)


@cases(
    ("key", "token"),
    [
        # Of another issuer.
        (RSA_PEM, signed(claims(), OTHER_RSA, "RS256")),
        (SECRET, signed(claims(), OctKey.import_key("x" * 40))),
        # Without a signature.
        *(
            (key, forged({"alg": algorithm, "typ": "JWT"}, claims(), secret))
            for algorithm in ("none", "None", "NONE", "nOnE", "")
            for key in (SECRET, RSA_PEM)
            for secret in (None, b"", b"x")
        ),
        # With the public key as a secret.
        *(
            (key, forged({"alg": "HS256"}, claims(), pem.encode()))
            for pem in (RSA_PEM, RSA_PEM.strip(), EC_PEM, EC_PEM.strip())
            for key in (pem, json.dumps({"keys": [RSA.as_dict(private=False)]}))
        ),
        # Claims that are no object.
        *(
            (SECRET, forged({"alg": "HS256"}, said, SECRET.encode()))
            for said in (list[object](), "text", 1, None)
        ),
    ],
)
def test_a_token_that_no_key_has_signed(key: str, token: str) -> None:
    assert NOT_SIGNED in refused(token, checker(key))


def test_the_key_that_the_token_brings_along() -> None:
    for header in (
        {"jwk": OTHER_RSA.as_dict(private=False)},
        {"jku": "https://127.0.0.1:1/jwks.json"},
        {"x5u": "https://127.0.0.1:1/cert.pem"},
    ):
        token = serialize_compact(
            {"alg": "RS256", **header},
            json.dumps(claims()),
            OTHER_RSA,
            registry=JWSRegistry(algorithms=["RS256"], strict_check_header=False),
        )
        # A header of 512 bytes and more is not read at all.
        assert refused(token, checker(RSA_PEM)).startswith((NOT_SIGNED, "The token cannot be read"))


@cases(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"crit": None},
        {"b64": False},
    ],
)
def test_a_header_that_is_critical(header: dict[str, object]) -> None:
    token = forged({"alg": "HS256", **header}, claims(), SECRET.encode())
    # The library itself does not read an unencoded payload that is not announced.
    assert refused(token) in {
        "The token has a header that this API does not support",
        "The token cannot be read",
    }


@cases("header", [{"alg": 1}, {"alg": ["HS256"]}, {"alg": "HS256", "kid": 1}, ["alg"], "alg", 7, None, {}])
def test_a_header_of_another_kind(header: object) -> None:
    assert refused(forged(header, claims(), SECRET.encode())) == "The token cannot be read"


def test_the_times_of_a_token() -> None:
    now = 1_000_000_000
    with time_machine.travel(now, tick=False):
        for said, reason in (
            ({"exp": now - LEEWAY_SECONDS + 1}, None),
            ({"exp": now - LEEWAY_SECONDS}, "The token has expired"),
            ({"nbf": now + LEEWAY_SECONDS, "iat": now + LEEWAY_SECONDS}, None),
            ({"nbf": now + LEEWAY_SECONDS + 1}, "The token is not valid yet"),
            ({"iat": now + LEEWAY_SECONDS + 1}, "The token was issued in the future"),
            ({"exp": None}, "The token lacks the claim exp"),
        ):
            token = signed(claims(**said))
            if reason is None:
                assert checker().check(token).access == ACCESS
            else:
                assert refused(token) == reason


@cases("end", ["1e999", "NaN", "Infinity", "true", '"9999999999"', "[9999999999]", "{}", "9" * 5000])
def test_an_end_that_is_no_number(end: str) -> None:
    payload = json.dumps(claims(exp=None))[:-1] + f', "exp": {end}}}'
    token = serialize_compact({"alg": "HS256"}, payload, OctKey.import_key(SECRET))
    assert refused(token)


@cases("said", [{"sub": 1}, {"nbf": "soon"}, {"iat": None, "nbf": []}, {"jti": 1}])
def test_claims_of_another_kind(said: dict[str, object]) -> None:
    assert refused(forged({"alg": "HS256"}, {**claims(), **said}, SECRET.encode()))


def test_audience_and_issuer() -> None:
    check = checker(audience="leads", issuer="https://issuer.example")
    good = {"aud": "leads", "iss": "https://issuer.example"}
    assert check.check(signed(claims(**good))).access == ACCESS
    assert check.check(signed(claims(**good | {"aud": ["others", "leads"]}))).access == ACCESS
    for changed, reason in (
        ({"aud": "others"}, "The token is meant for another audience"),
        ({"aud": ["others"]}, "The token is meant for another audience"),
        ({"aud": ["leads", 1]}, "The token is meant for another audience"),
        ({"aud": "leads2"}, "The token is meant for another audience"),
        ({"aud": None}, "The token lacks the claim aud"),
        ({"aud": []}, "The token is meant for another audience"),
        ({"iss": "https://issuer.example/"}, "The token is from another issuer"),
        ({"iss": ["https://issuer.example"]}, "The token is from another issuer"),
        ({"iss": None}, "The token lacks the claim iss"),
    ):
        assert refused(signed(claims(**good | changed)), check) == reason


def test_the_tenant_is_in_the_claim_that_is_set() -> None:
    check = checker(tenant_claim="tenant_id")
    access = check.check(signed(claims(sub="ann@example.com", tenant_id="t1"))).access
    # The subject may be an address, so logs do not name it.
    assert access == Access("t1", reads_all=False, name="token")
    for other in (None, "", 7, ["t1"], {"t1": 1}, True):
        nothing = check.check(signed(claims(sub="t1", tenant_id=other))).access
        assert nothing == Access(None, reads_all=False, name="token")


@cases("scope", ["leads:read:all", "openid leads:read:all", ["leads:read:all"]])
def test_a_scope_reads_all(scope: object) -> None:
    token = signed(claims(sub=None, scope=scope))
    assert checker().check(token).access == Access(None, reads_all=True, name="token")
    for other in ("", "other"):
        nothing = checker(all_scope=other).check(token).access
        assert nothing == Access(None, reads_all=False, name="token")
    # A word to an issuer that separates by the blank alone, as RFC 6749 has it.
    joined = [f"x{blank}leads:read:all" for blank in ("\u00a0", "\n", "\t", "\u2003")]
    others = ("", "leads:read", "leads:read:all2", 1, {"leads:read:all": 1}, [["leads:read:all"]])
    for another in (*others, *joined):
        assert checker().check(signed(claims(scope=another))).access == ACCESS


def test_a_key_id_chooses_among_keys() -> None:
    keys = {
        "keys": [{**RSA.as_dict(private=False), "kid": "a"}, {**OTHER_RSA.as_dict(private=False), "kid": "b"}]
    }
    check = checker(json.dumps(keys))
    assert check.check(signed(claims(), RSA, "RS256", kid="a")).access == ACCESS
    assert check.check(signed(claims(), OTHER_RSA, "RS256", kid="b")).access == ACCESS
    assert check.check(signed(claims(), OTHER_RSA, "RS256")).access == ACCESS
    for kid in ("a", "c"):
        assert NOT_SIGNED in refused(signed(claims(), OTHER_RSA, "RS256", kid=kid), check)


def test_a_token_is_tried_with_few_keys_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.auth.token_check.MAX_TRIED_KEYS", 1)
    keys = json.dumps({"keys": [RSA.as_dict(private=False), OTHER_RSA.as_dict(private=False)]})
    check = TokenCheck(token_config(keys), lambda _key_id: read_keys(keys, ""))
    assert check.check(signed(claims(), RSA, "RS256")).access == ACCESS
    assert NOT_SIGNED in refused(signed(claims(), OTHER_RSA, "RS256"), check)


def described(text: str, algorithm: str = "") -> list[tuple[str, str, str | None]]:
    return [(key.key_type, key.alg or "", key.kid) for key in read_keys(text, algorithm)]


def key_refused(text: str, algorithm: str = "") -> str:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  # The message is what it is about.
        read_keys(text, algorithm)
    assert text not in str(raised.value)
    return str(raised.value)


@cases(
    ("text", "algorithm", "expected"),
    [
        (SECRET, "", ("oct", "HS256", None)),
        ("é" * 16, "", ("oct", "HS256", None)),
        ("x" * 64, "HS512", ("oct", "HS512", None)),
        (RSA_PEM, "", ("RSA", "RS256", None)),
        (RSA_PEM, "PS512", ("RSA", "PS512", None)),
        (RSA_PEM.replace("\n", "\\n"), "", ("RSA", "RS256", None)),
        (EC_PEM, "", ("EC", "ES256", None)),
        (ECKey.generate_key("P-521").as_pem(private=False).decode(), "", ("EC", "ES512", None)),
        (json.dumps(RSA.as_dict(private=False)), "", ("RSA", "RS256", None)),
        (
            json.dumps({"keys": [{**RSA.as_dict(private=False), "kid": "a", "alg": "RS512"}]}),
            "",
            ("RSA", "RS512", "a"),
        ),
        (json.dumps({"keys": [{"kty": "oct", "k": "YWFh" * 20, "kid": "s"}]}), "", ("oct", "HS256", "s")),
    ],
)
def test_a_key_has_one_algorithm(
    text: str, algorithm: str, expected: tuple[str, str, str | None], tmp_path: Path
) -> None:
    assert described(text, algorithm) == [expected]
    # The same from a file, as secrets are mounted, with the line's end that editors add.
    file = tmp_path / "key"
    file.write_text(f"{text}\n", encoding="utf-8")
    assert described(str(file), algorithm) == [expected]


@cases(
    ("text", "algorithm", "reason"),
    [
        ("x" * 31, "", "openssl rand -hex 32"),
        ("x" * 63, "HS512", "openssl rand -hex 64"),
        (SECRET, "RS256", "LEADS_JWT_ALGORITHM=RS256 does not fit a secret"),
        (RSA_PEM, "HS256", "LEADS_JWT_ALGORITHM=HS256 does not fit this key"),
        (RSA.as_pem(private=True).decode(), "", "private key"),
        (OKPKey.generate_key("Ed25519").as_pem(private=False).decode(), "", "not a public key of the types"),
        (ECKey.generate_key("secp256k1").as_pem(private=False).decode(), "", "P-256"),
        (f"  {RSA_PEM}", "", "a secret of 32 bytes or more"),
        ("{", "", "begins like JSON but is not valid JSON"),
        ("{" * 10_000, "", "begins like JSON but is not valid JSON"),
        ('{"keys": []}', "", "has no key that could"),
        ('{"keys": 1}', "", "has no key that could"),
        (json.dumps({"keys": [RSA.as_dict(private=False)]}), "ES256", "tokens for ES256"),
        (json.dumps(RSA.as_dict(private=True)), "", "has no key that could"),
        (
            json.dumps({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}, 1, None, {"kty": "new"}]}),
            "",
            "has no key that could",
        ),
        (json.dumps({"kty": "oct", "k": "YWFh" * 7}), "", "has no key that could"),
        (json.dumps({**RSA.as_dict(private=False), "alg": "RS512"}), "RS256", "tokens for RS256"),
        ("/nowhere/key.pem", "", "cannot be read (No such file"),
        # Long enough for a secret, and certainly none.
        ("configuration/of/production/public-key.pem", "", "cannot be read"),
        ("/tmp", "", "cannot be read"),
    ],
)
def test_what_is_no_key(text: str, algorithm: str, reason: str) -> None:
    assert reason in key_refused(text, algorithm)


def test_a_weak_key_of_an_issuer_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # Only here.
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert "RSA" in key_refused(pem.decode())
    file = tmp_path / "empty.pem"
    file.touch()
    assert "the file is empty" in key_refused(str(file))
