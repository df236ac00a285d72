"""The headers of a refusal, as RFC 6750 has them."""

from api.auth.errors import CredentialsMissingError, CredentialsRefusedError, OtherTenantError
from tests.support.cases import cases


@cases(
    ("error", "code", "challenge"),
    [
        (CredentialsMissingError("a bearer token"), 401, 'Bearer realm="leads"'),
        (
            CredentialsRefusedError("The token has expired"),
            401,
            'Bearer realm="leads", error="invalid_token", error_description="The token has expired"',
        ),
        (OtherTenantError(), 403, 'Bearer realm="leads", error="insufficient_scope"'),
    ],
)
def test_the_challenge(
    error: CredentialsMissingError | CredentialsRefusedError | OtherTenantError, code: int, challenge: str
) -> None:
    assert error.code == code
    assert [value for name, value in error.get_headers() if name == "WWW-Authenticate"] == [challenge]
