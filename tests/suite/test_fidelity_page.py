"""The page "how this mock differs from the service" is in step with its rows."""

from tinker_mock.contracts.fidelity import load_differences, load_quirks
from tinker_mock.contracts.ledger import load_ledger
from tinker_mock.contracts.locations import CONTRACTS
from tinker_mock.suite.commands.fidelity import fidelity_page


def test_the_page_is_up_to_date() -> None:
    published = CONTRACTS.parent / "docs" / "fidelity.md"
    assert published.read_text("utf-8") == fidelity_page(), "run `make fidelity`"


def test_every_quirk_and_difference_has_its_section_with_date_and_witnesses() -> None:
    page = fidelity_page()
    for row in load_quirks().values():
        assert f"### `{row.name}` ({row.decided})" in page
        assert all(one.source in page for one in (*row.for_quirk, *row.for_default))
    for difference in load_differences().values():
        assert f"### `{difference.name}` ({difference.decided})" in page
        assert all(one.source in page for one in difference.witnesses)


def test_rules_from_the_services_words_are_listed_newest_first() -> None:
    words = ("docs ", "cookbook ", "tracker ", "reported ")
    told = [rule.id for rule in load_ledger().values() if rule.source.startswith(words)]
    _, table = fidelity_page().split("## What follows the service's words")
    rows = [line for line in table.splitlines() if line.startswith("| 20")]
    assert len(rows) == len(told)
    assert all(any(f"`{name}`" in row for row in rows) for name in told)
    dates = [row[2:12].split(" ")[0] for row in rows]
    assert dates == sorted(dates, reverse=True)
