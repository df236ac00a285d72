"""How a request is refused whose caller has not shown that it may read the tenant."""

from typing import Any

from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized


class _ChallengedError(HTTPException):
    """A refusal with the header in which RFC 6750 wants the reason."""

    challenge = 'Bearer realm="leads"'

    def get_headers(self, *arguments: Any, **keywords: Any) -> list[tuple[str, str]]:  # noqa: ANN401  # As inherited.
        return [*super().get_headers(*arguments, **keywords), ("WWW-Authenticate", self.challenge)]


class CredentialsMissingError(_ChallengedError, Unauthorized):
    """The request shows nothing. It is told no error, only what to show."""

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"This API asks for {wanted}: send it in the header Authorization, after the word Bearer"
        )


class CredentialsRefusedError(_ChallengedError, Unauthorized):
    """What the caller shows is not accepted. The reason repeats nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.challenge = f'{self.challenge}, error="invalid_token", error_description="{reason}"'


class OtherTenantError(_ChallengedError, Forbidden):
    """The caller may not read the tenant of the path, whether there is such a tenant or not."""

    description = "These credentials may not read the leads of this tenant"
    challenge = f'{_ChallengedError.challenge}, error="insufficient_scope"'
