"""Tokens in scripts, threads and processes."""

import multiprocessing
import os
import re
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import m365auth
import pytest
from conftest import ADA, ROOT, eventually, output

# The example in the README of the Python tool, with the import that it leaves out.
PYTHON_TOOL_EXAMPLE = """\
import requests
from m365auth import get_access_token

# Get access token for mail
token = get_access_token('mail')

# Get access token for calendar
token = get_access_token('calendar')

# Use with requests
headers = {'Authorization': f'Bearer {token}'}
response = requests.get('https://graph.microsoft.com/v1.0/me/calendar', headers=headers)
"""


def test_a_sign_in_in_a_new_home_gives_a_token(home, standin):
    get_token = home.start("get-token", SSH_CONNECTION="192.0.2.1 50000 192.0.2.2 22")
    url = next(line.strip() for line in get_token.stderr if line.startswith("https://"))
    output(get_token, standin.sign_in(url) + "\n")

    token = output(home.python("import m365auth; print(m365auth.get_access_token())")).strip()
    assert standin.is_valid(access_token=token)


def test_a_script_for_the_python_tool_runs_unchanged(home, standin):
    assert calendar_owner(PYTHON_TOOL_EXAMPLE, home, standin) == ADA


def test_the_documented_example_runs(home, standin):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/scripts.md").read_text(), re.DOTALL)
    [example] = [block for block in blocks if "from m365auth import" in block]
    assert calendar_owner(example, home, standin) == ADA


def test_the_asyncio_example_runs(home, standin):
    example = (ROOT / "python/examples/calendar_owner.py").read_text()
    assert calendar_owner(example, home, standin, more="") == ADA


def calendar_owner(script, home, standin, more="\nprint(response.json()['owner']['address'])"):
    """Runs a script and returns the owner of the calendar that it requests from Microsoft Graph."""
    home.store_token("mail")
    home.store_token("calendar")
    graph = "https://graph.microsoft.com"
    assert graph in script
    script = script.replace(graph, standin.origin) + more
    authorities = {"REQUESTS_CA_BUNDLE": standin.ca_file, "SSL_CERT_FILE": standin.ca_file}
    return output(home.python(script, **authorities)).strip()


def test_the_default_profile_is_mail(home, standin):
    mail, calendar = home.store_token("mail"), home.store_token("calendar")
    assert m365auth.get_refresh_token() == m365auth.get_refresh_token("mail") == mail
    assert m365auth.get_refresh_token(profile="calendar") == calendar
    assert standin.token_requests() == 0
    m365auth.get_access_token(profile="calendar")
    assert (home.stored_token("mail"), standin.token_requests()) == (mail, 1)
    assert standin.is_valid(refresh_token=home.stored_token("calendar"))


def test_module_and_commands_share_the_cache(home, standin):
    home.configure("cache = 'memory'\nstore = 'file'")
    home.store_token()
    token = m365auth.get_access_token()
    assert output(home.start("refresh-token")) == f"{token}\n"
    assert (m365auth.get_access_token(), standin.token_requests()) == (token, 1)
    output(home.start("get-token", "--sign-out"))  # removes it from the cache too


def test_concurrent_threads_and_processes_all_get_tokens(home, standin):
    home.configure("cache = 'none'\nnetwork_timeout = 300")  # calls wait long for the lock on a slow machine
    home.store_token()
    standin.control("POST", "single-use")  # a rotated token is refused
    with multiprocessing.get_context("fork").Pool(4) as processes, ThreadPoolExecutor(8) as threads:
        from_processes = processes.map_async(m365auth.get_access_token, ["mail"] * 8, chunksize=1)
        commands = [home.start("refresh-token") for _ in range(2)]
        tokens = list(threads.map(m365auth.get_access_token, ["mail"] * 16))
        tokens += from_processes.get() + [output(command).strip() for command in commands]
    assert len(set(tokens)) == 26
    assert all(standin.is_valid(access_token=token) for token in tokens)
    assert standin.is_valid(refresh_token=home.stored_token())


@pytest.mark.skipif(not shutil.which("gnome-keyring-daemon"), reason="tests/run installs gnome-keyring")
def test_the_keychain_works_after_a_fork(home, standin):
    """A child process has the memory of its parent, but not its threads."""
    home.configure("cache = 'none'")
    token = home.store_token()
    runtime = home.folder / "run"
    runtime.mkdir(mode=0o700)
    file = home.folder / "forks.py"
    file.write_text("""\
import os
from m365auth import get_access_token, get_refresh_token

get_access_token()
status = 0 if os.fork() == 0 else os.waitstatus_to_exitcode(os.wait()[1])
get_access_token()
print(get_refresh_token())
raise SystemExit(status)
""")
    login = f"printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null; exec {sys.executable} {file}"
    printed = output(home.start("dbus-run-session", "--", "sh", "-c", login, XDG_RUNTIME_DIR=str(runtime)))
    tokens = [token, *printed.split()]
    assert all(standin.is_valid(refresh_token=token) for token in tokens) and len(set(tokens)) == 3
    assert not (home.cache / "refresh_token_mail").exists()


def test_a_forked_child_does_not_keep_the_lock(home, standin):
    home.configure("cache = 'none'\nnetwork_timeout = 5")
    home.store_token()
    standin.inject({"delay": {"milliseconds": 1000}})
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(m365auth.get_access_token)
        eventually(lambda: standin.token_requests() == 1)  # the thread has the lock now
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        try:
            waiting.result()
            output(home.start("refresh-token"))
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def test_a_missing_configuration_that_is_named_is_an_error(home, monkeypatch):
    home.store_token()
    monkeypatch.setenv("M365AUTH_CONFIG", str(home.folder / "missing.toml"))
    for get in (m365auth.get_refresh_token, m365auth.get_access_token):
        with pytest.raises(m365auth.ConfigurationError, match="missing.toml"):
            get()


def test_other_threads_run_during_a_call(home, standin):
    home.configure("cache = 'none'\nnetwork_timeout = 5")
    home.store_token()
    standin.inject("hang")
    raised = []

    def wait():
        try:
            m365auth.get_access_token()
        except m365auth.Error as error:
            raised.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    eventually(lambda: standin.token_requests() == 1)
    assert waiting.is_alive(), "this thread ran only after the call"
    standin.stop()
    waiting.join()
    assert [type(error) for error in raised] == [m365auth.TryLater]
