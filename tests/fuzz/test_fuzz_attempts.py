"""The fuzz finds what hangs and what ends its process, and goes on."""

from __future__ import annotations

import os
import time

import pytest
from attempts import Fault, TooLong, apart

from modcog import ModcogError, parse


def test_a_call_that_hangs_or_ends_its_process_is_found() -> None:
    with pytest.raises(Fault, match="it takes more than 1 s"):
        apart(time.sleep, 60, seconds=1)
    with pytest.raises(TooLong, match="ends"):
        apart(os._exit, 3)
    with pytest.raises(ModcogError, match="unknown task"):
        apart(parse, "goo")
    assert apart(os.getpid) != os.getpid()
