"""Tokenizer files from the Hugging Face hub, its cache, or a flat directory of downloads."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError

from tinker_mock.tokenizer.errors import TokenizerError

# Any of these is a tokenizer; the first one a repository has is used.
REQUIRED = ("tokenizer.json", "tiktoken.model", "tokenizer.model", "vocab.json")
# What a main file cannot do without, or means another model without.
NEEDS = {
    "tokenizer.json": ("tokenizer_config.json",),
    "tiktoken.model": ("tokenizer_config.json",),
    "tokenizer.model": ("tokenizer_config.json",),
    "vocab.json": ("merges.txt", "tokenizer_config.json"),
}

_WEIGHTS = (".bin", ".safetensors", ".h5", ".msgpack", ".ckpt.index")
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
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
    pinned: str | None = None,
    cache_dir: Path | None = None,
    offline: bool | None = None,
    token: str | None = None,
) -> Path:
    """A directory with the tokenizer files of a repository, all of them.

    `pinned` is the commit where no `revision` is asked for. `token` (else HF_TOKEN) opens gated
    repositories. Raises TokenizerError `not_found`, `offline`, `incomplete` (a download that broke
    off, and downloads are off now) or `download_failed`, naming the files looked for.
    """
    wanted = revision or pinned or "main"
    found = cached_tokenizer(repo, wanted, cache_dir)
    if found is not None and not found.missing:
        return found.directory
    if is_offline(offline):
        raise _offline(repo, wanted, cache_dir, found, pinned if revision is None else None)
    token = token or os.environ.get("HF_TOKEN") or None
    try:
        return _download(repo, None if wanted == "main" else wanted, cache_dir, token)
    except TokenizerError:
        raise
    except Exception as error:  # the hub's HTTP library, and its errors, differ by release
        raise TokenizerError(
            "download_failed",
            f"The tokenizer of {repo} could not be downloaded: {error}",
            fix="Check the id, the network, and HF_TOKEN for a gated model.",
            detail=repo,
        ) from error


@dataclass(frozen=True)
class Cached:
    """What is on this machine of a tokenizer."""

    directory: Path
    main: str
    missing: tuple[str, ...]


def cached_tokenizer(repo: str, revision: str, cache_dir: Path | None) -> Cached | None:
    """The directory that has one of the required files. Files that the repository is known not to
    have are not missing."""
    for main in REQUIRED:
        if cache_dir and (path := flat_path(cache_dir, repo, revision, main)).is_file():
            needs = NEEDS[main] if main != "tokenizer.json" else ()
            missing = tuple(one for one in needs if not path.with_name(one).is_file())
            return Cached(path.parent, main, missing)
        found = try_to_load_from_cache(repo, main, cache_dir=cache_dir, revision=revision)
        if isinstance(found, str):
            states = {
                one: try_to_load_from_cache(repo, one, cache_dir=cache_dir, revision=revision)
                for one in NEEDS[main]
            }
            missing = tuple(one for one, state in states.items() if state is None)
            return Cached(Path(found).parent, main, missing)
    return None


def _offline(
    repo: str, revision: str, cache_dir: Path | None, found: Cached | None, pinned: str | None
) -> TokenizerError:
    where = cache_dir or constants.HF_HUB_CACHE
    if found is not None:
        return TokenizerError(
            "incomplete",
            f"The download of {repo} on this machine broke off: it has {found.main} and no "
            f"{' and no '.join(found.missing)}, and downloads are off.",
            fix=f"Complete it once with downloads on, in {where}, or pass the directory itself.",
            detail=repo,
        )
    if pinned is not None and cached_tokenizer(repo, "main", cache_dir) is not None:
        return TokenizerError(
            "offline",
            f"{repo} is pinned to commit {pinned}, which is not on this machine; its main is, and "
            "downloads are off.",
            fix='Pass revision="main" to use that.',
            detail=repo,
        )
    return TokenizerError(
        "offline",
        f"The tokenizer of {repo} (revision {revision}) is not on this machine, and downloads are "
        "off.",
        fix=f"Looked for {' or '.join(REQUIRED)} in {where}.",
        detail=repo,
    )


def wanted_files(names: Iterable[str]) -> list[str]:
    """What to download of a repository, the main file last: its top level's tokenizer files and
    further chat templates; [] if none of them is a tokenizer that can be loaded. Of several
    tokenizers the first of REQUIRED is taken."""
    names = list(names)
    top = [name for name in names if "/" not in name]
    main = next((name for name in REQUIRED if name in top), None)
    if main is None or (main == "vocab.json" and "merges.txt" not in top):
        return []
    needed = set(NEEDS[main])
    small = (name for name in top if is_tokenizer_file(name) or name == "config.json")
    others = (".model", ".tiktoken", "tokenizer.json", "vocab.json", "merges.txt")
    beside = [name for name in small if name in needed
              or (not name.endswith(others) and not is_weight_file(name))]  # fmt: skip
    beside += [name for name in names if name.startswith("additional_chat_templates/")
               and is_chat_template_file(name)]  # fmt: skip
    return [*sorted(beside), main]


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

    def fetch(name: str) -> str:
        return str(hf_hub_download(repo, name, revision=revision, cache_dir=cache_dir, token=token))

    for name in NEEDS[wanted[-1]]:
        if name not in names:
            with suppress(EntryNotFoundError):  # the cache then knows that there is none
                fetch(name)
    return Path([fetch(name) for name in wanted][-1]).parent
