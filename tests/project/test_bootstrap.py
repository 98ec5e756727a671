"""bootstrap.py: what it refuses, what it repairs, what it leaves alone.

The set-ups here are real runs of the program in a small folder whose environment has a stand-in for
pip, so that they take a second and need no network.
"""

import ast
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and paths of POSIX")

# --- what is refused ------------------------------------------------------------------------------


def refusal(call, *arguments, **named):
    """The sentence of the Stop that a call raises."""
    with pytest.raises(Exception) as caught:
        call(*arguments, **named)
    assert type(caught.value).__name__ == "Stop"
    assert caught.value.code != 0
    return str(caught.value)


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 13)])
def test_an_old_python_is_named(bootstrap, version):
    text = refusal(bootstrap.check_python, version, "CPython", False)
    assert f"This is Python 3.{version[1]}, too old" in text
    assert "3.11 to 3.13" in text


def test_a_new_python_is_named(bootstrap):
    assert "too new" in refusal(bootstrap.check_python, (3, 14, 0), "CPython", False)


def test_other_pythons_are_named(bootstrap):
    assert "PyPy" in refusal(bootstrap.check_python, (3, 11, 9), "PyPy", False)
    assert "free-threaded" in refusal(bootstrap.check_python, (3, 13, 0), "CPython", True)


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_the_right_pythons_pass(bootstrap, minor):
    bootstrap.check_python((3, minor, 0), "CPython", False)


def test_old_pythons_can_read_the_program(bootstrap):
    source = Path(bootstrap.__file__).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    with pytest.raises(SyntaxError):
        ast.parse("(x := 1)", feature_version=(3, 6))
    new = {"tomllib", "graphlib", "zoneinfo", "dataclasses"}
    top = [node for node in ast.parse(source).body if isinstance(node, ast.Import)]
    assert {alias.name for node in top for alias in node.names} & new == set()


