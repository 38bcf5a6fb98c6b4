"""Modules that are imported when they are needed, and who waits for them."""

import asyncio
import threading
from pathlib import Path

import pytest

from tinker_mock.server.lazy_module import LazyModule, is_here, loaded

GATE = threading.Event()
"""The module that is imported here stands still until it is open."""
SLOW = """
from tests.server.test_lazy_module import GATE
GATE.wait(60)

def doubled(number):
    return 2 * number
"""


def test_the_loop_goes_on_while_a_module_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_to_import.py").write_text(SLOW)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(LazyModule, "_named", set())
    function = LazyModule("slow_to_import").doubled

    async def main() -> None:
        loading = asyncio.create_task(loaded(function))
        await asyncio.sleep(0)
        assert not loading.done()
        assert not is_here(function)
        GATE.set()
        await loading
        assert is_here(function)
        assert function(21) == 42

    asyncio.run(main())


def test_what_is_no_lazy_function_is_here() -> None:
    assert is_here(len)
    asyncio.run(loaded(len))
