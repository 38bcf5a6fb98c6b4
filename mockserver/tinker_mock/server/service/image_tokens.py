"""How many tokens a picture of a size takes, by the rule of the model's image processor.

`resize`  (Qwen) the picture is scaled to whole tiles of patch x merge pixels, and into
          min_pixels..max_pixels; a token a tile
`pad`     (Kimi) scaled down to at most max_patches patches and max_side a side, then padded
          to whole tiles; a token a tile
`grid`    (Nemotron) scaled to min_patches..max_patches patches, sides a multiple of merge;
          a token for merge x merge patches
`tiles`   (Inkling) cut into tiles of patch pixels, a column more than fit; a token a tile

Each is the public processor's arithmetic in `transformers`. A model without a rule takes a token
for 28 x 28 pixels that were begun.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

Rule = Mapping[str, Any]
BEGUN: Rule = {"rule": "begun", "patch": 28}
STRETCHED = 200
"""Qwen's processor refuses pictures one side of which is more often the other."""


def image_tokens(width: int, height: int, rule: Rule) -> int:
    """Tokens of a picture; raises ValueError for one that no processor takes."""
    if min(width, height) < 1:
        raise ValueError(f"it is {width} x {height} pixels")
    rule = rule or BEGUN
    return RULES[rule["rule"]](width, height, rule)


def _resized(width: int, height: int, rule: Rule) -> int:
    if max(width, height) / min(width, height) > STRETCHED:
        raise ValueError(
            f"its sides are {width} and {height}: one is over {STRETCHED} times longer"
        )
    tile = rule["patch"] * rule["merge"]
    rows, columns = round(height / tile), round(width / tile)
    area, least, most = rows * columns * tile * tile, rule["min_pixels"], rule["max_pixels"]
    if area > most:
        shrink = math.sqrt(height * width / most)
        rows = max(1, math.floor(height / shrink / tile))
        columns = max(1, math.floor(width / shrink / tile))
    elif area < least:
        grow = math.sqrt(least / (height * width))
        rows, columns = math.ceil(height * grow / tile), math.ceil(width * grow / tile)
    return int(rows * columns)


def _padded(width: int, height: int, rule: Rule) -> int:
    patch, side = rule["patch"], rule["max_side"] * rule["patch"]
    patches = max(1, height // patch) * max(1, width // patch)
    scale = min(1.0, math.sqrt(rule["max_patches"] / patches), side / height, side / width)
    tile = patch * rule["merge"]
    sides = (min(side, max(1, int(length * scale))) for length in (width, height))
    return math.prod(-(-length // tile) for length in sides)


def _gridded(width: int, height: int, rule: Rule) -> int:
    patch, merge = rule["patch"], rule["merge"]
    least, most = rule["min_patches"], rule["max_patches"]
    rows, columns = round(height / patch + 0.5), round(width / patch + 0.5)
    factor = min(math.sqrt(most / (rows * columns)), 1.0)
    rows, columns = math.floor(factor * rows), math.floor(factor * columns)
    if rows * columns < least:
        factor = math.sqrt(least / (rows * columns))
        rows, columns = math.ceil(factor * rows), math.ceil(factor * columns)
    rows = _multiple(rows, columns, merge, most)
    columns = _multiple(columns, rows, merge, most)
    return int(rows * columns // (merge * merge))


def _multiple(sides: int, others: int, merge: int, most: int) -> int:
    """`sides` as a multiple of merge: rounded up while the grid stays within its limit."""
    rest = sides % merge
    if not rest:
        return sides
    up = sides + merge - rest
    return up if up * others <= most else max(merge, sides - rest)


def _tiled(width: int, height: int, rule: Rule) -> int:
    patch = rule["patch"]
    return int(-(-height // patch) * (width // patch + 1))


def _begun(width: int, height: int, rule: Rule) -> int:
    patch = rule["patch"]
    return int(-(-width // patch) * -(-height // patch))


RULES: Mapping[str, Callable[[int, int, Rule], int]] = {
    "resize": _resized,
    "pad": _padded,
    "grid": _gridded,
    "tiles": _tiled,
    "begun": _begun,
}
