"""Progress and backups of tests go to a folder of their own, never to the user's."""

import pytest


@pytest.fixture(autouse=True)
def stepkit_home(tmp_path, monkeypatch):
    folder = tmp_path / "stepkit home"
    monkeypatch.setenv("STEPKIT_HOME", str(folder))
    monkeypatch.delenv("STEPKIT_GRADING", raising=False)
    return folder
