"""Exceptions and log messages."""

import logging
import pickle

import m365auth
import pytest
from conftest import output


def test_sign_in_needed(home, standin):
    with pytest.raises(m365auth.SignInNeeded, match="No refresh token found") as raised:
        m365auth.get_refresh_token()
    assert raised.value.hint == "run `get-token --profile mail` to sign in"
    assert raised.value.reference is None

    home.store_token()
    standin.control("POST", "revoke", params={"aadsts": "50173"})
    with pytest.raises(m365auth.SignInNeeded) as raised:
        m365auth.get_access_token()
    assert raised.value.reference.startswith("AADSTS50173, trace ")


def test_try_later(home, standin):
    token = home.store_token()
    standin.inject({"status": {"status": 503, "retry_after": "3600"}})
    with pytest.raises(m365auth.TryLater):
        m365auth.get_access_token()
    assert home.stored_token() == token


def test_configuration_error(home):
    with pytest.raises(m365auth.ConfigurationError, match="no profile") as raised:
        m365auth.get_access_token("nonsense")
    assert "the profiles are calendar, mail" in raised.value.hint
    home.config_file.unlink()
    with pytest.raises(m365auth.ConfigurationError, match="there is no configuration"):
        m365auth.get_access_token()


def test_a_configuration_link_without_its_target_is_a_configuration_error(home):
    home.config_file.unlink()
    home.config_file.symlink_to("not-mounted")
    for function in m365auth.get_access_token, m365auth.get_refresh_token:
        with pytest.raises(m365auth.ConfigurationError, match="is a symbolic link"):
            function()


def test_any_other_failure_is_an_error(home, standin):
    home.store_token()
    standin.inject("html")
    with pytest.raises(m365auth.Error) as raised:
        m365auth.get_access_token()
    assert type(raised.value) is m365auth.Error


def test_an_error_is_a_value_error_as_in_the_python_tool(home):
    with pytest.raises(ValueError):
        m365auth.get_access_token()
    with pytest.raises(TypeError):
        m365auth.get_access_token(7)


def test_str_has_message_hint_and_reference(home, standin):
    home.store_token()
    standin.inject({"aadsts": {"code": 53003}})
    with pytest.raises(m365auth.SignInNeeded) as raised:
        m365auth.get_access_token()
    error = raised.value
    lines = [error.message, f"hint: {error.hint}", f"Microsoft's reference: {error.reference}"]
    assert str(error).splitlines() == lines


def test_an_error_can_be_pickled(home):
    with pytest.raises(m365auth.SignInNeeded) as raised:
        m365auth.get_access_token()
    error = pickle.loads(pickle.dumps(raised.value))
    assert (type(error), error.hint, str(error)) == (type(raised.value), raised.value.hint, str(raised.value))


def test_without_file_descriptors_a_call_fails_with_the_reason_and_the_next_one_works(home):
    home.store_token()
    script = """\
import resource, m365auth

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
for free in range(20):
    resource.setrlimit(resource.RLIMIT_NOFILE, (3 + free, hard))
    try:
        m365auth.get_access_token()
    except m365auth.Error as error:
        print(error.message)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
m365auth.get_access_token()
"""
    messages = output(home.python(script))
    assert "Too many open files" in messages and "internal error" not in messages


def test_a_call_that_cannot_start_a_thread_is_try_later(home):
    script = """\
import resource, m365auth

pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 1024 * 1024
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    m365auth.get_access_token()
except m365auth.TryLater as error:
    print(error.message)
"""
    assert "cannot start a thread" in output(home.python(script))


def test_the_log_has_warnings_and_no_secret(home, standin, caplog):
    home.store_token()
    (home.cache / "lock_mail").mkdir()
    with caplog.at_level(logging.DEBUG):
        m365auth.get_access_token()
    ours = [record for record in caplog.records if record.name.startswith("m365auth.")]
    assert {record.levelname for record in ours} == {"INFO", "WARNING"}
    assert "continuing without a lock" in caplog.text
    secrets = standin.control("GET", "secrets")
    assert secrets and not any(secret in caplog.text for secret in secrets)
