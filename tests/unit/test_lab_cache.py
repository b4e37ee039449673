"""The lab's cache: a thing is made once, whole, by one process at a time."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import cache
from lab.commands import Task
from lab.errors import LabError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the tests out of the machine's cache."""
    monkeypatch.setenv("ETCD_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def silent(_: str) -> None:
    """Take progress and show none."""


def make_program(draft: Path) -> None:
    (draft / "program").write_text("made")


def test_a_thing_is_made_once_for_a_key() -> None:
    made: list[Path] = []
    for _ in range(2):
        cache.folder("thing", "k1", made.append, silent)
    assert len(made) == 1


def test_two_at_once_make_it_once_and_both_get_it_whole() -> None:
    made: list[Path] = []

    def make(draft: Path) -> None:
        made.append(draft)
        make_program(draft)

    def get(_: int) -> str:
        return (cache.folder("thing", "k1", make, silent) / "program").read_text()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(get, range(4))) == ["made"] * 4
    assert len(made) == 1


def test_a_failed_making_leaves_nothing_that_passes_for_made(own_cache: Path) -> None:
    def fail(draft: Path) -> None:
        make_program(draft)
        raise LabError("no space", "make space")

    with pytest.raises(LabError):
        cache.folder("thing", "k1", fail, silent)
    assert not list(own_cache.glob("thing-*"))
    assert (cache.folder("thing", "k1", make_program, silent) / "program").exists()


def test_what_a_killed_run_left_behind_is_removed(own_cache: Path) -> None:
    left = own_cache / "drafts" / "thing-k1.abc"
    left.mkdir(parents=True)
    (left / "program").write_text("half")
    made = cache.folder("thing", "k1", make_program, silent)
    assert (made / "program").read_text() == "made"
    assert not left.exists()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(("a", "b"), ("ab",), id="joined texts"),
        pytest.param(("ab", "c"), ("a", "bc"), id="moved border"),
        pytest.param(("a", "b"), ("b", "a"), id="other order"),
        pytest.param((), ("",), id="one empty text"),
    ],
)
def test_different_inputs_have_different_keys(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    assert cache.key(*first) != cache.key(*second)


def test_a_file_counts_by_its_content_not_by_its_place(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("same")
    two.write_text("same")
    assert cache.key(one) == cache.key(two)
    two.write_text("other")
    assert cache.key(one) != cache.key(two)


def test_the_users_cache_folder_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETCD_LAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.root() == Path("/somewhere/etcd-lab")


def test_a_failed_command_shows_the_end_of_its_log_and_where_the_rest_is(tmp_path: Path) -> None:
    task = Task("thing", tmp_path / "thing.log", silent)
    with pytest.raises(LabError) as raised:
        task.run("building it", ["sh", "-c", "echo first; echo last words; exit 3"])
    text = str(raised.value)
    assert "thing: building it failed with exit code 3" in text
    assert "last words" in text
    assert text.splitlines()[-1] == f"Next: read the whole log at {task.log}"


def test_a_long_command_is_heard_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.commands.PROGRESS_SECONDS", 0.05)
    said: list[str] = []
    heard = tmp_path / "heard"

    def hear(line: str) -> None:
        said.append(line)
        heard.touch()

    waiting = f"until [ -e {heard} ]; do sleep 0.01; done"
    Task("thing", tmp_path / "log", hear).run("building it", ["sh", "-c", waiting])
    assert re.fullmatch(r"thing: building it, \d+ s", said[0])
