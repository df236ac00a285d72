"""The roles, and the schema `leads_access`, which code of the platform's owner cannot reach.

`leads_api` only reads the read model, `leads_reader` the views of `leads_sql`, and `leads_keys` only writes API keys.
`leads_access` owns the API keys and the ledger of erasures, and has no members.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from projector.core.preconditions import require_installed
from projector.database import distribution
from projector.database.rows import Connection, only_row, value
from projector.database.schema import comments, sections
from projector.database.sql import functions, query
from projector.operate.rights import access_rights, read_server
from projector.report.errors import ProjectorError

_PREPARATION = """\
SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL search_path = pg_catalog, pg_temp;"""
"""The beginning of statements for a superuser. Otherwise the owner of the database would decide where a session looks
for functions, and how it reads the bytes of a literal."""


class SuperuserNotice(str):
    """A clause that says what a superuser still has to do, then, after a colon and a line break, the statements.

    No other notice has statements, whatever text of a table it repeats.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Access:
    """The state of the schema `leads_access`, and the rights of the login there.

    `has_api_role`: the role leads_api exists. `is_apart`: the schema belongs to the role of its name. `is_usable`: the
    login may call its functions. `version` is its comment. `may_write_keys`: a login that is not a superuser may take a
    role that writes keys.
    """

    owner: str | None
    is_apart: bool
    is_usable: bool
    version: str | None
    is_superuser: bool
    may_write_keys: bool
    has_api_role: bool

    @property
    def faults(self) -> str:
        """Clauses about what differs from this version; none if all is right."""
        found = [] if self.has_api_role else ["the role leads_api does not exist, so the API cannot read"]
        keys = "the API keys and the ledger of erasures"
        if self.owner is None:
            found.append(f"{keys} do not exist, so no key is valid and nobody can be erased")
        elif not self.is_apart:
            found.append(f"{keys} belong to {self.owner} and not to a role of their own")
        elif self.version != _version():
            found.append(f"{keys} are of another version")
        elif not self.is_usable:
            found.append(f"{keys} are closed to this login, so nobody can be erased")
        return "; ".join(found)

    @property
    def left(self) -> str | None:
        """A sentence about what a superuser still has to do, or None."""
        return left_for_superuser(self.faults) if self.faults else None


def left_for_superuser(clauses: str, options: str = "") -> str:
    """Return the sentence about what a superuser still has to do, and the commands for it, with these options."""
    return (
        f"Left for a superuser: {clauses}. Run `python -m projector migrate{options} --sql | psql SUPERUSER_URL`, then"
        f" `python -m projector migrate{options}`."
    )


def read_access(conn: Connection) -> Access:
    """Return the state of `leads_access`."""
    return only_row(conn, Access, query("operate", "read_access"))


def require_access(conn: Connection) -> None:
    """Raise ProjectorError if nothing is installed, or if the login cannot use the ledger of erasures."""
    require_installed(conn)
    access = read_access(conn)
    if not access.is_usable and access.left is not None:
        raise ProjectorError(access.left)


def set_up_access(conn: Connection) -> list[str]:
    """Create the roles and the objects of `leads_access`, in the caller's transaction.

    Returns the statements for a superuser if the login may not create them.
    """
    access = read_access(conn)
    if access.is_superuser or access.faults:
        text = "\n".join(_statements(conn))
        if not is_allowed(conn, text):
            return [for_superuser(access.faults, text)]
    return []


def set_up_readers(conn: Connection) -> list[str]:
    """Grant the roles of readers their rights, in the caller's transaction, and leads_api to the login.

    So one login serves both programs on a small installation. Returns the statement that a superuser has to run, if the
    login may not do something.
    """
    for role, section in (("leads_api", "roles"), ("leads_reader", "readers")):
        if value(conn, "SELECT to_regrole(%(role)s) IS NOT NULL", {"role": role}):
            conn.execute(sections()[section].encode(), prepare=False)
    is_member = value(conn, "SELECT pg_has_role(to_regrole('leads_api'), 'MEMBER')")
    if is_member is None or is_member or is_allowed(conn, "GRANT leads_api TO CURRENT_USER"):
        return []
    said = "this login may not take the role leads_api, which the API needs unless it has a login of its own"
    return [SuperuserNotice(f"{said}:\nGRANT leads_api TO {read_server(conn).role_name};")]


def for_superuser(said: str, statements: str) -> str:
    """Return a notice with what a superuser still has to do, and the statements for it as one transaction."""
    return SuperuserNotice(f"{said}:\nBEGIN;\n{_PREPARATION}\n{statements}\nCOMMIT;")


def is_allowed(conn: Connection, text: str, *others: type[psycopg.Error]) -> bool:
    """Run the statements; return false if a right is missing or one of the other errors was raised."""
    refused: tuple[type[psycopg.Error], ...] = (psycopg.errors.InsufficientPrivilege, *others)
    try:
        with conn.transaction():
            for statement in distribution.statements(conn, text):
                conn.execute(statement.encode(), prepare=False)
    except refused:
        return False
    return True


def _version() -> str:
    """Return the comment that this version gives the schema."""
    text = "".join(_texts())
    return f"API keys and ledger of erasures, {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _texts() -> list[LiteralString]:
    return [
        sections()["access_roles"],
        sections()["access"],
        comments(of_access=True),
        *functions("install/access").values(),
        sections()["access_rights"],
    ]


def _statements(conn: Connection) -> Iterator[str]:
    """Yield the statements of the superuser's part. Existing objects stay.

    None of them reads objects of the login, which could call code of the platform with the rights of a superuser.
    """
    login = read_server(conn).role_name
    roles, *texts, rights = (text.strip() for text in _texts())
    yield roles
    version = f"COMMENT ON SCHEMA leads_access IS '{_version()}';"
    yield from distribution.kept_here(conn, [*texts, *access_rights(login), version, rights])
    yield f"REVOKE leads_access FROM current_user;\nGRANT leads_api TO {login};"
