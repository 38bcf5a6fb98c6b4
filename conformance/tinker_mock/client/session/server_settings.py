"""What a server tells its clients to do: `client/config` and `client/dynamic_config`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The answer of `client/config`; the defaults are those of a server that does not know it.

    Sizes are bytes, durations seconds. Flags that only older or other clients follow are left out.
    """

    pjwt_auth_enabled: bool = False
    sample_dispatch_bytes_semaphore_size: int = 10_485_760
    inflight_response_bytes_semaphore_size: int = 52_428_800
    parallel_fwdbwd_chunks: bool = True
    proto_write_fwdbwd: bool = False
    proto_compress_fwdbwd: bool = False
    billing_exception_max_pause_duration_sec: float = 3600.0
    sample_no_retries: bool = False
    sample_enable_stuck_detection: bool = True
    sample_max_concurrent_requests: int = 2000
    fwdbwd_max_chunk_len: int = 1024
    fwdbwd_max_chunk_bytes_count: int = 5_000_000
    fwdbwd_dispatch_bytes_semaphore_size: int = 50_000_000
    custom_loss_server_side: bool = False
    sample_use_retrieve_futures: bool = False
    sample_join_sampling_session: bool = False


@dataclass(frozen=True, slots=True)
class DynamicSettings:
    """The answer of `client/dynamic_config`: what may change during a session."""

    refresh_interval_sec: float = 300.0
    sample_cancel_enabled: bool = False
