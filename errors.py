"""The exception tree: every error a client can meet has a stable code and an HTTP status."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that is wrong with one field. `field` is a dotted path, "" for the whole input."""

    field: str
    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class AlertbookError(Exception):
    """Base of all errors that are answered to a client in the one JSON error shape."""

    status: ClassVar[int] = 500
    code: str = "INTERNAL_ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: Sequence[Detail] = (),
        retry_after: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """`extra` are further members of the JSON answer; `retry_after` is in seconds."""
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.details = tuple(details)
        self.retry_after = retry_after
        self.extra = dict(extra or {})


class NotJson(AlertbookError):
    status = 400
    code = "NOT_JSON"


class Unauthenticated(AlertbookError):
    status = 401
    code = "UNAUTHENTICATED"


class Forbidden(AlertbookError):
    status = 403
    code = "FORBIDDEN"


class NotFound(AlertbookError):
    status = 404
    code = "NOT_FOUND"


class TimedOut(AlertbookError):
    status = 408
    code = "REQUEST_TIMEOUT"


class Conflict(AlertbookError):
    status = 409
    code = "CONFLICT"


class TooLarge(AlertbookError):
    status = 413
    code = "BODY_TOO_LARGE"


class UnsupportedMedia(AlertbookError):
    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"


class Invalid(AlertbookError):
    """Understood, but not acceptable: `details` names each field."""

    status = 422
    code = "INVALID"


class UnsupportedSchema(Invalid):
    code = "UNSUPPORTED_SCHEMA_VERSION"


class TooManyRequests(AlertbookError):
    status = 429
    code = "TOO_MANY_REQUESTS"


class Unavailable(AlertbookError):
    """Nothing was stored; the sender should try again."""

    status = 503
    code = "UNAVAILABLE"


class Overloaded(Unavailable):
    """More came at once than can be done in time."""


class SettingsError(Exception):
    """A setting is missing or unreadable; the message says what to set."""


class DatabaseError(AlertbookError):
    """A fault of the database that is not the client's: translated from the driver in one place."""

    status = 503
    code = "DATABASE_UNAVAILABLE"


class RetryableDatabaseError(DatabaseError):
    """The connection or the server went away or is overloaded; the same work may succeed later."""


class TransactionConflict(RetryableDatabaseError):
    """Serialisation failure, deadlock or lock timeout: run the transaction again."""


class PoisonRow(DatabaseError):
    """The data itself cannot be stored; retrying cannot help."""

    status = 422
    code = "CANNOT_BE_STORED"


class BackupFailed(AlertbookError):
    """No backup was made; the message is that of PostgreSQL's program."""

    code = "BACKUP_FAILED"


class QueryBug(DatabaseError):
    """Our SQL is wrong for this schema (SQLSTATE 42*)."""

    status = 500
    code = "INTERNAL_ERROR"
