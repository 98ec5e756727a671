#!/usr/bin/env python3
"""Set up stepkit in .venv/ and use it: the logic behind `make lab` and `make test`.

    python bootstrap.py lab     set up what a learner needs, open JupyterLab on your copies in work/
    python bootstrap.py test    add what the tests need, run every test
    python bootstrap.py env     only set up
    python bootstrap.py quick   the maintainer's loop: lint and the tests of what was touched

On Windows write `py` for `python`. What follows `--` goes to JupyterLab or to pytest:

    python bootstrap.py lab -- --ip=0.0.0.0 --port=9000
    python bootstrap.py test -- -k euler -x

Standard library only. Old Pythons must be able to read this file (3.6), to be told that they are
too old; so no newer syntax here.
"""

import argparse
import collections
import contextlib
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
LOG = ROOT / "build" / "setup.log"
STATE = VENV / "stepkit-setup.json"  # written last: what is in the environment, and from what
UNFINISHED = VENV / "stepkit-unfinished"  # there from the first to the last step of a set-up

PYTHONS = ((3, 11), (3, 13))
GLIBC = (2, 28)
MACOS = (12, 0)
EXTRAS = {"learner": "course,tensorflow", "test": "test"}
CONTENTS = {
    "learner": "TensorFlow, JupyterLab and the course",
    "test": "TensorFlow, JAX, JupyterLab, nbgrader and the test tools",
}
# Measured on Linux: .venv takes 2.0 and 3.4; the rest is room for the downloads.
GIGABYTES = {"learner": 3.0, "test": 5.0}
STATE_FORMAT = 1


class Stop(Exception):
    """An end with a sentence for the user; `code` is the exit code."""

    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


def say(text=""):
    """Print a line at once, also into a pipe, whatever the console can encode."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def dotted(version):
    """Write (3, 11) as 3.11."""
    return ".".join(str(part) for part in version)


def seconds(duration):
    """Write a duration as 42 s or 3:07 min."""
    whole = round(duration)
    return f"{whole} s" if whole < 60 else "{}:{:02d} min".format(*divmod(whole, 60))


# --- What is refused before anything is installed -------------------------------------------------


def check_python(version=None, implementation=None, no_gil=None):
    """Stop unless TensorFlow has wheels for this Python."""
    version = tuple(version or sys.version_info)[:2]
    implementation = implementation or platform.python_implementation()
    if no_gil is None:
        no_gil = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    first, last = PYTHONS
    mend = (
        f"Install Python {dotted(first)} to {dotted(last)} and name it: "
        f"make lab PYTHON=/path/to/python{dotted(last)} "
        f"(Windows: py -{dotted(last)} bootstrap.py lab)."
    )
    if version < first or version > last:
        age = "old" if version < first else "new"
        raise Stop(
            f"This is Python {dotted(version)}, too {age} for the TensorFlow of this course, "
            f"which needs {dotted(first)} to {dotted(last)}. Nothing was installed.\n{mend}"
        )
    if implementation != "CPython" or no_gil:
        kind = "a free-threaded build" if no_gil else implementation
        raise Stop(f"This Python is {kind}; TensorFlow has wheels for the usual CPython.\n{mend}")


Machine = collections.namedtuple("Machine", "system processor bits libc macos")


def this_machine():
    """Describe this machine as far as wheels depend on it."""
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        libc = ""
    return Machine(
        platform.system(),
        platform.machine().lower(),
        64 if sys.maxsize > 2**32 else 32,
        libc,
        platform.mac_ver()[0],
    )


def numbers(text):
    """Read the first two numbers of a text: 'glibc 2.31' is (2, 31)."""
    found = [int(part) for part in re.findall(r"\d+", text)[:2]]
    return tuple(found + [0] * (2 - len(found)))


def check_machine(machine=None):
    """Stop unless TensorFlow has wheels for this machine (the rules of the locked version)."""
    machine = machine or this_machine()
    reason = (_no_linux if machine.system == "Linux" else _no_other)(machine)
    if reason:
        raise Stop("TensorFlow has no wheels for this machine, so nothing was installed: " + reason)


def _no_linux(machine):
    if machine.processor not in ("x86_64", "amd64", "aarch64", "arm64") or machine.bits != 64:
        return f"Linux on {machine.processor} ({machine.bits} bit). It needs 64-bit x86 or ARM."
    if "glibc" not in machine.libc:
        return (
            "this Linux has no glibc (Alpine has musl). "
            "Use Debian, Ubuntu, Fedora or a container such as python:3.12-slim."
        )
    if numbers(machine.libc) < GLIBC:
        return (
            f"{machine.libc} is too old, {dotted(GLIBC)} or newer is needed "
            "(Debian 10, Ubuntu 20.04, RHEL 8)."
        )
    return None


def _no_other(machine):
    if machine.system == "Darwin":
        if machine.processor != "arm64":
            return (
                "macOS with an Intel build of Python. There are wheels for Apple silicon only; "
                "on such a Mac install the universal or arm64 Python, on an Intel Mac use Docker "
                "or a hosted notebook."
            )
        if numbers(machine.macos) < MACOS:
            return f"macOS {machine.macos} is too old, {MACOS[0]} or newer is needed."
        return None
    if machine.system == "Windows":
        if machine.bits != 64:
            return "this Python is a 32-bit build. Install the 64-bit one."
        if machine.processor not in ("amd64", "x86_64"):
            return f"Windows on {machine.processor}. Use WSL, the Linux inside Windows."
        return None
    return "the system is called {}. It needs Linux, macOS or Windows.".format(
        machine.system or "?"
    )


def check_folder(folder):
    """Stop unless files can be made in the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(folder)):
            pass
    except OSError as error:
        raise Stop(
            f"The folder {folder} cannot be written to ({error.strerror or error}).\n"
            "Copy the course to a folder of your own, or mend the permissions of this one."
        ) from error


