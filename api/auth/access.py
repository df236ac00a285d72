"""What a caller who has shown who it is may read, kept for a while; and how one is refused who has not."""

from hashlib import sha256
from threading import Lock
from time import time
from typing import Any, NamedTuple

from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized

from api.request.error_codes import ErrorCode


class Access(NamedTuple):
    """The tenant that a caller may read, or that it may read all; `name` is what logs call it, no personal data."""

    tenant: str | None
    reads_all: bool
    name: str

    def reads(self, tenant: str | None) -> bool:
        """Return whether it is an access to a tenant; None stands for what is of no tenant."""
        return self.reads_all or (tenant is not None and self.tenant == tenant)


NOTHING = Access(None, reads_all=False, name="")
"""The access of a credential that is refused."""


class Checked(NamedTuple):
    """What a credential allows, and until when that may be believed, in seconds since 1970."""

    access: Access
    until: float


class AccessCache:
    """What was found out about credentials, by a SHA-256, so that memory holds no token and no key.

    It holds a bounded number of those that are allowed and of those that are refused, which do not push out the others,
    and forgets the oldest first.
    """

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._allowed: dict[bytes, tuple[float, Checked]] = {}
        self._refused: dict[bytes, tuple[float, Checked]] = {}
        self._lock = Lock()

    def find(self, digest: bytes) -> Checked | None:
        """Return what is known of a credential now; None if nothing is."""
        entry = self._allowed.get(digest) or self._refused.get(digest)
        # An entry from the future is from before the clock was set back.
        if entry is None or not entry[0] <= time() < entry[1].until:
            return None
        return entry[1]

    def last_allowed(self, digest: bytes) -> Checked | None:
        """Return what this credential was allowed when it was checked last, however long ago; None if nothing."""
        entry = self._allowed.get(digest)
        return entry and entry[1]

    def keep(self, digest: bytes, checked: Checked) -> Checked:
        """Remember what was found out, in place of what was before. Returns it."""
        entries = self._refused if checked.access is NOTHING else self._allowed
        with self._lock:
            self._allowed.pop(digest, None)
            self._refused.pop(digest, None)
            if len(entries) >= self._max_entries:
                del entries[next(iter(entries))]
            entries[digest] = time(), checked
        return checked


def digest_of(credential: str) -> bytes:
    """Return the SHA-256 of a credential, under which it is kept and stored."""
    return sha256(credential.encode()).digest()


def digest_of_header(header: str) -> bytes:
    """Return the digest under which a credential is kept: one, in however many ways its caller may write the header.

    Otherwise a caller with one credential could have those of all others forgotten.
    """
    scheme, _, credential = header.partition(" ")
    return digest_of(f"{scheme.lower()} {credential.strip(' ')}")


class _ChallengedError(HTTPException):
    """A refusal with the header in which RFC 6750 wants the reason."""

    challenge = 'Bearer realm="leads"'

    def get_headers(self, *arguments: Any, **keywords: Any) -> list[tuple[str, str]]:  # noqa: ANN401  # As inherited.
        return [*super().get_headers(*arguments, **keywords), ("WWW-Authenticate", self.challenge)]


class CredentialsMissingError(_ChallengedError, Unauthorized):
    """The request shows nothing. It is told no error, only what to show."""

    error_code = ErrorCode.CREDENTIALS_MISSING

    def __init__(self, credentials: str) -> None:
        super().__init__(
            f"This API asks for {credentials}: send it in the header Authorization, after the word Bearer"
        )


class CredentialsRefusedError(_ChallengedError, Unauthorized):
    """What the caller shows is not accepted. The reason repeats nothing of it."""

    def __init__(self, reason: str, error_code: ErrorCode = ErrorCode.CREDENTIALS_REFUSED) -> None:
        super().__init__(reason)
        self.error_code = error_code
        self.challenge = f'{self.challenge}, error="invalid_token", error_description="{reason}"'


class OtherTenantError(_ChallengedError, Forbidden):
    """The caller may not read the tenant of the path, whether there is such a tenant or not."""

    error_code = ErrorCode.OTHER_TENANT
    description = "These credentials may not read the leads of this tenant"
    challenge = f'{_ChallengedError.challenge}, error="insufficient_scope"'
