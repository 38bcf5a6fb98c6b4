"""Who owns what, where servers reach for the same at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg

from tinker_mock.server.clock import ManualClock
from tinker_mock.server.cluster.membership import Membership
from tinker_mock.server.database.shared_store import sharing

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def test_of_two_that_claim_a_unit_at_once_one_owns_it(store: str) -> None:
    """Both find its owner gone, and both wait for the row: the second one must find the first."""
    with ExitStack() as stack:
        servers = []
        for number in range(2):
            place = sharing(store, 5, ManualClock())
            stack.callback(place.close)
            servers.append(Membership(place, f"127.0.0.1:{number + 1}", lambda what: None))
            servers[-1].join()
            stack.callback(servers[-1].leave)
        threads = stack.enter_context(ThreadPoolExecutor())
        look = stack.enter_context(psycopg.connect(store, autocommit=True))
        look.execute("INSERT INTO leases VALUES ('unit', 'a server that is gone')")
        held = stack.enter_context(psycopg.connect(store))
        held.execute("SELECT 1 FROM leases FOR UPDATE")
        claims = [threads.submit(server.claim, ["unit"]) for server in servers]
        while look.execute(WAITING).fetchone() != (2,):
            pass
        held.rollback()
        taken = [claim.result(30) for claim in claims]
        owner = look.execute("SELECT server FROM leases").fetchone()
    assert sorted(taken) == [[], ["unit"]]
    assert owner == (servers[taken.index(["unit"])].me.id,)
