"""What the tests take for the errors of a run, and what for the engine's own words."""

from __future__ import annotations

import pytest

from tests.support.refusal import errors_of
from tests.support.stack import Result

_OUTPUT = """\
Updating (dev):
Diagnostics:
  gcp:container:Cluster (etcd):
    error: 1 error occurred:
    \t* quota exceeded

  pulumi:pulumi:Stack (etcd-dev):
    error: update failed

    error: Detected that /plugins/resource-gcp-v9/pulumi-resource-gcp exited prematurely.\x20
           This is *always* a bug in the provider. Please report the issue to the provider author \
as appropriate.
           To assist with debugging we have dumped the STDOUT and STDERR streams of the \
plugin:{dump}

Resources:
    + 13 created
"""


def test_a_plugin_that_the_engine_has_ended_is_no_error_of_the_run() -> None:
    (error,) = errors_of(Result(1, _OUTPUT.format(dump=""), 1.0))
    assert "quota exceeded" in error


def test_a_plugin_that_has_panicked_is_one() -> None:
    done = Result(1, _OUTPUT.format(dump="panic: index out of range"), 1.0)
    assert [e for e in errors_of(done) if "panic: index out of range" in e]


def test_a_plugin_that_has_raised_is_never_taken_for_well() -> None:
    done = Result(1, _OUTPUT.format(dump="Traceback (most recent call last):"), 1.0)
    with pytest.raises(AssertionError):
        errors_of(done)