def check_disk(part, free=None):
    """Stop unless there is room for the packages."""
    if free is None:
        free = shutil.disk_usage(str(ROOT)).free
    there = read_state().get("parts", {})
    needed = max(1.0, GIGABYTES[part] - max([GIGABYTES[name] for name in there] + [0.0]))
    if free < needed * 1e9:
        raise Stop(
            f"The disk has {free / 1e9:.1f} GB free at {ROOT}; the set-up needs {needed:.1f} GB.\n"
            "Make room and run the same command again."
        )


# --- What is in the environment -------------------------------------------------------------------


def venv_program(name, venv=None):
    """Where the environment keeps a program."""
    venv = venv or VENV
    return venv / "Scripts" / (name + ".exe") if os.name == "nt" else venv / "bin" / name


def read_pins(lock=None):
    """Read the lock: versions by name."""
    text = (lock or LOCK).read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;]+)", text))


def wanted(part, python):
    """Hash everything that decides what a set-up installs."""
    import tomllib  # Python 3.11; older ones never come here

    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = data["project"]
    keys = ("name", "dependencies", "optional-dependencies", "scripts", "entry-points")
    asked = [STATE_FORMAT, part, EXTRAS[part], list(python), data["build-system"]]
    asked += [project.get(key) for key in keys]
    asked.append(LOCK.read_text(encoding="utf-8"))
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode("utf-8")).hexdigest()


def read_state():
    """Read what the last complete set-up wrote, or an empty record."""
    try:
        state = json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and state.get("format") == STATE_FORMAT else {}


def write_state(state):
    """Write the record in one go: it is there and whole, or not there."""
    beside = STATE.with_suffix(".new")
    beside.write_text(json.dumps(state, indent=1), encoding="utf-8")
    beside.replace(STATE)


def venv_version():
    """Ask the Python of the environment for its version; None if it does not run."""
    question = [str(venv_program("python")), "-c", "import sys; print(*sys.version_info[:3])"]
    try:
        answer = subprocess.run(
            question, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60
        )
        return tuple(int(part) for part in answer.stdout.split()) or None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def has_moved(state):
    """True if the environment was made in another folder: its scripts still point there."""
    made_in = Path(state.get("root", str(ROOT)))
    return made_in != ROOT and not (made_in.exists() and made_in.samefile(ROOT))


def is_ready(part):
    """True if nothing has to be installed for this part."""
    state, version = read_state(), venv_version()
    if UNFINISHED.exists() or version is None or has_moved(state):
        return False
    if part == "test" and torch_is_worth_a_try(state):
        return False
    return state.get("parts", {}).get(part) == wanted(part, version[:2])


# --- Running pip ----------------------------------------------------------------------------------


def clean_environ():
    """The variables for programs of the environment, without those that lead out of it."""
    environ = dict(os.environ)
    for name in ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON"):
        environ.pop(name, None)
    environ.update(
        PIP_USER="0",
        PIP_NO_INPUT="1",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_PROGRESS_BAR="off",
        PYTHONIOENCODING="utf-8",
        PYTHONNOUSERSITE="1",
    )
    environ["PATH"] = (
        str(venv_program("python").parent) + os.pathsep + environ.get("PATH", os.defpath)
    )
    environ["VIRTUAL_ENV"] = str(VENV)
    return environ


