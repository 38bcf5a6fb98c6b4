"""From a request body to sampling parameters."""

import hashlib
import re
from typing import Any

import orjson

from tinker_mock.server.engine import LogitBias
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Tenant
from tinker_mock.server.text.generation import Params

DEFAULT_COMPLETION_TOKENS = 16
TOKEN_ID = re.compile(r"[0-9]{1,12}")
ABOUT_DELIVERY = ("stream", "stream_options", "user", "metadata", "store")

UNSIMULATED = {
    "suffix": "must be empty or null",
    "best_of": "must be 1 or null",
}


def entropy_of(backend: Backend, tenant: Tenant, body: dict[str, Any]) -> str:
    """What seeds an answer: the request's seed, or the server's, tenant and how often it came."""
    seed = body.get("seed")
    if seed is not None:
        return f"seed:{seed}"
    return backend.ids.next("text", tenant.id, digest_of(body))


def answer_id(backend: Backend, body: dict[str, Any], kind: str, entropy: str) -> str:
    """The answer's id: the same for the same seeded request."""
    return backend.ids.derive(kind, entropy, digest_of(body))


def digest_of(body: dict[str, Any]) -> str:
    """What a request asks for, however the answer is delivered."""
    asked = {name: value for name, value in body.items() if name not in ABOUT_DELIVERY}
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


def refuse_unsimulated(body: dict[str, Any]) -> None:
    """Raise BadRequest for what would change the answer elsewhere and cannot here.

    Values that mean "unchanged" are fine: clients send them without being asked.
    """
    asked = {
        "suffix": bool(body.get("suffix")),
        "best_of": (body.get("best_of") or 1) > 1,
    }
    for name in (name for name, changes in asked.items() if changes):
        rule = UNSIMULATED[name]
        raise BadRequest(
            f"{name}: is not supported by this server, {rule}",
            pointer=f"/{name}",
            rule=rule,
            fix=f"leave {name} out",
            details={"wire_code": "unsupported_parameter"},
        )


def logit_bias_of(body: dict[str, Any]) -> LogitBias | None:
    """Penalties and biases, None if they change nothing; raises BadRequest for what is no id."""
    given = body.get("logit_bias") or {}
    for token in given:
        if not TOKEN_ID.fullmatch(token):
            raise BadRequest(
                f"logit_bias: {token[:40]!r} is no token id",
                pointer="/logit_bias",
                rule="keys are token ids in decimal digits",
                fix="tokenize with the tokenizer of this model",
            )
    bias = tuple(sorted((int(token), float(value)) for token, value in given.items()))
    presence, frequency = body.get("presence_penalty") or 0.0, body.get("frequency_penalty") or 0.0
    if not (presence or frequency or any(value for _, value in bias)):
        return None
    return LogitBias(presence, frequency, bias)


def openai_params(body: dict[str, Any], max_tokens: int, entropy: str) -> Params:
    """Of chat and plain completions; raises BadRequest for what is not simulated."""
    refuse_unsimulated(body)
    stop = body.get("stop") or ()
    logprobs = body.get("logprobs")
    if isinstance(logprobs, bool):  # chat: a flag, with the number beside it
        logprobs = (body.get("top_logprobs") or 0) if logprobs else None
    return Params(
        max_tokens=max_tokens,
        temperature=_or(body.get("temperature"), 1.0),
        top_p=_or(body.get("top_p"), 1.0),
        top_k=_limit(body.get("top_k")),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        logprobs=logprobs,
        ignore_end=bool(body.get("ignore_eos")),
        logit_bias=logit_bias_of(body),
        entropy=entropy,
    )


def anthropic_params(body: dict[str, Any], entropy: str) -> Params:
    """Of messages."""
    return Params(
        max_tokens=body["max_tokens"],
        temperature=_or(body.get("temperature"), 1.0),
        top_p=_or(body.get("top_p"), 1.0),
        top_k=_limit(body.get("top_k")),
        stop=tuple(body.get("stop_sequences") or ()),
        entropy=entropy,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _limit(top_k: int | None) -> int:
    return top_k if top_k and top_k > 0 else -1
