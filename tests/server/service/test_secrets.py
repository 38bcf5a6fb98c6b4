"""What protects does not follow from what is public: seeds, ids, keys."""

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest

from tests.server.conftest import Api
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.ids import IdSource
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.signer import checked_secret, drawn_seed, secret_from

SECRET = "a secret that only these two servers know"


def told(settings: Settings) -> dict[str, Any]:
    """What a server says that needs its secret."""
    with RunningServer(settings) as server:
        api = Api(server, "tml-alice")
        with api.http:
            model = api.model()
            api.done("save_weights", {"model_id": model, "seq_id": 1, "path": "a"})
            link = api.get(f"training_runs/{model}/checkpoints/weights/a/archive")
            query = parse_qs(urlsplit(link.headers["location"]).query)
            key = api.post("auth/apikey", {"name": "n", "note": ""}, Authorization="Bearer b")
            return {
                "model": model,
                "jwt": api.post("auth/token", {}).json()["jwt"],
                "signature": query["signature"],
                "key": key.text,
            }


def test_the_same_seed_gives_other_signatures() -> None:
    settings = Settings(port=0, seed=3, clock="manual")
    first, second = told(settings), told(settings)
    assert first["model"] == second["model"]
    for name in ("jwt", "signature", "key"):
        assert first[name] != second[name]


def test_the_same_secret_gives_the_same_bytes() -> None:
    settings = Settings(port=0, seed=3, clock="manual", secret=SECRET)
    assert told(settings) == told(settings)


def test_what_is_signed_with_public_text_opens_nothing(api: Api, stranger: Api) -> None:
    model = api.model()
    api.done("save_weights", {"model_id": model, "seq_id": 1, "path": "mine"})
    ids, seed = IdSource(api.server.settings.seed), str(api.server.settings.seed)
    archive = api.get(f"training_runs/{model}/checkpoints/weights/mine/archive")
    place = urlsplit(archive.headers["location"])
    expires = parse_qs(place.query)["expires"][0]
    file_id = place.path.rsplit("/", 1)[1]
    alice = hashlib.sha256(api.http.headers["X-API-Key"].encode()).hexdigest()[:12]
    claims = {"sub": f"user-{alice}", "exp": 2**40}
    head = segment(orjson.dumps({"alg": "HS256", "typ": "JWT"}))
    signed = f"{head}.{segment(orjson.dumps(claims))}"
    guesses = [ids.derive("link-secret"), ids.derive("jwt-secret"), seed, "", "secret"]
    for guess in guesses:
        forged = hmac.new(guess.encode(), f"{file_id}:{expires}".encode(), hashlib.sha256)
        query = f"expires={expires}&signature={forged.hexdigest()}"
        answer = httpx.get(place._replace(query=query).geturl(), timeout=60)
        assert answer.status_code == 403
        signature = hmac.new(guess.encode(), signed.encode(), hashlib.sha256).digest()
        token = f"{signed}.{segment(signature)}"
        stranger.http.headers["X-API-Key"] = token
        assert stranger.get("sessions").status_code == 401


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_ids_of_two_runs_never_meet() -> None:
    assert len({IdSource(drawn_seed()).derive("session", "user-1", 0) for _ in range(64)}) == 64


def test_a_secret_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 16 bytes"):
        checked_secret("short", "TINKER_MOCK_SECRET")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        secret_from(tmp_path / "none")
    (tmp_path / "kept").write_text(f"{SECRET}\n")
    assert secret_from(tmp_path / "kept") == SECRET
