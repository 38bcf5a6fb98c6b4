"""Each example of the client runs, and prints what its page shows."""

import os
import re
import runpy
from pathlib import Path

import pytest

from tinker_mock.contracts.locations import EXAMPLES
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

CLIENT = EXAMPLES / "client"
SHOWN = dict(
    re.findall(
        r"^[^\n]*\(\[(\w+)\.py\]\(\w+\.py\)\)\n\n```text\n(.*?)\n```$",
        (CLIENT / "README.md").read_text(encoding="utf-8"),
        re.DOTALL | re.M,
    )
)
PROGRAMS = sorted(path.stem for path in CLIENT.glob("*.py"))


def test_every_example_is_shown() -> None:
    assert sorted(SHOWN) == PROGRAMS
    assert len(PROGRAMS) > 30


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_it_prints_what_its_page_shows(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in [one for one in os.environ if one.startswith(("TINKER_", "TINKEX_", "HF_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with RunningServer(Settings(port=0, seed=7)) as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        monkeypatch.setenv("TINKER_API_KEY", "tml-examples")
        runpy.run_path(str(CLIENT / f"{name}.py"), run_name="__main__")
    assert capsys.readouterr().out.rstrip() == SHOWN[name]
