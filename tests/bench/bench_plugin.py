"""What an installed tinker-mock costs a pytest run that does not use it, in CPU seconds.

`pytest --collect-only` of an empty project in two fresh environments: pytest alone, and pytest
with the base install. Limit of the project: 0.1 s more. The second row blocks our plugin and
anyio's (Starlette's dependency brings that one), which shows whose the cost is.
"""

import os
import resource
import subprocess
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNS = 9
LIMIT = 0.1
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def environment(home: Path, *requirements: str) -> str:
    """The interpreter of a fresh environment with these installed."""
    venv.create(home, with_pip=True)
    python = str(home / "bin" / "python")
    subprocess.run([python, *PIP, *requirements], check=True)
    return python


def cpu_seconds(*command: str, cwd: Path) -> float:
    """User and system time of one run."""
    # pytest compiles plugins anew, to rewrite their assertions, and keeps that unless told not to.
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, env=variables, stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the least of interleaved runs, the differences and the share of the limit."""
    with tempfile.TemporaryDirectory() as scratch:
        home, empty = Path(scratch), Path(scratch, "empty")
        empty.mkdir()
        collect = ("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider")
        alone = environment(home / "alone", "pytest")
        both = environment(home / "both", "pytest", str(ROOT))
        rows = {
            "pytest": (alone, *collect),
            "pytest, plugins blocked": (both, *collect, "-p", "no:tinker_mock", "-p", "no:anyio"),
            "pytest with tinker-mock": (both, *collect),
        }
        taken: dict[str, list[float]] = {name: [] for name in rows}
        for command in rows.values():
            cpu_seconds(*command, cwd=empty)  # compiles what is imported
        for _ in range(RUNS):
            for name, command in rows.items():
                taken[name].append(cpu_seconds(*command, cwd=empty))
    least = {name: min(times) for name, times in taken.items()}
    bare = least["pytest"]
    for name, seconds in least.items():
        print(f"{name:26} {seconds:6.3f} CPU s  {seconds - bare:+6.3f} s  {seconds / bare:5.2f} x")
    more = least["pytest with tinker-mock"] - bare
    print(f"{'more / limit':26} {more / LIMIT:6.2f} x")


if __name__ == "__main__":
    main()
