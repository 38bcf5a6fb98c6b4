"""The session is kept alive by heartbeats; an address without one is answered with 404."""

from tinker_mock.client import NotFoundError, ServiceClient

with ServiceClient() as service:
    service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    session = service.create_rest_client().list_sessions(limit=1).sessions[0]
    body = {"session_id": session, "type": "session_heartbeat"}
    print("beat:", service.post("/api/v1/session_heartbeat", body)["type"])
    try:
        service.post("/api/v1/heartbeat", {})
    except NotFoundError as error:
        print("no such address:", error.status)
