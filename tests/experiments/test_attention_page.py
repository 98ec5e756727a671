"""The page on attention says what the records say."""

import json

from experiments import attention_page
from experiments.record import RESULTS


def test_the_page_is_that_of_the_records():
    assert attention_page.PAGE.read_text(encoding="utf-8") == attention_page.page(RESULTS)


def test_what_the_words_around_the_numbers_say():
    read = {
        name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("attention_stiffness", "gate_adaptivity", "attention_tickets")
    }
    ratio = read["attention_stiffness"]["ratio"]
    assert all(each["total_variation"]["max"] < 1 for each in ratio.values())
    assert ratio["raw"]["median"]["min"] > 1 > ratio["applied"]["median"]["max"]
    frozen = {k: a["frozen_minus_free"] for k, a in read["gate_adaptivity"]["arms"].items()}
    lost = {name for name, each in frozen.items() if each["high"] < 0}
    assert lost == {"style_recalibration", "stepnet_statistics"}
    paired = read["attention_tickets"]["paired"]
    assert paired["all-none"]["low"] > 0 > paired["stiffest-all"]["high"]
    for name in ("stiffest-random", "stiffest-least_stiff"):
        assert paired[name]["low"] < 0 < paired[name]["high"]
