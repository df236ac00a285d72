"""Which keys LEADS_JWT_KEY may hold, and which algorithm each is used with."""

import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OKPKey

from api.config.jwt_keys import read_keys
from tests.support.cases import cases
from tests.unit.api.auth.tokens import EC_PEM, RSA, RSA_PEM, SECRET


def described(text: str, algorithm: str = "") -> list[tuple[str, str, str | None]]:
    return [(one.key_type, one.alg or "", one.kid) for one in read_keys(text, algorithm)]


def refused(text: str, algorithm: str = "") -> str:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  # The message is what it is about.
        read_keys(text, algorithm)
    assert text not in str(raised.value)
    return str(raised.value)


@cases(
    ("text", "algorithm", "expected"),
    [
        (SECRET, "", ("oct", "HS256", None)),
        ("x" * 32, "", ("oct", "HS256", None)),
        ("é" * 16, "", ("oct", "HS256", None)),
        ("x" * 48, "HS384", ("oct", "HS384", None)),
        ("x" * 64, "HS512", ("oct", "HS512", None)),
        (RSA_PEM, "", ("RSA", "RS256", None)),
        (RSA_PEM, "PS512", ("RSA", "PS512", None)),
        (RSA_PEM.replace("\n", "\\n"), "", ("RSA", "RS256", None)),
        (EC_PEM, "", ("EC", "ES256", None)),
        (ECKey.generate_key("P-384").as_pem(private=False).decode(), "", ("EC", "ES384", None)),
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
        ("abc123", "", "openssl rand -hex 32"),
        ("x" * 31, "", "openssl rand -hex 32"),
        ("x" * 47, "HS384", "openssl rand -hex 48"),
        ("x" * 63, "HS512", "openssl rand -hex 64"),
        (SECRET, "RS256", "LEADS_JWT_ALGORITHM=RS256 does not fit a secret"),
        (RSA_PEM, "HS256", "LEADS_JWT_ALGORITHM=HS256 does not fit this key"),
        (EC_PEM, "ES384", "LEADS_JWT_ALGORITHM=ES384 does not fit this key"),
        (RSA.as_pem(private=True).decode(), "", "private key"),
        (OKPKey.generate_key("Ed25519").as_pem(private=False).decode(), "", "no public key of the types"),
        (ECKey.generate_key("secp256k1").as_pem(private=False).decode(), "", "P-256"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "", "no public key of the types"),
        (f"  {RSA_PEM}", "", "a secret of 32 bytes or more"),
        ("{", "", "begins like JSON and is none"),
        ("{" * 10_000, "", "begins like JSON and is none"),
        ('{"keys": []}', "", "has no key that could"),
        ('{"keys": 1}', "", "has no key that could"),
        (json.dumps({"keys": [RSA.as_dict(private=False)]}), "ES256", "tokens for ES256"),
        (json.dumps(RSA.as_dict(private=True)), "", "has no key that could"),
        (
            json.dumps({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}, 1, None, {"kty": "new"}]}),
            "",
            "has no key that could",
        ),
        (json.dumps({"kty": "oct", "k": "YWFh"}), "", "has no key that could"),
        ("/nowhere/key.pem", "", "cannot be read (No such file"),
        ("./key", "", "cannot be read"),
        ("../key", "", "cannot be read"),
        ("~/nowhere/key", "", "cannot be read"),
        # Long enough for a secret, and certainly none.
        ("configuration/of/production/public-key.pem", "", "cannot be read"),
        ("/tmp", "", "cannot be read"),
    ],
)
def test_what_is_no_key(text: str, algorithm: str, reason: str) -> None:
    assert reason in refused(text, algorithm)


def test_a_weak_key_of_an_issuer_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # Only here.
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert "RSA" in refused(pem.decode())
    file = tmp_path / "empty.pem"
    file.touch()
    assert "the file is empty" in refused(str(file))
