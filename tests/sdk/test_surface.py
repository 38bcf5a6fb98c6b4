"""Every public name, parameter and field of the newest SDK is in the client as `tinker`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.sdk.running import run_script
from tinker_mock.client import compat
from tinker_mock.suite.sdk.environment import newest

HERE = Path(__file__).parent
GUIDE = HERE.parents[1] / "docs" / "client" / "compat.md"
LEFT_OUT = {  # each with its reason in the guide
    "ServiceClient.holder",
    "SamplingClient.create",
    "SamplingClient.on_queue_state_change",
    "BackcompatSamplingClientFuture.create",
    "BackcompatSamplingClientFuture.on_queue_state_change",
    "DmelChunk.serialize_dmel",
    "DmelChunk.validate_dmel",
    "types.DmelChunk.validate_dmel",
    "types.ImageChunk.validate_data",
    "types.DmelChunk.serialize_dmel",
    "types.ImageChunk.serialize_data",
    "types.ClientConfigResponse.credential_default_source",
    "types.ClientConfigResponse.use_pyqwest_transport",
    "types.ClientDynamicConfigResponse.sample_cancel_max_batch_size",
}


def own_surface() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(HERE / "surface_script.py")],
        env={**os.environ, "PYTHONPATH": str(compat.path())},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def lacking(theirs: dict[str, Any], mine: dict[str, Any]) -> Iterator[str]:
    """What is there and not here."""
    for name, cls in theirs.items():
        if name not in mine:
            yield name
        elif cls is not None:
            yield from lacking_members(name, cls, mine[name] or {"fields": [], "members": {}})


def lacking_members(name: str, theirs: Any, mine: Any) -> Iterator[str]:
    known = {*mine["fields"], *mine["members"]}
    for field in (*theirs["fields"], *theirs["members"]):
        if field not in known:
            yield f"{name}.{field}"
    for method, wanted in theirs["members"].items():
        have = mine["members"].get(method)
        if wanted and have is not None and not any(one[0] == "kwargs" for one in wanted):
            yield from lacking_parameters(f"{name}.{method}", wanted, have)


def lacking_parameters(method: str, wanted: list[Any], have: list[Any]) -> Iterator[str]:
    """A parameter that is missing, or that cannot be given at its place."""
    for place, (name, kind) in enumerate(wanted):
        by_place = kind == "POSITIONAL_OR_KEYWORD"
        here = have[place : place + 1] if by_place else [one for one in have if one[0] == name]
        if not here or here[0][0] != name or (by_place and here[0][1] != kind):
            yield f"{method}({name})"


def test_nothing_is_missing_but_what_the_guide_names() -> None:
    theirs = run_script(newest(), "surface_script.py", "http://127.0.0.1:9")
    assert len(theirs) > 150
    assert set(lacking(theirs, own_surface())) == LEFT_OUT


def test_the_guide_names_what_is_left_out() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    unnamed = {name for name in LEFT_OUT if name.rpartition(".")[2] not in guide}
    assert not unnamed
