"""Sampling: bodies, back-off, dispatch, retries, pauses."""

import asyncio
from typing import Any

from tinker_mock.client import (
    AsyncSamplingClient,
    ManualClock,
    ModelInput,
    QueueState,
    RetryConfig,
    SamplingParams,
    TinkerError,
)
from tinker_mock.client.compat.circuit import CircuitBreaker
from tinker_mock.client.errors import ApiStatusError, Category
from tinker_mock.client.futures.attempts import RetryHandler
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.requests import prepare_body
from tinker_mock.client.http.throttle import RateLimiter
from tinker_mock.client.sampling.dispatch import DispatchLimits, SamplingDispatch
from tinker_mock.client.semaphores import BytesSemaphore
from tinker_mock.client.watch.queue_state import QueueStateLogger, pause_line, reason_for
from tinker_mock.suite.vectors.client.stage import (
    SESSION,
    Captured,
    Component,
    Stage,
    failure,
    outcome,
    rejected,
    run,
)
from tinker_mock.suite.vectors.comparison import Partial

_RESULT = {"sequences": [{"tokens": [1], "logprobs": None, "stop_reason": "stop"}]}
_ONCE = RetryConfig(enable_retry_logic=False)


def sampling_stage(answers: Any) -> Stage:
    opened = {"create_sampling_session": {"sampling_session_id": "<id>"}}
    return Stage({**SESSION, **opened, "retrieve_future": _RESULT, "asample": answers})


async def with_sampler(stage: Stage, use: Any, **options: Any) -> Any:
    async with stage.service() as service:
        return await use(await service.create_sampling_client("base", **options))


def sampling(given: Any, entry: Any) -> Any:
    if "responses" in given:
        stage = sampling_stage(given["responses"])

        async def use(client: AsyncSamplingClient) -> Any:
            return await client.sample(ModelInput.from_ints([1]))

        result = outcome(lambda: run(with_sampler(stage, use, retry_config=_ONCE)))
        return Partial(result | {"requests": len(stage.script.bodies("asample"))})
    stage = Stage([{"request_id": "r"}])
    body = prepare_body(given["request"], drop_nulls=True)

    async def send() -> None:
        async with stage.transport() as transport:
            await transport.send(Call("POST", "/api/v1/asample", json=body))

    run(send())
    return {"request": stage.script.line(), "body": stage.script.bodies("asample")[0]}


def sample_request(given: Any, entry: Any) -> Any:
    if not isinstance(given, dict):
        body = _first_body([1], include_prompt_logprobs=given)
        return body.get("prompt_logprobs", "absent")
    params = SamplingParams(max_tokens=given["max_tokens"], temperature=given["temperature"])
    stage = sampling_stage({"request_id": "r"})

    async def use(client: AsyncSamplingClient) -> None:
        prompt = ModelInput.from_ints(given["prompt"])
        await client.sample(prompt, given["num_samples"], params)

    run(with_sampler(stage, use))
    request = next(one for one in stage.script.requests if one.url.path.endswith("/asample"))
    headers = {name: request.headers[name] for name in entry["expected"]["header"]}
    return {"json": stage.script.bodies("asample")[0], "header": headers}


def _first_body(prompt: list[int], **options: Any) -> Any:
    stage = sampling_stage({"request_id": "r"})

    async def use(client: AsyncSamplingClient) -> None:
        await client.sample(ModelInput.from_ints(prompt), **options)

    run(with_sampler(stage, use))
    return stage.script.bodies("asample")[0]


def sampling_client(given: Any, entry: Any) -> Any:
    if isinstance(given, int):
        return round(_backoff(given) * 1000)
    if "prompt_tokens" in given:
        backoff = round(_backoff(given["prompt_tokens"], given["response"]) * 1000)
        return {"backoff_ms": backoff, "tolerance": entry["expected"]["tolerance"]}
    if "response" in given:
        with Captured() as captured:
            _backoff(1, given["response"])
        return {"log": captured.text}
    if "dispatch_concurrency" in given:
        return {"order": run(_serialised(given["dispatch_concurrency"]))}
    if "asample_response" in given:
        stage = sampling_stage(given["asample_response"])

        async def use(client: AsyncSamplingClient) -> int:
            return len((await client.sample(ModelInput.from_ints([1]))).sequences)

        return {"sequences": run(with_sampler(stage, use))}
    return Partial(_first_body([1], num_samples=given["num_samples"]))


