"""Adapters in a Colloquy store, by the names that Colloquy gives them. vLLM gets copies of them, which are compared with the manifest.

The name `colloquy-` and 16 digits means the adapter in `models/` whose folder name, its content address, begins with these digits. A copy
is made under another name and appears in the cache by one rename, so that there are no half copies, even when many processes copy at once. A
process that uses a copy has a shared lock on its folder; only folders without such a lock are removed when the cache grows too large. The
system drops the locks of a process that ends.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path

from .manifests import MANIFEST, AdapterRefused, Facts, files_in, manifest_of, open_regular, read_small

_ADAPTER = re.compile(r"colloquy-([0-9a-f]{16})")
# A made-up adapter that an experiment has loaded under several names before it begins: src/engines/endpoint/adapters.ts.
_TRIAL = re.compile(r"colloquy-trial-(trial-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.checkpoints)-[0-9]{1,4}")
_CHUNK = 2**20


class HeldAdapter:
    """A verified copy of an adapter, which stays where it is until it is released."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None


class AdapterCache:
    """Copies of the adapters of the store in `store` (COLLOQUY_STORE of its workers), in `folder`, with at most `most_bytes` together."""

    def __init__(self, store: Path, folder: Path, most_bytes: int) -> None:
        self._models = store / "models"
        self._folder = folder
        self._most_bytes = most_bytes

    def get(self, name: str) -> HeldAdapter | None:
        """The adapter that Colloquy calls `name`; None when `name` is not such a name. Raises AdapterRefused."""
        key, sealed = _key_of(name)
        if key is None:
            return None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            source = self._source(key) if sealed else self._models / key
            if source is None:
                return self._newest_copy(key)
            manifest = manifest_of(source, sealed)
            return self._copy_of(source, manifest, self._folder / f"{key}-{hashlib.sha256(manifest).hexdigest()[:16]}")
        except OSError as error:
            raise AdapterRefused(f"A file cannot be read or written: {error}.") from error

    def _source(self, digits: str) -> Path | None:
        try:
            found = [each for each in os.listdir(self._models) if re.fullmatch(digits + "[0-9a-f]{48}", each)]
        except OSError:
            return None
        if len(found) > 1:
            raise AdapterRefused(f"{self._models} has {len(found)} models whose names begin with {digits}.")
        return self._models / found[0] if found else None

    def _newest_copy(self, key: str) -> HeldAdapter:
        """The newest whole copy of an adapter that the store no longer has (after `keep: last`, for example), or whose store is away."""
        copies = [path for path in self._folder.glob(f"{key}-*") if path.is_dir()]
        for path in sorted(copies, key=lambda path: path.stat().st_mtime, reverse=True):
            held = _hold(path)
            if held is not None and _is_whole(path):
                return held
            if held is not None:
                held.release()
        raise AdapterRefused(f"{self._models} has no such adapter. Is COLLOQUY_STORE the store of the worker, as this machine sees it?")

    def _copy_of(self, source: Path, manifest: bytes, target: Path) -> HeldAdapter:
        files = files_in(manifest)
        for _ in range(3):
            held = _hold(target)
            if held is not None:
                if _is_whole(target):
                    os.utime(target)
                    return held
                held.release()
                _remove(target)
            self._make_room(sum(facts.bytes for facts in files.values()))
            held = self._copy(source, manifest, files, target)
            if held is not None:
                return held
        raise AdapterRefused(f"{target} was removed again and again. Does another program clear {self._folder}?")

    def _copy(self, source: Path, manifest: bytes, files: dict[str, Facts], target: Path) -> HeldAdapter | None:
        """None when another process was faster, or has cleared away the unfinished copy."""
        unfinished = self._folder / f"unfinished-{secrets.token_hex(8)}"
        unfinished.mkdir()
        held = _hold(unfinished)
        if held is None:
            return None
        try:
            for name, facts in files.items():
                _copy_file(source / name, unfinished / name, facts)
            _write(unfinished / MANIFEST, manifest)
            _sync(unfinished)
            # Fails when `target` is there, because this replaces only an empty folder.
            os.rename(unfinished, target)
            _sync(self._folder)
            held.path = target
            return held
        except BaseException as error:
            held.release()
            _remove(unfinished)
            if isinstance(error, OSError) and target.is_dir():
                return None
            raise

    def _make_room(self, needed: int) -> None:
        limit = f"{self._most_bytes / 2**30:g} GiB (COLLOQUY_ADAPTER_CACHE_GIB)"
        if needed > self._most_bytes:
            raise AdapterRefused(f"It has {needed} bytes, and the cache {self._folder} may have {limit}.")
        entries = [(path, _bytes_in(path)) for path in self._folder.iterdir() if path.is_dir()]
        taken = sum(size for _, size in entries)
        # Removes first what a killed process left behind, and then the copies that were used longest ago.
        for path, size in sorted(entries, key=lambda entry: (not entry[0].name.startswith("unfinished-"), _used(entry[0]))):
            if taken + needed <= self._most_bytes and not path.name.startswith("unfinished-"):
                return
            if _remove_unused(path):
                taken -= size
        if taken + needed > self._most_bytes:
            raise AdapterRefused(
                f"The cache {self._folder} is full of adapters that are in use: it may have {limit}, has {taken} bytes, and this adapter has {needed}."
            )


def _key_of(name: str) -> tuple[str | None, bool]:
    """The digits of a fine-tune, whose manifest is sealed; or the folder of a made-up adapter, whose manifest is not."""
    if adapter := _ADAPTER.fullmatch(name):
        return adapter[1], True
    if trial := _TRIAL.fullmatch(name):
        return trial[1], False
    return None, False


def _copy_file(source: Path, target: Path, facts: Facts) -> None:
    """Hashes what it writes, so that what vLLM reads is what was compared."""
    digest = hashlib.sha256()
    left = facts.bytes
    try:
        file = open_regular(source)
    except FileNotFoundError as error:
        raise AdapterRefused(f"{source} is missing.") from error
    with file, target.open("xb") as copy:
        while left >= 0 and (chunk := file.read(_CHUNK)):
            left -= len(chunk)
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    if left != 0 or digest.hexdigest() != facts.sha256:
        raise AdapterRefused(f"{source} has other bytes than the {MANIFEST} names.")


def _is_whole(copy: Path) -> bool:
    """Whether a copy has the files of its manifest, and its manifest the hash in its name."""
    try:
        manifest = read_small(copy / MANIFEST)
        if manifest is None or not copy.name.endswith("-" + hashlib.sha256(manifest).hexdigest()[:16]):
            return False
        for name, facts in files_in(manifest).items():
            digest = hashlib.sha256()
            with open_regular(copy / name) as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
            if digest.hexdigest() != facts.sha256:
                return False
        return True
    except (OSError, AdapterRefused):
        return False


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hold(folder: Path) -> HeldAdapter | None:
    """A shared lock on a folder; None when it is not there."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    # It may have been removed while the lock was waited for.
    if _is_at(descriptor, folder):
        return HeldAdapter(folder, descriptor)
    os.close(descriptor)
    return None


def _remove_unused(folder: Path) -> bool:
    """Removes a folder that nothing has a lock on."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(descriptor, folder):
            _remove(folder)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(folder))
    except FileNotFoundError:
        return False


def _remove(folder: Path) -> None:
    """Renames the folder first, so that its name is free at once."""
    removed = folder.with_name(f"unfinished-{secrets.token_hex(8)}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder, removed)
    shutil.rmtree(removed, ignore_errors=True)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0
