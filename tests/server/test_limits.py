"""The table of limits says what the code does."""

import argparse
import re
from pathlib import Path

import pytest

import tinker_mock.tokenizer.bounds as template_bounds
from tinker_mock.client.rest import archive
from tinker_mock.contracts import violations
from tinker_mock.server import yaml_section
from tinker_mock.server.catalog import reading
from tinker_mock.server.engine.model import search
from tinker_mock.server.engine.training.custom_loss import blocks, graph, values
from tinker_mock.server.faults import plans, rules
from tinker_mock.server.http import head, json_body, json_faults, json_pieces, kept_fields
from tinker_mock.server.journal import bodies, request_log, ring
from tinker_mock.server.observation import curves
from tinker_mock.server.promises import room
from tinker_mock.server.queues import rates
from tinker_mock.server.service import (
    compute,
    housekeeping,
    pace,
    sampling,
    session_room,
    tensors,
    training,
    turns,
)
from tinker_mock.server.serving import command, crowd, http2_frames, http2_guard
from tinker_mock.server.settings import Settings
from tinker_mock.server.text import schema_size, schema_values
from tinker_mock.server.wire import deadlines, decompression, nesting, problems, protobuf_requests
from tinker_mock.suite.cassettes import cassette

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| limit"))
]
FIXED = {
    "values in a JSON body": json_body.MOST_VALUES,
    "arrays and objects in a JSON body beyond 512 KiB": json_faults.MOST_CONTAINERS,
    "messages and repeated numbers, tensors left out, of a protobuf body beyond 64 KiB": (
        protobuf_requests.MOST_ELEMENTS
    ),
    "characters of a refusal's message": problems.LONGEST,
    "members of a gzip body": decompression.MOST_MEMBERS,
    "seconds for which a script's regular expression is looked for in a prompt": search.SECONDS,
    "bytes of a head, address included": head.LARGEST,
    "names of an object in a JSON body beyond 512 KiB": json_faults.MOST_NAMES,
    "bytes of a name, a note or `user_metadata` that is kept with a session, model or checkpoint": (
        kept_fields.LARGEST
    ),
    "wrong places that are told of one request": violations.MOST,
    "threads beside them for small work: up to 8192 numbers of a step, 512 tokens of a sample": (
        compute.SMALL_WORKERS
    ),
    "short work (up to 0.1 s) that has begun and waits for its next turn": turns.HALF_DONE,
    "MiB of memory of a custom loss's program": training.LARGEST_LOSS >> 20,
    "levels that JSON nests": nesting.DEEPEST,
    "HTTP/2 streams that a client takes back": http2_guard.FREE_RESETS,
    "streams at a time on all HTTP/2 connections; one may have as many as it leaves to others": (
        crowd.MOST_STREAMS
    ),
    "HTTP/2 frames that bring no request and no content (pings, settings, windows, priorities)": (
        http2_frames.FREE_FRAMES
    ),
    "HTTP/2 settings that a client sends": http2_frames.MOST_SETTINGS,
    "samples of a request": sampling.MAX_SAMPLES,
    "elements of an array in a custom loss": values.LARGEST,
    "nodes of a custom loss": graph.MOST_NODES,
    "dimensions of a tensor": tensors.MOST_DIMENSIONS,
    "elements of a tensor sent as CSR": tensors.MAX_DENSE,
    "subschemas of a tool or response format, references followed": schema_size.MOST_SUBSCHEMAS,
    "values drawn for such a schema": schema_values.MOST_VALUES,
    "levels of such a value": schema_values.DEEPEST,
    "a body in the journal": bodies.BODY_LIMIT >> 20,
    "characters of a scenario": yaml_section.LONGEST,
    "values of a scenario, aliases counted as what they stand for": yaml_section.MOST_NODES,
    "levels that a models file nests": reading.DEEPEST,
    "tokens of a vocabulary in a models file": reading.LARGEST["vocabulary_size"],
    "growth of an archive when the client unpacks it": archive.MOST_TIMES,
    "size of a cassette, unpacked": cassette.LARGEST >> 20,
    "files of an archive": archive.MOST_MEMBERS,
    "widths and counts that a chat template asks for": template_bounds.MAX_NUMBER,
    "characters of a chat template's text": template_bounds.MAX_CHARACTERS,
    "turns and calls of a chat template": template_bounds.MAX_STEPS,
    "sessions that have ended, without checkpoints": housekeeping.MOST_ENDED,
    "custom losses of a session": session_room.MOST_LOSSES,
    "fault plans": plans.MOST_PLANS,
    "requests and clients that a fault rule counts apart": rules.REMEMBERED,
    "API keys that a rate limit counts": rates.MOST_KEYS,
    "points of all curves in the inspector": curves.ALL_POINTS,
    "lines of the request log that wait for a terminal": request_log.BACKLOG,
    "intermediate values of all operations": Settings.work_memory * compute.MEMORY_SHARES,
}
OF_THE_SERVER = {
    "seconds between requests on a connection, and for a head to arrive",
    "streams at a time on an HTTP/2 connection",
    "upgrades to WebSocket",
    "`Content-Length` beside `Transfer-Encoding`",
    "references that lead out of such a schema",
}
"""Hypercorn's, and what is not there at all."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    command.add_arguments(made)
    return made


def number(cell: str) -> float:
    found = re.match(r"[\d.]+", cell)
    assert found, cell
    return float(found[0])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_what_holds(row: list[str]) -> None:
    name, default, option, beyond = row
    assert beyond
    if name in FIXED:
        assert number(default) == FIXED[name]
    elif option:
        known = {flag: action for action in parser()._actions for flag in action.option_strings}
        held = known[option.strip("`")].default
        assert default == "none" if held is None else number(default) == held
    else:
        assert name in OF_THE_SERVER


def test_every_option_of_limits_has_a_row() -> None:
    groups = [group for group in parser()._action_groups if str(group.title).startswith("limits")]
    options = {action.option_strings[0] for group in groups for action in group._group_actions}
    assert len(groups) == 3
    assert options <= {row[2].strip("`") for row in ROWS}


def test_what_the_page_says_of_shares_and_turns() -> None:
    assert ring.SHARES == 8
    assert f"turns of {turns.TURN * 1000:g} ms" in PAGE
    assert f"more than {compute.SMALL_SECONDS * 1000:g} ms goes to" in PAGE
    assert f"up to {pace.SMALL} numbers of a step, {sampling.FEW_TOKENS} tokens" in PAGE
    assert f"beyond {json_body.IN_PIECES >> 10} KiB" in PAGE
    assert room.LEAST_SHARES == 2
    assert f"{blocks.BLOCK:,} elements" in PAGE
    assert f"{blocks.MULTIPLICATIONS:,} multiplications" in PAGE
    assert f"pieces of {json_pieces.PIECE >> 10} KiB" in PAGE
    assert deadlines.SLOWEST == 64 * 1024
    assert archive.ALWAYS == 64 << 20
    assert f"between\n{http2_frames.PORTION} frames" in PAGE
    earned = http2_frames.A_SECOND, http2_frames.A_REQUEST, http2_frames.SENT_FOR_ONE
    assert "{} a second, {} a request, one for {} bytes".format(*earned) in PAGE
