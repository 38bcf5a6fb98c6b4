"""A PostgreSQL of one's own, on a free port, gone when one is done.

    with postgres() as database:
        … database.address …

PostgreSQL does not run as root: then it runs as the user that its package made.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")
USER = "postgres"


class NoPostgres(RuntimeError):
    """There is none on this machine; says what is missing."""


@cache
def programs() -> Path:
    """The folder of initdb and pg_ctl. Raises NoPostgres."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    if not versions:
        raise NoPostgres("no PostgreSQL on this machine: apt-get install postgresql")
    return versions[-1].parent


def as_its_user(command: list[str]) -> list[str]:
    """The command as somebody who is not root. Raises NoPostgres."""
    if os.geteuid() != 0:
        return command
    try:
        pwd.getpwnam(USER)
    except KeyError:
        raise NoPostgres(f"PostgreSQL does not run as root, and there is no user {USER}") from None
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise NoPostgres("PostgreSQL does not run as root, and there is no setpriv")
    return [setpriv, f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]


class Database:
    """A running one, in a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.address = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        self._options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"

    def start(self) -> None:
        """Serve. Raises NoPostgres."""
        self._control("-o", self._options, "start")

    def stop(self) -> None:
        """End at once."""
        self._control("-m", "immediate", "stop")

    def restart(self) -> None:
        """Be away for a moment."""
        self.stop()
        self.start()

    def _control(self, *arguments: str) -> None:
        data, log = f"{self.folder}/data", f"{self.folder}/log"
        run("pg_ctl", "-D", data, "-w", "-l", log, *arguments)


@contextmanager
def postgres() -> Iterator[Database]:
    """An empty database. Raises NoPostgres where there can be none, or nobody to talk to it."""
    if find_spec("psycopg") is None:
        raise NoPostgres("psycopg is not installed: pip install 'tinker-mock[postgres]'")
    with tempfile.TemporaryDirectory(prefix="tinker-mock-postgres-") as name:
        database = Database(Path(name), _free_port())
        if os.geteuid() == 0:
            programs()
            as_its_user([])
            shutil.chown(name, USER)
        run("initdb", "--no-sync", "--auth=trust", f"--username={USER}", "-D", f"{name}/data")
        database.start()
        try:
            yield database
        finally:
            database.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def run(program: str, *arguments: str) -> None:
    """Run one of its programs. Raises NoPostgres with what it said."""
    command = as_its_user([str(programs() / program), *arguments])
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise NoPostgres(f"{program}: {done.stderr.strip() or done.stdout.strip()}")
