"""Validate requests and responses against the machine-readable Bot API. Without the document, everything is valid."""

import functools
import json
import re
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[4] / "shared" / "specs" / "telegram-bot-api.json"
# The document states ranges and constants only in prose.
RANGE = re.compile(r"(?<![\w-])(\d+)-(\d+)(?![\w-])(?: (characters|bytes))?", re.IGNORECASE)
CONSTANT = re.compile(r"(?:must be|always) [\"“]?(\w+)[\"”]?\.?$")
SIMPLE = {"Integer": int, "String": str, "Boolean": bool, "Float": (int, float)}


@functools.cache
def document():
    """Return the schema, or None if the document is not available."""
    return Schema(json.loads(DOCUMENT.read_text(encoding="utf-8"))) if DOCUMENT.exists() else None


class Schema:
    """The Bot API document as a validator."""

    def __init__(self, api):
        self._types = api["types"]
        self._methods = {name.lower(): method for name, method in api["methods"].items()}

    def check_request(self, method, args):
        """Return the errors in the arguments of a request, as sentences."""
        known = self._methods.get(method.lower())
        if known is None:
            return [f"{method}: nobody knows this method"]
        given = {name: value for name, value in args.items() if value != ""}
        return [f"{method}: {one}" for one in self._object(known.get("fields", []), given, "")]

    def check_reply(self, method, result):
        """Return the errors in a response, as sentences."""
        known = self._methods.get(method.lower())
        return [f"{method} -> {one}" for one in self._any(known["returns"], result, "result", None)] if known else []

    def check_update(self, update):
        """Return the errors in an update, as sentences."""
        return [f"update: {one}" for one in self._any(["Update"], update, "", None)]

    def _object(self, fields, value, channel):
        """Yield the errors in an object."""
        known = {field["name"]: field for field in fields}
        for name, field in known.items():
            if field["required"] and value.get(name) is None:
                yield f"{channel}{name} is required"
        for name, inner in value.items():
            if name not in known:
                yield f"{channel}{name}: nobody knows this key"
            elif inner is not None:
                yield from self._any(known[name]["types"], inner, f"{channel}{name}", known[name])

    def _any(self, types, value, channel, field):
        """Return the errors in a value under the type that fits best."""
        tries = [list(self._one(kind, value, channel, field)) for kind in self._leaves(types, value)]
        return min(tries, key=len, default=[f"{channel}: {value!r} is none of {', '.join(types)}"])

    def _leaves(self, types, value):
        """Return the possible types of a value: in a union, those whose constants match."""
        found = []
        for kind in types:
            subtypes = self._types.get(kind, {}).get("subtypes")
            found += self._leaves(subtypes, value) if subtypes else [kind]
        meant = [kind for kind in found if not isinstance(value, dict) or self._may_be(kind, value)]
        return meant or found

    def _may_be(self, kind, value):
        constants = {field["name"]: _constant(field) for field in self._types.get(kind, {}).get("fields", [])}
        return all(value.get(name) == constant for name, constant in constants.items() if constant is not None)

    def _one(self, kind, value, channel, field):
        """Yield the errors in a value of one type."""
        if kind.startswith("Array of "):
            if not isinstance(value, list):
                yield f"{channel}: {value!r} is no list"
                return
            yield from _out_of_range(field, len(value), channel, "items")
            for index, one in enumerate(value):
                yield from self._any([kind.removeprefix("Array of ")], one, f"{channel}[{index}]", None)
        elif kind in SIMPLE:
            yield from _simple(kind, value, channel, field)
        elif kind == "InputFile":
            if not (isinstance(value, str) and value.startswith("attach://")):
                yield f"{channel}: {value!r} is no file"
        elif not isinstance(value, dict):
            yield f"{channel}: {value!r} is no {kind}"
        else:
            yield from self._object(self._types[kind].get("fields", []), value, f"{channel}.")


def _constant(field):
    found = (
        CONSTANT.search(field["description"]) if field["types"] == ["String"] and field["name"] in ("type", "status", "source") else None
    )
    return found and found[1]


def _simple(kind, value, channel, field):
    if not isinstance(value, SIMPLE[kind]) or (kind != "Boolean" and isinstance(value, bool)):
        yield f"{channel}: {value!r} is no {kind}"
    elif field and kind == "String":
        constant = _constant(field)
        if constant and value != constant:
            yield f"{channel}: {value!r} is not {constant!r}"
        yield from _out_of_range(field, value, channel, "length")
    elif field and kind == "Integer":
        yield from _out_of_range(field, value, channel, "value")


def _out_of_range(field, value, channel, what):
    """Yield an error if a value is outside the range stated in the prose."""
    if field is None or "entities parsing" in field["description"] or "entity parsing" in field["description"]:
        return
    ranges = [match for match in RANGE.finditer(field["description"]) if int(match[1]) <= int(match[2])]
    if what == "length":
        ranges = [match for match in ranges if match[3]]
        value = len(value.encode() if ranges and ranges[0][3].lower() == "bytes" else value)
    if ranges and not min(int(one[1]) for one in ranges) <= value <= max(int(one[2]) for one in ranges):
        yield f"{channel}: {what} {value} is not within {ranges[0][1]}-{ranges[0][2]}"
