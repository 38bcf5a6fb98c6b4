"""JUnit XML: one suite a chapter, one case a check."""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as Xml

BAD = ("fail", "not-testable")
SKIPPED = ("n/a", "not-judged")


def junit(results: Mapping[str, Any]) -> str:
    """The results as JUnit XML."""
    root = Xml.Element("testsuites", name=str(results["target"]["name"]))
    chapters: dict[str, list[Mapping[str, Any]]] = {}
    for row in results["verdicts"]:
        chapters.setdefault(row["chapter"], []).append(row)
    for chapter, rows in chapters.items():
        suite = Xml.SubElement(root, "testsuite", name=chapter, tests=str(len(rows)))
        for name, statuses in (("failures", BAD), ("errors", ("error",)), ("skipped", SKIPPED)):
            suite.set(name, str(sum(row["status"] in statuses for row in rows)))
        for row in rows:
            add_case(suite, row)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def add_case(suite: Xml.Element, row: Mapping[str, Any]) -> None:
    """One check."""
    seconds = f"{row.get('duration_ms', 0) / 1000:.3f}"
    case = Xml.SubElement(
        suite, "testcase", name=row["check"], classname=row["chapter"], time=seconds
    )
    text = printable(
        f"{row['text']}\nsource: {row['source']}\nfound: {row['message']}\n"
        f"expected: {row.get('expected', '')}\nactual: {row.get('actual', '')}\n"
        f"repeat: {row.get('curl', '')}"
    )
    if row["status"] in BAD:
        Xml.SubElement(case, "failure", message=printable(row["message"])).text = text
    elif row["status"] == "error":
        Xml.SubElement(case, "error", message=printable(row["message"])).text = text
    elif row["status"] in SKIPPED:
        Xml.SubElement(case, "skipped", message=printable(row["message"]))
    elif row["status"] == "warn":
        Xml.SubElement(case, "system-out").text = text


def printable(text: str) -> str:
    """Text without the characters that XML cannot carry."""
    return "".join(sign for sign in text if sign in "\t\n" or sign >= " ")
