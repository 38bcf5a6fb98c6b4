"""The contract against what the published releases can say."""

import copy
from pathlib import Path

import pytest

from tinker_mock.contracts import Contract, SdkRange, load_contract
from tinker_mock.contracts.history import (
    differences,
    fold,
    load_history,
    read_surface,
    write_history,
)
from tinker_mock.contracts.history.agreement import (
    FIELDS_ELSEWHERE,
    NOT_JSON,
    OTHER_RANGE,
    QUERIES,
    STANDS_IN,
    VALUES_ELSEWHERE,
    disagreements,
)
from tinker_mock.contracts.history.timeline import HISTORY, History
from tinker_mock.contracts.loader import Contract as LoadedContract


def test_contract_and_history_agree(tinker: Contract) -> None:
    assert disagreements(tinker, load_history()) == []


def test_exceptions_are_about_things_that_exist() -> None:
    history = load_history()
    fields = set(history.names("field"))
    owners = {name.partition(".")[0] for name in fields}
    enums = {name.partition(".")[0] for name in history.names("value")}
    assert {*STANDS_IN, *QUERIES, *NOT_JSON} <= owners
    assert set(FIELDS_ELSEWHERE) <= fields
    assert set(OTHER_RANGE) <= owners | fields
    assert set(VALUES_ELSEWHERE) <= enums | {"CustomLossGraphFormat"}


def edited(change: str) -> Contract:
    """A fresh contract with one thing moved."""
    document = copy.deepcopy(load_contract("tinker").document)
    schemas = document["components"]["schemas"]
    if change == "field":
        del schemas["SampleRequest"]["properties"]["prompt_alt_tokens_k"]
    elif change == "range":
        schemas["SampleRequest"]["properties"]["prompt_alt_tokens_k"]["x-sdk-since"] = "0.30"
    elif change == "unknown field":
        schemas["SampleRequest"]["properties"]["min_p"] = {"type": "number"}
    elif change == "value":
        schemas["LossFnType"]["enum"].remove("gspo")
    elif change == "schema":
        del schemas["JoinSamplingSessionRequest"]
    elif change == "operation":
        del document["paths"]["/api/v1/asample"]
    return LoadedContract("tinker", document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("field", "SampleRequest.prompt_alt_tokens_k: not in the contract's SampleRequest"),
        ("unknown field", "SampleRequest.min_p: no release has it"),
        (
            "range",
            "SampleRequest.prompt_alt_tokens_k: contract says 0.30–, the SDK 0.31–",
        ),
        ("value", "LossFnType.gspo: not a value in the contract"),
        (
            "schema",
            "JoinSamplingSessionRequest.type: the contract has no schema "
            "JoinSamplingSessionRequest",
        ),
        ("operation", "POST /api/v1/asample: in SDK 0.7–, not in the contract"),
    ],
)
def test_a_contract_that_moved_is_found_out(change: str, said: str) -> None:
    assert said in disagreements(edited(change), load_history())


def test_an_sdk_that_moved_is_found_out(tinker: Contract) -> None:
    history = load_history()
    changes = {
        **history.changes,
        "field SampleRequest.min_p": (("0.38", "float = 0.0"),),
        "operation POST /api/v1/dream": (("0.38", ""),),
        "message Datum.colour": (("0.38", "5 string"),),
    }
    found = disagreements(tinker, History(history.releases, changes))
    assert len(found) == 3
    assert any("SampleRequest.min_p" in line for line in found)


def test_what_documentation_announces_is_held_to_its_release_once_that_is_read(
    tinker: Contract,
) -> None:
    history = load_history()
    announced = "POST /api/v1/checkpoints/search: no SDK calls it"
    assert announced not in disagreements(tinker, history)
    arrived = History((*history.releases, "0.39.0"), history.changes)
    assert announced in disagreements(tinker, arrived)


OLD = """
class A(BaseModel):
    kept: Optional[List[int]] = None
    lost: int
    _private: int = 0
Kind: TypeAlias = Literal["one"]
"""
NEW = """
class A(BaseModel):
    kept: list[int] | None = None
    came: str = Field(default="x")
Kind: TypeAlias = Literal["one", "two"]
"""
CALLS = """
class R:
    async def a(self, run):
        await self._post("/api/v1/a", body=1)
        return await client.get(f"/api/v1/runs/{run}/x")
    def b(self):
        self._request("DELETE", "/api/v1/me")
        values.get("/api-like")
"""


def unpacked(directory: Path, types: str) -> Path:
    package = directory / "tinker"
    (package / "types").mkdir(parents=True)
    (package / "types" / "a.py").write_text(types)
    (package / "resources.py").write_text(CALLS)
    return package


def test_a_surface_is_read_from_source(tmp_path: Path) -> None:
    assert read_surface(unpacked(tmp_path, OLD)) == {
        "field A.kept": "list[int]? = None",
        "field A.lost": "int",
        "operation DELETE /api/v1/me": "",
        "operation GET /api/v1/runs/{}/x": "",
        "operation POST /api/v1/a": "",
        "value Kind.one": "",
    }


def test_what_changed_between_two_releases(tmp_path: Path) -> None:
    old = read_surface(unpacked(tmp_path / "1", OLD))
    new = read_surface(unpacked(tmp_path / "2", NEW))
    assert differences(old, new) == [
        "+ field A.came  str = 'x'",
        "- field A.lost  int",
        "+ value Kind.two",
    ]
    history = fold([("0.1.0", old), ("0.2.3", new)])
    assert history.sdk("field A.lost") == SdkRange("0.1", "0.1")
    assert history.sdk("field A.came") == SdkRange("0.2")
    assert history.surface("0.1.0") == old
    assert history.surface("0.2.3") == new


def test_not_a_package(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="types/"):
        read_surface(tmp_path)


def test_the_written_history_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "history.yaml"
    write_history(load_history(), path)
    assert path.read_bytes() == HISTORY.read_bytes()
