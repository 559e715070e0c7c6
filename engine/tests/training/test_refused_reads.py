"""A read that the system refuses says nothing about the file: what is there is neither missing nor damaged."""

import errno
from pathlib import Path

import pytest

from colloquy_engine.protocol.process import refused_by_system
from colloquy_engine.protocol.trainer_messages import as_failure
from colloquy_engine.training.outputs import complete_checkpoint, finished_manifest, newest_checkpoint
from colloquy_engine.training.training_rows import read_training_rows


@pytest.fixture(params=[errno.EMFILE, errno.EACCES, errno.EIO, errno.ESTALE])
def refusal(request, monkeypatch):
    """Makes every read fail with an error of the system."""

    def refuse():
        def fail(path, *_, **__):
            raise OSError(request.param, "refused", str(path))

        monkeypatch.setattr(Path, "open", fail)
        monkeypatch.setattr(Path, "read_text", fail)
        monkeypatch.setattr(Path, "read_bytes", fail)
        return request.param

    return refuse


def test_a_checkpoint_and_a_finished_model_are_not_taken_for_missing(refusal, tmp_path):
    (tmp_path / "step-3").mkdir()
    complete_checkpoint(tmp_path / "step-3", "mine")
    assert newest_checkpoint(tmp_path, "mine") == (3, tmp_path / "step-3")
    code = refusal()
    for read in (lambda: newest_checkpoint(tmp_path, "mine"), lambda: finished_manifest(tmp_path, {})):
        with pytest.raises(OSError, match="refused") as raised:
            read()
        assert raised.value.errno == code


def test_a_dataset_is_not_called_bad_and_the_failure_may_be_tried_again(refusal, tmp_path):
    refusal()
    with pytest.raises(OSError, match="refused") as raised:
        read_training_rows(str(tmp_path / "rows.jsonl"), None, frozenset(), 10)
    assert as_failure(raised.value).kind == "internal"


def test_it_is_seen_through_the_errors_of_libraries():
    try:
        try:
            raise OSError(errno.EMFILE, "too many open files")
        except OSError as error:
            raise ValueError("cannot load") from error
    except ValueError as error:
        assert refused_by_system(error)
    assert not refused_by_system(FileNotFoundError(errno.ENOENT, "no such file"))
    assert not refused_by_system(OSError("it is no model of the hub"))