def last_action(log):
    """What pip is doing now, in a few words, from the end of its log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2000))
        lines = file.read().decode("utf-8", "replace").splitlines()
    for line in reversed(lines):
        words = line.split()
        if words and words[0] in ("Collecting", "Downloading", "Installing", "Building"):
            if words[:2] == ["Installing", "collected"]:
                return "writing the packages"
            name = words[1].split("/")[-1] if len(words) > 1 else ""
            return "{} {}".format(words[0].lower(), re.split(r"[-<>=!~;]", name)[0])
    return ""


def watch(process, label, log):
    """Wait for a program and show on one line how long it has been at what."""
    begin, told, screen = time.time(), 0, sys.stdout.isatty()
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        passed = time.time() - begin
        if screen:
            line = f"{label} ... {seconds(passed)} {last_action(log)}"
            sys.stdout.write("\r" + line[:78].ljust(79))
            sys.stdout.flush()
        elif passed - told >= 60:
            told = passed
            say(f"  ... {seconds(passed)} {last_action(log)}")
    if screen:
        sys.stdout.write("\r" + " " * 79 + "\r")
    return time.time() - begin


def run_logged(command, label):
    """Run a program with its output in the log; returns its exit code and what it wrote."""
    with LOG.open("ab") as file:
        file.write("\n$ {}\n".format(" ".join(command)).encode("utf-8", "replace"))
        file.flush()
        start = LOG.stat().st_size
        if not sys.stdout.isatty():
            say(label + " ...")
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            cwd=str(ROOT),
            env=clean_environ(),
        )
        try:
            took = watch(process, label, LOG)
        except BaseException:
            end(process)
            raise
    text = LOG.read_bytes()[start:].decode("utf-8", "replace")
    if process.returncode == 0:
        say(f"{label}: done in {seconds(took)}")
    return process.returncode, text


def end(process, patience=10):
    """Ask a program to end, then insist."""
    for ask in (process.terminate, process.kill):
        if process.poll() is None:
            with contextlib.suppress(OSError):
                ask()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=patience)


# What pip and TensorFlow say, what it means, and how to mend it. The first that is found counts.
TROUBLES = (
    (
        r"No space left|Errno 28|not enough space",
        "the disk is full. Make room (`python -m pip cache purge` empties pip's cache); "
        "if it is only the folder for temporary files, point TMPDIR at a larger one.",
    ),
    (
        r"ProxyError|Tunnel connection failed|407 Proxy",
        "the proxy refused or is not there. Check the variables HTTPS_PROXY and HTTP_PROXY, "
        "or ask whoever runs the proxy.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "the certificate of the package index was not accepted. Behind a company's proxy, "
        "point PIP_CERT at the company's certificate file.",
    ),
    (
        r"NewConnectionError|ConnectionError|Failed to establish|name resolution|getaddrinfo|"
        r"Network is unreachable|NameResolution|ConnectTimeout|Read ?timed? ?out|ReadTimeout|"
        r"Connection (refused|reset|aborted|broken)|RemoteDisconnected",
        "the package index cannot be reached. "
        "Check the network (or PIP_INDEX_URL, if you have set it).",
    ),
    (
        r"Long Path support",
        "the path is too long for Windows. "
        "Move the course to a short path such as C:\\stepkit, or turn on long paths.",
    ),
    (
        r"Permission denied|Errno 13|WinError 5\b|WinError 32|Access is denied",
        "a file of the environment is locked or not yours. Close JupyterLab and every notebook "
        "of this course, and see that the folder belongs to you.",
    ),
    (
        r"No module named '?ensurepip|ensurepip is not available|No module named '?venv",
        "this Python lacks the modules venv and ensurepip. "
        "On Debian and Ubuntu: apt install python3-venv.",
    ),
    (
        r"No matching distribution|Could not find a version",
        "your package index does not offer a locked version for this Python and machine. "
        "If you use a mirror (PIP_INDEX_URL, pip.conf), try without it.",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "pyproject.toml and requirements.lock contradict each other. `git status` shows whether "
        "one of them was changed; maintainers renew the lock: python bootstrap.py lock.",
    ),
    (
        r"DO NOT MATCH THE HASHES|BadZipFile|invalid wheel|IncompleteRead",
        "a download was damaged. Empty pip's cache (`python -m pip cache purge`).",
    ),
    (
        r"DLL load failed",
        "a Windows library is missing. "
        "Install the newest Microsoft Visual C++ Redistributable (x64).",
    ),
)


def diagnose(text, code=1):
    """Say what a failure means and how to mend it; returns that and the line that shows it."""
    if code in (-4, 132, 0xC000001D):
        return "the processor lacks instructions that TensorFlow's wheels use (AVX).", ""
    if code in (-9, 137):
        return "the system ended the program, most likely for want of memory.", ""
    for pattern, meaning in TROUBLES:
        found = re.search(r".*(?:" + pattern + ").*", text)
        if found:
            return meaning, found.group().strip()
    return "not known to this program; the lines above and the log say more.", ""


def failure(what, text, code=1):
    """Make the Stop for a failed step: what failed, why, how to mend it, where the log is."""
    meaning, sign = diagnose(text, code)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|error|\w*Error)\b", line)]
    chosen = [sign] + [line for line in errors[-3:] or lines[-6:] if line != sign]
    shown = "\n".join("    " + line[:200] for line in chosen if line)
    return Stop(
        f"{what} failed (exit code {code}). The lines that matter:\n{shown}\n"
        f"What it means: {meaning}\n"
        f"The whole log: {LOG}\n"
        "Nothing of yours was touched. "
        "Once it is mended, run the same command again: it goes on from there."
    )


def pip(arguments, label, what):
    """Run pip in the environment; returns its output, stops with an explanation if it fails."""
    code, text = run_logged(
        [str(venv_program("python")), "-m", "pip", "install", *arguments], label
    )
    if code:
        raise failure(what, text, code)
    return text


# --- Setting up -----------------------------------------------------------------------------------


@contextlib.contextmanager
def alone():
    """Let one set-up run at a time; the system drops the lock when the program dies."""
    with LOG.with_name("setup.lock").open("a+b") as file:
        try:
            if os.name == "nt":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise Stop(
                "Another set-up is running in this folder. Wait until it has ended."
            ) from error
        except OSError:
            pass  # a file system without locks
        yield


def prepare_venv(label, fresh=False):
    """Make .venv, keep it, or make it anew if it is ours and broken; returns its Python version."""
    state, ours = read_state(), UNFINISHED.exists() or STATE.exists()
    if VENV.exists() and any(VENV.iterdir()):
        version = venv_version()
        pip_runs = (
            version and run_quiet([str(venv_program("python")), "-m", "pip", "--version"]) == 0
        )
        sound = pip_runs and not has_moved(state) and PYTHONS[0] <= version[:2] <= PYTHONS[1]
        if sound and not fresh:
            return version
        if not (ours or fresh):
            raise Stop(
                f"{VENV} is there, was not made by this program, and cannot be used by it.\n"
                "Move it away, or let it be made anew: python bootstrap.py env --fresh"
            )
        say("Making .venv anew ({}).".format("as asked" if fresh else "it was moved, or is broken"))
        shutil.rmtree(str(VENV))
    make_venv(label)
    return venv_version()


def make_venv(label):
    """Make the environment with this Python, also where ensurepip is missing (Debian)."""
    VENV.mkdir(exist_ok=True)
    UNFINISHED.write_text("A set-up has begun and not ended.\n", encoding="utf-8")
    python = getattr(sys, "_base_executable", None) or sys.executable
    code, text = run_logged([python, "-m", "venv", str(VENV)], label)
    if code and "ensurepip" in text:
        code, more = run_logged([python, "-m", "venv", "--without-pip", str(VENV)], label)
        if not code:
            inside = str(venv_program("python"))
            code, more = run_logged(
                [python, "-m", "pip", "--python", inside, "install", "pip"], label
            )
        text += more
    if code or venv_version() is None:
        raise failure("Making a Python environment in .venv", text, code)


def run_quiet(command):
    """Run a program without showing anything; returns its exit code."""
    silent = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "stdin": subprocess.DEVNULL,
    }
    try:
        return subprocess.run(command, env=clean_environ(), cwd=str(ROOT), **silent).returncode
    except OSError:
        return -1


def site_packages():
    """The folder of installed packages."""
    pattern = "Lib/site-packages" if os.name == "nt" else "lib/python3*/site-packages"
    return next(iter(VENV.glob(pattern)), VENV / "none")


def is_whole(info):
    """True if every file that a package's RECORD lists is there with its size."""
    import csv

    record = info / "RECORD"
    if not record.exists() or not (info / "INSTALLER").exists():
        return False
    with record.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if len(row) == 3 and row[2]:
                target = info.parent / row[0]
                if not target.exists() or target.stat().st_size != int(row[2]):
                    return False
    return True


