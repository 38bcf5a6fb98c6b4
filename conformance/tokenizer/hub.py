"""Tokenizer files from the Hugging Face hub, its cache, or a flat directory of downloads."""

import os
from collections.abc import Iterable
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled

from conformance.tokenizer.errors import TokenizerError

# What a model needs to tokenize, in the order it is asked for.
REQUIRED = ("tokenizer.json", "tiktoken.model")
BESIDE = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.json",
    "chat_template.jinja",
    "config.json",
)

_WEIGHTS = (".bin", ".safetensors", ".h5", ".msgpack", ".ckpt.index")
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    ".model",
    ".tiktoken",
)


def is_weight_file(name: str) -> bool:
    return name.endswith(_WEIGHTS)


def is_image(name: str) -> bool:
    return name.lower().endswith((".png", ".jpg", ".jpeg"))


def is_chat_template_file(name: str) -> bool:
    return name.endswith(".jinja") or name == "chat_template.json"


def is_tokenizer_file(name: str) -> bool:
    """Whether a repository's file is worth downloading for its tokenizer."""
    return name.endswith(_TOKENIZER) or is_chat_template_file(name)


def file_url(repo: str, revision: str, name: str) -> str:
    return str(hf_hub_url(repo, name, revision=revision))


def flat_path(cache_dir: Path, repo: str, revision: str, name: str) -> Path:
    """Where the Elixir client keeps a download; read, so that both share one cache. No part of
    the path leaves `cache_dir`, whatever the repository is called."""
    return cache_dir / "hf" / _segment(repo) / _segment(revision) / _segment(name)


def _segment(name: str) -> str:
    return name.replace("/", "__").replace("..", "_")


def is_offline(offline: bool | None = None) -> bool:
    """Downloads are off when asked, or by HF_HUB_OFFLINE."""
    return bool(constants.HF_HUB_OFFLINE) if offline is None else offline


def fetch_tokenizer(
    repo: str,
    *,
    revision: str | None = None,
    cache_dir: Path | None = None,
    offline: bool | None = None,
    token: str | None = None,
) -> Path:
    """A directory with the tokenizer files of a repository.

    `token` (else HF_TOKEN) opens gated repositories. Raises TokenizerError `not_found`,
    `offline` or `download_failed`, naming the files looked for.
    """
    wanted = (*REQUIRED, *BESIDE)
    if local := _cached(repo, revision or "main", wanted, cache_dir):
        return local
    if is_offline(offline):
        raise TokenizerError(
            "offline",
            f"The tokenizer of {repo} is not on this machine, and downloads are off.",
            fix=f"Looked for {' or '.join(REQUIRED)} in {_cache_name(cache_dir)}.",
            detail=repo,
        )
    return _download(repo, revision, wanted, cache_dir, token or os.environ.get("HF_TOKEN"))


def _cache_name(cache_dir: Path | None) -> str:
    return str(cache_dir or constants.HF_HUB_CACHE)


def _cached(repo: str, revision: str, names: Iterable[str], cache_dir: Path | None) -> Path | None:
    """The directory that already has one of the required files."""
    for name in REQUIRED:
        if cache_dir and (path := flat_path(cache_dir, repo, revision, name)).is_file():
            return path.parent
        found = try_to_load_from_cache(repo, name, cache_dir=cache_dir, revision=revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def _download(
    repo: str, revision: str | None, names: Iterable[str], cache_dir: Path | None, token: str | None
) -> Path:
    directory: Path | None = None
    for name in names:
        if name == "tiktoken.model" and directory is not None:
            continue
        try:
            path = hf_hub_download(
                repo, name, revision=revision, cache_dir=cache_dir, token=token or None
            )
        except EntryNotFoundError:
            continue
        except (HfHubHTTPError, OfflineModeIsEnabled, OSError) as error:
            raise TokenizerError(
                "download_failed",
                f"{name} of {repo} could not be downloaded: {error}",
                fix="Check the id, the network, and HF_TOKEN for a gated model.",
                detail=repo,
            ) from error
        if name in REQUIRED:
            directory = Path(path).parent
    if directory is None:
        raise TokenizerError(
            "not_found", f"{repo} has no {' and no '.join(REQUIRED)}.", detail=repo
        )
    return directory
