"""What the page keeps of clients that are not here."""

from tests.clients_matrix.page import PAGE, page, told_before


def test_rows_of_clients_that_are_not_here_stay() -> None:
    text = PAGE.read_text("utf-8")
    assert page(told_before(text, set())) == text
    assert set(told_before(text, {"openai"})) == set(told_before(text, set())) - {"openai"}
