"""The client's own numbers: how many requests, how long they took."""

from tinker_mock.client import EventHub, Metrics, ModelInput, SamplingParams, ServiceClient

events, metrics = EventHub(), Metrics()
metrics.watch(events)
with ServiceClient(events=events) as service:
    sampling = service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    for seed in range(3):
        sampling.sample(
            ModelInput.from_ints([1]), 1, SamplingParams(max_tokens=2, seed=seed)
        ).result()
requests = metrics.counters["tinkex_requests_success"]
took = metrics.histograms["tinkex_request_duration_ms"].summary()
print("each was timed:", took.count == requests)
print("p50 is at most p99:", took.p50 <= took.p99)