def drop_damaged(site=None):
    """Forget packages that an interrupted pip left half-written, so that pip writes them again."""
    site = site or site_packages()
    dropped = []
    for folder in sorted(site.glob("~*")):
        shutil.rmtree(str(folder), ignore_errors=True)
    for info in sorted(site.glob("*.dist-info")):
        if not is_whole(info):
            shutil.rmtree(str(info))
            dropped.append(info.name.split("-")[0])
    return dropped


def set_up(part, fresh=False):
    """Bring the environment to what the part needs; quick if it is there already."""
    check_python()
    check_machine()
    if not fresh and is_ready(part):
        return
    check_folder(ROOT)
    check_folder(LOG.parent)
    with alone():
        if UNFINISHED.exists() and not fresh:
            recover()
            if is_ready(part):
                return
        check_disk(part)
        LOG.write_text("", encoding="utf-8")
        install(part, fresh)


def recover():
    """After a set-up that did not end: drop what is half-written, or see that nothing is."""
    say("The last set-up did not end: looking for what is half-written.")
    damaged = drop_damaged()
    state = read_state()
    if damaged:
        say("Installed again: " + ", ".join(damaged))
        write_state(dict(state, parts={}))
    elif state:
        UNFINISHED.unlink()


def install(part, fresh):
    """The steps of a set-up, between the mark 'unfinished' and the record 'done'."""
    total = 4 if part == "test" else 3
    label = "Setting up ({} of " + str(total) + "): {}"
    begin = time.time()
    version = prepare_venv(label.format(1, "a Python environment in .venv"), fresh)
    UNFINISHED.write_text("A set-up has begun and not ended.\n", encoding="utf-8")
    state = read_state()
    state.setdefault("parts", {}).pop(part, None)
    if part == "test":
        state["torch"] = install_torch(label.format(2, "PyTorch for CPU"))
    constraint = ["-c", LOCK.name, "--only-binary=:all:"]
    project = ["-e", f".[{EXTRAS[part]}]"]
    pip(
        constraint + project,
        label.format(total - 1, CONTENTS[part]),
        "Installing " + CONTENTS[part],
    )
    try_out(label.format(total, "a first run of TensorFlow"))
    for name in ("learner", part):
        state["parts"][name] = wanted(name, version[:2])
    state.update(format=STATE_FORMAT, root=str(ROOT), python=dotted(version))
    write_state(state)
    UNFINISHED.unlink()
    say(f"The set-up is complete ({seconds(time.time() - begin)}).")


