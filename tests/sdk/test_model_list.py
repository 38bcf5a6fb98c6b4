"""`tinker model list SUBSTRING` of the real SDK shows what is on offer here."""

from typing import Any

import pytest

from tests.sdk.running import run_script
from tinker_mock.suite.sdk.environment import newest


@pytest.mark.tinker_mock(catalog_date="2026-11-28")
def test_a_part_of_a_name_in_any_case_finds_its_models(tinker_mock: Any) -> None:
    told = run_script(newest(), "model_list_script.py", tinker_mock.url)
    assert told["part"]["names"] == ["Qwen/Qwen3.8-27B", "Qwen/Qwen3.8-27B:peft:262144"]
    assert set(told["part"]["names"]) < set(told["all"]["names"])
    assert told["nothing"]["exit"] != 0
