"""Every public name of `tinker` and `tinker.types`, with the parameters and fields of each."""

import inspect
import json
import warnings

import tinker
from tinker import types

warnings.simplefilter("ignore")
BUILT_IN = (object, str, int, dict, BaseException)
PYDANTIC = ("model_", "parse_", "schema", "update_forward", "from_orm")
PYDANTIC_NAMES = ("copy", "dict", "json", "validate", "construct")


def parameters(function):
    """[name, kind] of each, without `self`."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [[one.name, one.kind.name] for one in found if one.name not in ("self", "cls")]


def fields(cls):
    """Names of a dataclass's or a pydantic model's public fields."""
    found = getattr(cls, "model_fields", None) or getattr(cls, "__dataclass_fields__", None) or {}
    return [name for name in found if not name.startswith("_")]


def members(cls):
    """Public methods and properties of a class's own."""
    inherited = {name for base in BUILT_IN if issubclass(cls, base) for name in dir(base)}
    model = hasattr(cls, "model_fields")
    found = {}
    for name in [*dir(cls), *getattr(cls, "__members__", ())]:
        pydantic = model and (name.startswith(PYDANTIC) or name in PYDANTIC_NAMES)
        if name.startswith("_") or name in inherited or pydantic:
            continue
        member = getattr(cls, name)
        found[name] = parameters(member) if callable(member) else None
    return found


surface = {}
public = [name for name in dir(types) if name[0].isupper()]
for prefix, module, names in (("", tinker, tinker.__all__), ("types.", types, public)):
    for name in names:
        value = getattr(module, name)
        surface[prefix + name] = None
        if inspect.isclass(value):
            surface[prefix + name] = {"fields": fields(value), "members": members(value)}
print(json.dumps(surface), flush=True)