def try_out(label):
    """Import what was installed: a missing system library shows here and not in a lesson."""
    code, text = run_logged(
        [
            str(venv_program("python")),
            "-c",
            "import tensorflow, keras, stepkit; print(keras.__version__)",
        ],
        label,
    )
    if code:
        raise failure("A first run of TensorFlow", text, code)


# --- PyTorch without CUDA -------------------------------------------------------------------------


def torch_sources():
    """Hash the settings that decide where pip finds torch (a hash: they may hold passwords)."""
    names = sorted(name for name in os.environ if name.startswith("PIP_"))
    asked = [
        (name, os.environ[name]) for name in [*names, "STEPKIT_CUDA_TORCH"] if name in os.environ
    ]
    return hashlib.sha256(repr((asked, read_pins()["torch"])).encode("utf-8")).hexdigest()


def torch_is_worth_a_try(state):
    """True if torch was left out and the settings have changed since."""
    torch = state.get("torch", {})
    return bool(torch.get("left_out")) and torch.get("sources") != torch_sources()


def install_torch(label, system=None):
    """Install torch for CPU if the user's index has it; never pull CUDA unasked."""
    pinned = read_pins()["torch"]
    if (system or platform.system()) == "Linux":
        choices = [f"torch=={pinned}+cpu"]
        if os.environ.get("STEPKIT_CUDA_TORCH", "") not in ("", "0"):
            choices.append(f"torch=={pinned}")
    else:
        choices = [f"torch=={pinned}"]
    for choice in choices:
        command = ["-m", "pip", "install", "-c", LOCK.name, "--only-binary=:all:", choice]
        code, text = run_logged([str(venv_program("python")), *command], label)
        if code == 0:
            return {"version": choice.split("==")[1]}
        if "No matching distribution" not in text or "does not offer" not in diagnose(text)[0]:
            raise failure("Installing PyTorch", text, code)
    reason = no_torch(pinned, len(choices) > 1 or (system or platform.system()) != "Linux")
    say("  " + reason.replace("\n", "\n  "))
    return {"left_out": reason, "sources": torch_sources()}


def no_torch(pinned, tried_all):
    """Say why the tests on torch are skipped, and how to have them."""
    if tried_all:
        return (
            f"Your package index has no torch {pinned} for this Python and machine: "
            "its tests are skipped."
        )
    return (
        f"Your package index offers torch {pinned} only with CUDA, several GB: "
        "left out, its tests are skipped.\n"
        f"For the CPU build (torch=={pinned}+cpu), point PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS "
        "at a place that has it;\n"
        "for the CUDA build, set STEPKIT_CUDA_TORCH=1; then run the same command again."
    )


# --- lab ------------------------------------------------------------------------------------------


def copy_lessons():
    """Copy lessons that are not there yet to work/ (the course's own command, if it is there)."""
    work = ROOT / "work"
    check_folder(work)
    if (ROOT / "lessons").is_dir() and (ROOT / "stepkit" / "course" / "__main__.py").exists():
        command = [str(venv_program("python")), "-m", "stepkit.course", "start"]
        code = subprocess.run(command, cwd=str(ROOT), env=lab_environ()).returncode
        if code:
            raise Stop("Copying the lessons to work/ failed: the lines above say why.", code)
        return work
    for lesson in sorted((ROOT / "lessons").glob("*.ipynb")):
        if not (work / lesson.name).exists():
            shutil.copyfile(str(lesson), str(work / lesson.name))
    return work


def lab_environ():
    """Variables for JupyterLab: quiet TensorFlow, this environment's kernel before any other."""
    environ = clean_environ()
    environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's messages are not for learners
    environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # without it TensorFlow says so, each time
    environ.setdefault("KERAS_BACKEND", "tensorflow")
    environ.setdefault("JUPYTER_TOKEN", secrets.token_hex(16))
    environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    own = str(VENV / "share" / "jupyter")
    environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [own, environ.get("JUPYTER_PATH", "")]))
    environ.setdefault("JUPYTERLAB_WORKSPACES_DIR", str(VENV / "workspaces"))
    if not os.access(str(Path.home()), os.W_OK):
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "IPYTHONDIR",
            "MPLCONFIGDIR",
        ):
            environ.setdefault(name, str(VENV / "home" / name.lower()))
        environ.setdefault("KERAS_HOME", str(VENV / "home" / "keras"))
    return environ


def has_screen(environ=None, system=None):
    """True if a browser can be opened here."""
    environ = os.environ if environ is None else environ
    if any(environ.get(name) for name in ("CI", "SSH_CONNECTION", "SSH_TTY")):
        return False
    if (system or platform.system()) in ("Windows", "Darwin"):
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def option(arguments, *names):
    """The value of a command-line option (--port=1 or --port 1), or None."""
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            return value if equals else (arguments[index + 1 : index + 2] or [""])[0]
    return None


