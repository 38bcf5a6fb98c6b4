"""Download a checkpoint, with its progress; it is unpacked into a directory of its own."""

import tempfile
from pathlib import Path

from tinker_mock.client import ServiceClient

with ServiceClient() as service, tempfile.TemporaryDirectory() as folder:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
    path = training.save_state("download").result().path
    seen = []
    done = service.create_rest_client().download_checkpoint(
        path, output_dir=Path(folder), progress=lambda now, whole: seen.append((now, whole))
    )
    print(*sorted(file.name for file in done.destination.iterdir()))
    print("all of it:", seen[-1][0] == seen[-1][1])