REFUSED = {
    "musl": (("Linux", "x86_64", 64, "", ""), "musl"),
    "old glibc": (("Linux", "x86_64", 64, "glibc 2.17", ""), "glibc 2.17 is too old"),
    "power": (("Linux", "ppc64le", 64, "glibc 2.39", ""), "ppc64le"),
    "32 bit": (("Linux", "x86_64", 32, "glibc 2.39", ""), "32 bit"),
    "intel mac": (("Darwin", "x86_64", 64, "", "14.5"), "Apple silicon only"),
    "old mac": (("Darwin", "arm64", 64, "", "11.7"), "macOS 11.7 is too old"),
    "windows arm": (("Windows", "arm64", 64, "", ""), "WSL"),
    "windows 32": (("Windows", "amd64", 32, "", ""), "32-bit"),
    "bsd": (("FreeBSD", "amd64", 64, "", ""), "FreeBSD"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_machines_without_wheels_are_named(bootstrap, name):
    facts, reason = REFUSED[name]
    text = refusal(bootstrap.check_machine, bootstrap.Machine(*facts))
    assert reason in text
    assert "nothing was installed" in text


@pytest.mark.parametrize(
    "facts",
    [
        ("Linux", "x86_64", 64, "glibc 2.28", ""),
        ("Linux", "aarch64", 64, "glibc 2.39", ""),
        ("Darwin", "arm64", 64, "", "12.0"),
        ("Windows", "amd64", 64, "", ""),
    ],
)
def test_machines_with_wheels_pass(bootstrap, facts):
    bootstrap.check_machine(bootstrap.Machine(*facts))


def test_a_folder_that_cannot_be_written_is_named(bootstrap, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    text = refusal(bootstrap.check_folder, blocked / "below")
    assert "cannot be written to" in text
    assert str(blocked) in text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_named(bootstrap, tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert "cannot be written to" in refusal(bootstrap.check_folder, tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk_is_named_before_anything_is_installed(bootstrap):
    text = refusal(bootstrap.check_disk, "learner", free=0.2e9)
    assert "0.2 GB free" in text
    bootstrap.check_disk("learner", free=50e9)


# --- set-ups with a stand-in for pip --------------------------------------------------------------

PIP = '''
"""A stand-in for pip: it notes its arguments, and does what the file `plan` says."""
import json, os, pathlib, sys, time
here = pathlib.Path(__file__).parent
if "--version" in sys.argv:
    sys.exit(0)
with (here / "calls").open("a", encoding="utf-8") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
plan = here / "plan"
steps = json.loads(plan.read_text(encoding="utf-8")) if plan.exists() else []
for what, says, code in steps:
    if what in " ".join(sys.argv):
        print(says, flush=True)
        if code == "hang":
            half = here.parent / "halfway-1.0.dist-info"
            half.mkdir(exist_ok=True)
            (half / "METADATA").write_text("Name: halfway", encoding="utf-8")
            (here / "new").write_text(str(os.getpid()), encoding="utf-8")
            (here / "new").rename(here / "hanging")
            time.sleep(60)
        sys.exit(code)
'''
PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "stepkit"
dependencies = ["keras>=3.12"]
"""


def hear_ctrl_c():
    """Programs that a shell starts in the background are deaf to Ctrl-C; these are not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


HEARING = {} if os.name == "nt" else {"preexec_fn": hear_ctrl_c}


class House:
    """A small checkout with bootstrap.py and an environment of its own."""

    def __init__(self, root):
        self.root = root
        shutil.copy(ROOT / "bootstrap.py", root)
        (root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
        (root / "requirements.lock").write_text("keras==3.15.1\ntorch==2.13.0\n", encoding="utf-8")
        make = [sys.executable, "-m", "venv", "--without-pip", str(root / ".venv")]
        subprocess.run(make, check=True)
        (root / ".venv" / "stepkit-unfinished").write_text("", encoding="utf-8")
        self.site = next((root / ".venv").glob("[Ll]ib/**/site-packages"))
        self.pip = self.site / "pip"
        self.pip.mkdir()
        (self.pip / "__main__.py").write_text(PIP, encoding="utf-8")
        for name in ("tensorflow", "stepkit"):
            (self.site / f"{name}.py").write_text("", encoding="utf-8")
        (self.site / "keras.py").write_text("__version__ = '3'", encoding="utf-8")

    def start(self, *arguments, **environ):
        command = [sys.executable, str(self.root / "bootstrap.py"), *arguments]
        return subprocess.Popen(
            command,
            env=os.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            **HEARING,
        )

    def run(self, *arguments, **environ):
        """Run bootstrap.py; returns its exit code and what it printed."""
        process = self.start(*arguments, **environ)
        text, _ = process.communicate(timeout=60)
        return process.returncode, text

    def plan(self, *steps):
        """Say what pip does when an argument holds a word: (word, what it prints, exit code)."""
        (self.pip / "plan").write_text(json.dumps(steps), encoding="utf-8")

    def calls(self):
        """What pip was asked so far; forgotten afterwards."""
        file = self.pip / "calls"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    @property
    def unfinished(self):
        return (self.root / ".venv" / "stepkit-unfinished").exists()


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


NO_NETWORK = (
    "ConnectionError: Temporary failure in name resolution\nERROR: No matching distribution"
)


def test_the_learners_set_up_installs_from_the_lock(house):
    code, text = house.run("env")
    assert code == 0, text
    (call,) = house.calls()
    assert call[:3] == ["install", "-c", "requirements.lock"]
    assert call[-2:] == ["-e", ".[course,tensorflow]"]
    assert not house.unfinished


def test_a_second_run_installs_nothing_and_needs_no_network(house):
    house.run("env")
    house.calls()
    house.plan(["", NO_NETWORK, 1])
    begin = time.perf_counter()
    code, text = house.run("env")
    assert code == 0, text
    assert house.calls() == []
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_changed_lock_or_project_is_installed(house, name):
    house.run("env")
    house.calls()
    with (house.root / name).open("a", encoding="utf-8") as file:
        file.write("scripts = { a = 'b:c' }\n" if name == "pyproject.toml" else "numpy==2.4.6\n")
    assert house.run("env")[0] == 0
    assert len(house.calls()) == 1


def test_a_failed_pip_says_what_why_and_where(house):
    house.plan(["install", NO_NETWORK, 1])
    code, text = house.run("env")
    assert code == 1
    assert "Installing TensorFlow, JupyterLab and the course failed" in text
    assert "the package index cannot be reached" in text
    log = house.root / "build" / "setup.log"
    assert str(log) in text
    assert text.index("name resolution") < text.index("What it means")
    assert "name resolution" in log.read_text(encoding="utf-8")
    house.plan()
    assert house.run("env")[0] == 0


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ProxyError('Cannot connect to proxy.')", "the proxy"),
        ("SSLError: CERTIFICATE_VERIFY_FAILED", "certificate"),
        ("ERROR: Could not install: [Errno 13] Permission denied", "locked or not yours"),
        ("ERROR: ResolutionImpossible", "contradict each other"),
        ("ERROR: No matching distribution found for keras", "does not offer a locked version"),
        ("ImportError: DLL load failed while importing", "Visual C++"),
        ("something else", "not known"),
    ],
)
def test_what_failures_mean(bootstrap, said, meaning):
    assert meaning in bootstrap.diagnose(said)[0]


def test_an_illegal_instruction_is_named(bootstrap):
    assert "AVX" in bootstrap.diagnose("", -4)[0]


def interrupt(house, number, *arguments):
    """Start a set-up, and end it with a signal while pip writes."""
    house.plan(["install", "Installing collected packages", "hang"])
    process = house.start(*arguments)
    waiting = time.time() + 30
    while not (house.pip / "hanging").exists() and time.time() < waiting:
        time.sleep(0.05)
    process.send_signal(number)
    text, _ = process.communicate(timeout=30)
    pip = int((house.pip / "hanging").read_text(encoding="utf-8"))
    if number != signal.SIGKILL:
        with pytest.raises(ProcessLookupError):  # pip does not go on alone
            os.kill(pip, 0)
    else:
        os.kill(pip, signal.SIGKILL)
    (house.pip / "hanging").unlink()
    house.plan()
    house.calls()
    return process.returncode, text


@POSIX
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_set_up_is_recovered(house, number):
    code, text = interrupt(house, getattr(signal, number), "env")
    if number != "SIGKILL":
        assert code == 130
        assert "the same command goes on from there" in text
    assert house.unfinished
    half = house.site / "halfway-1.0.dist-info"
    assert half.exists()
    code, text = house.run("env")
    assert code == 0, text
    assert "halfway" in text
    assert not half.exists()
    assert len(house.calls()) == 1
    assert not house.unfinished


def test_a_failed_test_set_up_leaves_the_learner_alone(house):
    house.run("env")
    house.plan([".[test]", NO_NETWORK, 1], ["install", "ok", 0])
    assert house.run("test")[0] == 1
    house.calls()
    house.plan(["", NO_NETWORK, 1])
    code, text = house.run("env")
    assert code == 0, text
    assert house.calls() == []


def whole_package(site, name, text="x = 1\n"):
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}.py").write_bytes(text.encode())
    (info / "INSTALLER").write_bytes(b"pip\n")
    record = f"{name}.py,sha256=0,{len(text)}\n{name}-1.0.dist-info/RECORD,,\n"
    (info / "RECORD").write_bytes(record.encode())
    return info


def test_half_written_packages_are_found(bootstrap, tmp_path):
    whole_package(tmp_path, "whole")
    whole_package(tmp_path, "cut")
    (tmp_path / "cut.py").write_bytes(b"x")
    whole_package(tmp_path, "gone")
    (tmp_path / "gone.py").unlink()
    (whole_package(tmp_path, "unsigned") / "INSTALLER").unlink()
    (whole_package(tmp_path, "listless") / "RECORD").unlink()
    (tmp_path / "~rphan").mkdir()
    assert bootstrap.drop_damaged(tmp_path) == ["cut", "gone", "listless", "unsigned"]
    assert [path.name for path in tmp_path.glob("*.dist-info")] == ["whole-1.0.dist-info"]
    assert not (tmp_path / "~rphan").exists()
    assert bootstrap.drop_damaged(tmp_path) == []


def test_an_environment_of_someone_else_is_not_removed(house):
    (house.root / ".venv" / "stepkit-unfinished").unlink()
    shutil.rmtree(house.pip)
    code, text = house.run("env")
    assert code == 1
    assert "was not made by this program" in text
    assert (house.site / "keras.py").exists()


def test_two_set_ups_do_not_run_at_once(house):
    house.plan(["install", "Collecting", "hang"])
    first = house.start("env")
    try:
        waiting = time.time() + 30
        while not (house.pip / "hanging").exists() and time.time() < waiting:
            time.sleep(0.05)
        code, text = house.run("env")
        assert code == 1
        assert "Another set-up is running" in text
    finally:
        first.terminate()
        first.communicate(timeout=30)


# --- torch ----------------------------------------------------------------------------------------

NO_TORCH = ["torch==", "ERROR: No matching distribution found for torch==2.13.0+cpu", 1]
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere: no CUDA")


def torch_calls(house):
    return [call[-1] for call in house.calls() if call[-1].startswith("torch")]


@linux_only
def test_torch_is_asked_for_without_cuda(house):
    house.run("test")
    assert torch_calls(house) == ["torch==2.13.0+cpu"]


@linux_only
def test_without_a_cpu_build_torch_is_left_out_and_that_is_said(house):
    house.plan(NO_TORCH)
    _, text = house.run("test")
    assert torch_calls(house) == ["torch==2.13.0+cpu"]
    assert "only with CUDA, several GB" in text
    assert "PIP_EXTRA_INDEX_URL" in text
    assert "pytest, torch        skipped" in text
    house.run("test")
    assert house.calls() == []


@linux_only
def test_torch_is_tried_again_when_pip_is_told_of_another_place(house):
    house.plan(NO_TORCH)
    house.run("test")
    house.calls()
    house.run("test", PIP_FIND_LINKS="elsewhere")
    assert torch_calls(house) == ["torch==2.13.0+cpu"]


@linux_only
def test_cuda_comes_only_when_asked_for(house):
    house.plan(["+cpu", *NO_TORCH[1:]])
    _, text = house.run("test", STEPKIT_CUDA_TORCH="1")
    assert torch_calls(house) == ["torch==2.13.0+cpu", "torch==2.13.0"]
    assert "skipped" not in text


@linux_only
def test_a_torch_that_fails_for_another_reason_stops(house):
    house.plan(["torch==", NO_NETWORK, 1])
    code, text = house.run("test")
    assert code == 1
    assert "Installing PyTorch failed" in text
    assert "cannot be reached" in text


# --- lab ------------------------------------------------------------------------------------------


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_in_use_is_named(bootstrap, taken):
    assert f"Port {taken} is in use" in refusal(
        bootstrap.choose_port, [f"--port={taken}"], "127.0.0.1"
    )
    assert f"Port {taken} is in use" in refusal(
        bootstrap.choose_port, ["--port", str(taken)], "0.0.0.0"
    )
    assert "takes a number" in refusal(bootstrap.choose_port, ["--port=many"], "127.0.0.1")


def test_without_a_port_the_next_free_one_is_taken(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap, "port_is_free", lambda port, host: port > 8889)
    assert bootstrap.choose_port([], "127.0.0.1") == 8890


def test_a_free_port_is_free(bootstrap, taken):
    assert not bootstrap.port_is_free(taken)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    assert bootstrap.port_is_free(number)


@pytest.mark.parametrize(
    ("environ", "system", "screen"),
    [
        ({"DISPLAY": ":0"}, "Linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "Linux", True),
        ({}, "Linux", False),
        ({"DISPLAY": ":0", "CI": "true"}, "Linux", False),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "1 2 3 4"}, "Linux", False),
        ({}, "Darwin", True),
        ({"SSH_TTY": "/dev/ttys0"}, "Darwin", False),
        ({}, "Windows", True),
    ],
)
def test_when_a_browser_is_opened(bootstrap, environ, system, screen):
    assert bootstrap.has_screen(environ, system) is screen


def test_options_for_jupyterlab(bootstrap, tmp_path):
    options = bootstrap.lab_options([], tmp_path, root_user=True, screen=False)
    assert "--ip=127.0.0.1" in options
    assert "--allow-root" in options
    assert "--no-browser" in options
    options = bootstrap.lab_options([], tmp_path, root_user=False, screen=True)
    assert "--allow-root" not in options
    assert "--no-browser" not in options


def test_the_users_options_win(bootstrap, tmp_path):
    options = bootstrap.lab_options(["--ip", "0.0.0.0", "--port=0"], tmp_path, True, False)
    assert [item for item in options if item.startswith("--ip")] == ["--ip"]
    assert [item for item in options if item.startswith("--port")] == ["--port=0"]


def test_the_address_can_be_opened_from_this_machine(bootstrap):
    server = {"url": "http://box:9000/", "hostname": "0.0.0.0", "port": 9000, "base_url": "/"}
    assert bootstrap.address(server | {"token": "t"}) == "http://127.0.0.1:9000/lab?token=t"
    server = {"url": "http://127.0.0.1:8888/", "hostname": "127.0.0.1", "port": 8888, "token": ""}
    assert bootstrap.address(server) == "http://127.0.0.1:8888/lab"


def test_another_server_on_the_same_folder_is_not_taken_for_ours(bootstrap, tmp_path):
    record = tmp_path / "jpserver-17.json"
    record.write_text(json.dumps({"root_dir": str(tmp_path), "port": 1}), encoding="utf-8")
    old = bootstrap.server_records(tmp_path)
    assert bootstrap.find_server(tmp_path, tmp_path, old) is None
    record.write_text(json.dumps({"root_dir": str(tmp_path), "port": 2}), encoding="utf-8")
    os.utime(record, ns=(1, 1))  # a container that starts again uses the same number
    assert bootstrap.find_server(tmp_path, tmp_path, old)["port"] == 2
    assert bootstrap.find_server(tmp_path, tmp_path / "work", old) is None


def test_the_kernel_of_the_environment_comes_first(bootstrap, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    environ = bootstrap.lab_environ()
    first, second = environ["JUPYTER_PATH"].split(os.pathsep)
    assert first == str(bootstrap.VENV / "share" / "jupyter")
    assert second == "/elsewhere"
    assert "PYTHONPATH" not in environ
    assert environ["TF_CPP_MIN_LOG_LEVEL"]


# A run of `lab` on JupyterLab itself, with the environment that runs this test.
LAB = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import bootstrap
bootstrap.VENV = Path(sys.prefix)
bootstrap.set_up = lambda part, fresh: None
sys.exit(bootstrap.main(["lab"]))
"""


def wait_for(process, word, limit=90):
    """Read a program's output up to a line with a word."""
    lines, end = [], time.time() + limit
    while time.time() < end:
        line = process.stdout.readline()
        lines.append(line)
        if word in line or not line:
            break
    return "".join(lines)


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_lab_prints_an_address_that_answers_and_ends_when_asked(tmp_path, number):
    pytest.importorskip("jupyterlab")
    from urllib.request import urlopen

    shutil.copy(ROOT / "bootstrap.py", tmp_path)
    (tmp_path / "lessons").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.txt").write_text("kept", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", LAB.format(here=str(tmp_path))],
        env=os.environ | {"CI": "true"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, text=True, encoding="utf-8", cwd=tmp_path, start_new_session=True,
        **HEARING,
    )  # fmt: skip
    try:
        text = wait_for(process, "press Ctrl-C here")
        (address,) = [line.strip() for line in text.splitlines() if "http://127.0.0.1:" in line]
        with urlopen(address) as answer:
            assert answer.status == 200
        with urlopen(address.replace("/lab?", "/api/contents?")) as answer:
            assert [item["name"] for item in json.load(answer)["content"]] == ["mine.txt"]
        if number == "SIGINT":  # Ctrl-C reaches every program of the terminal
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.terminate()
        rest, _ = process.communicate(timeout=40)
    finally:
        process.kill()
    assert "Your work is in" in rest
    assert process.returncode == 0
    assert (tmp_path / "work" / "mine.txt").read_text(encoding="utf-8") == "kept"


# --- test and quick -------------------------------------------------------------------------------


def test_test_runs_three_backends_both_lints_and_the_checks(bootstrap):
    first, second = bootstrap.test_parts([])
    assert [name for name, _, _ in first] == ["ruff check", "ruff format", "pytest, tensorflow"]
    assert [name for name, _, _ in second] == ["verify", "pytest, jax", "pytest, torch"]
    everything, jax = first[2][2], second[1][2]
    assert "--ignore=tests/course" not in everything
    assert {"--ignore=tests/course", "--ignore=tests/project"} <= set(jax)
    assert [backend for _, backend, _ in second] == [None, "jax", "torch"]


def test_a_selection_goes_to_each_pytest_and_leaves_out_verify(bootstrap):
    first, second = bootstrap.test_parts(["-k", "euler"])
    assert first[2][2][-2:] == ["-k", "euler"]
    assert [name for name, _, _ in second] == ["pytest, jax", "pytest, torch"]
    assert all("euler" in command for _, _, command in second)


def test_parts_beside_each_other_both_count_and_are_shown(bootstrap, capsys):
    says = [sys.executable, "-c", "print('from the second list')"]
    lines, good = bootstrap.run_beside([("a", None, code_of(0))], [("b", None, says)], {})
    assert good and [name for name, _, _ in lines] == ["a", "b"]
    assert "from the second list" in capsys.readouterr().out
    assert not bootstrap.run_beside([("a", None, code_of(0))], [("b", None, code_of(3))], {})[1]


def test_paths_replace_the_default_targets(bootstrap):
    targets, rest = bootstrap.split_targets(["tests/project::x", "-x", "-k", "none"])
    assert targets == ["tests/project::x"]
    assert rest == ["-x", "-k", "none"]


def code_of(code):
    return [sys.executable, "-c", f"import sys; sys.exit({code})"]


def test_each_part_counts(bootstrap, capsys):
    lines, good = bootstrap.run_parts([("a", None, code_of(0)), ("b", None, code_of(3))], {})
    assert not good
    assert "exit code 3" in lines[1][1]
    assert "parts above that failed" in refusal(bootstrap.summarise, lines, good)
    shown = capsys.readouterr().out
    assert "a " in shown
    assert "FAILED (exit code 3)" in shown
    assert bootstrap.run_parts([("a", None, code_of(0))], {"a": "why"})[0] == [
        ("a", "skipped", "why")
    ]


def test_no_tests_selected_is_an_error_unless_the_user_selected(bootstrap):
    assert not bootstrap.run_parts([("a", None, code_of(5))], {})[1]
    assert bootstrap.run_parts([("a", None, code_of(5))], {}, may_be_empty=True)[1]


def test_quick_takes_what_was_touched(bootstrap):
    files = ["solutions/src/01_euler_steps.py", "stepkit/course/exercises/lesson_02.py"]
    assert bootstrap.quick_targets(files) == ([], ["01", "02"])
    assert bootstrap.quick_targets(["tests/project/test_imports.py", "README.md"]) == (
        ["tests/project"],
        [],
    )
    assert bootstrap.quick_targets(["tests/project/a.py", "stepkit/_backend/x.py"]) == ([], [])
    assert bootstrap.quick_targets(None) == ([], [])


# --- make -----------------------------------------------------------------------------------------

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments, **environ):
    answer = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=os.environ | environ,
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    return answer.returncode, answer.stdout + answer.stderr


@needs_make
def test_make_names_a_python_that_does_not_run():
    code, text = make("env", "PYTHON=/no/such/python")
    assert code != 0
    assert "PYTHON=/no/such/python is no Python 3 that runs here" in text


@needs_make
@POSIX
def test_make_without_a_python_says_so(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("sh", "tail", "make"):
        (tmp_path / name).symlink_to(shutil.which(name))
    code, text = make("-C", str(tmp_path), "lab", PATH=str(tmp_path), SHELL="/bin/sh")
    assert code != 0
    assert "no Python 3.11 to 3.13 was found" in text


@needs_make
@POSIX
def test_make_passes_the_command_and_the_arguments_on(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bootstrap.py").write_text("import sys; print(sys.argv)", encoding="utf-8")
    code, text = make("-C", str(tmp_path), "lab", f"PYTHON={sys.executable}", "ARGS=--ip=0.0.0.0")
    assert code == 0, text
    assert "['bootstrap.py', 'lab', '--', '--ip=0.0.0.0']" in text


def test_help_names_every_command(bootstrap, capsys):
    with pytest.raises(SystemExit) as caught:
        bootstrap.main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"bootstrap.py {name}" in shown for name in ("lab", "test", "env", "quick"))
