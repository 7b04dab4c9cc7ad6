"""Holds JSON lines from standard input against a JSON schema, with Python's jsonschema.

Says for each line at once `ok KIND`, the definition of the schema that it fits, or `bad REASON`.
"""

import json
import sys

import jsonschema


def name_of(frame):
    """The definition that a frame of this name should fit; any other one is not what it says it is."""
    if not isinstance(frame, dict):
        return None
    try:
        if "event" in frame:
            return frame["event"]["header"]["name"].replace(".", "")
        return frame["header"]["messageDescription"]["action"]
    except (AttributeError, KeyError, TypeError):
        return None


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    parts = {
        name: validator({**schema, "oneOf": [{"$ref": f"#/$defs/{name}"}]})
        for name in schema["$defs"]
    }
    for line in sys.stdin:
        frame = json.loads(line)
        name = name_of(frame)
        if name not in parts:
            print("bad no such frame is known", flush=True)
            continue
        error = jsonschema.exceptions.best_match(parts[name].iter_errors(frame))
        if error is None:
            print("ok", name, flush=True)
        else:
            print("bad", error.message.replace("\n", " ")[:500], flush=True)


main()
