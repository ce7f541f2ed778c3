# SPDX-License-Identifier: MIT
"""A validator for the part of JSON Schema that our schemas use; it refuses keywords that it does not know."""

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
         "null": type(None)}
IGNORED = {"$schema", "$defs", "title", "description"}


def is_type(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def check(value, schema, root=None, where="$"):
    """Returns a list of what is wrong, empty when `value` is as `schema` says."""
    root = root or schema
    wrong = []
    for keyword, rule in schema.items():
        if keyword in IGNORED:
            continue
        if keyword == "$ref":
            wrong += check(value, root["$defs"][rule.rsplit("/", 1)[1]], root, where)
        elif keyword == "const":
            wrong += [] if value == rule and type(value) is type(rule) else [f"{where}: not {rule!r}"]
        elif keyword == "enum":
            wrong += [] if value in rule else [f"{where}: {value!r} is none of {rule}"]
        elif keyword == "type":
            names = rule if isinstance(rule, list) else [rule]
            wrong += [] if any(is_type(value, n) for n in names) else [f"{where}: not {rule}"]
        elif keyword == "required":
            wrong += [f"{where}: no {k}" for k in rule if isinstance(value, dict) and k not in value]
        elif keyword == "properties":
            for k in value if isinstance(value, dict) else ():
                if k in rule:
                    wrong += check(value[k], rule[k], root, f"{where}.{k}")
                elif schema.get("additionalProperties") is False:
                    wrong.append(f"{where}: {k} is not in the schema")
        elif keyword == "additionalProperties":
            assert rule is False
        elif keyword == "items":
            for i, item in enumerate(value if isinstance(value, list) else ()):
                wrong += check(item, rule, root, f"{where}[{i}]")
        elif keyword == "minItems":
            wrong += [] if not isinstance(value, list) or len(value) >= rule else [f"{where}: too short"]
        elif keyword == "allOf":
            for part in rule:
                wrong += check(value, part, root, where)
        elif keyword == "if":
            branch = "then" if not check(value, rule, root, where) else "else"
            wrong += check(value, schema.get(branch, {}), root, where)
        elif keyword not in ("then", "else"):
            raise ValueError(f"{where}: the validator does not know {keyword}")
    return wrong
