"""What the catalogue says is enforced: lengths, ranks, modalities, kinds of checkpoints, dates."""

import base64
import struct
from typing import Any

import httpx
import pytest

from tests.server.conftest import BASE, TOKENS, Api, datum, sample, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer

LONG = "moonshotai/Kimi-K2.6:peft:131072"
PLAIN = "moonshotai/Kimi-K2.6"
SERVERLESS = "thinkingmachines/Inkling:peft:262144:sampling-nvfp4"
VISION = "Qwen/Qwen3.6-35B-A3B"
RETIRED = "meta-llama/Llama-3.2-1B"


def refusal(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"]["message"])


def test_a_training_sequence_longer_than_the_context_is_refused_at_once(api: Api) -> None:
    model = api.model()
    fits, beyond = datum([7] * 32769), datum([7] * 32770)
    told = refusal(api.post("forward_backward", training_step(model, 1, datum(), fits, beyond)))
    assert told == (
        "sequence length 32769 exceeds max sequence length 32768 for field target_tokens[2]"
    )
    # The refused number does not hold up the ones behind it.
    assert "metrics" in api.done("forward_backward", training_step(model, 2, fits))
    given = {"data": [beyond], "loss_fn": "cross_entropy"}
    forward = {"model_id": model, "seq_id": 3, "forward_input": given}
    assert "target_tokens[0]" in refusal(api.post("forward", forward))


def test_an_input_longer_than_its_targets_is_refused_too(api: Api) -> None:
    example = datum()
    example["model_input"]["chunks"] = [{"tokens": [7] * 40_000}]
    told = refusal(api.post("forward_backward", training_step(api.model(), 1, example)))
    assert told.endswith("for field model_input[0]")


def test_a_prompt_with_max_tokens_beyond_the_context_is_refused_at_once(api: Api) -> None:
    sampler = api.sampler()
    prompt = {"chunks": [{"tokens": [7] * 32_700}]}
    params = {"max_tokens": 100}
    body = sample(sampler, 0, prompt=prompt, sampling_params=params)
    for path in ("asample", "stream_sample"):
        assert refusal(api.post(path, body)) == (
            "Prompt length plus max_tokens exceeds the model's context window: 32700 + 100 > 32768"
        )
    body = sample(
        sampler, 1, prompt=prompt, sampling_params={"max_tokens": 68, "seed": 1, "stop": []}
    )
    assert len(api.done("asample", body)["sequences"][0]["tokens"]) == 68


@pytest.mark.tinker_mock(quirks=("inkling-long-context",))
def test_a_quirk_gives_plain_inkling_the_long_context(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-inkling")
    with api.http:
        sampler = api.sampler(base_model="thinkingmachines/Inkling-Small")
        prompt = {"chunks": [{"tokens": [7] * 150_000}]}
        assert api.done("asample", sample(sampler, 0, prompt=prompt))
        prompt = {"chunks": [{"tokens": [7] * 300_000}]}
        assert "> 262144" in refusal(api.post("asample", sample(sampler, 1, prompt=prompt)))


def test_without_max_tokens_a_sample_ends_with_the_context(api: Api) -> None:
    prompt = {"chunks": [{"tokens": [7] * 32_760}]}
    body = sample(api.sampler(), 0, prompt=prompt, sampling_params={"stop": [], "seed": 1})
    assert len(api.done("asample", body)["sequences"][0]["tokens"]) == 8


def test_a_variant_has_its_own_context_in_training_and_sampling(api: Api) -> None:
    long = datum([7] * 40_000)
    told = api.post("forward_backward", training_step(api.model(base_model=PLAIN), 1, long))
    assert "max sequence length 32768" in refusal(told)
    assert told.json()["error"]["fix"] == f"cut the sequence, or use {LONG}"
    model = api.model(base_model=LONG)
    assert "metrics" in api.done("forward_backward", training_step(model, 1, long))
    assert api.post("get_info", {"model_id": model}).json()["model_name"] == LONG


def test_a_checkpoint_is_sampled_with_the_context_of_the_row_that_is_named(api: Api) -> None:
    session = api.session()
    model = api.model(session, base_model=PLAIN)
    saved = {"model_id": model, "seq_id": 1, "path": "a"}
    path = api.done("save_weights_for_sampler", saved)["path"]
    prompt = {"chunks": [{"tokens": [7] * 40_000}]}
    short = api.sampler(session, 0, model_path=path)
    assert "> 32768" in refusal(api.post("asample", sample(short, 0, prompt=prompt)))
    longer = api.sampler(session, 1, model_path=path, base_model=LONG)
    assert len(api.done("asample", sample(longer, 0, prompt=prompt))["sequences"]) == 1


def test_rows_of_one_base_model_have_the_same_weights(api: Api) -> None:
    session = api.session()
    drawn = [
        api.done("asample", sample(api.sampler(session, number, base_model=name), 0))
        for number, name in enumerate((PLAIN, LONG))
    ]
    assert drawn[0]["sequences"][0]["tokens"] == drawn[1]["sequences"][0]["tokens"]


def test_only_listed_rows_exist_and_all_of_them_are_listed(api: Api) -> None:
    listed = {
        one["model_name"]: one
        for one in api.get("get_server_capabilities").json()["supported_models"]
    }
    assert listed[PLAIN]["max_context_length"] == 32_768
    assert listed[LONG]["max_context_length"] == 131_072
    assert "zai-org/GLM-5.3" not in listed
    assert listed["zai-org/GLM-5.3:peft:262144"]["trainable"]
    assert not listed[SERVERLESS]["trainable"]
    for name in ("Qwen/Qwen3-8B:peft:999", "zai-org/GLM-5.3"):
        body = {"session_id": api.session(), "sampling_session_seq_id": 0, "base_model": name}
        assert "unknown base model" in refusal(api.post("create_sampling_session", body))


def test_a_serverless_row_samples_and_takes_no_adapter(api: Api) -> None:
    session = api.session()
    assert api.done("asample", sample(api.sampler(session, 0, base_model=SERVERLESS), 0))
    body = {"session_id": session, "model_seq_id": 0, "base_model": SERVERLESS}
    assert "cannot be trained" in refusal(api.post("create_model", body))
    model = api.model(session, 1, base_model="thinkingmachines/Inkling")
    saved = {"model_id": model, "seq_id": 1, "path": "a"}
    path = api.done("save_weights_for_sampler", saved)["path"]
    body = {"session_id": session, "sampling_session_seq_id": 1, "model_path": path}
    told = refusal(api.post("create_sampling_session", {**body, "base_model": SERVERLESS}))
    assert "takes no adapters" in told
    other = {**body, "base_model": BASE}
    assert "was trained from" in refusal(api.post("create_sampling_session", other))


@pytest.mark.parametrize(
    ("rank", "told"),
    [(48, "a power of 2"), (100, "a power of 2"), (0, "positive"), (-4, "positive")],
)
def test_a_rank_is_a_positive_power_of_two(api: Api, rank: int, told: str) -> None:
    body = {"session_id": api.session(), "model_seq_id": 0, "base_model": BASE}
    refused = api.post("create_model", {**body, "lora_config": {"rank": rank}})
    assert refusal(refused) == f"lora_config.rank must be {told}"
    for number, fine in enumerate((1, 2, 64, 512)):
        wanted = {**body, "model_seq_id": number, "lora_config": {"rank": fine}}
        assert api.post("create_model", wanted).status_code == 200


def test_a_creation_without_a_base_model_is_told_in_the_services_words(api: Api) -> None:
    body = {"session_id": api.session(), "model_seq_id": 0}
    assert refusal(api.post("create_model", body)) == "base_model is required"


def test_training_state_is_not_sampled_and_sampler_weights_are_not_trained(api: Api) -> None:
    session = api.session()
    model = api.model(session)
    state = api.done("save_weights", {"model_id": model, "seq_id": 1, "path": "a"})["path"]
    saved = {"model_id": model, "seq_id": 2, "path": "b"}
    weights = api.done("save_weights_for_sampler", saved)["path"]
    body = {"session_id": session, "sampling_session_seq_id": 0, "model_path": state}
    assert "training state" in refusal(api.post("create_sampling_session", body))
    chat = {"model": state, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
    headers = {"Authorization": f"Bearer {api.http.headers['X-API-Key']}"}
    refused = api.http.post("/oai/api/v1/chat/completions", json=chat, headers=headers)
    assert refused.status_code == 400
    assert "training state" in refused.json()["detail"]
    created = {"session_id": session, "model_seq_id": 1, "path": weights, "optimizer": False}
    assert "no training checkpoint" in refusal(api.post("load_weights", created))
    fresh = api.model(session, 2)
    loaded = {"model_id": fresh, "seq_id": 1, "path": weights, "optimizer": False}
    assert "no training checkpoint" in refusal(api.post("load_weights", loaded))
    other = {**loaded, "model_id": api.model(session, 3), "path": state}
    assert api.done("load_weights", other)


def test_prompt_logprobs_have_at_most_twenty_alternatives(api: Api) -> None:
    sampler = api.sampler()
    asked = {"prompt_logprobs": True, "topk_prompt_logprobs": 21}
    assert "20" in refusal(api.post("asample", sample(sampler, 0, **asked)), 422)
    rows = api.done("asample", sample(sampler, 1, **{**asked, "topk_prompt_logprobs": 20}))
    assert len(rows["topk_prompt_logprobs"][1]) == 20


def png(width: int, height: int) -> str:
    """The head of a PNG file of that size, in base64: nothing further is looked at."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return base64.b64encode(head + bytes(5)).decode()


def pictured(chunk: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": {"chunks": [{"tokens": TOKENS}, {"format": "png", **chunk}, {"tokens": [5]}]}}


def test_text_models_refuse_pictures(api: Api) -> None:
    body = sample(api.sampler(), 0, **pictured({"data": png(64, 64)}))
    assert refusal(api.post("asample", body)) == f"prompt.chunks[1]: {BASE} takes no pictures"
    pointer = {"location": "s3://x/y.png", "type": "image_asset_pointer", "expected_tokens": 5}
    assert "takes no pictures" in refusal(api.post("asample", {**body, **pictured(pointer)}))


def test_models_without_ears_refuse_sounds(api: Api) -> None:
    dmel = base64.b64encode(bytes([0, 2, 6, 4]) + bytes(24)).decode()
    body = {"prompt": {"chunks": [{"tokens": TOKENS}, {"dmel": dmel}]}}
    deaf, hearing = (
        api.sampler(base_model=VISION),
        api.sampler(base_model="thinkingmachines/Inkling"),
    )
    assert "takes no sounds" in refusal(api.post("asample", sample(deaf, 0, **body)))
    assert api.done("asample", sample(hearing, 0, **body))


def test_expected_tokens_are_the_pictures_own_or_refused(api: Api) -> None:
    sampler = api.sampler(base_model=VISION)
    for expected in (1, 63, 65, 2_000_000_000):
        chunk = {"data": png(224, 224), "expected_tokens": expected}
        told = refusal(api.post("asample", sample(sampler, 0, **pictured(chunk))))
        assert told.startswith(f"prompt.chunks[1].expected_tokens: {expected} is not the 64 tokens")
    for number, expected in enumerate((64, None), 1):
        chunk = {"data": png(224, 224), "expected_tokens": expected}
        assert api.done("asample", sample(sampler, number, **pictured(chunk)))


def test_a_picture_that_claims_a_huge_size_is_the_users_mistake(api: Api) -> None:
    sampler = api.sampler(base_model=VISION)
    chunk = {"data": png(2**31 - 1, 2**31 - 1)}
    assert "its header says" in refusal(api.post("asample", sample(sampler, 0, **pictured(chunk))))


@pytest.mark.tinker_mock(catalog_date="2026-06-11")
def test_a_model_is_on_offer_until_its_day(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-before")
    with api.http:
        model = api.model(base_model=RETIRED)
        assert "metrics" in api.done("forward_backward", training_step(model, 1))


@pytest.mark.tinker_mock(catalog_date="2026-06-12")
def test_from_its_day_a_retired_model_is_refused_everywhere(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-after")
    with api.http:
        session = api.session()
        training = {"session_id": session, "model_seq_id": 0, "base_model": RETIRED}
        sampling = {"session_id": session, "sampling_session_seq_id": 0, "base_model": RETIRED}
        for path, body in (("create_model", training), ("create_sampling_session", sampling)):
            answer = api.post(path, body)
            assert "was retired on 2026-06-12" in refusal(answer)
            assert "Qwen/Qwen3.5-9B-Base" in answer.json()["error"]["fix"]
        listed = api.get("get_server_capabilities").json()["supported_models"]
        assert RETIRED not in {one["model_name"] for one in listed}


@pytest.mark.tinker_mock(include_retired=True)
def test_old_scripts_can_have_the_retired_models_back(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-old")
    with api.http:
        assert api.done("asample", sample(api.sampler(base_model=RETIRED), 0))


@pytest.mark.tinker_mock(clock="manual")
def test_a_retirement_is_rehearsed_on_the_clock(tinker_mock: RunningServer) -> None:
    """Training and sampling end with the day; what was saved is exported all the same."""
    api = Api(tinker_mock, "tml-rehearsal")
    with api.http:
        session = api.session()
        model = api.model(session, base_model="Qwen/Qwen3.6-27B")
        assert api.done("forward_backward", training_step(model, 1))
        saved = api.done("save_weights", {"model_id": model, "seq_id": 2, "path": "kept"})
        sampler = api.sampler(session, 0, base_model="Qwen/Qwen3.6-27B")
        assert api.done("asample", sample(sampler, 0))
        days = (244 + 1) * 24 * 3600  # from 1 January to 2 September
        assert api.http.post("/_mock/clock/advance", json={"seconds": days}).status_code == 200
        again = api.session()
        wanted = {"session_id": again, "path": saved["path"], "optimizer": False, "model_seq_id": 0}
        loaded = api.post("load_weights", wanted)
        reloaded = str(api.outcome(loaded.json()["request_id"])["model_id"])
        assert "retired" in refusal(api.post("forward_backward", training_step(reloaded, 1)))
        assert "retired" in refusal(api.post("optim_step", update(reloaded, 2)))
        fresh = {
            "session_id": again,
            "sampling_session_seq_id": 0,
            "base_model": "Qwen/Qwen3.6-27B",
        }
        assert "retired" in refusal(api.post("create_sampling_session", fresh))
        run, name = saved["path"].removeprefix("tinker://").split("/", 1)
        archive = api.http.get(f"/api/v1/training_runs/{run}/checkpoints/{name}/archive")
        assert archive.status_code == 302
