"""The messages of TypeScript (contract.json, generated from src/config/contract.ts and server-contract.ts) and of Python, compared field by field.

The trainer has one client, so both sides must be equal: fields, types, bounds, allowed values, and what may be left out. The server has
others too, so it may accept and answer more: each request that our client can write must be accepted, and each answer be readable.
"""

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from colloquy_engine.protocol import server_messages, trainer_messages

CONTRACT = json.loads(Path(trainer_messages.__file__).with_name("contract.json").read_text())
ANNOTATIONS = {"title", "description", "discriminator", "default"}


def python_schema(module, name: str, mode: str) -> dict:
    return plain(TypeAdapter(getattr(module, name)).json_schema(mode=mode))


def plain(schema, definitions: dict | None = None):
    """A JSON Schema with one way of writing each thing: definitions in place, one kind of union, no annotations."""
    if not isinstance(schema, dict):
        return schema
    definitions = schema.get("$defs", definitions or {})
    if "$ref" in schema:
        return plain(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    made = {key: value for key, value in schema.items() if key not in ANNOTATIONS | {"$defs", "oneOf"}}
    if "oneOf" in schema:
        made["anyOf"] = schema["oneOf"]
    if isinstance(made.get("type"), list):
        made = {"anyOf": [{"type": kind} for kind in made["type"]]}
    if made.get("additionalProperties") in ({}, True):
        del made["additionalProperties"]
    if "properties" in made:
        made["properties"] = {name: plain(field, definitions) for name, field in made["properties"].items()}
    if "required" in made:
        made["required"] = sorted(made["required"])
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = plain(made[key], definitions)
    for key in ("anyOf", "prefixItems"):
        if key in made:
            made[key] = [plain(each, definitions) for each in made[key]]
    return made


def differences(ours, theirs, path="") -> list[str]:
    """The places at which two plain schemas differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [d for key in sorted(ours.keys() | theirs.keys()) for d in differences(ours.get(key), theirs.get(key), f"{path}/{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [d for place, (a, b) in enumerate(zip(ours, theirs, strict=True)) for d in differences(a, b, f"{path}/{place}")]
    return [] if ours == theirs else [f"{path}: {ours} in TypeScript, {theirs} in Python"]


def refusals(reader: dict, writer: dict, path: str = "") -> list[str]:
    """The places at which the writer can write what the reader refuses."""
    if "anyOf" in writer:
        return [fault for each in writer["anyOf"] for fault in refusals(reader, each, path)]
    if "anyOf" in reader:
        tried = [refusals(each, writer, path) for each in reader["anyOf"]]
        return [] if [] in tried else min(tried, key=len)
    allowed, written = values(reader), values(writer)
    if allowed is not None:
        return [] if written is not None and written <= allowed else [f"{path}: {written or writer} is not in {allowed}"]
    if written is not None:
        writer = ranges(written)
    if reader.get("type") not in (writer.get("type"), None) and (reader.get("type"), writer.get("type")) != ("number", "integer"):
        return [f"{path}: {writer.get('type')} is not {reader.get('type')}"]
    faults = [f"{path}: {bound} is {reader[bound]}" for bound in BOUNDS if bound in reader and not BOUNDS[bound](reader[bound], writer)]
    for name, field in reader.get("properties", {}).items():
        if name in writer.get("properties", {}):
            faults += refusals(field, writer["properties"][name], f"{path}/{name}")
        if name in reader.get("required", []) and name not in writer.get("required", []):
            faults.append(f"{path}/{name} may be missing")
    for key in ("items", "additionalProperties"):
        if isinstance(reader.get(key), dict):
            faults += refusals(reader[key], writer[key], f"{path}/{key}")
    if len(reader.get("prefixItems", [])) > writer.get("minItems", 0):
        faults.append(f"{path} may have fewer than {len(reader['prefixItems'])} items")
    return faults


def values(schema: dict) -> set | None:
    return {schema["const"]} if "const" in schema else set(schema["enum"]) if "enum" in schema else None


def ranges(values: set) -> dict:
    """A schema without a list of values that accepts these values, all of one type."""
    kind = {str: "string", bool: "boolean", int: "integer", float: "number"}[type(next(iter(values)))]
    if kind == "string":
        return {"type": kind, "minLength": min(map(len, values)), "maxLength": max(map(len, values))}
    return {"type": kind} | ({} if kind == "boolean" else {"minimum": min(values), "maximum": max(values)})


def least(writer: dict) -> float:
    return writer.get("minimum", writer.get("exclusiveMinimum", float("-inf")))


def most(writer: dict) -> float:
    return writer.get("maximum", writer.get("exclusiveMaximum", float("inf")))


BOUNDS = {
    "minimum": lambda bound, writer: least(writer) >= bound,
    "maximum": lambda bound, writer: most(writer) <= bound,
    "exclusiveMinimum": lambda bound, writer: least(writer) > bound or writer.get("exclusiveMinimum") == bound,
    "exclusiveMaximum": lambda bound, writer: most(writer) < bound or writer.get("exclusiveMaximum") == bound,
    "minLength": lambda bound, writer: writer.get("minLength", 0) >= bound,
    "maxLength": lambda bound, writer: writer.get("maxLength", float("inf")) <= bound,
    "minItems": lambda bound, writer: writer.get("minItems", 0) >= bound,
    "maxItems": lambda bound, writer: writer.get("maxItems", float("inf")) <= bound,
}


@pytest.mark.parametrize("name", CONTRACT["trainer_reads"])
def test_the_trainer_reads_exactly_the_jobs_that_typescript_writes(name):
    assert differences(plain(CONTRACT["trainer_reads"][name]), python_schema(trainer_messages, name, "validation")) == []


@pytest.mark.parametrize("name", CONTRACT["trainer_writes"])
def test_the_trainer_writes_exactly_the_events_and_manifests_that_typescript_reads(name):
    assert differences(plain(CONTRACT["trainer_writes"][name]), python_schema(trainer_messages, name, "serialization")) == []


@pytest.mark.parametrize("name", CONTRACT["server_reads"])
def test_the_server_accepts_each_request_that_typescript_writes(name):
    request = plain(CONTRACT["server_reads"][name])
    accepted = python_schema(server_messages, name, "validation")
    for kind in request.get("anyOf", [request]):
        assert kind["properties"].keys() <= accepted["properties"].keys()  # what the server does not know, it ignores
    assert refusals(accepted, request) == []


@pytest.mark.parametrize("name", CONTRACT["server_writes"])
def test_typescript_can_read_each_answer_that_the_server_writes(name):
    read, written = plain(CONTRACT["server_writes"][name]), python_schema(server_messages, name, "serialization")
    assert read["properties"].keys() <= written["properties"].keys()
    assert refusals(read, written) == []


def test_a_difference_between_the_two_sides_is_named():
    job = plain(CONTRACT["trainer_reads"]["TrainingJob"])
    for change, place in [
        (lambda settings: settings["properties"]["lora_r"].update(maximum=513), "/settings/properties/lora_r/maximum"),
        (lambda settings: settings["properties"]["lr_scheduler_type"]["enum"].append("other"), "/lr_scheduler_type/enum"),
        (lambda settings: settings["properties"].pop("method"), "/settings/properties/method"),
        (lambda settings: settings["required"].remove("method"), "/settings/required"),
    ]:
        changed = json.loads(json.dumps(job))
        change(changed["properties"]["settings"])
        assert place in "".join(differences(job, changed))

    chat = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    for written, refused in [
        ({"type": "integer", "minimum": 1}, False),
        ({"type": "integer", "minimum": 0}, True),
        ({"type": "integer", "const": 0}, True),
        ({"type": "number", "minimum": 1}, True),
        ({"anyOf": [{"type": "integer", "minimum": 2}, {"type": "null"}]}, True),
    ]:
        assert bool(refusals(chat, {"type": "object", "properties": {"n": written}, "required": ["n"]})) == refused
    assert refusals(chat, {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}})
