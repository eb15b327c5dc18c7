"""The installed package."""

import importlib.metadata
import inspect
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import m365auth
import pytest
from conftest import ROOT, output


@pytest.mark.parametrize("command", ["get-token", "refresh-token", "get-refresh-token"])
def test_the_commands_are_programs_on_the_path(home, command):
    program = Path(shutil.which(command))
    assert program.parent == Path(sys.executable).parent
    assert not program.read_bytes().startswith(b"#!"), "the command is a script, which starts too slowly"
    version = importlib.metadata.version("m365auth")
    assert output(home.start(command, "--version")) == f"{command} {version}\n"


def test_everything_public_has_a_docstring():
    for name in m365auth.__all__:
        assert inspect.getdoc(getattr(m365auth, name)), name
    assert str(inspect.signature(m365auth.get_access_token)) == "(profile='mail')"


def test_type_checkers_find_the_types(tmp_path):
    file = tmp_path / "typed.py"
    file.write_text("""\
from m365auth import SignInNeeded, get_access_token, get_refresh_token

def header() -> dict[str, str]:
    try:
        return {"Authorization": f"Bearer {get_access_token(profile='calendar')}"}
    except SignInNeeded as error:
        hint: str | None = error.hint
        raise SystemExit(hint)

length: str = get_refresh_token().upper()
get_access_token(7)  # type: ignore[arg-type]
""")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path]
    checked = subprocess.run([*mypy, file], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_module_and_commands_use_the_same_library_versions():
    """Compares the two lock files; python/Cargo.toml says how to update this one."""
    ours, commands = (packages(ROOT / folder / "Cargo.lock") for folder in ("python", "."))
    differing = {name for name in ours.keys() & commands.keys() if not ours[name] <= commands[name]}
    assert not differing


def packages(lock):
    versions = {}
    for package in tomllib.loads(lock.read_text())["package"]:
        versions.setdefault(package["name"], set()).add(package["version"])
    return versions
