"""Transformers by name, and chains of them from the seed's JSON configuration.

`{"use": ["Kimi", ["Kimi", {"manualToolParsing": true}]]}`, alone, inside a provider entry as
`"transformer"`, and with per-model entries beside `use`. A transformer's options may carry
`"compat": "original"`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tinker_mock.kimi.call_ids import rename_history_ids
from tinker_mock.kimi.options import OptionError
from tinker_mock.kimi.reports import Reporter, log_report
from tinker_mock.kimi.streams import StreamRewriter
from tinker_mock.kimi.transformer import KimiTransformer

Request = dict[str, Any]


class Transformer(Protocol):
    """What a chain is made of."""

    name: str

    def request_in(self, request: Request) -> Request:
        """The request for the next one, in the end the provider."""

    def response(self, body: Any, request: Mapping[str, Any] | None = None) -> Any:
        """The answer for the one before, in the end the client."""

    def stream(
        self, content_type: str, request: Mapping[str, Any] | None = None
    ) -> StreamRewriter | None:
        """A rewriter for one stream; None leaves it alone."""


class HistoryIds:
    """Past tool-call ids in the official form, as the vendor verifier's README advises."""

    name = "KimiHistoryIds"

    def request_in(self, request: Request) -> Request:
        """A copy whose past ids carry the prefix."""
        messages = request.get("messages")
        if not isinstance(messages, list):
            return request
        return {**request, "messages": rename_history_ids(messages)}

    def response(self, body: Any, request: Mapping[str, Any] | None = None) -> Any:
        """Answers are not touched."""
        return body

    def stream(
        self, content_type: str, request: Mapping[str, Any] | None = None
    ) -> StreamRewriter | None:
        """Streams are not touched."""
        return None


Factory = Callable[[Mapping[str, Any], Reporter], Transformer]


def _kimi(options: Mapping[str, Any], report: Reporter) -> Transformer:
    rest = {name: value for name, value in options.items() if name != "compat"}
    return KimiTransformer(rest, compat=options.get("compat"), report=report)


class Registry:
    """Factories by name. `default_registry()` knows Kimi and KimiHistoryIds."""

    def __init__(self) -> None:
        self.factories: dict[str, Factory] = {}

    def register(self, name: str, factory: Factory) -> None:
        """Add one; a name is taken once."""
        if name in self.factories:
            raise OptionError(f"transformer {name!r} is registered already")
        self.factories[name] = factory

    def build(
        self, name: str, options: Mapping[str, Any] | None = None, report: Reporter = log_report
    ) -> Transformer:
        """One transformer."""
        if name not in self.factories:
            known = ", ".join(sorted(self.factories))
            raise OptionError(f"transformer {name!r} is unknown; known: {known}")
        return self.factories[name](options or {}, report)

    def chain(self, config: Mapping[str, Any], report: Reporter = log_report) -> "Chain":
        """The chain of a `{"use": [...]}` object."""
        use = config.get("use")
        if not isinstance(use, list):
            raise OptionError('a transformer configuration needs a list "use"')
        return Chain([self._entry(entry, report) for entry in use])

    def chain_for(
        self, provider: Mapping[str, Any], model: str, report: Reporter = log_report
    ) -> "Chain":
        """A provider's chain for one model: its own, then the model's."""
        config = provider.get("transformer") or {"use": []}
        own = config.get(model)
        if own is not None and not (isinstance(own, Mapping) and isinstance(own.get("use"), list)):
            raise OptionError(f'the transformer entry of {model} needs a list "use"')
        use = [*config.get("use", []), *(own["use"] if own else [])]
        return self.chain({"use": use}, report)

    def _entry(self, entry: Any, report: Reporter) -> Transformer:
        if isinstance(entry, str):
            return self.build(entry, None, report)
        if isinstance(entry, list) and len(entry) in (1, 2) and isinstance(entry[0], str):
            return self.build(entry[0], entry[1] if len(entry) == 2 else None, report)
        raise OptionError(f'an entry of "use" is a name or [name, options], not {entry!r}')


class Chain:
    """Requests pass in order, answers in reverse."""

    def __init__(self, transformers: Sequence[Transformer]) -> None:
        self.transformers = list(transformers)
        self.name = "+".join(one.name for one in self.transformers)

    def request_in(self, request: Request) -> Request:
        """Through all of them; the first error ends it."""
        for one in self.transformers:
            request = one.request_in(request)
        return request

    def response(self, body: Any, request: Mapping[str, Any] | None = None) -> Any:
        """Back through all of them."""
        for one in reversed(self.transformers):
            body = one.response(body, request)
        return body

    def stream(
        self, content_type: str, request: Mapping[str, Any] | None = None
    ) -> StreamRewriter | None:
        """Back through all that rewrite streams; None if none does."""
        found: list[StreamRewriter] = []
        for one in reversed(self.transformers):
            rewriter = one.stream(content_type, request)
            if rewriter is not None:
                found.append(rewriter)
                content_type = "text/event-stream"
        return ChainedStream(found) if found else None


class ChainedStream:
    """Several rewriters, one behind the other."""

    def __init__(self, rewriters: Sequence[StreamRewriter]) -> None:
        self.rewriters = rewriters

    def feed(self, chunk: bytes) -> bytes:
        """What comes out of the last one."""
        for one in self.rewriters:
            chunk = one.feed(chunk)
        return chunk

    def finish(self) -> bytes:
        """End each one, after feeding it what the one before still had."""
        rest = b""
        for one in self.rewriters:
            rest = (one.feed(rest) if rest else b"") + one.finish()
        return rest


def default_registry() -> Registry:
    """Everything this package has."""
    registry = Registry()
    registry.register("Kimi", _kimi)
    registry.register(HistoryIds.name, lambda options, report: HistoryIds())
    return registry
