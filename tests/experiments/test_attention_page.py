"""The page on attention says what the records say."""

from experiments import attention_page
from experiments.record import RESULTS


def test_the_page_is_that_of_the_records():
    assert attention_page.PAGE.read_text(encoding="utf-8") == attention_page.page(RESULTS)
