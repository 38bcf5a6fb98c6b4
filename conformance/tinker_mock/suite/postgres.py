"""A PostgreSQL of one's own, on a free port, gone when one is done.

    with postgres() as address: …

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


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database. Raises NoPostgres where there can be none."""
    with tempfile.TemporaryDirectory(prefix="tinker-mock-postgres-") as name, _port() as port:
        folder = Path(name)
        _run("initdb", "--no-sync", "--auth=trust", f"--username={USER}", "-D", f"{folder}/data")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        control = ("pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log")
        _run(*control, "-o", options, "start")
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            _run(*control, "-m", "immediate", "stop")


@contextmanager
def _port() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    yield port


def _run(program: str, *arguments: str) -> None:
    folder = next(Path(one.split("=", 1)[-1]).parent for one in arguments if one.endswith("/data"))
    command = as_its_user([str(programs() / program), *arguments])
    if command[0].endswith("setpriv"):
        shutil.chown(folder, USER)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise NoPostgres(f"{program}: {done.stderr.strip() or done.stdout.strip()}")
