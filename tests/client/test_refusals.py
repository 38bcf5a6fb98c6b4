"""What makes no sense is refused where it is given, and nothing is sent or lost for it."""

import warnings
from typing import Any

import pytest

from tinker_mock.client import (
    ClientConfig,
    Datum,
    HeartbeatSettings,
    ModelInput,
    RecoveryPolicy,
    ServiceClient,
    ValidationError,
)
from tinker_mock.client.http.responses import http_date
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"base_url": "localhost:8000"}, "http://"),
        ({"base_url": "ftp://host"}, "http://"),
        ({"base_url": "http://a b"}, "no address"),
        ({"base_url": "http://host:99999"}, "no address"),
        ({"timeout": -1}, "positive number of seconds"),
        ({"timeout": "soon"}, "positive number of seconds"),
        ({"max_retries": 1.5}, "whole number"),
        ({"pool_size": 0}, "whole number"),
        ({"log_level": "loud"}, "log_level"),
        ({"tags": "one"}, "list of texts"),
        ({"feature_gates": [1]}, "list of texts"),
        ({"proxy": "http://p:1", "proxy_headers": [("name", 1)]}, "proxy_headers"),
        ({"proxy": "socks5://p:1"}, "http or https"),
        ({"sed": 3}, "unknown client option"),
    ],
)
def test_a_setting(options: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ClientConfig.resolve(api_key="tml-x", **options)
    assert ClientConfig.resolve(api_key="tml-x", log_level="warning").log_level == "warn"


def test_heartbeats_and_recovery() -> None:
    with pytest.raises(ValidationError, match="positive"):
        HeartbeatSettings(interval=-1.0)
    for wrong in ({"max_attempts": -1}, {"poll_interval": 0}, {"checkpoint_strategy": "oldest"}):
        with pytest.raises(ValidationError, match="makes no sense"):
            RecoveryPolicy(**wrong)


def test_a_negative_wait_does_not_end_the_work() -> None:
    data = [Datum.of(ModelInput.from_ints([1]), target_tokens=[2], weights=[1.0])]
    with RunningServer(Settings(port=0)) as server:
        service = ServiceClient(base_url=server.url, api_key="tml-refusals")
        training = service.create_lora_training_client("Qwen/Qwen3-8B", 4)
        operation = training.forward(data, "cross_entropy")
        for wrong in (-1, "soon", True):
            with pytest.raises(ValidationError, match="timeout"):
                operation.result(wrong)  # type: ignore[arg-type]
        assert operation.result(60).metrics["loss:sum"] > 0
        with pytest.raises(ValidationError, match="destination_project_id"):
            service.create_rest_client().copy_weights("tinker://r/weights/x")
        service.close()
        service.close()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeError, match="closed"):
                service.get_server_capabilities()


def test_times_of_headers() -> None:
    rfc, iso = http_date("Wed, 21 Oct 2026 07:28:00 GMT"), http_date("2026-10-21T07:28:00+00:00")
    assert rfc == iso
    assert (http_date("tomorrow"), http_date(None)) == ("tomorrow", None)
