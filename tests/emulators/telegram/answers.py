"""Methods that answer callback queries and inline queries."""

from tests.emulators.telegram.errors import TOO_OLD, Refusal, check_bytes
from tests.emulators.telegram.keyboards import checked
from tests.emulators.telegram.routing import Methods
from tests.emulators.telegram.sending import caption_of, text_of
from tests.emulators.telegram.uses import Answer

method = Methods()
MOST_RESULTS, MOST_OF_ANSWER = 50, 200


def _use(call, among, name):
    found = next((one for one in among if one.id == call.get(name)), None)
    if found is None or found.answer is not None or found.is_late:
        raise Refusal(TOO_OLD)
    return found


@method("answerCallbackQuery")
def answer_callback_query(call):
    press = _use(call, call.telegram.presses, "callback_query_id")
    text = str(call.get("text", ""))
    if len(text) > MOST_OF_ANSWER:
        raise Refusal("MESSAGE_TOO_LONG")
    if call.get("url") and not call.get("url").startswith(("https://t.me/", "tg://")):
        raise Refusal("URL_INVALID")
    return lambda: press.take(Answer(text, bool(call.get("show_alert")), call.get("url"), call.get("cache_time", 0)))


@method("answerInlineQuery")
def answer_inline_query(call):
    query, results = _use(call, call.telegram.queries, "inline_query_id"), call.get("results", [])
    if not isinstance(results, list):
        raise Refusal("expected an Array of inline query results")
    if len(results) > MOST_RESULTS:
        raise Refusal("RESULTS_TOO_MUCH")
    check_bytes(call.get("next_offset"), 0, 64, "NEXT_OFFSET_INVALID")
    for one in results:
        _check_result(call, one)
    if len({one["id"] for one in results}) < len(results):
        raise Refusal("RESULT_ID_DUPLICATE")
    return lambda: query.take(results, call.args)


def _check_result(call, result):
    if not isinstance(result, dict) or not isinstance(result.get("id"), str):
        raise Refusal('can\'t parse inline query result: Field "id" must be of type String')
    check_bytes(result["id"], 1, 64, "RESULT_ID_INVALID")
    checked(result.get("reply_markup"), is_inline_only=True)
    caption_of(call, result)
    if content := result.get("input_message_content"):
        text_of(call, content, "message_text")
    elif result.get("type") == "article":
        raise Refusal("can't parse inline query result: Inline query result must contain input message content")
    for kind in ("photo", "document", "gif"):
        if f"{kind}_file_id" in result and result[f"{kind}_file_id"] not in call.telegram.stored:
            raise Refusal("wrong file identifier/HTTP URL specified")
