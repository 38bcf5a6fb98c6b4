"""The mock that releases are audited against."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.suite.mock_process import mock_server

TOKENIZED_MODEL = "audit/small"
FIXTURE = FIXTURES / "tokenizers" / "bytelevel_small"


FLAGS = (
    "--client-config=pjwt_auth_enabled=true",
    "--client-config=parallel_fwdbwd_chunks=true",
    "--client-config=proto_write_fwdbwd=true",
    "--client-config=proto_compress_fwdbwd=true",
    "--client-config=fwd_via_fwdbwd=true",
    "--client-config=create_model_via_load_weights=true",
    "--client-config=sample_use_retrieve_futures=true",
    "--client-config=sample_join_sampling_session=true",
    "--client-config=custom_loss_server_side=true",
    "--dynamic-config=sample_cancel_enabled=true",
)
"""Every optional path of the wire: JWTs, protobuf and zstd bodies, multi-polls, cancelling."""


def tokenized_entry() -> dict[str, Any]:
    """The catalogue entry of a model with a shipped tokenizer."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(FIXTURE / "tokenizer.json"))
    size = tokenizer.get_vocab_size()
    return {
        "arch": "audit",
        "vocabulary_size": size,
        "tokenizer_size": size,
        "context_length": 4096,
        "end_tokens": [tokenizer.token_to_id("<|im_end|>")],
        "tokenizer_id": str(FIXTURE),
    }


@contextmanager
def audit_mock(*options: str) -> Iterator[str]:
    """A mock that also offers TOKENIZED_MODEL; gives its URL."""
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch) / "models.yaml"
        models.write_text(yaml.safe_dump({"models": {TOKENIZED_MODEL: tokenized_entry()}}))
        small = ["--adapter-shapes", "compact"]
        with mock_server([*options, *small, "--models", str(models)]) as url:
            yield url
