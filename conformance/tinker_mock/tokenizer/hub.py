"""Tokenizer files from the Hugging Face hub, its cache, or a flat directory of downloads."""

import os
from collections.abc import Iterable
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, try_to_load_from_cache

from tinker_mock.tokenizer.errors import TokenizerError

# Either of these is a tokenizer; the first one a repository has is used.
REQUIRED = ("tokenizer.json", "tiktoken.model")

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
    if local := _cached(repo, revision or "main", cache_dir):
        return local
    if is_offline(offline):
        raise TokenizerError(
            "offline",
            f"The tokenizer of {repo} is not on this machine, and downloads are off.",
            fix=f"Looked for {' or '.join(REQUIRED)} in {cache_dir or constants.HF_HUB_CACHE}.",
            detail=repo,
        )
    token = token or os.environ.get("HF_TOKEN") or None
    try:
        return _download(repo, revision, cache_dir, token)
    except TokenizerError:
        raise
    except Exception as error:  # the hub's HTTP library, and its errors, differ by release
        raise TokenizerError(
            "download_failed",
            f"The tokenizer of {repo} could not be downloaded: {error}",
            fix="Check the id, the network, and HF_TOKEN for a gated model.",
            detail=repo,
        ) from error


def _cached(repo: str, revision: str, cache_dir: Path | None) -> Path | None:
    """The directory that already has one of the required files."""
    for name in REQUIRED:
        if cache_dir and (path := flat_path(cache_dir, repo, revision, name)).is_file():
            return path.parent
        found = try_to_load_from_cache(repo, name, cache_dir=cache_dir, revision=revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def wanted_files(names: Iterable[str]) -> list[str]:
    """What to download of a repository: its top level's tokenizer files, in order; [] if none of
    them is a tokenizer that can be loaded. Of two tokenizers the first of REQUIRED is taken."""
    top = [name for name in names if "/" not in name]
    main = next((name for name in REQUIRED if name in top), None)
    if main is None:
        return []
    small = (name for name in top if is_tokenizer_file(name) or name == "config.json")
    others = (".model", ".tiktoken", "tokenizer.json", "vocab.json", "merges.txt")
    beside = (name for name in small if not name.endswith(others) and not is_weight_file(name))
    return [main, *sorted(beside)]


def _download(repo: str, revision: str | None, cache_dir: Path | None, token: str | None) -> Path:
    siblings = HfApi(token=token).model_info(repo, revision=revision).siblings or []
    names = [sibling.rfilename for sibling in siblings]
    wanted = wanted_files(names)
    if not wanted:
        raise TokenizerError(
            "not_found",
            f"{repo} has no {' and no '.join(REQUIRED)}.",
            fix=f"It has: {', '.join(sorted(names)[:20]) or 'no files'}.",
            detail=repo,
        )
    paths = [
        hf_hub_download(repo, name, revision=revision, cache_dir=cache_dir, token=token)
        for name in wanted
    ]
    return Path(paths[0]).parent
