"""The planted faults, each in the place of the mutants on the mock's path."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tinker_mock.server.errors import UnsupportedMediaType
from tinker_mock.server.mutants import ActiveMutants
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.wire.exchange import JSON, PROTOBUF, Answer, Exchange

USER_FAULTS = {400, 404, 409, 410, 415, 422}


class JsonOnly(ActiveMutants):
    """Never heard of protobuf."""

    def prepare(self, exchange: Exchange) -> None:
        if exchange.content_type == PROTOBUF:
            raise UnsupportedMediaType("content-type: only application/json is served")
        if "protobuf" in exchange.headers.get("accept", ""):
            exchange.headers = {**exchange.headers, "accept": JSON}


class FiveHundreds(ActiveMutants):
    """Lets every exception of a user's making become a 500."""

    def rewrite(self, exchange: Exchange, answer: Answer) -> Answer:
        if answer.status in USER_FAULTS:
            answer.status = 500
        return answer


class Unordered(ActiveMutants):
    """Takes operations as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: Counter[str] = Counter()

    def prepare(self, exchange: Exchange) -> None:
        if exchange.operation and exchange.operation.ordered and exchange.body.get("model_id"):
            model = str(exchange.body["model_id"])
            self.arrived[model] += 1
            exchange.body = {**exchange.body, "seq_id": self.arrived[model]}


FAUX: dict[str, Callable[[], ActiveMutants]] = {
    "json_only": JsonOnly,
    "five_hundreds": FiveHundreds,
    "unordered": Unordered,
}


@contextmanager
def faux_server(name: str) -> Iterator[str]:
    """One of the wrong servers on a free port; gives its URL."""
    with RunningServer(Settings(port=0, long_poll=0.7)) as running:
        running.mock.endpoint.traffic.mutants = FAUX[name]()
        yield running.url
