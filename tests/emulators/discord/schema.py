"""Validate bodies against Discord's own OpenAPI document. Without the document, every body is valid."""

import copy
import functools
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = Path(__file__).resolve().parents[4] / "shared" / "specs" / "discord-openapi.json"
URN = "urn:discord"
# Keys that discord.py sends and Discord accepts without documenting: `tts` in edits, `nsfw` of commands, and all of a kept attachment.
HARMLESS = {"tts", "nsfw"}
WHOLE_ATTACHMENT = {"size", "url", "proxy_url", "width", "height", "content_type", "spoiler", "ephemeral", "flags", "placeholder"}
HARMLESS_IN = {"embeds": {"flags"}, "attachments": WHOLE_ATTACHMENT | {"placeholder_version", "duration_secs", "waveform"}}


@functools.cache
def document():
    """Return the schema, or None if the document is not available."""
    return Schema(json.loads(DOCUMENT.read_text(encoding="utf-8"))) if DOCUMENT.exists() else None


class Schema:
    """The OpenAPI document as a validator."""

    def __init__(self, api):
        self._api = api
        self._registry = Registry().with_resource(URN, Resource(contents=api, specification=DRAFT202012))

    @functools.cache  # noqa: B019 - there is one document, as long as the tests run
    def _operation(self, method, path):
        """Return the best matching path template of the document: the one with the fewest parameters."""
        wanted = path.strip("/").split("/")
        fitting = [
            template
            for template, operations in self._api["paths"].items()
            if method.lower() in operations and _fits(template.strip("/").split("/"), wanted)
        ]
        return min(fitting, key=lambda one: one.count("{"), default=None)

    @functools.cache  # noqa: B019 - as above
    def _reference(self, method, path, *inner):
        template = self._operation(method, path)
        if template is None:
            return None
        found, steps = self._api, ("paths", template, method.lower(), *inner)
        for step in steps:
            found = found.get(step) if isinstance(found, dict) else None
        if found is None:
            return None
        return f"{URN}#/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)

    def check_request(self, method, path, body, *, is_multipart=False):
        """Return the errors in the body of a request, as sentences."""
        kind = "multipart/form-data" if is_multipart else "application/json"
        reference = self._reference(method, path, "requestBody", "content", kind, "schema")
        if reference is None:
            return [] if body is None else [f"{method} {path}: the document knows no such body"]
        return [f"{method} {path}: {one}" for one in [*self._errors(reference, body), *self._unknown({"$ref": reference}, body, ())]]

    def check_reply(self, method, path, status, body):
        """Return the errors in a response, as sentences."""
        reference = self._reference(method, path, "responses", str(status), "content", "application/json", "schema")
        return [f"{method} {path} -> {status}: {one}" for one in self._errors(reference, body)] if reference else []

    def _errors(self, reference, body):
        validator = Draft202012Validator({"$ref": reference}, registry=self._registry)
        for _ in range(5):  # each round may uncover more deeply nested ids
            errors = list(validator.iter_errors(body))
            body, is_cured = _cured(body, errors)
            if not is_cured:
                break
        return [_told(error) for error in errors]

    def _resolved(self, schema):
        while "$ref" in schema:
            pointer = schema["$ref"].partition("#")[2]
            found: Any = self._api
            for step in pointer.strip("/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
            schema = found
        return schema

    def _known(self, schema, value):
        """Return the known keys of an object with the schemas of their values; None if any key is allowed."""
        schema, known = self._resolved(schema), {}
        for one in schema.get("allOf", []):
            known |= self._known(one, value) or {}
        branches = [self._resolved(one) for one in (*schema.get("anyOf", []), *schema.get("oneOf", []))]
        fitting = [one for one in branches if one.get("type") != "null" and _may_be(self._kinds(one), value)]
        for one in fitting:
            for key, inner in (self._known(one, value) or {}).items():
                known[key] = {"anyOf": [known[key], inner]} if key in known else inner
        known |= schema.get("properties", {})
        return known or None

    def _kinds(self, schema):
        kind = schema.get("properties", {}).get("type", {})
        return kind.get("enum") or ([kind["const"]] if "const" in kind else None)

    def _items(self, schema):
        schema = self._resolved(schema)
        if "items" in schema:
            return [schema["items"]]
        return [item for one in (*schema.get("allOf", []), *schema.get("anyOf", []), *schema.get("oneOf", [])) for item in self._items(one)]

    def _unknown(self, schema, value, path):
        """Yield each undocumented key: the document forbids almost none, so a misspelt key would pass validation."""
        if isinstance(value, list):
            items = self._items(schema)
            for index, one in enumerate(value):
                if items:
                    yield from self._unknown({"anyOf": items}, one, (*path, index))
        if not isinstance(value, dict) or (known := self._known(schema, value)) is None:
            return
        place = next((step for step in reversed(path) if isinstance(step, str)), "")
        for key, inner in value.items():
            if key in known:
                yield from self._unknown(known[key], inner, (*path, key))
            elif key not in HARMLESS | HARMLESS_IN.get(place, set()):
                yield f"{'.'.join(map(str, (*path, key)))}: nobody knows this key"


def _fits(parts, wanted):
    return len(parts) == len(wanted) and all(part == want or part.startswith("{") for part, want in zip(parts, wanted, strict=True))


def _may_be(kinds, value):
    return kinds is None or not isinstance(value, dict) or value.get("type") in kinds or "type" not in value


def _leaves(errors):
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _cured(body, errors):
    """Convert numbers to strings where the document requires an id as a string: Discord accepts both."""
    cured, body = False, copy.deepcopy(body)
    for error in _leaves(errors):
        is_id = isinstance(error.instance, int) and not isinstance(error.instance, bool) and error.absolute_path
        if is_id and isinstance(error.schema, dict) and error.schema.get("format") == "snowflake":
            *way, last = error.absolute_path
            place = functools.reduce(lambda inside, step: inside[step], way, body)
            cured, place[last] = cured or place[last] == error.instance, str(error.instance)
    return body, cured


def _told(error):
    """Return the relevant error: in a union, that of the branch whose `type` matches."""
    while error.context:
        branches: dict[Any, list[Any]] = {}
        for one in error.context:
            branches.setdefault(one.schema_path[0], []).append(one)
        meant = [those for those in branches.values() if not any(one.absolute_path and one.absolute_path[-1] == "type" for one in those)]
        those = min(meant or list(branches.values()), key=len)
        error = max(those, key=lambda one: len(one.absolute_path))
    return f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:300]}"
