"""The report: what was meant, and what was understood. For official releases of any age."""

import inspect
import json
import logging
import os
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from enum import Enum

PRESET = os.environ.get("TINKER_MOCK_CLIENT_PRESET")
"""The release that this project's own client is to be like, if not the newest."""
LINES = []


def report(value, **said):
    """A line; what is put into it later counts too."""
    LINES.append({"value": value, **said})
    return LINES[-1]


def write_report():
    with open(os.environ["TINKER_MOCK_REPORT"], "w", encoding="utf-8") as file:
        for line in LINES:
            print(json.dumps(line), file=file)


def asked(operation, usual=None, **meant):
    """A call that is made now, and what it is to say; `usual` may be left out of it."""
    return report("call", operation=operation, asked=meant, usual=usual or {})


def told(line, got):
    """What a call was answered; gives it back."""
    line["told"] = plain(got)
    return got


@contextmanager
def refusable(line):
    """What a call ends in, if it is an error."""
    try:
        yield
    except Exception as error:
        category = getattr(error, "category", None)
        line["error"] = {
            "says": str(error),
            "status": getattr(error, "status_code", None),
            "category": getattr(category, "value", category),
        }
        raise


def plain(value):
    """A value of the SDK as JSON; what it says of its own kind is left out."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, str | int | float | type(None)):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    names = named(value)
    if names is not None:
        return {name: plain(getattr(value, name)) for name in names if name != "type"}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return [plain(one) for one in value]


def named(value):
    """The names of what a value consists of; None for a list."""
    if hasattr(value, "to_numpy"):
        return ["data", "dtype", "shape"]
    found = getattr(type(value), "model_fields", None)
    if is_dataclass(value):
        found = [one.name for one in fields(value)]
    return found if found is None else [name for name in found if not name.startswith("_")]


def known(function, **given):
    """Those of the arguments that this release knows."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in given.items() if name in names}


def resolved(client):
    """Newer releases give a future of a client."""
    return client.result() if type(client).__name__.startswith("Backcompat") else client


class Hearing(logging.Handler):
    """What a client logs of queues, as its user reads it."""

    def emit(self, record):
        if "paused" in record.getMessage():
            report("queue", says=record.getMessage(), logged=True)


def listen():
    logging.getLogger().addHandler(logging.StreamHandler())
    logging.getLogger().addHandler(Hearing())
