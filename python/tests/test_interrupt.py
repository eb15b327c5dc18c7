"""Ctrl-C during a call."""

import signal

import pytest
from conftest import eventually, output

SCRIPT = """\
import signal
from m365auth import get_access_token

signal.signal(signal.SIGINT, signal.default_int_handler)  # even if the test runner ignores SIGINT
try:
    get_access_token()
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("fault", ["hang", {"delay": {"milliseconds": 500}}])
def test_after_ctrl_c_a_response_within_the_grace_period_is_saved(home, standin, fault):
    home.configure("cache = 'none'\nnetwork_timeout = 300")
    token = home.store_token()
    standin.control("POST", "single-use")
    standin.inject(fault)
    script = home.python(SCRIPT)
    eventually(lambda: standin.token_requests() == 1)
    script.send_signal(signal.SIGINT)
    assert output(script) == "interrupted\n"
    # With or without a response in time, the store has a token that works.
    assert standin.is_valid(refresh_token=home.stored_token())
    assert (home.stored_token() == token) == (fault == "hang")
