"""Events of your own among the client's, and an exception that is reported and goes on."""

from tinker_mock.client import ServiceClient, capture_exceptions

with ServiceClient(telemetry_enabled=True) as service:
    service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    reporter = service.telemetry_reporter()
    print("found room:", reporter.log("demo.started", {"items": 3}))

    @capture_exceptions(reporter)
    def fails():
        raise RuntimeError("shown to the server's operators")

    try:
        fails()
    except RuntimeError as error:
        print("raised:", error)
