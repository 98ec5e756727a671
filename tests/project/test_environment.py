"""environment.yml, pyproject.toml and requirements.lock agree, and name no package registry."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = (
    {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"},
    {"sys_platform": "linux", "platform_machine": "aarch64", "platform_system": "Linux"},
    {"sys_platform": "darwin", "platform_machine": "arm64", "platform_system": "Darwin"},
    {"sys_platform": "win32", "platform_machine": "AMD64", "platform_system": "Windows"},
)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def project():
    return tomllib.loads(read("pyproject.toml"))["project"]


def locked():
    """The lock as requirements."""
    lines = [line.split("#")[0].strip() for line in read("requirements.lock").splitlines()]
    return [Requirement(line) for line in lines if line]


def environments():
    for python in PYTHONS:
        for machine in MACHINES:
            yield (
                default_environment()
                | machine
                | {
                    "python_version": python,
                    "python_full_version": f"{python}.9",
                    "os_name": "nt" if machine["sys_platform"] == "win32" else "posix",
                }
            )


def pins(environment):
    """Version by name, in one environment."""
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in locked()
        if pin.marker is None or pin.marker.evaluate(environment)
    }


def asked(environment):
    """Every dependency of the project and of its extras, in one environment."""
    groups = project().get("optional-dependencies", {}).values()
    everything = project()["dependencies"] + [item for group in groups for item in group]
    for requirement in map(Requirement, everything):
        own = requirement.name == "stepkit"
        if not own and (requirement.marker is None or requirement.marker.evaluate(environment)):
            yield requirement


def unmet(environment):
    there = pins(environment)
    for requirement in asked(environment):
        version = there.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            yield f"{requirement} (locked: {version})"


def test_every_dependency_is_locked_at_a_version_that_it_allows():
    for environment in environments():
        assert list(unmet(environment)) == [], environment


def test_the_lock_pins_each_package_once_and_exactly():
    for environment in environments():
        active = [p for p in locked() if p.marker is None or p.marker.evaluate(environment)]
        names = [canonicalize_name(pin.name) for pin in active]
        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"==[^*]+", str(pin.specifier)) for pin in active)


def test_the_lock_has_no_cuda():
    assert [p.name for p in locked() if re.match("nvidia|cuda|triton", p.name)] == []


def test_pyproject_keeps_lower_bounds_and_no_pins():
    for requirement in asked(next(environments())):
        signs = {item.operator for item in requirement.specifier}
        assert signs == {">="}, requirement


def test_pyproject_asks_for_keras_3_12():
    (keras,) = (r for r in map(Requirement, project()["dependencies"]) if r.name == "keras")
    assert str(keras.specifier) == ">=3.12"


def test_the_tests_do_not_pull_torch():
    # pip would bring CUDA with it on Linux: bootstrap.py installs the CPU build by itself.
    extras, seen, todo = project()["optional-dependencies"], set(), ["test"]
    while todo:
        for requirement in map(Requirement, extras[todo.pop()]):
            seen.add(requirement.name)
            todo += requirement.extras if requirement.name == "stepkit" else []
    assert "torch" not in seen
    assert {"jax", "nbgrader", "pytest", "jupyterlab"} <= seen


def test_learners_get_no_jax_torch_or_nbgrader():
    extras = project()["optional-dependencies"]
    names = {Requirement(item).name for group in ("course", "tensorflow") for item in extras[group]}
    assert names & {"jax", "torch", "nbgrader", "selenium", "playwright", "nbconvert"} == set()


def conda():
    dependencies = yaml.safe_load(read("environment.yml"))["dependencies"]
    (by_pip,) = (item["pip"] for item in dependencies if isinstance(item, dict))
    return [item for item in dependencies if isinstance(item, str)], by_pip


def test_conda_installs_what_make_lab_installs(bootstrap):
    _, by_pip = conda()
    assert by_pip == [
        f"--constraint {bootstrap.LOCK.name}",
        f"--editable .[{bootstrap.EXTRAS['learner']}]",
    ]


def test_conda_takes_a_python_that_the_project_supports():
    by_conda, _ = conda()
    assert "pip" in by_conda
    (python,) = (Requirement(item.replace("=", "==")) for item in by_conda if item != "pip")
    (pin,) = python.specifier
    assert python.name == "python"
    assert pin.version in PYTHONS


def test_the_same_pythons_everywhere(bootstrap):
    first, last = map(bootstrap.dotted, bootstrap.PYTHONS)
    assert (first, last) == (PYTHONS[0], PYTHONS[-1])
    upper = bootstrap.dotted((bootstrap.PYTHONS[1][0], bootstrap.PYTHONS[1][1] + 1))
    assert project()["requires-python"] == f">={first},<{upper}"
    low, high = (version.replace(".", ", ") for version in (first, last))
    assert f"({low}) <= sys.version_info[:2] <= ({high})" in read("Makefile")


CONFIGS = ("requirements.lock", "environment.yml", "Makefile", ".ci/run", "pyproject.toml")


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_name_no_address_and_no_index(name):
    text = re.sub(r"(?ms)^\[project\.urls\].*?(?=^\[|\Z)", "", read(name))
    assert "://" not in text
    options = r"index-url|index_url|find-links|find_links|trusted-host|--hash|tool\.uv|tool\.pip"
    assert re.findall(options, text) == []


HOSTS = ("py" + "pi.org", "python" + "hosted.org", "download.py" + "torch.org", "anaconda" + ".org")


def committed_texts():
    """Every text file that git knows, with its text."""
    answer = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if answer.returncode:
        pytest.skip("not a git checkout")
    for name in answer.stdout.decode("utf-8").split("\0"):
        path = ROOT / name
        if name and path.is_file() and path.suffix not in (".png", ".npz", ".keras"):
            yield name, path.read_text(encoding="utf-8")


def test_no_file_names_a_package_registry():
    found = [(name, host) for name, text in committed_texts() for host in HOSTS if host in text]
    assert found == []


EMOJI = re.compile("[\u2600-\u27bf\u2b50-\u2bff\U0001f000-\U0001faff]")


def lonely_emoji(text):
    """String literals that say something by an emoji alone (a console may not have it)."""
    literals = re.findall(r'"[^"\n]*"|\'[^\'\n]*\'', text)
    return [item for item in literals if EMOJI.search(item) and not re.search(r"[A-Za-z]", item)]


def test_no_output_is_an_emoji_alone():
    sources = ((n, t) for n, t in committed_texts() if n.endswith(".py") and t.isascii() is False)
    assert [(n, found) for n, t in sources if (found := lonely_emoji(t))] == []


def test_the_emoji_test_can_fail():
    assert lonely_emoji('print("\u2705")') == ['"\u2705"']
    assert lonely_emoji('print("correct \u2705")') == []
