"""Sessions: who made them, and what was made in them."""

from tinker_mock.client import ServiceClient

with ServiceClient(user_metadata={"who": "me"}) as service:
    sampling = service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    rest = service.create_rest_client()
    newest = rest.list_sessions(limit=1).sessions[0]
    session = rest.get_session(newest)
    print("samplers:", session.sampler_ids == [sampling.sampling_session_id])
    print("metadata:", dict(session.user_metadata))
