"""Ctrl-C while a call waits."""

import signal

import pytest
from conftest import eventually, output

SCRIPT = """\
import signal
from m365auth import get_access_token

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
try:
    get_access_token()
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("fault", ["hang", {"delay": {"milliseconds": 500}}])
def test_the_answer_gets_a_last_chance(home, standin, fault):
    home.configure("cache = 'none'\nnetwork_timeout = 300")
    token = home.store_token()
    standin.control("POST", "single-use")
    standin.order(fault)
    script = home.python(SCRIPT)
    eventually(lambda: standin.asked() == 1)
    script.send_signal(signal.SIGINT)
    assert output(script) == "interrupted\n"
    # Whether Microsoft answered in time or not at all: the token that it takes next is in the store.
    assert standin.knows(refresh_token=home.stored_token())
    assert (home.stored_token() == token) == (fault == "hang")
