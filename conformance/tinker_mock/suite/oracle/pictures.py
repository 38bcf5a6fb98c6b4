"""How many tokens a picture takes, by the image processors that models are published with.

Qwen: `smart_resize` of Qwen2-VL's processor with Qwen3-VL's sizes. Kimi: `navit_resize_image`.
Nemotron and Inkling: the patch grids of their processors in `transformers`.
"""

import math
from collections.abc import Callable

Count = Callable[[int, int], int]


def qwen(width: int, height: int) -> int:
    """Tiles of 32 pixels, between 65536 and 16777216 pixels."""
    tall, wide = (32 * round(side / 32) for side in (height, width))
    if tall * wide > 16_777_216:
        beta = math.sqrt(height * width / 16_777_216)
        tall, wide = (max(32, 32 * math.floor(side / beta / 32)) for side in (height, width))
    elif tall * wide < 65_536:
        beta = math.sqrt(65_536 / (height * width))
        tall, wide = (32 * math.ceil(side * beta / 32) for side in (height, width))
    return tall * wide // 1024


def kimi(width: int, height: int) -> int:
    """Patches of 14 pixels, at most 16384 of them and 512 a side, padded to pairs."""
    patches = max(1.0, width // 14) * max(1.0, height // 14)
    scale = min(1.0, math.sqrt(16_384 / patches), 7168 / width, 7168 / height)
    sides = [min(7168, max(1, int(side * scale))) for side in (width, height)]
    return math.prod((side + -side % 28) // 28 for side in sides)


PROCESSORS: dict[str, Count] = {"Qwen/Qwen3.": qwen, "moonshotai/Kimi-K": kimi}
"""By how the names of models that take pictures begin."""
SIZES = (
    (32, 32), (100, 60), (256, 256), (640, 480), (1000, 37), (47, 900), (1920, 1080), (5000, 4000),
)  # fmt: skip
"""Small ones are scaled up, large ones down."""
