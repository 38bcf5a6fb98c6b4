"""Who is there, and who owns what, as the database has it.

A server is there while its row is: it renews that every second, and holds an advisory lock on the
connection that listens. The lock is free the moment the process ends, however it ends; where a
machine or the network stops, the row runs out. Whoever finds a server gone removes its row, which
is what a commit of that server would miss (`SharedStore.write`), and then owns what it claims.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import psycopg

from tinker_mock.server.clock import machine_seconds
from tinker_mock.server.database.postgres import Connection, connect
from tinker_mock.server.database.shared_store import SharedStore
from tinker_mock.server.database.units import SERVICE

log = logging.getLogger(__name__)
LOCK = "(hashtext('tinker-mock ' || current_schema()), %s)"
"""Keys of a server's advisory lock: the mock, for a database may hold several, and its number."""
CHANNEL = "tinker_mock"
HEARTBEAT = 1.0
LEASE = 5.0
"""Seconds after which a server that does not renew its row is taken for gone."""
GRACE = 2.0
"""Seconds after a lost connection, in which everybody's locks are free and nobody is judged."""
AGAIN = 0.2
ORPHANED = "NOT EXISTS (SELECT 1 FROM servers WHERE id = leases.server)"


@dataclass(frozen=True)
class Peer:
    """A server, and where the others reach it."""

    id: str
    address: str


