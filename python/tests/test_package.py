"""The installed package."""

import importlib.metadata
import inspect
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import m365auth
import pytest
from conftest import ROOT, output

# pyright runs Node.js and asks the first `python` on the PATH where packages are.
ACTIVATED = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


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


TYPED = """\
# pyright: strict
from m365auth import SignInNeeded, get_access_token, get_refresh_token

def header() -> dict[str, str]:
    try:
        return {"Authorization": f"Bearer {get_access_token(profile='calendar')}"}
    except SignInNeeded as error:
        hint: str | None = error.hint
        raise SystemExit(hint)

length: str = get_refresh_token().upper()
"""


@pytest.mark.parametrize("checker", [["mypy", "--strict", "--cache-dir=/dev/null"], ["pyright"]], ids=lambda it: it[0])
def test_type_checkers_find_the_types(tmp_path, checker):
    typed = tmp_path / "typed.py"
    typed.write_text(TYPED)
    check([*checker, typed, ROOT / "python/examples/calendar_owner.py"])
    typed.write_text(TYPED + "get_access_token(7)\n")
    with pytest.raises(AssertionError, match="incompatible type|not assignable"):
        check([*checker, typed])


def test_the_types_are_complete_and_those_of_the_module():
    check(["pyright", "--verifytypes=m365auth", "--ignoreexternal"])
    check(["mypy.stubtest", "m365auth._native"])


def check(checker):
    """Runs a type checker, which must find this environment and no error."""
    checked = subprocess.run([sys.executable, "-m", *checker], capture_output=True, text=True, env=ACTIVATED)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_metadata_is_that_of_the_cargo_package():
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    metadata = importlib.metadata.metadata("m365auth")
    assert (metadata["Version"], metadata["Summary"]) == (package["version"], package["description"])
    assert f"Source Code, {package['repository']}" in metadata.get_all("Project-URL")
