"""Everything besides the name that changes which tokenizer is loaded."""

from dataclasses import dataclass, fields
from pathlib import Path

PATHS = ("chat_template", "tiktoken_model_path", "tokenizer_config_path", "cache_dir")


@dataclass(frozen=True)
class LoadOptions:
    """Options of `load_tokenizer`. Paths may be given as strings.

    `chat_template`: a template file that goes before what lies beside the tokenizer.
    `tiktoken_model_path`, `tokenizer_config_path`: the files themselves, instead of a search.
    `chunking`: cut long texts as Kimi's official wrapper does. `offline`: None follows
    HF_HUB_OFFLINE. `token`: for gated repositories, instead of HF_TOKEN. `kimi_table`: name
    Kimi's special tokens by this published table (k2_instruct, k2_thinking, k25, k3), whatever
    the configuration says.
    """

    chat_template: str | Path | None = None
    tiktoken_model_path: str | Path | None = None
    tokenizer_config_path: str | Path | None = None
    revision: str | None = None
    cache_dir: str | Path | None = None
    offline: bool | None = None
    token: str | None = None
    allow_special_tokens: bool = True
    chunking: bool = False
    pattern: str | None = None
    kimi_table: str | None = None

    def __post_init__(self) -> None:
        for name in PATHS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, Path(value).expanduser())

    def path(self, name: str) -> Path | None:
        """One of the options that are paths."""
        value: Path | None = getattr(self, name)
        return value


OPTION_NAMES = tuple(one.name for one in fields(LoadOptions))
