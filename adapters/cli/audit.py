"""`easel audit`: the actions of moderators and operators."""

from adapters.observability.redaction import spelled
from bot.i18n.translate import moment, text
from bot.store.store import Store
from bot.store.users.audit import Act


async def listed(store: Store, most: int) -> str:
    """Return the latest actions, newest first, a line for each: when, by whom, what, to whom, where, and the details."""
    return "\n".join(map(_line, await store.audit.latest(most))) or text("audit-none")


def _line(act: Act) -> str:
    about = " ".join(f"{name}={value}" for name, value in act.facts.items())
    # Names are what people call themselves: they must not move the cursor of whoever reads this.
    parts = (moment(act.at), act.name or act.actor, act.act, act.person_name or act.user or "-", act.channel or "-", about)
    return "  ".join(spelled(part) for part in parts).rstrip()
