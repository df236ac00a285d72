"""The rights of authenticated callers, a cache of them, and the errors for other callers."""

from hashlib import sha256
from threading import Lock
from time import time
from typing import Any, NamedTuple

from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized

from api.request.error_codes import ErrorCode


class Access(NamedTuple):
    """The tenant that a caller may read, or the right to read all. `name`, for logs, is no personal data."""

    tenant: str | None
    reads_all: bool
    name: str

    def reads(self, tenant: str | None) -> bool:
        """Return whether the caller may read a tenant; None stands for data of no tenant."""
        return self.reads_all or (tenant is not None and self.tenant == tenant)


NOTHING = Access(None, reads_all=False, name="")
"""The access of a credential that is refused."""


class Checked(NamedTuple):
    """The rights that a credential gives, and until when this result may be used, in seconds since 1970."""

    access: Access
    until: float


class AccessCache:
    """The results of checks, by the SHA-256 of the credential, so that memory holds no token and no key.

    It keeps a bounded number of accepted credentials and of refused ones, each apart from the other, and drops the
    oldest first.
    """

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._allowed: dict[bytes, tuple[float, Checked]] = {}
        self._refused: dict[bytes, tuple[float, Checked]] = {}
        self._lock = Lock()

    def find(self, digest: bytes) -> Checked | None:
        """Return the valid result for a credential, or None."""
        entry = self._allowed.get(digest) or self._refused.get(digest)
        # An entry from the future was made before the clock was set back.
        if entry is None or not entry[0] <= time() < entry[1].until:
            return None
        return entry[1]

    def last_allowed(self, digest: bytes) -> Checked | None:
        """Return the last result of an accepted credential, however old it is, or None."""
        entry = self._allowed.get(digest)
        return entry and entry[1]

    def keep(self, digest: bytes, checked: Checked) -> Checked:
        """Keep a result in place of an earlier one. Returns it."""
        entries = self._refused if checked.access is NOTHING else self._allowed
        with self._lock:
            self._allowed.pop(digest, None)
            self._refused.pop(digest, None)
            if len(entries) >= self._max_entries:
                del entries[next(iter(entries))]
            entries[digest] = time(), checked
        return checked


def digest_of(credential: str) -> bytes:
    """Return the SHA-256 of a credential, under which its result is kept, and a key is stored."""
    return sha256(credential.encode()).digest()


def digest_of_header(header: str) -> bytes:
    """Return the digest of the credential in a header, the same for each way to write the header.

    Otherwise a caller with one credential could push all others out of the cache.
    """
    scheme, _, credential = header.partition(" ")
    return digest_of(f"{scheme.lower()} {credential.strip(' ')}")


class _ChallengedError(HTTPException):
    """A refusal with the header WWW-Authenticate, in which RFC 6750 puts the reason."""

    challenge = 'Bearer realm="leads"'

    def get_headers(self, *arguments: Any, **keywords: Any) -> list[tuple[str, str]]:  # noqa: ANN401  # As inherited.
        return [*super().get_headers(*arguments, **keywords), ("WWW-Authenticate", self.challenge)]


class CredentialsMissingError(_ChallengedError, Unauthorized):
    """The request has no credentials. The header names no error, as RFC 6750 demands."""

    error_code = ErrorCode.CREDENTIALS_MISSING

    def __init__(self, credentials: str) -> None:
        super().__init__(
            f"This API asks for {credentials}: send it in the header Authorization, after the word Bearer"
        )


class CredentialsRefusedError(_ChallengedError, Unauthorized):
    """The credentials are not accepted. The reason does not repeat them."""

    def __init__(self, reason: str, error_code: ErrorCode = ErrorCode.CREDENTIALS_REFUSED) -> None:
        super().__init__(reason)
        self.error_code = error_code
        self.challenge = f'{self.challenge}, error="invalid_token", error_description="{reason}"'


class OtherTenantError(_ChallengedError, Forbidden):
    """The caller may not read the tenant of the path, whether there is such a tenant or not."""

    error_code = ErrorCode.OTHER_TENANT
    description = "These credentials may not read the leads of this tenant"
    challenge = f'{_ChallengedError.challenge}, error="insufficient_scope"'
