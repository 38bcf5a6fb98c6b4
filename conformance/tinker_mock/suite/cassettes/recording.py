"""vcrpy as the recorder, in the process of a client whose requests go through httpx.

Loaded in a real SDK's environment too: standard library only, and vcrpy where it is asked for.
"""

from contextlib import AbstractContextManager
from typing import Any

SECRETS = ["x-api-key", "authorization"]
REACHED = frozenset({"httpx", "httpx2"})


def recording(path: str) -> AbstractContextManager[Any]:
    """Until it ends, every exchange goes to the server and into a cassette at `path`.

    Only httpx is watched: what a driver asks the mock about itself, with urllib, is no traffic of
    its client, and while vcrpy lets such a request through it hears of no other.
    """
    try:
        import vcr
        from vcr.patch import PATCHER_NAMES
    except ModuleNotFoundError as missing:
        text = f"{missing}: run `tinker-mock sdk-env` once more, it now has vcrpy"
        raise RuntimeError(text) from missing

    recorder = vcr.VCR(
        record_mode=vcr.mode.ALL,
        filter_headers=SECRETS,
        decode_compressed_response=True,
        skip_patchers=sorted(set(PATCHER_NAMES) - REACHED),
    )
    return recorder.use_cassette(path)  # type: ignore[no-any-return,unused-ignore]
