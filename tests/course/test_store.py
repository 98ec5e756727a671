"""Progress is written whole, damaged files are kept, and a locked folder is no disaster."""

import contextlib
import json
import threading

from stepkit.course import progress, store
from stepkit.course.outcome import Kind, Outcome

CORRECT = Outcome("01.euler_step", Kind.CORRECT)
WRONG = Outcome("01.euler_step", Kind.NOT_YET, "no")


def test_points_stay_earned():
    progress.record(WRONG)
    assert progress.points_of("01")[0] == 0
    progress.record(CORRECT)
    progress.record(WRONG)
    assert progress.points_of("01")[0] == 2
    assert "solved" in progress.table()


def test_a_damaged_file_is_set_aside_with_a_message(capsys):
    progress.record(CORRECT)
    path = progress.SHELF.path("01.euler_step")
    path.write_text('{"solved": tr', encoding="utf-8")
    assert progress.points_of("01")[0] == 0
    said = capsys.readouterr().out
    kept = list(path.parent.glob("*.damaged_*"))
    assert len(kept) == 1 and kept[0].read_text(encoding="utf-8") == '{"solved": tr'
    assert str(kept[0]) in said and "Check the exercise again" in said
    progress.record(CORRECT)
    assert progress.points_of("01")[0] == 2


def test_a_file_that_holds_something_else_is_set_aside(capsys):
    path = progress.SHELF.path("01.euler_step")
    path.parent.mkdir(parents=True)
    path.write_text("[1, 2]", encoding="utf-8")
    assert progress.points_of("01")[0] == 0
    assert "damaged" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_named_and_nothing_raises(
    stepkit_home, monkeypatch, capsys
):
    stepkit_home.write_text("a file where the folder should be", encoding="utf-8")
    progress.record(CORRECT)
    assert "could not be saved" in capsys.readouterr().out


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    store.write_text(path, "old")

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(store.os, "fsync", fail)
    with contextlib.suppress(OSError):
        store.write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


def test_many_kernels_at_once_lose_nothing():
    names = [f"01.exercise_{n}" for n in range(20)]

    def work(name):
        for _ in range(5):
            progress.record(Outcome(name, Kind.CORRECT))

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for name in names:
        record = json.loads(progress.SHELF.path(name).read_text(encoding="utf-8"))
        assert record["solved"] is True and record["checks"] == 5
