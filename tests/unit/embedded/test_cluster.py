import os
from pathlib import Path

import pytest

from embedded import cluster
from embedded.children import EmbeddedServerError, NotInstalled, installed
from embedded.directory import UnusableDirectory, claim, open_log, secret


def test_a_folder_closed_to_others_is_noticed(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert cluster.closed_to(65534, closed / "postgres")
    assert not cluster.closed_to(65534, Path("/etc/hosts"))
    assert not cluster.closed_to(None, closed / "postgres")


def test_a_cluster_of_another_major_version_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "PG_VERSION").write_text("15\n")
    with pytest.raises(
        EmbeddedServerError, match="PostgreSQL 15 made it and this is 18: dump and restore it"
    ):
        cluster.check_version(tmp_path)


async def test_a_pid_that_now_belongs_to_another_program_is_forgotten_and_left_alone(tmp_path):
    file = tmp_path / "postmaster.pid"
    file.write_text(f"{os.getpid()}\n{tmp_path}\n")
    await cluster.end_leftover(tmp_path)
    assert not file.exists()


@pytest.mark.parametrize("left", [b"", b"\n", b"12", b"0\n", bytes(9), b"\xff\xfe\n", b"-7\n"])
async def test_a_pid_file_that_holds_no_pid_is_forgotten(tmp_path, left):
    file = tmp_path / "postmaster.pid"
    file.write_bytes(left)
    await cluster.end_leftover(tmp_path)
    assert not file.exists()


def test_a_data_directory_serves_one_process_at_a_time(tmp_path):
    held = claim(tmp_path)
    with pytest.raises(
        UnusableDirectory, match=f"process {os.getpid()} of Wafd is running on it; name another"
    ):
        claim(tmp_path)
    held.close()
    claim(tmp_path).close()


def test_a_data_directory_that_cannot_be_made_is_said_in_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnusableDirectory, match="cannot be used: Not a directory; name another with --data"):
        claim(tmp_path / "file" / "data")


def test_a_secret_stays_the_same_and_is_nobody_elses_to_read(tmp_path):
    first = secret(tmp_path, "postgres")
    assert secret(tmp_path, "other") != first
    assert secret(tmp_path, "postgres") == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_long_log_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr("embedded.directory.LOG_LIMIT", 3)
    log = tmp_path / "broker.log"
    log.write_text("long")
    open_log(log).close()
    assert (log.read_text(), (tmp_path / "broker.log.1").read_text()) == ("", "long")


def test_a_missing_package_is_named_with_the_extra_that_brings_it():
    with pytest.raises(NotInstalled, match=r"no_such_package is not installed: install Wafd with its extra"):
        installed("no_such_package")
