"""Tokens as issuers sign them, as attackers make them by hand, without the library that checks them; and API keys."""

import base64
import hashlib
import hmac
import json
from time import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from api.auth.access import digest_of
from api.auth.key_format import new_key
from api.config.auth import AuthConfig
from api.config.jwt_keys import read_keys
from api.database.key_table import key_table
from tests.support.server import Database

SECRET = "a secret of the tests, which is long enough"
RSA = RSAKey.generate_key(2048)
OTHER_RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
RSA_PEM = RSA.as_pem(private=False).decode()
EC_PEM = EC.as_pem(private=False).decode()
TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"

Signer = OctKey | RSAKey | ECKey


def claims(**changes: object) -> dict[str, Any]:
    """What a token of the tenant says; None takes a claim out."""
    said = {"sub": TENANT, "exp": int(time()) + 3600, **changes}
    return {name: value for name, value in said.items() if value is not None}


def signed(
    said: dict[str, Any], key: Signer | None = None, algorithm: str = "HS256", **header: object
) -> str:
    """A token, signed with the secret of the tests unless another key is given."""
    return jwt.encode(
        {"alg": algorithm, **header}, said, key or OctKey.import_key(SECRET), algorithms=[algorithm]
    )


def forged(header: object, said: object, secret: bytes | None) -> str:
    """A token with any header and any claims, signed by HMAC with a secret, or with nothing."""
    content = b".".join(_encoded(json.dumps(part).encode()) for part in (header, said))
    signature = b"" if secret is None else hmac.digest(secret, content, hashlib.sha256)
    return (content + b"." + _encoded(signature)).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def token_config(key: str = SECRET, **settings: Any) -> AuthConfig:  # noqa: ANN401
    """Settings with which tokens are asked for."""
    algorithm = settings.get("algorithm", "")
    return AuthConfig(**{"methods": ("jwt",), "jwt_keys": read_keys(key, algorithm), **settings})


def add_key(database: Database, user_id: str) -> str:
    """Return a new API key, which reads the leads of a tenant."""
    key = new_key()
    with key_table(database.url) as table:
        table.add(key[:18], digest_of(key), user_id=user_id, label="", expires_at=None)
    return key


def revoke_key(database: Database, key: str) -> None:
    with key_table(database.url) as table:
        table.revoke(key[:18])


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}