def here(host):
    """The name under which this machine reaches a server on this host."""
    return "127.0.0.1" if host in ("", "*", "0.0.0.0", "::", "localhost") else host.strip("[]")


def answers(port, host="127.0.0.1"):
    """True if something listens at the port."""
    try:
        socket.create_connection((here(host), port), timeout=1).close()
    except OSError:
        return False
    return True


def port_is_free(port, host="127.0.0.1"):
    """True if nothing listens at the port and it can be bound."""
    if answers(port, host):
        return False
    family = socket.AF_INET6 if ":" in here(host) else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((here(host), port))
        except OSError:
            return False
    return True


def choose_port(arguments, host):
    """The port that was asked for, if it is free, else the first free one from 8888."""
    asked = option(arguments, "--port", "--ServerApp.port")
    if asked is None:
        return next((port for port in range(8888, 8988) if port_is_free(port, host)), 0)
    if not asked.isdigit() or not 0 <= int(asked) <= 65535:
        raise Stop(f"--port takes a number from 0 to 65535, not {asked!r}.", 2)
    if int(asked) and not port_is_free(int(asked), host):
        raise Stop(
            f"Port {asked} is in use, perhaps by another JupyterLab. Take another one, "
            "or leave --port away: then the next free one is used."
        )
    return int(asked)


def lab_options(arguments, work, root_user, screen):
    """The command line for JupyterLab; what the user gave wins."""
    host = option(arguments, "--ip", "--ServerApp.ip")
    port = choose_port(arguments, host or "127.0.0.1")
    options = ["--ServerApp.root_dir=" + str(work), "--ServerApp.answer_yes=True"]
    if host is None:
        options.append("--ip=127.0.0.1")
    if option(arguments, "--port", "--ServerApp.port") is None:
        options.append(f"--port={port}")
    if (
        option(
            arguments, "--log-level", "--Application.log_level", "--ServerApp.log_level", "--debug"
        )
        is None
    ):
        options += ["--log-level=ERROR", "--LabApp.log_level=ERROR"]
    options.append("--KernelManager.transport_encryption=auto")  # other users cannot listen
    if root_user and "--allow-root" not in arguments:
        options.append("--allow-root")
    if not screen and "--no-browser" not in arguments:
        options.append("--no-browser")
    return options + list(arguments)


def address(server):
    """The address of a running server, for a browser on this machine."""
    url = server["url"]
    host = (server.get("hostname") or "").strip("[]")
    if host in ("0.0.0.0", "::", "*", ""):
        scheme = "https" if server.get("secure") else "http"
        url = "{}://127.0.0.1:{}{}".format(scheme, server["port"], server.get("base_url", "/"))
    token = server.get("token")
    return url.rstrip("/") + "/lab" + ("?token=" + token if token else "")


def server_records(folder):
    """The records of servers, with their times: containers use the same name again."""
    with contextlib.suppress(OSError):
        return {(file, file.stat().st_mtime_ns) for file in folder.glob("jpserver-*.json")}
    return set()


def find_server(folder, work, old):
    """Read the record of the server on the folder work/ that is not among the old ones."""
    for file, _ in server_records(folder) - old:
        with contextlib.suppress(OSError, ValueError, KeyError):
            server = json.loads(file.read_text(encoding="utf-8"))
            if Path(server["root_dir"]) == work:
                return server
    return None


def announce(process, folder, work, old):
    """Print the address as soon as the server is there."""
    while process.poll() is None:
        server = find_server(folder, work, old)
        if server and answers(server["port"], server.get("hostname", "")):
            say("\nJupyterLab is running. If no browser opens, copy this address into one:\n")
            say("    " + address(server))
            say(f"\nYour notebooks are in {work}. To stop, press Ctrl-C here.\n")
            return
        time.sleep(0.3)


def open_lab(arguments):
    """Run JupyterLab on the folder work/ until it is stopped."""
    work = copy_lessons()
    quiet_pages()
    environ = lab_environ()
    python = str(venv_program("python"))
    root_user = hasattr(os, "geteuid") and os.geteuid() == 0
    options = lab_options(arguments, work, root_user, has_screen())
    question = "from jupyter_core.paths import jupyter_runtime_dir as d; print(d())"
    folder = subprocess.run(
        [python, "-c", question], stdout=subprocess.PIPE, env=environ, cwd=str(ROOT)
    ).stdout
    runtime = Path(os.fsdecode(folder).strip() or ".")
    old = server_records(runtime)
    process = subprocess.Popen([python, "-m", "jupyterlab", *options], cwd=str(work), env=environ)
    threading.Thread(target=announce, args=(process, runtime, work, old), daemon=True).start()
    code, asked = wait_through_interrupts(process)
    say(f"\nJupyterLab has ended. Your work is in {work}, every notebook as it was last saved.")
    if code and not asked:
        raise Stop(f"JupyterLab ended by itself with exit code {code}: the lines above say why.")


