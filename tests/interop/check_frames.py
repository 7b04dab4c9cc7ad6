"""Holds JSON lines from standard input against a JSON schema, with Python's jsonschema.

Says for each line `ok KIND`, the definition of the schema that it fits, or `bad REASON`.
"""

import json
import sys

import jsonschema


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    whole = validator(schema)
    parts = {
        name: validator({**schema, "oneOf": [{"$ref": f"#/$defs/{name}"}]})
        for name in schema["$defs"]
    }
    for line in sys.stdin:
        frame = json.loads(line)
        error = jsonschema.exceptions.best_match(whole.iter_errors(frame))
        if error is not None:
            print("bad", error.message.replace("\n", " ")[:500])
            continue
        print("ok", *(name for name, part in parts.items() if part.is_valid(frame)))


main()
