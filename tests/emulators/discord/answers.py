"""Routes of interactions: callbacks, the original response, follow-ups."""

from tests.emulators.discord import components, uses
from tests.emulators.discord.composing import compose
from tests.emulators.discord.errors import Refusal, bad, check_length
from tests.emulators.discord.messages import COMPONENTS_V2, EPHEMERAL, LOADING
from tests.emulators.discord.routing import Routes

routes = Routes(needs_token=False)
# The callback types that each kind of interaction allows; a modal cannot respond to an autocomplete or a modal.
LEGAL = {
    uses.COMMAND: (uses.REPLY, uses.DEFER, uses.SHOW_MODAL),
    uses.COMPONENT: (uses.REPLY, uses.DEFER, uses.DEFER_UPDATE, uses.UPDATE, uses.SHOW_MODAL),
    uses.AUTOCOMPLETE: (uses.CHOICES,),
    uses.MODAL: (uses.REPLY, uses.DEFER, uses.DEFER_UPDATE, uses.UPDATE),
}


@routes.post("/interactions/{interaction_id}/{interaction_token}/callback")
def callback(call):
    """Respond to an interaction for the first time."""
    use = next((one for one in call.discord.uses if one.id == call["interaction_id"] and one.token == call["interaction_token"]), None)
    if use is None or (use.kind is None and use.is_late):
        raise Refusal(10062)
    if use.kind is not None:
        raise Refusal(40060)
    kind, data = (call.body or {}).get("type"), (call.body or {}).get("data") or {}
    if kind not in LEGAL[use.kind_of_use] or (kind in (uses.DEFER_UPDATE, uses.UPDATE) and use.source is None):
        raise bad("type", "INTERACTION_APPLICATION_COMMAND_CALLBACK_TYPE_INVALID", f"Type {kind} does not answer this interaction")
    ANSWERS[kind](call, use, data)
    use.answer(kind)
    return (200, _callback_response(use)) if call.query.get("with_response") in ("true", "True", "1") else (204, None)


def _reply(call, use, data):
    draft = compose(call.discord, use.channel, data, call.uploads)
    use.original = call.discord.add_message(use.channel, call.discord.bot, draft, use=use, is_original=True)


def _defer(call, use, data):
    if (data.get("flags") or 0) & ~EPHEMERAL:
        raise bad("data.flags", "BASE_TYPE_CHOICES", "Only the EPHEMERAL flag can be set for a deferred message")
    if set(data) - {"flags"} and any(data[key] for key in set(data) - {"flags"}):
        raise bad("data", "BASE_TYPE_BAD", "A deferred message has nothing but flags")
    use.original = call.discord.add_message(
        use.channel, call.discord.bot, None, use=use, flags=(data.get("flags") or 0) | LOADING, is_original=True
    )


def _defer_update(_call, use, _data):
    use.original = use.source


def _update(call, use, data):
    _edit(call, use.source, data)
    use.original = use.source


def _choices(_call, use, data):
    check_length("data.choices", data.get("choices"), 0, 25)
    for index, choice in enumerate(data.get("choices") or []):
        check_length(f"data.choices.{index}.name", choice.get("name"), 1, 100)
        if isinstance(choice.get("value"), str):
            check_length(f"data.choices.{index}.value", choice["value"], 1, 100)
    use.choices = data.get("choices") or []


def _modal(_call, use, data):
    components.check_modal(data)
    components.numbered(data["components"])
    use.modal = data


ANSWERS = {
    uses.REPLY: _reply,
    uses.DEFER: _defer,
    uses.DEFER_UPDATE: _defer_update,
    uses.UPDATE: _update,
    uses.CHOICES: _choices,
    uses.SHOW_MODAL: _modal,
}


def _callback_response(use):
    told = {"id": use.id, "type": use.kind_of_use}
    if use.original:
        is_loading, is_ephemeral = use.original.is_thinking, use.original.is_ephemeral
        told |= {"response_message_id": use.original.id, "response_message_loading": is_loading, "response_message_ephemeral": is_ephemeral}
    # Only a callback that creates or changes a message at once has a resource.
    resource = {"resource": {"type": use.kind, "message": use.original.payload()}} if use.kind in (uses.REPLY, uses.UPDATE) else {}
    return {"interaction": told, **resource}


def _edit(call, message, data):
    """Change a message; the first edit of a deferred response completes it."""
    if message.is_deleted:
        raise Refusal(10008)
    draft = compose(call.discord, message.channel, data, call.uploads, message)
    draft.flags &= ~LOADING
    call.discord.edit_message(message, draft)
    return message


def _use(call):
    use = next((one for one in call.discord.uses if one.token == call["webhook_token"]), None)
    if use is None or call["webhook_id"] != call.discord.application_id:
        raise Refusal(10015 if use is None and not call["webhook_token"].startswith("aW50ZXJhY3Rpb246") else 50027)
    use.check_token()
    return use


def _message(call):
    use = _use(call)
    if call["message_id"] in ("@original", use.original and use.original.id):
        found = use.original
    else:
        found = next((one for one in use.followups if one.id == call["message_id"]), None)
    if found is None or found.is_deleted:
        raise Refusal(10008)
    return found


@routes.post("/webhooks/{webhook_id}/{webhook_token}")
def follow_up(call):
    """Send a follow-up. The first one after a deferred response becomes that response, with the same visibility."""
    use = _use(call)
    if use.original and use.original.is_thinking and not use.original.is_deleted:
        body = dict(call.body or {})
        if body.get("flags"):
            body["flags"] &= COMPONENTS_V2
        return 200, _edit(call, use.original, body).payload()
    use.check_followups()
    draft = compose(call.discord, use.channel, call.body, call.uploads)
    use.followups.append(call.discord.add_message(use.channel, call.discord.bot, draft, use=use))
    return 200, use.followups[-1].payload()


@routes.get("/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}")
def get_message(call):
    """Return the original response or a follow-up."""
    return 200, _message(call).payload()


@routes.patch("/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}")
def edit_message(call):
    """Edit the original response or a follow-up."""
    return 200, _edit(call, _message(call), call.body).payload()


@routes.delete("/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}")
def delete_message(call):
    """Delete the original response or a follow-up."""
    call.discord.delete_message(_message(call))
    return 204, None
