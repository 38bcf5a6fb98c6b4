"""Destructive operations of the control API, in the middle of a run: the mock is put back after.

Resets, snapshots, scenarios, mutants, quirks, roles and waits are drawn with right and wrong
arguments; some ordinary requests follow, which a scenario or mutant may answer with anything but
silence; then the mock is calmed, and has to be well again.
"""

import http.client
import json
from collections.abc import Callable

from tests.abuse.requests import Drawn, Generator

DESTRUCTIVE = (
    *("reset", "take_snapshot", "restore_snapshot", "delete_snapshot"),
    *("put_mutant", "put_scenario", "put_quirks", "put_key"),
    *("lose_model", "expire_session", "fail_promise", "advance_clock", "change_checkpoint"),
    *("wait_for_count", "delete_my_api_key", "create_api_key", "get_my_api_key"),
    *("download_checkpoint", "send_again", "reset_journal", "clear_scripts"),
)
CALM: dict[str, object] = {
    "put_scenario": {"name": "healthy"},
    "put_mutant": {"check": None},
    "put_quirks": {"quirks": []},
    "clear_scripts": None,
    "reset": None,
}
NAMES = ["healthy", "flaky-network", "overloaded", "no-such-scenario", "../../etc/passwd"]
MUTANTS = ["sessions/create/null-metadata", "checkpoints/list/metadata", None, "no/such", ""]
AFTER = 15
Send = Callable[[Drawn], tuple[int, bytes]]


def destructive(generator: Generator) -> Drawn:
    """One operation that changes everything."""
    one = generator.draw_of(generator.luck.choice(DESTRUCTIVE))
    chosen = {"put_scenario": {"name": NAMES}, "put_mutant": {"check": MUTANTS}}
    if one.operation in chosen and generator.luck.random() < 0.7:
        told = {k: generator.luck.choice(v) for k, v in chosen[one.operation].items()}
        one.body = json.dumps(told).encode()
        one.headers = {"X-API-Key": "tml-fuzz", "Content-Type": "application/json"}
    if one.operation == "wait_for_count":
        one.path = "/_mock/journal/wait?count=1000000000&timeout=0.01"
    return one


def upheaval(send: Send, renew: Callable[[], None], generator: Generator) -> list[str]:
    """An upheaval, what is asked meanwhile, and the way back; what was wrong.

    `renew` drops the connection: a request that lied about its length takes the next one with it.
    """
    faults = []
    first = destructive(generator)
    for one in [first, *(generator.draw() for _ in range(AFTER))]:
        try:
            status, body = send(one)
        except (OSError, http.client.HTTPException):
            continue  # scenarios may cut connections
        if one is first and status >= 500:
            faults.append(f"{one.method} {one.path}: {status} {body[:200]!r} {one.body[:200]!r}")
    for name, told in CALM.items():
        operation = generator.documents["control"].operations[name]
        method, path = operation.method, operation.path
        content = b"" if told is None else json.dumps(told).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        renew()
        try:
            status, body = send(Drawn(name, "", method, path, headers, content))
        except (OSError, http.client.HTTPException) as error:
            faults.append(f"after {first.operation}: {method} {path}: {error!r}")
            continue
        if status >= 300:
            faults.append(f"after {first.operation}: {method} {path}: {status} {body[:200]!r}")
    generator.known.clear()
    return faults
