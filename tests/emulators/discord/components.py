"""Components of messages and modals: validation, and functions that find parts of them."""

from tests.emulators.discord.errors import bad, check_length, check_range, required

ROW, BUTTON, STRING_SELECT, TEXT_INPUT, SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER, LABEL, UPLOAD = (
    *(1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 17, 18, 19),
)
SELECTS = (3, 5, 6, 7, 8)
TOP = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR, CONTAINER)
INSIDE = {CONTAINER: TOP[:-1], SECTION: (TEXT,), ROW: (BUTTON, *SELECTS)}
IN_LABEL = (TEXT_INPUT, *SELECTS, UPLOAD, 21, 22, 23)
LINK, PREMIUM = 5, 6


def walk(components):
    """Yield every component, including nested components."""
    for component in components or []:
        yield component
        inner = [component[key] for key in ("accessory", "component") if component.get(key)]
        yield from walk([*component.get("components", []), *inner])


def check_message(components, *, is_v2):
    """Refuse components that are not allowed in a message."""
    allowed = TOP if is_v2 else (ROW,)
    check_length("components", components, 0, 40 if is_v2 else 5)
    _check_tree("components", components, allowed)
    everything = list(walk(components))
    if len(everything) > 40:
        raise bad("components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "The total number of components cannot exceed 40")
    if sum(len(one["content"]) for one in everything if one["type"] == TEXT) > 4000:
        raise bad("components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", "The total size of displayable text cannot exceed 4000")
    _check_unique("components", everything)


def check_modal(data):
    """Refuse an invalid modal."""
    check_length("data.title", data.get("title"), 1, 45)
    check_length("data.custom_id", data.get("custom_id"), 1, 100)
    check_length("data.components", data.get("components"), 1, 5)
    for index, component in enumerate(data["components"]):
        channel = f"data.components.{index}"
        if component["type"] == LABEL:
            _check_label(channel, component)
        elif component["type"] == ROW:
            check_length(f"{channel}.components", component.get("components"), 1, 1)
            check_length(f"{channel}.components.0.label", component["components"][0].get("label"), 1, 45)
            _check_one(f"{channel}.components.0", component["components"][0], (TEXT_INPUT,))
        else:
            _check_one(channel, component, (TEXT,))
    _check_unique("data.components", list(walk(data["components"])))


def _check_label(channel, component):
    check_length(f"{channel}.label", component.get("label"), 1, 45)
    check_length(f"{channel}.description", component.get("description"), 0, 100)
    if not component.get("component"):
        raise required(f"{channel}.component")
    _check_one(f"{channel}.component", component["component"], IN_LABEL)


def _check_tree(channel, components, allowed):
    for index, component in enumerate(components):
        here = f"{channel}.{index}"
        _check_one(here, component, allowed)
        if component["type"] in INSIDE:
            _check_tree(f"{here}.components", component.get("components") or [], INSIDE[component["type"]])


def _check_one(channel, component, allowed):
    kind = component.get("type")
    if kind not in allowed:
        raise bad(f"{channel}.type", "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of {allowed}.")
    check = CHECKS.get(kind)
    if check:
        check(channel, component)


def _check_row(channel, row):
    inner = row.get("components") or []
    check_length(f"{channel}.components", inner, 1, 5)
    width = sum(5 if one.get("type") in SELECTS else 1 for one in inner)
    if width > 5:
        raise bad(f"{channel}.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width")


def _check_button(channel, button):
    style = button.get("style")
    check_range(f"{channel}.style", style if style is not None else 0, 1, 6)
    check_length(f"{channel}.label", button.get("label"), 0, 80)
    if style == LINK:
        check_length(f"{channel}.url", button.get("url"), 1, 512)
    elif style == PREMIUM:
        check_length(f"{channel}.sku_id", button.get("sku_id"), 1, 100)
    else:
        check_length(f"{channel}.custom_id", button.get("custom_id"), 1, 100)
    if style in (LINK, PREMIUM) and button.get("custom_id"):
        raise bad(f"{channel}.custom_id", "COMPONENT_CUSTOM_ID_NOT_ALLOWED", "A custom id and a url cannot both be specified")
    if style != PREMIUM and not button.get("label") and not button.get("emoji"):
        raise bad(channel, "BUTTON_COMPONENT_INVALID_LABEL", "A button must have a label or an emoji")


def _check_select(channel, select):
    check_length(f"{channel}.custom_id", select.get("custom_id"), 1, 100)
    check_length(f"{channel}.placeholder", select.get("placeholder"), 0, 150)
    low, high = select.get("min_values"), select.get("max_values")
    check_range(f"{channel}.min_values", low, 0, 25)
    check_range(f"{channel}.max_values", high, 1, 25)
    if select["type"] != STRING_SELECT:
        return
    options = select.get("options")
    check_length(f"{channel}.options", options, 1, 25)
    for index, option in enumerate(options):
        for key, least in (("label", 1), ("value", 1), ("description", 0)):
            check_length(f"{channel}.options.{index}.{key}", option.get(key), least, 100)
    if len({option["value"] for option in options}) < len(options):
        raise bad(f"{channel}.options", "COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used")
    if max(low or 0, high or 1) > len(options):
        raise bad(f"{channel}.options", "BASE_TYPE_BAD_LENGTH", f"Must be {max(low or 0, high or 1)} or more in length.")


def _check_text_input(channel, text):
    check_length(f"{channel}.custom_id", text.get("custom_id"), 1, 100)
    check_length(f"{channel}.placeholder", text.get("placeholder"), 0, 100)
    check_range(f"{channel}.style", text.get("style", 0), 1, 2)
    check_range(f"{channel}.min_length", text.get("min_length"), 0, 4000)
    check_range(f"{channel}.max_length", text.get("max_length"), 1, 4000)
    longest = text.get("max_length") or 4000
    check_length(f"{channel}.value", text.get("value"), 0, longest)


def _check_upload(channel, upload):
    check_length(f"{channel}.custom_id", upload.get("custom_id"), 1, 100)
    check_range(f"{channel}.min_values", upload.get("min_values"), 0, 10)
    check_range(f"{channel}.max_values", upload.get("max_values"), 1, 10)


def _check_section(channel, section):
    check_length(f"{channel}.components", section.get("components"), 1, 3)
    if not section.get("accessory"):
        raise required(f"{channel}.accessory")
    _check_one(f"{channel}.accessory", section["accessory"], (BUTTON, THUMBNAIL))


def _check_gallery(channel, gallery):
    check_length(f"{channel}.items", gallery.get("items"), 1, 10)
    for index, item in enumerate(gallery["items"]):
        _check_media(f"{channel}.items.{index}", item)


def _check_media(channel, item, key="media"):
    check_length(f"{channel}.description", item.get("description"), 0, 1024)
    url = (item.get(key) or {}).get("url")
    check_length(f"{channel}.{key}.url", url, 1, 2048)
    if not url.startswith(("http://", "https://", "attachment://")):
        raise bad(f"{channel}.{key}.url", "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('http', 'https', 'attachment').")


def _check_file(channel, file):
    _check_media(channel, file, "file")
    if not file["file"]["url"].startswith("attachment://"):
        raise bad(f"{channel}.file.url", "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('attachment').")


CHECKS = {
    ROW: _check_row,
    BUTTON: _check_button,
    **dict.fromkeys(SELECTS, _check_select),
    TEXT_INPUT: _check_text_input,
    SECTION: _check_section,
    TEXT: lambda channel, text: check_length(f"{channel}.content", text.get("content"), 1, 4000),
    THUMBNAIL: _check_media,
    GALLERY: _check_gallery,
    FILE: _check_file,
    CONTAINER: lambda channel, container: check_length(f"{channel}.components", container.get("components"), 1, 40),
    UPLOAD: _check_upload,
}


def _check_unique(channel, everything):
    for key in ("custom_id", "id"):
        named = [one[key] for one in everything if one.get(key)]
        if len(set(named)) < len(named):
            raise bad(channel, "COMPONENT_CUSTOM_ID_DUPLICATED", f"Component {key}s cannot be duplicated")


def numbered(components):
    """Give each component without an id the number that Discord assigns."""
    everything = list(walk(components))
    taken = {one["id"] for one in everything if one.get("id")}
    number = 0
    for one in everything:
        if not one.get("id"):
            number += 1
            while number in taken:
                number += 1
            one["id"] = number
    return components


def media_of(components):
    """Yield (component or gallery item, key) of everything that shows a file."""
    for one in walk(components):
        if one["type"] == GALLERY:
            yield from ((item, "media") for item in one["items"])
        elif one["type"] == THUMBNAIL:
            yield one, "media"
        elif one["type"] == FILE:
            yield one, "file"


def texts_of(components):
    """Return the displayed texts."""
    return [one["content"] for one in walk(components) if one["type"] == TEXT]


def buttons_of(components):
    """Return the buttons."""
    return [one for one in walk(components) if one["type"] == BUTTON]


def selects_of(components):
    """Return the selects of all kinds."""
    return [one for one in walk(components) if one["type"] in SELECTS]