def quiet_pages():
    """Switch off what JupyterLab asks a newcomer before the lesson: whether it may show news."""
    page = VENV / "etc" / "jupyter" / "labconfig" / "page_config.json"
    if not page.exists():
        page.parent.mkdir(parents=True, exist_ok=True)
        off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        page.write_text(json.dumps(off) + "\n", encoding="utf-8")


def wait_through_interrupts(process):
    """Wait for a program that gets Ctrl-C itself; returns its exit code and if it was asked to."""
    asked = 0
    while True:
        try:
            return process.wait(), bool(asked)
        except KeyboardInterrupt:
            asked += 1
            end_later(process, asked)


def end_later(process, asked):
    """After Ctrl-C the server has 15 seconds to end by itself; a second Ctrl-C ends it now."""
    if asked > 1:
        end(process, 3)
        return
    if TERMINATED:
        process.terminate()
    timer = threading.Timer(15, end, [process])
    timer.daemon = True
    timer.start()


TERMINATED = []


def on_terminate(number, frame):
    """Treat a request to end (docker stop, a closed terminal) like Ctrl-C, and pass it on."""
    TERMINATED.append(number)
    raise KeyboardInterrupt


# --- test and quick -------------------------------------------------------------------------------


def split_targets(arguments):
    """Part pytest's arguments into paths to test and everything else."""
    targets = [
        item
        for item in arguments
        if (ROOT / item.split("::")[0]).exists() and not item.startswith("-")
    ]
    return targets, [item for item in arguments if item not in targets]


def test_parts(arguments):
    """What `test` runs: two lists of (name, backend, command), for two processor cores."""
    targets, rest = split_targets(arguments)
    python = str(venv_program("python"))
    pytest = [python, "-m", "pytest", *rest]
    library = pytest + (targets or ["tests"]) + ["--ignore=tests/course", "--ignore=tests/project"]
    verify = [python, "-m", "stepkit.course", "verify", "--json", str(ROOT / "build/verify.json")]
    first = [
        ("ruff check", None, [python, "-m", "ruff", "check", "."]),
        ("ruff format", None, [python, "-m", "ruff", "format", "--check", "."]),
        ("pytest, tensorflow", "tensorflow", pytest + targets),
    ]
    second = [("pytest, jax", "jax", library), ("pytest, torch", "torch", library)]
    if not arguments:  # who selects tests does not ask for the checks of all exercises
        second.insert(0, ("verify", None, verify))
    return first, second


def run_parts(parts, skipped, may_be_empty=False, output=None):
    """Run parts one after the other; returns lines of a summary and whether all went well."""
    lines, good = [], True
    for name, backend, command in parts:
        if name in skipped:
            lines.append((name, "skipped", skipped[name]))
            continue
        if output is None:
            say(f"\n=== {name} ===")
        else:
            output.write(f"\n=== {name} ===\n".encode())
            output.flush()
        environ = clean_environ()
        environ["KERAS_BACKEND"] = backend or "tensorflow"
        begin = time.time()
        code = subprocess.run(
            command, cwd=str(ROOT), env=environ, stdout=output, stderr=output
        ).returncode
        if code == 5 and may_be_empty:  # pytest: nothing was selected
            result = "no tests"
        else:
            result = f"FAILED (exit code {code})" if code else "passed"
            good = good and code == 0
        lines.append((name, result, seconds(time.time() - begin)))
    return lines, good


def run_beside(first, second, skipped, may_be_empty=False):
    """Run two lists of parts side by side; the output of the second is shown at the end."""
    found = []
    with tempfile.TemporaryFile() as output:
        beside = threading.Thread(
            target=lambda: found.append(run_parts(second, skipped, may_be_empty, output))
        )
        beside.start()
        lines, good = run_parts(first, skipped, may_be_empty)
        say("\nWaiting for: " + ", ".join(name for name, _, _ in second))
        beside.join()
        output.seek(0)
        say(output.read().decode("utf-8", "replace"))
    return lines + found[0][0], good and found[0][1]


def summarise(lines, good):
    """Print one line per part; stop with a non-zero exit code if one failed."""
    say("\n=== Summary ===")
    for name, result, note in lines:
        say("{:<20} {:<22} {}".format(name, result, note.split("\n")[0]))
    if not good:
        raise Stop("Not all is well: see the parts above that failed.")
    say("All passed.")


def test(arguments):
    """Run every test: lint, all on TensorFlow, the checks, the library on JAX and torch."""
    torch = read_state().get("torch", {})
    skipped = {"pytest, torch": torch["left_out"]} if torch.get("left_out") else {}
    first, second = test_parts(arguments)
    summarise(*run_beside(first, second, skipped, may_be_empty=bool(arguments)))
    if skipped:
        say(skipped["pytest, torch"])