def _backoff(tokens: int, answer: Any = (429, {"error": "rate"})) -> float:
    """Seconds everybody holds back after one 429."""
    stage = sampling_stage([list(answer)])

    async def use(client: AsyncSamplingClient) -> float:
        try:
            await client.sample(ModelInput.from_ints([1] * tokens))
        except ApiStatusError:
            return client.connection.limiter.remaining
        raise AssertionError("a 429 went unnoticed")

    return float(run(with_sampler(stage, use, retry_config=_ONCE)))


async def _serialised(concurrency: int) -> str:
    dispatch = SamplingDispatch(RateLimiter(ManualClock()), DispatchLimits(concurrency=concurrency))
    log: list[str] = []

    async def one(name: str) -> None:
        async with dispatch.permit(1):
            log.append(f"{name} starts")
            await asyncio.sleep(0)
            log.append(f"{name} completes")

    await asyncio.gather(one("first"), one("second"))
    assert log == ["first starts", "first completes", "second starts", "second completes"]
    return "second starts only after first completes"


def bytes_semaphore(given: Any, entry: Any) -> Any:
    return run(_bytes(given, entry["expected"]))


async def _bytes(given: Any, expected: list[str]) -> list[str]:
    semaphore = BytesSemaphore(given["max"])
    log: list[str] = []
    waiting: list[asyncio.Future[None]] = []
    for operation in given["ops"]:
        verb, size = operation.split()
        if verb == "release":
            semaphore.release(int(size))
            await asyncio.sleep(0)
            log.append("-> third granted" if waiting and waiting[-1].done() else "-> nothing")
            continue
        task = asyncio.ensure_future(semaphore.acquire(int(size)))
        await asyncio.sleep(0)
        if not task.done():
            waiting.append(task)
            log.append("blocked")
        else:
            overdrawn = f" (balance {semaphore.balance})" if semaphore.balance < 0 else ""
            log.append(f"granted{overdrawn}")
    assert len(log) == len(expected)
    return log


def sampling_dispatch(given: Any, entry: Any) -> Any:
    if not given:
        limits = DispatchLimits()
        return {
            "concurrency": limits.concurrency,
            "throttled_concurrency": limits.throttled_concurrency,
            "byte_budget": limits.byte_budget,
            "byte_penalty": limits.byte_penalty,
            "recent_backoff_window_ms": round(limits.recent_backoff_window * 1000),
        }
    return run(_penalty(given))


async def _penalty(given: Any) -> Any:
    limiter = RateLimiter(ManualClock())
    limiter.set_backoff(given["backoff_ms"] / 1000)
    dispatch = SamplingDispatch(limiter, DispatchLimits(byte_budget=given["byte_budget"]))
    held: list[int] = []
    leave = asyncio.Event()

    async def one(size: int) -> None:
        async with dispatch.permit(size):
            held.append(size)
            await leave.wait()

    tasks = [asyncio.ensure_future(one(size)) for size in given["requests"]]
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    alone = len(held) == 1
    effective = dispatch.effective_bytes(given["requests"][0])
    leave.set()
    await asyncio.gather(*tasks)
    second = "waits for first to release" if alone and len(held) == 2 else "does not wait"
    return {"effective_bytes_each": effective, "second": second}


def retry_config(given: Any, entry: Any) -> Any:
    if given:
        return rejected(lambda: RetryConfig(**_seconds(given)), entry["expected"]["error"])
    config = RetryConfig()
    return {
        "max_retries": "infinity" if config.max_retries is None else config.max_retries,
        "base_delay_ms": round(config.base_delay * 1000),
        "max_delay_ms": round(config.max_delay * 1000),
        "jitter_pct": config.jitter,
        "progress_timeout_ms": round(config.progress_timeout * 1000),
        "max_connections": config.max_connections,
        "enable_retry_logic": config.enable_retry_logic,
    }


