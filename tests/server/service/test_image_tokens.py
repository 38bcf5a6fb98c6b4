"""A picture's tokens, against the arithmetic of the public image processors."""

import ast
import importlib.util
import math
import random
from pathlib import Path
from typing import Any

import pytest

from tinker_mock.server.catalog import Catalog
from tinker_mock.server.service.image_tokens import image_tokens

SIZES = [(1, 1), (28, 28), (224, 224), (640, 480), (1920, 1080), (4000, 3000), (9000, 60)]
SIZES += [
    (random.Random(n).randint(2, 5000), random.Random(-n).randint(40, 5000)) for n in range(60)
]


def rule_of(name: str) -> dict[str, Any]:
    return dict(Catalog.load().get(name).image_tokens)


def function(module: str, name: str) -> Any:
    """A function of plain arithmetic out of a processor whose module needs torch to be imported."""
    found = importlib.util.find_spec("transformers")
    if found is None or found.origin is None:
        pytest.skip("transformers is not installed")
    source = Path(found.origin).parent / "models" / f"{module}.py"
    tree = ast.parse(source.read_text("utf-8"))
    (wanted,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    names: dict[str, Any] = {"math": math}
    exec(compile(ast.Module([wanted], []), str(source), "exec"), names)
    return names[name]


def test_known_counts() -> None:
    qwen, kimi = rule_of("Qwen/Qwen3.5-4B"), rule_of("moonshotai/Kimi-K2.6")
    assert image_tokens(224, 224, qwen) == 64  # grown to 256 x 256, tiles of 32
    assert image_tokens(640, 320, qwen) == 200
    assert image_tokens(224, 224, kimi) == 64  # tiles of 28, as it is
    assert image_tokens(225, 224, kimi) == 72  # padded by a column
    assert image_tokens(56, 30, {}) == 4


def test_qwen() -> None:
    smart_resize = function("qwen2_vl/image_processing_qwen2_vl", "smart_resize")
    rule = rule_of("Qwen/Qwen3.5-4B")
    for width, height in SIZES:
        tall, wide = smart_resize(height, width, 32, rule["min_pixels"], rule["max_pixels"])
        assert image_tokens(width, height, rule) == tall * wide // 32**2, (width, height)


def test_kimi() -> None:
    navit_resize = function("kimi_k25/image_processing_kimi_k25", "navit_resize")
    rule = rule_of("moonshotai/Kimi-K2.6")
    for width, height in SIZES:
        _, (tall, wide) = navit_resize(height, width, 14, 2, 16384, 512)
        assert image_tokens(width, height, rule) == tall * wide // 28**2, (width, height)


def test_nemotron() -> None:
    grid = function("nemotron_h_omni/image_processing_nemotron_h_omni", "get_patch_grid_size")
    rule = rule_of("nvidia/NVIDIA-Nemotron-3.5-Super-VL-120B-A12B-BF16")
    for width, height in SIZES:
        rows, columns = grid(height, width, 16, 2, 1024, 13312)
        assert image_tokens(width, height, rule) == rows * columns // 4, (width, height)


@pytest.mark.parametrize(
    ("width", "height", "count"),
    [(40, 40, 2), (41, 79, 4), (80, 80, 6), (224, 224, 36), (640, 480, 204), (1920, 1080, 1323),
     (4000, 3000, 7575), (3000, 100, 228)],
)  # fmt: skip
def test_inkling(width: int, height: int, count: int) -> None:
    """What tml-renderers 0.2.1 sends as `expected_tokens` with pictures of these sizes."""
    assert image_tokens(width, height, rule_of("thinkingmachines/Inkling")) == count


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (4000, 10)])
def test_what_no_processor_takes(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"pixels|longer"):
        image_tokens(*size, rule_of("Qwen/Qwen3.5-4B"))
