"""When accepted work runs and becomes visible: completion, capacity, rate limits, latency."""

from mockserver.queues.policy import QueuePolicy
from mockserver.queues.rules import QueueRules, read_queue

__all__ = ["QueuePolicy", "QueueRules", "read_queue"]
