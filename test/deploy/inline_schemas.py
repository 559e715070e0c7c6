"""inline_schemas.py VERSION FOLDER writes the schemas of Kubernetes that kubernetes-validate brings into FOLDER, as kubeconform reads them.

In the original every reference leads to a file that only the package itself finds. Here each one is replaced by what it names.
"""

import json
import pathlib
import sys

import kubernetes_validate

version, target = sys.argv[1], pathlib.Path(sys.argv[2])
source = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
definitions = json.loads((source / "_definitions.json").read_text())["$defs"]
KINDS = ["configmap-v1", "deployment-apps-v1", "persistentvolumeclaim-v1", "poddisruptionbudget-policy-v1", "serviceaccount-v1"]


def inlined(schema, above=()):
    """The schema without references. One that would lead back to itself allows everything."""
    if isinstance(schema, list):
        return [inlined(each, above) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return {} if name in above else inlined(definitions[name], (*above, name))
    return {key: inlined(value, above) for key, value in schema.items() if key not in ("$schema", "$id")}


for kind in KINDS:
    schema = json.loads((source / f"{kind}.json").read_text())
    (target / f"{kind}.json").write_text(json.dumps(inlined(schema)))
