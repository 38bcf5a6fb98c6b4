"""`tinker-mock tokenizers`: which tokenizer each model is read with; stand-ins for SDKs to load.

`install` writes stand-ins as a Hugging Face cache. There SDKs and the cookbook find them by the
model's name, without a network: sampling_client.get_tokenizer(), AutoTokenizer.from_pretrained().
`take` takes the models' own tokenizers out of tml-renderers and keeps them: from then on the mock
reads and writes what clients with those tokenizers send. Without tml-renderers in the mock's own
environment, --python names an interpreter that has it, such as the one training runs with.

examples:
  tinker-mock tokenizers
  tinker-mock tokenizers take Qwen/Qwen3-8B --python ../training/.venv/bin/python
  tinker-mock tokenizers install --hf-home ./hf
  HF_HOME=./hf HF_HUB_OFFLINE=1 python my_training_script.py
"""

import argparse
import sys
from pathlib import Path

from tinker_mock.server.cache_folder import cache_folder
from tinker_mock.server.catalog import Catalog, CatalogModel
from tinker_mock.server.errors import BadRequest, ConfigurationError
from tinker_mock.server.own_tokenizers import Kind, NotTaken, kind_of, own_folder, take
from tinker_mock.server.stand_in.folder import stand_in_folder
from tinker_mock.server.stand_in.hub_cache import install
from tinker_mock.server.stand_in.vocabulary import NamedModel
from tinker_mock.server.tokenizers import folder_of, own_tokenizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tokenizers`."""
    add = parser.add_argument
    add(
        "action",
        nargs="?",
        choices=("list", "install", "take"),
        default="list",
        help="(%(default)s)",
    )
    add("model", nargs="*", help="models to install or take for (all on offer)")
    add("--python", default=sys.executable, metavar="FILE", help="has tml-renderers (this one)")
    add("--models", type=Path, metavar="FILE", help="YAML of further base models")
    add("--hf-home", type=Path, metavar="DIR", help="where to install (in the mock's cache)")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 2 for models that are not on offer and places that cannot be written."""
    try:
        catalog = Catalog.load(arguments.models)
        models = [catalog.get(name) for name in arguments.model] or [*catalog.models.values()]
        if arguments.action == "list":
            return _list(models)
        if arguments.action == "take":
            return _take(models, arguments.python)
        return _install(models, arguments.hf_home)
    except (BadRequest, ConfigurationError) as error:
        print(f"tinker-mock tokenizers: {error}", file=sys.stderr)
        return 2


def _list(models: list[CatalogModel]) -> int:
    width = max(len(model.name) for model in models)
    for model in models:
        own = own_tokenizer(model) is not None
        where = folder_of(model) or model.tokenizer_id if own else "stand-in"
        print(f"{model.name:{width}}  {where}")
    return 0


def _take(models: list[CatalogModel], python: str) -> int:
    kinds: dict[Kind, CatalogModel] = {}
    for model in models:
        kind = kind_of(model)
        if kind is not None:
            kinds.setdefault(kind, model)
    if not kinds:
        raise ConfigurationError("tml-renderers has the tokenizer of none of these models")
    for kind, model in kinds.items():
        try:
            print(f"{kind.name:15} {take(model, kind, python)}", flush=True)
        except NotTaken as error:
            raise ConfigurationError(str(error)) from error
        except OSError as error:
            raise ConfigurationError(f"{error.filename}: {error.strerror}") from error
    return 0


def _install(models: list[CatalogModel], home: Path | None) -> int:
    home = home or (cache_folder() or Path()) / "huggingface"
    try:
        written = install(home, [model for model in models if _is_ours(model)], _source)
    except OSError as error:
        raise ConfigurationError(f"--hf-home {home}: {error.strerror}") from error
    print(f"# {written} tokenizer names in {home}")
    print(f"export HF_HOME={home.resolve()}")
    print("export HF_HUB_OFFLINE=1")
    return 0


def _is_ours(model: CatalogModel) -> bool:
    """Whether the mock made what the model is read with."""
    taken = own_folder(model)
    return own_tokenizer(model) is None or (
        taken is not None and folder_of(model) == str(taken.resolve())
    )


def _source(model: NamedModel) -> Path:
    return own_folder(model) or stand_in_folder(model)
