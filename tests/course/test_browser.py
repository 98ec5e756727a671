"""Lesson 01 in real JupyterLab: not attempted, wrong and why, right."""

import shutil
import time

import pytest

from helpers.browser import chromium, jupyterlab, needs_browser
from stepkit.course import folders

WRONG = "def euler_step(f, t, y, h):\n    return f(t, y) * h"
RIGHT = "def euler_step(f, t, y, h):\n    return y + h * f(t, y)"
CELL = ".jp-Notebook .jp-CodeCell"


@pytest.mark.slow
def test_the_first_exercise_by_hand(tmp_path):
    needs_browser()
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(folders.lesson_file("01"), work / "01_euler_steps.ipynb")
    with jupyterlab(work, tmp_path / "home") as address, chromium(tmp_path / "profile") as driver:
        page = Page(driver, f"{address}/lab/tree/01_euler_steps.ipynb?token=t&reset")
        page.run_until_first_check()
        page.wait_for("01.euler_step: not attempted")
        page.type_answer(WRONG)
        page.wait_for("That is the change, not the new state.")
        page.type_answer(RIGHT)
        page.wait_for("01.euler_step: correct. 2 of 2 points")
        driver.save_screenshot(str(tmp_path / "lesson.png"))


class Page:
    """The open notebook, driven by its keyboard."""

    def __init__(self, driver, address):
        from selenium.webdriver.common.keys import Keys

        self.driver, self.keys = driver, Keys
        driver.get(address)
        self._until(lambda: len(self._cells()) > 4)
        self._until(lambda: "Idle" in self._status())

    def run_until_first_check(self):
        for cell in self._cells():
            self._run(cell)
            if "check(" in cell.text:
                return

    def type_answer(self, source):
        answer = next(c for c in self._cells() if "def euler_step" in c.text)
        editor = answer.find_element("css selector", ".cm-content")
        editor.click()
        editor.send_keys(self.keys.CONTROL, "a")
        self.driver.execute_script(
            "const e = arguments[0]; e.focus();"
            "document.execCommand('insertText', false, arguments[1]);",
            editor,
            source,
        )
        self._run(answer)
        self._run(next(c for c in self._cells() if 'check("01.euler_step")' in c.text))

    def wait_for(self, words):
        self._until(lambda: words in " ".join(self._outputs().split()))

    def _run(self, cell):
        editor = cell.find_element("css selector", ".cm-content")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", editor)
        editor.click()
        editor.send_keys(self.keys.CONTROL, self.keys.ENTER)

    def _cells(self):
        return self.driver.find_elements("css selector", CELL)

    def _outputs(self):
        found = self.driver.find_elements("css selector", ".jp-OutputArea-output")
        return "\n".join(each.text for each in found)

    def _status(self):
        found = self.driver.find_elements("css selector", ".jp-Notebook-ExecutionIndicator")
        return " ".join(f"{e.get_attribute('data-status')} {e.text}".title() for e in found)

    def _until(self, holds, seconds=90):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if holds():
                    return
            except Exception as error:  # a cell that JupyterLab has just drawn anew
                if "stale" not in str(error).lower():
                    raise
            time.sleep(0.2)
        path = "/tmp/stepkit_browser.png"
        self.driver.save_screenshot(path)
        pytest.fail(f"waited {seconds} s in vain; see {path}. Outputs: {self._outputs()[-1500:]}")
