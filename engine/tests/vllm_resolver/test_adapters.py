"""Adapters that vLLM finds by name: verified, copied once, and kept as long as they are used. No vLLM is needed here."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "vllm_resolver"
sys.path.insert(0, str(PACKAGE))

from colloquy_vllm_resolver.adapters import AdapterCache, AdapterRefused  # noqa: E402

KEY = "0123456789abcdef" * 4
NAME = "colloquy-0123456789abcdef"
TRIAL = "trial-6f0c1d5e-0f7b-4a53-9d0e-2f6f5a7c8b90.checkpoints"
MIB = 2**20


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_manifest(folder: Path, files: dict[str, bytes], **more) -> None:
    facts = {name: {"sha256": sha256(content), "bytes": len(content)} for name, content in files.items()}
    manifest = json.dumps({"files": facts} | more).encode()
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.json.ref.json").write_text(json.dumps({"sha256": sha256(manifest), "bytes": len(manifest), "rows": 1}))


def make_adapter(store: Path, key: str = KEY, weights: bytes = b"weights", **more) -> Path:
    folder = store / "models" / key
    folder.mkdir(parents=True)
    files = {"adapter_config.json": b'{"r": 8}', "adapter_model.safetensors": weights}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    write_manifest(folder, files, **more)
    return folder


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def cache(tmp_path, store) -> AdapterCache:
    return AdapterCache(store, tmp_path / "cache", MIB)


def copies(cache: AdapterCache) -> list[str]:
    return sorted(path.name for path in cache._folder.iterdir())


def refusal(cache: AdapterCache, name: str = NAME) -> str:
    with pytest.raises(AdapterRefused) as refused:
        cache.get(name)
    assert not [each for each in copies(cache) if each.startswith("unfinished")]
    return str(refused.value)


def test_an_adapter_is_found_by_the_digits_in_its_name_and_copied_with_its_manifest(store, cache):
    source = make_adapter(store)
    (source / "optimizer.pt").write_bytes(b"of no manifest")
    copy = cache.get(NAME).path
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
        name: (source / name).read_bytes() for name in ("adapter_config.json", "adapter_model.safetensors", "manifest.json")
    }
    assert not copy.is_relative_to(store)


def test_a_made_up_adapter_of_a_trial_is_found_under_each_of_its_names(store, cache):
    folder = make_adapter(store, TRIAL)
    (folder / "manifest.json.ref.json").unlink()
    paths = {cache.get(f"colloquy-trial-{TRIAL}-{number}").path for number in (1, 2)}
    assert len(paths) == 1


@pytest.mark.parametrize(
    "name",
    [
        "base",
        "somebody-elses",
        "colloquy-",
        "colloquy-0123",
        f"colloquy-{KEY}",
        "colloquy-0123456789ABCDEF",
        "colloquy-../../../etc/pa",
        f"{NAME}\n",
        f"../{NAME}",
        f"{NAME}/..",
        "colloquy-trial-../x-1",
        f"colloquy-trial-{TRIAL}/../..-1",
    ],
)
def test_a_name_that_is_none_of_ours_is_left_to_others(store, cache, name):
    make_adapter(store)
    assert cache.get(name) is None


def test_one_that_is_not_in_the_store_is_refused_with_the_folder_that_was_looked_into(store, cache):
    make_adapter(store, "f" * 64)
    assert f"{store / 'models'} has no such adapter" in refusal(cache)


def test_two_whose_names_begin_alike_are_refused(store, cache):
    make_adapter(store)
    make_adapter(store, KEY[:60] + "ffff")
    assert "has 2 models whose names begin with 0123456789abcdef" in refusal(cache)


def test_weights_with_another_hash_are_refused(store, cache):
    path = make_adapter(store) / "adapter_model.safetensors"
    path.write_bytes(b"Weights")
    assert f"{path} has other bytes than the manifest.json names" in refusal(cache)


@pytest.mark.parametrize("content", [b"weight", b"weights and more", b""])
def test_weights_of_another_length_are_refused(store, cache, content):
    (make_adapter(store) / "adapter_model.safetensors").write_bytes(content)
    assert "other bytes than the manifest.json names" in refusal(cache)


def test_a_folder_that_is_half_copied_is_refused(store, cache):
    folder = make_adapter(store)
    (folder / "adapter_model.safetensors").unlink()
    assert "adapter_model.safetensors is missing" in refusal(cache)
    (folder / "manifest.json.ref.json").unlink()
    assert "it is not finished" in refusal(cache)
    (folder / "manifest.json").unlink()
    assert "it is not finished" in refusal(cache)


def test_a_manifest_with_other_bytes_than_its_seal_names_is_refused(store, cache):
    folder = make_adapter(store)
    (folder / "adapter_model.safetensors").write_bytes(b"Weights")
    seal = (folder / "manifest.json.ref.json").read_bytes()
    write_manifest(folder, {"adapter_config.json": b'{"r": 8}', "adapter_model.safetensors": b"Weights"})
    (folder / "manifest.json.ref.json").write_bytes(seal)
    assert "other bytes than its seal" in refusal(cache)


@pytest.mark.parametrize("seal", [b"", b"[]", b"{}", b"null", b'{"sha256": null}', b"\xff"])
def test_a_seal_that_cannot_be_read_is_refused(store, cache, seal):
    (make_adapter(store) / "manifest.json.ref.json").write_bytes(seal)
    assert "other bytes than its seal" in refusal(cache)


@pytest.mark.parametrize("name", ["../adapter.json", "/etc/passwd.json", "a/b.json", ".hidden.json", "adapter_model.bin", "pickle.pkl", "manifest.json", ""])
def test_a_manifest_that_names_a_file_outside_or_a_pickle_is_refused(store, cache, name):
    files = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"weights", name: b"x"}
    write_manifest(make_adapter(store), files)
    assert "which is not a file of an adapter" in refusal(cache)


@pytest.mark.parametrize("manifest", [b"", b"{", b"[]", b'{"files": 1}', b'{"files": {"adapter_config.json": {}}}', b'{"files": {"a.json": {"sha256": "x", "bytes": "y"}}}'])
def test_a_manifest_that_cannot_be_read_is_refused(store, cache, manifest):
    folder = make_adapter(store)
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.json.ref.json").write_text(json.dumps({"sha256": sha256(manifest)}))
    assert "manifest.json cannot be read" in refusal(cache)


def test_a_whole_model_is_refused(store, cache):
    make_adapter(store, form="full")
    assert "a whole model" in refusal(cache)


def test_an_adapter_without_weights_is_refused(store, cache):
    write_manifest(make_adapter(store), {"adapter_config.json": b'{"r": 8}'})
    assert "names no adapter_model.safetensors" in refusal(cache)


def test_a_link_and_a_pipe_in_place_of_a_file_are_refused(store, cache, tmp_path):
    weights = make_adapter(store) / "adapter_model.safetensors"
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    assert "is a link" in refusal(cache)
    weights.unlink()
    os.mkfifo(weights)
    assert "is not a regular file" in refusal(cache)


def test_a_copy_is_made_once_and_answers_when_the_store_is_away(store, cache):
    make_adapter(store)
    first = cache.get(NAME).path
    shutil.rmtree(store)
    assert cache.get(NAME).path == first
    assert copies(cache) == [first.name]


def test_a_copy_that_was_damaged_is_made_again(store, cache):
    make_adapter(store)
    copy = cache.get(NAME).path
    (copy / "adapter_model.safetensors").write_bytes(b"Weights")
    assert (cache.get(NAME).path / "adapter_model.safetensors").read_bytes() == b"weights"
    (copy / "adapter_model.safetensors").unlink()
    shutil.rmtree(store)
    assert "no such adapter" in refusal(cache)


def test_an_adapter_that_was_made_again_with_other_bytes_has_another_copy(store, cache):
    make_adapter(store, weights=b"first")
    first = cache.get(NAME).path
    shutil.rmtree(store)
    make_adapter(store, weights=b"second")
    second = cache.get(NAME).path
    assert first != second
    assert (second / "adapter_model.safetensors").read_bytes() == b"second"


def keys(count: int) -> list[str]:
    return [f"{number:x}" * 64 for number in range(1, count + 1)]


def name_of(key: str) -> str:
    return f"colloquy-{key[:16]}"


def test_what_was_used_longest_ago_goes_when_the_cache_is_full(store, cache):
    for age, key in enumerate(keys(3)):
        make_adapter(store, key, weights=key[:1].encode() * (MIB * 2 // 5))
        held = cache.get(name_of(key))
        os.utime(held.path, (1_000_000 + age, 1_000_000 + age))
        held.release()
        if age == 1:
            # The first one is used again.
            cache.get(name_of(keys(3)[0])).release()
    assert [name[:1] for name in copies(cache)] == ["1", "3"]


def test_what_is_in_use_never_goes_and_a_full_cache_refuses(store, cache):
    held = []
    for key in keys(2):
        make_adapter(store, key, weights=b"x" * (MIB * 2 // 5))
        held.append(cache.get(name_of(key)))
    make_adapter(store, KEY, weights=b"x" * (MIB * 2 // 5))
    assert "full of adapters that are in use" in refusal(cache)
    held[0].release()
    held[0].release()
    cache.get(NAME)
    assert [name[:1] for name in copies(cache)] == ["0", "2"]


def test_one_that_is_larger_than_the_cache_is_refused(store, cache):
    make_adapter(store, weights=b"x" * (MIB + 1))
    assert "may have 0.000976562 GiB" in refusal(cache)


def test_a_store_or_a_cache_that_cannot_be_used_is_refused_with_the_cause(store, tmp_path):
    make_adapter(store)
    (tmp_path / "file").write_text("")
    with pytest.raises(AdapterRefused, match="cannot be read or written.*file"):
        AdapterCache(store, tmp_path / "file" / "cache", MIB).get(NAME)


def process(code: str, store: Path, folder: Path) -> subprocess.Popen:
    script = f"import sys; sys.path.insert(0, {str(PACKAGE)!r})\nfrom pathlib import Path\nfrom colloquy_vllm_resolver import adapters\n"
    script += f"cache = adapters.AdapterCache(Path({str(store)!r}), Path({str(folder)!r}), {MIB * 64})\n{code}"
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def test_two_processes_at_once_make_one_copy(store, cache):
    make_adapter(store, weights=os.urandom(32 * MIB))
    # Each is ready before either begins.
    both = [process(f"print('ready', flush=True); input(); print(cache.get({NAME!r}).path)", store, cache._folder) for _ in range(2)]
    for each in both:
        each.stdout.readline()
    for each in both:
        each.stdin.write("\n")
        each.stdin.flush()
    paths = [each.communicate()[0].strip() for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert len(set(paths)) == 1
    assert copies(cache) == [Path(paths[0]).name]


def test_a_copy_that_a_killed_process_began_is_cleared_away_and_made_again(store, cache):
    make_adapter(store)
    half = process(f"adapters._write = lambda *_: (print('half', flush=True), input())\ncache.get({NAME!r})", store, cache._folder)
    assert half.stdout.readline() == "half\n"
    assert [name[:10] for name in copies(cache)] == ["unfinished"]
    # As long as the process lives, its copy is left alone.
    cache.get(NAME).release()
    assert len(copies(cache)) == 2
    half.kill()
    half.wait()
    shutil.rmtree(cache.get(NAME).path)
    again = cache.get(NAME).path.name
    assert copies(cache) == [again]


def test_vllm_is_given_the_copy_and_told_nothing_of_one_that_is_refused(store, tmp_path, monkeypatch):
    """With stand-ins for the three modules of vLLM that the plugin imports."""
    import asyncio
    import gc
    import types

    class LoRARequest:
        def __init_subclass__(cls, weakref: bool) -> None:
            assert weakref

        def __init__(self, lora_name: str, lora_int_id: int, lora_path: str) -> None:
            self.lora_path = lora_path

    registered = {}
    registry = types.SimpleNamespace(register_resolver=registered.__setitem__)
    said = []
    logger = types.SimpleNamespace(error=lambda *words: said.append(words[0] % words[1:]))
    logger.warning = logger.error
    logger.info = lambda *words: None
    modules = {
        "vllm": {},
        "vllm.lora": {},
        "vllm.logger": {"init_logger": lambda name: logger},
        "vllm.lora.request": {"LoRARequest": LoRARequest},
        "vllm.lora.resolver": {"LoRAResolver": object, "LoRAResolverRegistry": registry},
    }
    for name, contents in modules.items():
        module = types.ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    from colloquy_vllm_resolver import plugin

    monkeypatch.delenv("COLLOQUY_STORE", raising=False)
    plugin.register()
    assert registered == {}
    assert "COLLOQUY_STORE is not set" in said.pop()

    monkeypatch.setenv("COLLOQUY_STORE", str(store))
    monkeypatch.setenv("COLLOQUY_ADAPTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLLOQUY_ADAPTER_CACHE_GIB", "0.001")
    plugin.register()
    assert "has no folder `models` on this machine" in said.pop()
    for size in ("many", "0", "-1", "nan", "inf"):
        monkeypatch.setenv("COLLOQUY_ADAPTER_CACHE_GIB", size)
        with pytest.raises(ValueError, match=f"COLLOQUY_ADAPTER_CACHE_GIB is '{size}'"):
            plugin.register()
    said.clear()
    resolve = registered["colloquy"].resolve_lora
    keys_of_two = keys(2)
    for key in keys_of_two:
        make_adapter(store, key, weights=b"x" * (MIB * 2 // 3))
    assert asyncio.run(resolve("base", "another")) is None
    assert said == []
    # A server with the plugin is told from others by this name.
    assert not Path(asyncio.run(resolve("base", "colloquy-resolver")).lora_path).exists()
    request = asyncio.run(resolve("base", name_of(keys_of_two[0])))
    assert Path(request.lora_path).is_relative_to(tmp_path / "cache")
    assert asyncio.run(resolve("base", name_of(keys_of_two[1]))) is None
    assert f"The adapter {name_of(keys_of_two[1])} is refused. The cache" in said.pop()
    # vLLM has unloaded the first.
    del request
    gc.collect()
    assert asyncio.run(resolve("base", name_of(keys_of_two[1]))) is not None