def _seconds(given: Any) -> dict[str, Any]:
    names = {"base_delay_ms": "base_delay", "max_delay_ms": "max_delay", "jitter_pct": "jitter"}
    return {
        names.get(name, name): value / 1000 if name.endswith("_ms") else value
        for name, value in given.items()
    }


def retry_handler(given: Any, entry: Any) -> Any:
    if "error" in given:
        limit = None if given["max_retries"] == "inf" else given["max_retries"]
        error = ApiStatusError("", status=given["error"]["status"])
        return RetryConfig(max_retries=limit).allows(error, given["attempt"])
    longest = given.get("max", 8000) / 1000
    config = RetryConfig(
        base_delay=given.get("base", 500) / 1000, max_delay=longest, jitter=given.get("jitter", 0.0)
    )
    delays = [round(config.delay(given["attempt"], random) * 1000) for random in (0.0, 1.0)]
    if "test_asserts" in entry["expected"] if isinstance(entry["expected"], dict) else False:
        low, high = delays
        within = f"0..{high}" if low >= 0 else f"{low}..{high}"
        return {"min": low, "max": high, "test_asserts": within}
    return delays[0]


def retry(given: Any, _entry: Any) -> Any:
    calls = 0
    always = str(given["results"]).removeprefix("always ")
    results = [int(always)] * 9 if isinstance(given["results"], str) else given["results"]
    clock = ManualClock(autojump=True)

    async def request() -> bool:
        nonlocal calls
        calls += 1
        if "last_progress_ms_ago" in given:
            await clock.advance(given["last_progress_ms_ago"] / 1000)
        result = results[calls - 1]
        if result == "raise":
            raise RuntimeError("crash")
        if result != "ok":
            category = Category.USER if result < 500 else Category.SERVER
            raise ApiStatusError("failed", status=result, category=category)
        return True

    config = RetryConfig(
        max_retries=given.get("max_retries"),
        progress_timeout=given.get("progress_timeout_ms", 7_200_000) / 1000,
    )
    try:
        value: dict[str, Any] = {"ok": run(RetryHandler(config, clock=clock).run(request))}
    except TinkerError as error:
        value = dict(failure(error))
    return Partial(value | {"calls": calls})


def queue_state_logger(given: Any, entry: Any) -> Any:
    if "last_logged_ms_ago" in given:
        return run(_logs_again(given["last_logged_ms_ago"]))
    state = QueueState(given["state"])
    if "kind" not in given:
        with Captured() as captured:
            QueueStateLogger("sampling", "x", clock=ManualClock())(state, None)
        return {"logged": bool(captured.text)}
    if "id" in given:
        return pause_line(state, given["kind"], given["id"], given["server_reason"])
    return reason_for(state, given["kind"], given.get("server_reason"))


async def _logs_again(milliseconds: int | None) -> bool:
    clock = ManualClock()
    log = QueueStateLogger("sampling", "x", clock=clock)
    if milliseconds is not None:
        log(QueueState.PAUSED_CAPACITY, None)
        await clock.advance(milliseconds / 1000)
    return log.should_log(QueueState.PAUSED_CAPACITY)


def circuit_breaker(given: Any, _entry: Any) -> Any:
    if not given:
        default = CircuitBreaker()
        return {
            "failure_threshold": default.failure_threshold,
            "reset_timeout_ms": round(default.reset_timeout * 1000),
            "half_open_max_calls": default.half_open_max_calls,
        }
    breaker = CircuitBreaker(failure_threshold=given["failure_threshold"], clock=ManualClock())
    for _ in range(given["failures"]):
        breaker.record(succeeded=False)
    return breaker.state


COMPONENTS: dict[str, Component] = {
    "Sampling": sampling,
    "SampleRequest": sample_request,
    "SamplingClient": sampling_client,
    "BytesSemaphore": bytes_semaphore,
    "SamplingDispatch": sampling_dispatch,
    "RetryConfig": retry_config,
    "RetryHandler": retry_handler,
    "Retry": retry,
    "QueueStateLogger": queue_state_logger,
    "CircuitBreaker": circuit_breaker,
}
