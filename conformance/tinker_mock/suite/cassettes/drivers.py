"""The Tinker clients that run the programs: the real SDK of any release, the reference client.

Loaded in a real SDK's environment too: nothing but the standard library and `driver`.
"""

import json
import math
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from tinker_mock.suite.cassettes.driver import KEY, Driver, NotInReleaseError

LONGEST_WAIT = 10
"""Seconds until a request that a client may not send at all is no longer waited for."""
LONGEST_START = 60
"""Seconds for what every client does, on the slowest machine."""


def seen_by(url: str) -> Callable[[str], None]:
    """Waits for requests that the mock at this address has in its journal."""

    def wait(operation: str) -> None:
        query = f"operation={operation}&count=1&timeout={LONGEST_WAIT}"
        try:
            with urlopen(f"{url}/_mock/journal/wait?{query}") as answer:
                answer.read()
        except HTTPError as error:
            if error.code != 408:
                raise

    return wait


def polled_at(url: str) -> Callable[[], None]:
    """Waits until a promise of the mock at this address has been asked for. Raises TimeoutError."""

    def wait() -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < LONGEST_START:
            with urlopen(f"{url}/_mock/promises") as answer:
                if any(one["polls"] for one in json.load(answer)["promises"]):
                    return
        raise TimeoutError(f"nobody asked for a promise in {LONGEST_START} s")

    return wait


class ClientDriver(Driver):
    """What all Tinker clients have in common."""

    def wait(self, pending: Any) -> Any:
        return pending.result() if hasattr(pending, "result") else pending

    def output(self, pending: Any) -> dict[str, Any]:
        """Outputs and metrics of a pass."""
        result = self.wait(pending)
        outputs = [
            {name: [float(x) for x in tensor.data] for name, tensor in one.items()}
            for one in result.loss_fn_outputs
        ]
        return {"outputs": outputs, "metrics": dict(result.metrics)}

    def metrics(self, pending: Any) -> dict[str, float]:
        return dict(self.wait(pending).metrics or {})

    def samples(self, sampling: Any, tokens: list[int], count: int, params: Any) -> Any:
        """Tokens, log-probabilities and stop reasons."""
        response = self.wait(sampling.sample(self.prompt(tokens), count, params))
        return [
            {
                "tokens": [int(token) for token in one.tokens],
                "logprobs": [float(x) for x in one.logprobs],
                "stop_reason": one.stop_reason,
            }
            for one in response.sequences
        ]

    def logprobs(self, sampling: Any, tokens: list[int]) -> list[float | None]:
        found = self.wait(sampling.compute_logprobs(self.prompt(tokens)))
        return [None if x is None or math.isnan(x) else float(x) for x in found]

    def top_logprobs(self, sampling: Any, tokens: list[int], params: Any, k: int) -> Any:
        response = self.wait(
            sampling.sample(
                self.prompt(tokens),
                1,
                params,
                include_prompt_logprobs=True,
                topk_prompt_logprobs=k,
            )
        )
        rows = response.topk_prompt_logprobs
        return [row and [[int(token), float(x)] for token, x in row] for row in rows]

    def publish(self, rest: Any, path: str) -> None:
        self.wait(rest.publish_checkpoint_from_tinker_path(path))

    def unpublish(self, rest: Any, path: str) -> None:
        self.wait(rest.unpublish_checkpoint_from_tinker_path(path))

    def delete(self, rest: Any, path: str) -> None:
        self.wait(rest.delete_checkpoint_from_tinker_path(path))

    def copy(self, rest: Any, path: str, project: str) -> str:
        """The copy's path: newer clients give it, older ones an object that has it."""
        copied = self.wait(rest.copy_weights(path, destination_project_id=project))
        return copied if isinstance(copied, str) else str(copied.tinker_path)

    def audit_log(self, rest: Any) -> list[str]:
        """Names of today's events."""
        log = self.wait(rest.get_audit_log())
        entries = getattr(log, "entries", log)
        return [str(one["event"] if isinstance(one, dict) else one.event) for one in entries]

    def trace(self, rest: Any, session: str) -> str:
        """Whether there is a link to the trace."""
        export = self.wait(rest.export_session_trace(session))
        return "link" if str(getattr(export, "url", export)).startswith("http") else "none"

    def search_sessions(self, rest: Any, metadata: dict[str, str]) -> list[Any]:
        """Sessions with these metadata."""
        return list(rest.search_sessions(user_metadata=metadata).sessions)

    def needs(self, name: str, owner: Any = None) -> None:
        """Raise `NotInReleaseError` if the client, or one of its parts, has no such method."""
        if not hasattr(self if owner is None else owner, name):
            raise NotInReleaseError(name)

    until: Callable[[str], None]
    """Waits until the server has had a request of an operation; a client may send none."""

    until_polled: Callable[[], None]
    """Waits until the server has been asked for a promise."""

    @abstractmethod
    def prompt(self, tokens: list[int]) -> Any:
        """Tokens as this client's own model input."""


