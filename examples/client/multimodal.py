"""A picture and text in one prompt; the picture says how large it is."""

import struct
import zlib

from tinker_mock.client import (
    EncodedTextChunk,
    ImageChunk,
    ModelInput,
    SamplingParams,
    ServiceClient,
)


def part(kind, body):
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


head = part(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
rows = part(b"IDAT", zlib.compress(b"".join(b"\0" + b"\x80" * 8 for _ in range(8))))
picture = ImageChunk(b"\x89PNG\r\n\x1a\n" + head + rows + part(b"IEND", b""), "png", 64)
print("pixels:", picture.dimensions)
with ServiceClient() as service:
    sampling = service.create_sampling_client(base_model="Qwen/Qwen3.5-4B")
    prompt = ModelInput([EncodedTextChunk([100, 101]), picture, EncodedTextChunk([102])])
    found = sampling.sample(prompt, 1, SamplingParams(max_tokens=3, seed=1)).result()
    print("positions:", prompt.length, "sampled:", len(found.sequences[0].tokens))
