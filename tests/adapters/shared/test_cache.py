"""The cache folder and its contents."""

import os
import stat

import pytest

from adapters.shared import cache
from adapters.web import render as outbound


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Use a folder of the test as the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    outbound._templates.cache_clear()
    yield tmp_path
    outbound._templates.cache_clear()


def rendered():
    """Return a page rendered as by a process that has just started."""
    outbound._templates.cache_clear()
    return outbound.render("error.html", problem="Nothing is there.")


def test_what_is_run_is_kept_where_only_its_owner_writes(home):
    """A cache folder for code is created for its owner only, and an existing parent folder is closed to others."""
    (home / "easel").mkdir(mode=0o777)
    made = cache.own("compiled")
    assert made == home / "easel" / "compiled"
    assert cache.own("compiled") == made
    if os.name == "posix":
        assert [stat.S_IMODE(one.stat().st_mode) for one in (home / "easel", made)] == [0o700, 0o700]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has these marks")
def test_a_folder_that_others_write_to_is_not_used(home):
    """A folder that others can write to is not used, so that no foreign code is run."""
    made = cache.own("compiled")
    made.chmod(0o770)
    assert cache.own("compiled") is None
    (home / "easel" / "elsewhere").symlink_to(home)
    assert cache.own("elsewhere") is None


def test_no_folder_is_no_fault(home):
    """Without a usable cache folder, pages are rendered without it."""
    (home / "easel").write_text("in the way")
    assert cache.own("compiled") is None
    assert "Nothing is there." in rendered()


def test_compiled_templates_are_kept_and_mended(home):
    """Compiled templates are cached, and a damaged file is replaced."""
    page = rendered()
    kept = sorted((home / "easel").glob("templates-*/*"))
    assert kept
    for one in kept:
        one.write_bytes(one.read_bytes()[:40])
    assert rendered() == page
    assert all(one.stat().st_size > 100 for one in kept)


def test_a_full_disk_does_not_keep_a_page_back(home, monkeypatch):
    """A page is shown even if its template cannot be cached."""
    monkeypatch.setattr(outbound.jinja2.bccache.tempfile, "NamedTemporaryFile", _full)
    assert "Nothing is there." in rendered()
    assert not list((home / "easel").glob("templates-*/*"))


def _full(*_, **__):
    raise OSError(28, "No space left on device")