class SdkDriver(ClientDriver):
    """The `tinker` package on the path, whatever its release."""

    def __init__(self, url: str) -> None:
        import tinker  # type: ignore[import-not-found,unused-ignore]
        from tinker import types  # type: ignore[import-not-found,unused-ignore]

        self.types = types
        self.until, self.until_polled = seen_by(url), polled_at(url)
        self.service = tinker.ServiceClient(base_url=url, api_key=KEY)

    def close(self) -> None:
        """Releases from 0.27 on can say that a session is over."""
        if hasattr(self.service, "close"):
            self.wait(self.service.close("success"))

    def model_names(self) -> list[str]:
        answer = self.wait(self.service.get_server_capabilities())
        return [model.model_name for model in answer.supported_models]

    def datum(self, tokens: list[int], **inputs: list[Any]) -> Any:
        tensors = {
            name: self.types.TensorData(
                data=values,
                dtype="int64" if name == "target_tokens" else "float32",
                shape=[len(values)],
            )
            for name, values in inputs.items()
        }
        return self.types.Datum(model_input=self.prompt(tokens), loss_fn_inputs=tensors)

    def prompt(self, tokens: list[int]) -> Any:
        return self.types.ModelInput.from_ints(tokens)

    def adam(self, learning_rate: float, **more: float) -> Any:
        return self.types.AdamParams(learning_rate=learning_rate, **more)

    def params(self, **values: Any) -> Any:
        return self.types.SamplingParams(**values)

    def training(self, base: str, *, rank: int, seed: int) -> Any:
        make = self.service.create_lora_training_client
        return self.wait(make(base_model=base, rank=rank, seed=seed))

    def from_state(self, path: str) -> Any:
        return self.wait(self.service.create_training_client_from_state(path))

    def sampling(self, **source: str) -> Any:
        return self.wait(self.service.create_sampling_client(**source))

    def sampling_from(self, training: Any, name: str) -> Any:
        return self.wait(training.save_weights_and_get_sampling_client(name))

    def rest(self) -> Any:
        return self.wait(self.service.create_rest_client())

    def search_sessions(self, rest: Any, metadata: dict[str, str]) -> list[Any]:
        request = self.types.SessionSearchRequest(user_metadata=metadata)
        return list(self.wait(rest.search_sessions(request)).sessions)

    def cancel(self, pending: Any) -> bool:
        """Only futures that wrap a `concurrent.futures.Future` can be cancelled."""
        future = pending.future() if hasattr(pending, "future") else pending
        stopped = bool(future.cancel())
        self.until("cancel_future")
        return stopped


class ReferenceDriver(ClientDriver):
    """The reference client under a preset; `http` replaces the network."""

    def __init__(self, url: str, preset: str, http: Any = None, clock: Any = None) -> None:
        from tinker_mock import client

        self.client = client
        config = client.ClientConfig.resolve(
            base_url=url, api_key=KEY, preset=preset, telemetry_enabled=False
        )
        self.until = seen_by(url) if http is None else http.until
        self.until_polled = polled_at(url) if http is None else http.until_polled
        beats = None if clock is None else client.HeartbeatSettings(interval=1e9)
        self.service = client.ServiceClient(config, http=http, clock=clock, heartbeat=beats)

    def close(self) -> None:
        self.service.close()

    def model_names(self) -> list[str]:
        names: list[str] = self.service.get_server_capabilities().model_names
        return names

    def datum(self, tokens: list[int], **inputs: list[Any]) -> Any:
        return self.client.Datum.of(self.prompt(tokens), **inputs)

    def prompt(self, tokens: list[int]) -> Any:
        return self.client.ModelInput.from_ints(tokens)

    def adam(self, learning_rate: float, **more: float) -> Any:
        return self.client.AdamParams(learning_rate, **more)

    def params(self, **values: Any) -> Any:
        return self.client.SamplingParams(**values)

    def training(self, base: str, *, rank: int, seed: int) -> Any:
        return self.service.create_lora_training_client(base, rank, seed=seed)

    def from_state(self, path: str) -> Any:
        return self.service.create_training_client_from_state(path)

    def sampling(self, **source: Any) -> Any:
        return self.service.create_sampling_client(**source)

    def sampling_from(self, training: Any, name: str) -> Any:
        return training.save_weights_and_get_sampling_client(name)

    def rest(self) -> Any:
        return self.service.create_rest_client()

    def cancel(self, pending: Any) -> bool:
        stopped = bool(pending.cancel())
        self.until("cancel_future")
        return stopped
