"""Does a chat template want message content as a string, or as a list of parts?

Read from the template's syntax tree, with the gateway's rules. A template wants parts ("openai")
when it loops over a message's content or over a variable called `content`, indexes it by number,
takes its length, tests whether it is a string, sequence or iterable, binds it to a variable
called `content`, or has a macro that both branches on a type test and loops. Every other
template, and one that does not parse, wants a string.

The tree alone misleads where a template only asks whether the content is a string, as Qwen3's
does, and writes nothing if it is not. So a template that the tree says wants parts is also given
some: if it writes a string, and drops a part or writes it as data, it wants a string.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

import jinja2
from jinja2 import nodes

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.templates import ChatTemplate, template_environment

ContentFormat = Literal["string", "openai"]
TYPE_TESTS = {"string", "sequence", "iterable"}


PROBE = "a text that no template writes by itself"
PARTS = [{"type": "text", "text": PROBE}]
AS_DATA = re.compile(rf"""["'] ?[:=] ?["']{PROBE}""")
"""A part that was written down as a mapping, not as its text."""


@lru_cache(maxsize=256)
def content_format(source: str) -> ContentFormat:
    """Read from the tree, and tried."""
    if format_by_tree(source) == "string":
        return "string"
    parts = _told(source, PARTS)
    tells_parts = PROBE in parts and AS_DATA.search(parts) is None
    return "string" if PROBE in _told(source, PROBE) and not tells_parts else "openai"


def format_by_tree(source: str) -> ContentFormat:
    """The gateway's rules alone."""
    try:
        tree = template_environment().parse(source)
    except jinja2.TemplateSyntaxError:
        return "string"
    return "openai" if _Detector().wants_parts(tree.body) else "string"


def _told(source: str, content: Any) -> str:
    """What the template writes of a user's content."""
    try:
        return ChatTemplate(source).render([{"role": "user", "content": content}])
    except TokenizerError:
        return ""


def _is_name(node: nodes.Node, name: str) -> bool:
    return isinstance(node, nodes.Name) and node.name == name


def _is_number(node: nodes.Node) -> bool:
    return (
        isinstance(node, nodes.Const)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
    )


class _Detector:
    """One walk over the tree; `_message_names` are the loop variables over `messages`."""

    def __init__(self) -> None:
        self._message_names: list[str] = []

    def wants_parts(self, body: list[nodes.Node]) -> bool:
        return any(map(self._statement_wants_parts, body))

    def _statement_wants_parts(self, node: nodes.Node) -> bool:
        match node:
            case nodes.For():
                return self._loop_wants_parts(node)
            case nodes.If():
                branches = [*node.body, *node.elif_, *node.else_]
                return self._shows_structure(node.test) or self.wants_parts(branches)
            case nodes.Output():
                return any(map(self._shows_structure, node.nodes))
            case nodes.Assign():
                return _is_name(node.target, "content") and self._reaches_content(node.node)
            case nodes.Macro():
                return _branches_on_type(node.body) and _loops(node.body)
            case nodes.CallBlock() | nodes.With() | nodes.FilterBlock() | nodes.Block():
                return self.wants_parts(node.body)
        return False

    def _loop_wants_parts(self, loop: nodes.For) -> bool:
        if _is_name(loop.iter, "content") or self._reaches_content(loop.iter):
            return True
        over_messages = _is_name(loop.iter, "messages") and isinstance(loop.target, nodes.Name)
        if over_messages:
            assert isinstance(loop.target, nodes.Name)
            self._message_names.append(loop.target.name)
        found = self.wants_parts([*loop.body, *loop.else_])
        if over_messages:
            self._message_names.pop()
        return found

    def _is_content(self, node: nodes.Node | None) -> bool:
        """`message.content` or `message["content"]`, perhaps behind filters or tests."""
        match node:
            case nodes.Getattr():
                return node.attr == "content" and self._is_message(node.node)
            case nodes.Getitem(arg=nodes.Const(value="content")):
                return self._is_message(node.node)
            case nodes.Filter() | nodes.Test():
                return self._is_content(node.node)
        return False

    def _is_message(self, node: nodes.Node) -> bool:
        return isinstance(node, nodes.Name) and node.name in self._message_names

    def _reaches_content(self, node: nodes.Node | None) -> bool:
        """A message's content, or something inside it."""
        while node is not None:
            if self._is_content(node):
                return True
            node = node.node if isinstance(node, nodes.Getattr | nodes.Getitem) else None
        return False

    def _is_content_value(self, node: nodes.Node | None) -> bool:
        return node is not None and (_is_name(node, "content") or self._reaches_content(node))

    def _shows_structure(self, node: nodes.Node | None) -> bool:
        match node:
            case nodes.Getitem():
                return _is_number(node.arg) and self._is_content_value(node.node)
            case nodes.Filter(name="length") | nodes.Filter(name="count"):
                return self._is_content_value(node.node)
            case nodes.Test() if node.name in TYPE_TESTS:
                return self._is_content_value(node.node)
            case nodes.Filter() | nodes.Test() | nodes.Getattr() | nodes.UnaryExpr():
                return self._shows_structure(node.node)
            case nodes.BinExpr():
                return self._shows_structure(node.left) or self._shows_structure(node.right)
            case nodes.Compare():
                operands = [node.expr, *(operand.expr for operand in node.ops)]
                return any(map(self._shows_structure, operands))
            case nodes.Concat():
                return any(map(self._shows_structure, node.nodes))
        return False


def _within(body: list[nodes.Node]) -> Iterator[nodes.Node]:
    """Every statement in a body, branches and loops entered."""
    for node in body:
        yield node
        if isinstance(node, nodes.If):
            yield from _within([*node.body, *node.elif_, *node.else_])
        elif isinstance(node, nodes.For):
            yield from _within([*node.body, *node.else_])


def _branches_on_type(body: list[nodes.Node]) -> bool:
    return any(isinstance(n, nodes.If) and isinstance(n.test, nodes.Test) for n in _within(body))


def _loops(body: list[nodes.Node]) -> bool:
    return any(isinstance(node, nodes.For) for node in _within(body))
