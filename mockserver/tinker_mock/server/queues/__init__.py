"""When accepted work runs and becomes visible: completion, capacity, rate limits, latency."""

from tinker_mock.server.queues.policy import QueuePolicy
from tinker_mock.server.queues.rules import QueueRules, read_queue

__all__ = ["QueuePolicy", "QueueRules", "read_queue"]
