"""A badge: passed of judged, as a local SVG."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

GREEN, AMBER, RED = "#2d7d46", "#9a6700", "#b42318"
LABEL = "tinker conformance"
WIDTH_OF_A_SIGN = 6.6


def badge(results: Mapping[str, Any]) -> str:
    """The badge of a run."""
    counted = results["summary"]
    judged = sum(counted.values()) - counted.get("n/a", 0)
    short = counted.get("warn") or results.get("known") or counted.get("not-judged")
    colour = RED if not results["conformant"] else AMBER if short else GREEN
    text = escape(f"{counted.get('pass', 0)} / {judged}")
    left, right = (round(len(part) * WIDTH_OF_A_SIGN + 12) for part in (LABEL, text))
    width = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" '
        f'aria-label="{LABEL}: {text}"><title>{LABEL}: {text}</title>'
        f'<rect width="{width}" height="20" rx="3" fill="#3d444d"/>'
        f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right - 3}z" '
        f'fill="{colour}"/><g fill="#fff" text-anchor="middle" '
        f'font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2}" y="14">{LABEL}</text>'
        f'<text x="{left + right / 2}" y="14">{text}</text></g></svg>\n'
    )