class Membership:
    """This server among the others. Its methods ask the database: call them in a thread.

    `told` is called, in the thread that listens, with each notification.
    """

    def __init__(self, store: SharedStore, address: str, told: Callable[[str], None]) -> None:
        self.store = store
        self.me = Peer(uuid4().hex[:12], address)
        self._told = told
        self._leaving = threading.Event()
        self._listening: Connection | None = None
        self._judging_from = 0.0
        self._thread = threading.Thread(target=self._listen, name="membership", daemon=True)

    def join(self) -> None:
        """From now on this server is there."""
        self._listening = self._locked(number := self._number())
        self.number = number
        self.store.me = self.me.id
        row = "INSERT INTO servers (id, number, address) VALUES (%s, %s, %s)"
        self._say([(row, (self.me.id, number, self.me.address))], "servers")
        self._thread.start()

    def leave(self) -> None:
        """What this server owned is anybody's from now on."""
        self._leaving.set()
        self._say([("DELETE FROM servers WHERE id = %s", (self.me.id,))], "servers")
        self._thread.join(2 * HEARTBEAT)

    # --- others -----------------------------------------------------------------------------

    def peers(self) -> list[Peer]:
        """The other servers."""
        found = self.store.asking.rows("SELECT id, address FROM servers ORDER BY number")
        return [Peer(*row) for row in found if row[0] != self.me.id]

    def remove_gone(self) -> bool:
        """Remove the rows of servers that are not there; whether there was one."""
        others = "SELECT id, number FROM servers WHERE id <> %s"
        found = self.store.asking.rows(others, self.me.id)
        gone = [self.store.asking.transaction(partial(self._judge, *one)) for one in found]
        return any(gone)

    def _judge(self, server: str, number: int, connection: Connection) -> bool:
        late = "SELECT seen < now() - make_interval(secs => %s) FROM servers WHERE id = %s"
        found = connection.execute(f"{late} FOR UPDATE SKIP LOCKED", (LEASE, server)).fetchone()
        if found is None:
            return False
        if not found[0]:
            if machine_seconds() < self._judging_from:
                return False
            lock = connection.execute(f"SELECT pg_try_advisory_xact_lock{LOCK}", (number,))
            if not lock.fetchone()[0]:  # type: ignore[index]
                return False
        connection.execute("DELETE FROM servers WHERE id = %s", (server,))
        connection.execute("SELECT pg_notify(%s, 'servers')", (CHANNEL,))
        log.warning("server %s is gone", server)
        return True

    # --- leases -----------------------------------------------------------------------------

    def owner(self, unit: str) -> Peer | None:
        """The living owner of a unit, which becomes this server when there is none.

        None for a unit that nobody has heard of.
        """
        sql = (
            "SELECT leases.server, servers.address FROM leases LEFT JOIN servers "
            "ON servers.id = leases.server WHERE unit = %s"
        )
        while True:
            found = self.store.asking.rows(sql, unit)
            if not found and unit != SERVICE:
                return None
            if found and found[0][1] is not None:
                return Peer(*found[0])
            if unit in self.claim([unit]):
                return self.me

    def claim(self, units: list[str]) -> list[str]:
        """Those of the units that had no living owner and are this server's now."""
        if SERVICE in units:
            make = "INSERT INTO leases (unit, server) VALUES (%s, '') ON CONFLICT DO NOTHING"
            self.store.asking.do([(make, (SERVICE,))])
        gone = f"SELECT unit, server FROM leases WHERE unit = ANY(%s) AND {ORPHANED} ORDER BY unit"
        found = self.store.asking.rows(gone, units)
        # Whoever waits for another's UPDATE has the row judged again, but not who was there: so it
        # is compared with the owner that was seen, who does not come back.
        taken = self.store.asking.rows(
            "UPDATE leases SET server = %s FROM unnest(%s::text[], %s::text[]) AS seen(unit, owner)"
            " WHERE leases.unit = seen.unit AND leases.server = seen.owner RETURNING leases.unit",
            self.me.id,
            [unit for unit, _ in found],
            [owner for _, owner in found],
        )
        return [row[0] for row in taken]

    def orphans(self) -> list[str]:
        """Units without a living owner: this server's share of them."""
        sql = f"SELECT unit FROM leases WHERE {ORPHANED} ORDER BY unit"
        found = [row[0] for row in self.store.asking.rows(sql)]
        share = -(-len(found) // (len(self.peers()) + 1))
        return found[:share]

    def mine(self) -> list[str]:
        """Every unit that is this server's."""
        sql = "SELECT unit FROM leases WHERE server = %s ORDER BY unit"
        return [row[0] for row in self.store.asking.rows(sql, self.me.id)]

    def loads(self) -> dict[str, int]:
        """How many units each living server owns."""
        sql = (
            "SELECT servers.id, count(leases.unit) FROM servers LEFT JOIN leases "
            "ON leases.server = servers.id GROUP BY servers.id ORDER BY servers.id"
        )
        return dict(self.store.asking.rows(sql))

    # --- the connection that listens ---------------------------------------------------------

    def _number(self) -> int:
        return int(self.store.asking.one("SELECT nextval('server_numbers')"))

    def _locked(self, number: int) -> Connection:
        connection = connect(self.store.address)
        connection.execute(f"SELECT pg_advisory_lock{LOCK}", (number,))
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def _listen(self) -> None:
        while not self._leaving.is_set():
            try:
                if self._listening is None:
                    self._listening = self._locked(self.number)
                    self._told("servers")  # what was said meanwhile is lost
                for one in self._listening.notifies(timeout=HEARTBEAT, stop_after=1):
                    self._told(one.payload)
                self._renew(self._listening)
            except psycopg.Error as error:
                log.warning("store: %s", error)
                self._judging_from = machine_seconds() + GRACE
                self._listening = None
                self._leaving.wait(AGAIN)
        if self._listening is not None:
            self._listening.close()

    def _renew(self, connection: Connection) -> None:
        renew = "UPDATE servers SET seen = now() WHERE id = %s RETURNING generation"
        found = connection.execute(renew, (self.me.id,)).fetchone()
        if found is None and not self._leaving.is_set():
            self.store.fenced()
        if found is not None and found[0] != self.store.generation:
            self.store.replaced()

    def _say(self, statements: list[tuple[str, tuple[object, ...]]], what: str) -> None:
        notify = ("SELECT pg_notify(%s, %s)", (CHANNEL, what))
        self.store.asking.do([*statements, notify])