def touched_files():
    """Files that differ from the branch main or are not committed; None without git."""
    lines = []
    for command in (["diff", "--name-only", "main...HEAD"], ["diff", "--name-only", "HEAD"],
                    ["ls-files", "--others", "--exclude-standard"]):  # fmt: skip
        try:
            answer = subprocess.run(
                ["git", *command], cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError:
            return None
        if answer.returncode and "HEAD" in command:
            return None
        lines += os.fsdecode(answer.stdout).split("\n")
    return sorted(set(filter(None, lines)))


def quick_targets(files):
    """What to test for touched files: (test folders or [] for all, lessons to verify)."""
    folders, lessons = set(), set()
    for file in files or []:
        parts = file.split("/")
        lesson = re.search(r"(?:solutions/src/|exercises/lesson_)(\d\d)", file)
        if lesson:
            lessons.add(lesson.group(1))
        elif parts[0] == "stepkit" and len(parts) > 2 and not parts[1].startswith("_"):
            folders.add("tests/" + parts[1])
        elif parts[0] == "tests" and len(parts) > 2:
            folders.add("/".join(parts[:2]))
        elif parts[0] in ("stepkit", "tests", "pyproject.toml"):
            return [], sorted(lessons)
    return sorted(folder for folder in folders if (ROOT / folder).is_dir()), sorted(lessons)


def quick(arguments):
    """Lint, then what was touched: lessons are verified, rooms are tested (not the slow tests)."""
    folders, lessons = quick_targets(touched_files())
    targets, rest = split_targets(arguments)
    python = str(venv_program("python"))
    parts = test_parts([])[0][:2]
    if lessons:
        verify = [python, "-m", "stepkit.course", "verify", *lessons]
        parts.append(("verify " + " ".join(lessons), None, verify))
    if folders or targets or not lessons:
        pytest = [python, "-m", "pytest", "-m", "not slow"] + rest + (targets or folders)
        parts.append(("pytest, not slow", "tensorflow", pytest))
    begin = time.time()
    lines, good = run_parts(parts, {}, may_be_empty=True)
    summarise(lines, good)
    if time.time() - begin > 180:
        say("This took more than three minutes: mark slow tests with pytest.mark.slow.")


# --- lock: for maintainers ------------------------------------------------------------------------

LOCK_HEADER = """\
# The versions that `make lab` and `make test` install: Python {} to {}, Linux, macOS, Windows.
# Written by `python bootstrap.py lock` (needs uv on the PATH; `lock -- --upgrade` raises versions).
# torch's CUDA packages are left out on purpose: the set-up takes the CPU build.
"""


def lock(arguments):
    """Renew requirements.lock with uv; versions stay as they are unless told `-- --upgrade`."""
    if shutil.which("uv") is None:
        raise Stop("Renewing the lock needs the program uv, and it is not on the PATH.")
    command = [
        "uv",
        "pip",
        "compile",
        "--universal",
        "--python-version",
        dotted(PYTHONS[0]),
        "--all-extras",
    ]
    command += ["--fork-strategy", "fewest", "--no-header", "--no-annotate", "--no-emit-index-url"]
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / LOCK.name
        if LOCK.exists():
            shutil.copyfile(str(LOCK), str(fresh))
        command += [*list(arguments), "--quiet", "pyproject.toml", "--output-file", str(fresh)]
        code = subprocess.run(command, cwd=str(ROOT), stdout=subprocess.DEVNULL).returncode
        if code:
            raise Stop(f"uv failed with exit code {code}: requirements.lock is as it was.")
        pins = fresh.read_text(encoding="utf-8").splitlines()
    kept = [line for line in pins if not re.match(r"(#|nvidia-|cuda-|triton|\s*$)", line)]
    text = LOCK_HEADER.format(*map(dotted, PYTHONS)) + "\n".join(kept) + "\n"
    LOCK.write_bytes(text.encode("utf-8"))
    say(f"{len(kept)} versions are in {LOCK.name}.")


# --- The command line -----------------------------------------------------------------------------


def parse(arguments):
    """Read the command line: a command, options, and what follows `--`."""
    parser = argparse.ArgumentParser(
        prog="bootstrap.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command", choices=["lab", "test", "env", "quick", "lock"], help="lock is for maintainers"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="make .venv anew first (work/ is never touched)"
    )
    parser.add_argument(
        "rest", nargs="*", metavar="-- ...", help="goes to JupyterLab, pytest or uv"
    )
    own, rest = list(arguments), []
    if "--" in own:
        own, rest = own[: own.index("--")], own[own.index("--") + 1 :]
    given = parser.parse_args(own)
    given.rest += rest
    return given


def main(arguments=None):
    """Run one command; returns the exit code."""
    given = parse(sys.argv[1:] if arguments is None else arguments)
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, on_terminate)
    try:
        if given.command == "lock":
            lock(given.rest)
            return 0
        set_up("learner" if given.command in ("env", "lab") else "test", given.fresh)
        if given.command == "env":
            say("Everything is there. `make lab` (or: python bootstrap.py lab) opens the lessons.")
        else:
            {"lab": open_lab, "test": test, "quick": quick}[given.command](given.rest)
    except Stop as stop:
        print(
            f"\nStopped: {stop}".encode("ascii", "replace").decode("ascii"),
            file=sys.stderr,
            flush=True,
        )
        return stop.code
    except KeyboardInterrupt:
        say("\nInterrupted. Nothing of yours is lost; the same command goes on from there.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
