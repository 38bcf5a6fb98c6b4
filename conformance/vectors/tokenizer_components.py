"""Vector components of the tokenizer subsystem."""

from conformance.vectors.runner import Component

COMPONENTS: dict[str, Component] = {}
