"""The keys that verify tokens: a secret, public keys in PEM, or a set of keys (JWKS)."""

import json
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, RSAKey
from joserfc.jws import JWSRegistry

# RFC 7518: a secret has at least as many bits as the hash.
_MIN_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
# The first one that fits a key, unless LEADS_JWT_ALGORITHM or the key itself names another.
_OF_SECRET = tuple(_MIN_SECRET_BYTES)
_OF_PUBLIC_KEY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
ALGORITHMS = (*_OF_SECRET, *_OF_PUBLIC_KEY)

_ALLOWED = (
    "a secret of 32 bytes or more, a public key in PEM, a set of keys (JWKS), or the path of a file with one"
)
_IS_PATH = re.compile(r"[~.]{0,2}/.*|.*\.(pem|crt|cer|json|jwk|jwks|key|pub|txt|secret)", re.IGNORECASE)


VerificationKeys = tuple[Key, ...]
"""Keys, each with the only algorithm for which it is used."""


def read_keys(text: str, algorithm: str) -> VerificationKeys:
    """Return the keys of LEADS_JWT_KEY for the algorithm of LEADS_JWT_ALGORITHM, which is empty if not set.

    Raises ValueError, which says what is allowed and never repeats the value.
    """
    content = text
    if (
        "\n" not in text
        and not text.startswith(("{", "-----BEGIN "))
        and (os.path.isfile(text) or _IS_PATH.fullmatch(text))  # noqa: PTH113  # It raises no error, whatever the text is.
    ):
        try:
            content = Path(text).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text"
            raise ValueError(
                f"{_ALLOWED}; it looks like the path of a file that cannot be read ({reason})"
            ) from None
        if not content:
            raise ValueError(f"{_ALLOWED}; the file is empty")
    if content.startswith("{"):
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            raise ValueError(f"{_ALLOWED}; it begins like JSON but is not valid JSON") from None
        return read_set(document, algorithm, with_secrets=True)
    if content.startswith("-----BEGIN "):
        # In a variable of one line, a backslash and n stand for each end of a line.
        return (_from_pem(content.replace("\\n", "\n"), algorithm),)
    return (_from_secret(content, algorithm),)


def read_set(document: object, algorithm: str, *, with_secrets: bool) -> VerificationKeys:
    """Return the keys of a set that can verify signatures, and leave out others (RFC 7517). A single key is a set too.

    Raises ValueError if there are none.
    """
    keys = document.get("keys", [document]) if isinstance(document, Mapping) else None
    usable = [
        key
        for jwk in (keys if isinstance(keys, list) else [])
        # A key for encryption verifies no signature. A secret from a URL would be known to everybody.
        if isinstance(jwk, dict)
        and jwk.get("use", "sig") == "sig"
        and (with_secrets or jwk.get("kty") != "oct")
        and (key := _from_jwk(jwk, algorithm)) is not None
    ]
    if not usable:
        purpose = f" for {algorithm}" if algorithm else ""
        raise ValueError(f"{_ALLOWED}; this set has no key that could check tokens{purpose}")
    return tuple(usable)


def _from_secret(secret: str, algorithm: str) -> Key:
    chosen = algorithm or _OF_SECRET[0]
    least = _MIN_SECRET_BYTES.get(chosen, 0)
    if len(secret.encode()) < least:
        raise ValueError(
            f"{_ALLOWED}; it is too short for {chosen}. `openssl rand -hex {least}` prints one that is long enough"
        )
    return _with_algorithm(_imported(OctKey, secret), chosen)


def _from_pem(text: str, algorithm: str) -> Key:
    if "PRIVATE KEY" in text:
        raise ValueError(
            f"{_ALLOWED}; this is a private key, which belongs to the issuer of the tokens alone"
        )
    for kind in (RSAKey, ECKey):
        try:
            key = _imported(kind, text)
        except ValueError:
            continue
        return _with_algorithm(key, algorithm)
    raise ValueError(f"{_ALLOWED}; this PEM text is not a public key of the types RSA or EC")


def _from_jwk(jwk: dict[str, Any], algorithm: str) -> Key | None:
    """Return a key of a set; None if its type or algorithm does not fit, or if it is too weak."""
    try:
        key = _with_algorithm(_imported(JWKRegistry, jwk), jwk.get("alg") or algorithm)
    except ValueError:
        return None
    if isinstance(key, OctKey) and len(key.raw_value) < _MIN_SECRET_BYTES[key.alg or ""]:
        return None
    return key if algorithm in ("", key.alg) else None


def _imported(kind: type[OctKey | RSAKey | ECKey | JWKRegistry], value: str | dict[str, Any]) -> Key:
    """Return the key. Raises ValueError for a bad or weak key, and for a public key given as a secret."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)
            return kind.import_key(value)
    except (JoseError, ValueError, TypeError, KeyError, SecurityWarning):
        raise ValueError(_ALLOWED) from None


def _with_algorithm(key: Key, algorithm: str) -> Key:
    """Return a key with the only algorithm for which it is used. Raises ValueError if none fits."""
    if key.is_private and not isinstance(key, OctKey):
        raise ValueError(_ALLOWED)
    fitting = [model.name for model in JWSRegistry.filter_algorithms(key, [*ALGORITHMS])]
    if not fitting:
        raise ValueError(f"{_ALLOWED}; keys of the types RSA and EC (P-256, P-384, P-521) are supported")
    chosen = algorithm or fitting[0]
    if chosen not in fitting:
        what = "a secret" if isinstance(key, OctKey) else "this key"
        raise ValueError(
            f"{_ALLOWED}; LEADS_JWT_ALGORITHM={algorithm} does not fit {what}, only {', '.join(fitting)}"
        )
    return type(key).import_key(key.original_value, {"alg": chosen})
