"""Times on the wire."""

from datetime import UTC, datetime
from email.utils import format_datetime

from tinker_mock.server.clock import sayable
from tinker_mock.server.errors import BadRequest


def wire_time(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC; what lies beyond the year 9999 is its end."""
    return _moment(seconds).isoformat().replace("+00:00", "Z")


def http_date(seconds: float) -> str:
    """Unix seconds as an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`)."""
    return format_datetime(_moment(seconds), usegmt=True)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(sayable(seconds), UTC)


def parse_time(text: str, pointer: str) -> float:
    """RFC 3339 to Unix seconds; no offset means UTC. Raises BadRequest naming the field."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"{pointer.strip('/')}: {text!r} is no time: {error}",
            pointer=pointer,
            rule="RFC 3339 date-time",
            fix="send for example 2026-01-31T00:00:00Z",
        ) from error
