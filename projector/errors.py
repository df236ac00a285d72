"""What can go wrong, in words that tell an operator what to do next."""


class ProjectorError(Exception):
    """A failure that an operator can act on: its message is one clear sentence or two."""


class SourceMissingError(ProjectorError):
    """Source tables or columns that the projection reads are not in the database."""


class UnsupportedServerError(ProjectorError):
    """The PostgreSQL server is too old, or its database cannot hold the read model."""


class NotInstalledError(ProjectorError):
    """The database holds no read model yet."""


class TenantNotFoundError(ProjectorError):
    """A tenant that was asked for is neither in the source nor in the read model."""


class BlockedError(ProjectorError):
    """Something that has to be waited for did not end in time."""


class RebuildFailedError(ProjectorError):
    """A rebuild met a row that it could not project, and stopped."""


class ConfigurationError(ProjectorError):
    """Settings from the environment that cannot be used; the message names each of them."""


class DatabaseUnreachableError(ProjectorError):
    """The database does not answer, or does not let us in. It may be back later."""


class EmbeddedServerError(ProjectorError):
    """The embedded PostgreSQL cannot be made, started or stopped."""


class CaptureGapError(ProjectorError):
    """Changes may have been missed; the message says why. A rebuild heals it once the triggers stand again."""
