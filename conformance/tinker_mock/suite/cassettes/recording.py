"""vcrpy as the recorder, in the process of a client whose requests go through httpx.

Loaded in a real SDK's environment too: standard library only, and vcrpy where it is asked for.
"""

from contextlib import AbstractContextManager
from typing import Any

SECRETS = ["x-api-key", "authorization"]


def recording(path: str) -> AbstractContextManager[Any]:
    """Until it ends, every exchange goes to the server and into a cassette at `path`."""
    import vcr

    recorder = vcr.VCR(
        record_mode=vcr.mode.ALL,
        filter_headers=SECRETS,
        decode_compressed_response=True,
        before_record_request=_of_the_api,
    )
    return recorder.use_cassette(path)  # type: ignore[no-any-return,unused-ignore]


def _of_the_api(request: Any) -> Any:
    """What a driver asks the mock about itself is no traffic of its client."""
    return None if request.path.startswith("/_mock") else request
