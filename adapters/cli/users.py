"""`easel person`: lists users, and sets their roles and tiers."""

from bot.config import Config
from bot.core.errors import BadInput
from bot.i18n.translate import text
from bot.store.store import Store
from bot.store.users.users import MODERATOR, OPERATOR

#: So many persons are listed, those whom Easel met last.
_MOST = 100

_ROLES = (MODERATOR, OPERATOR)


async def listed(store: Store) -> str:
    """Return the users whom Easel met last, a line for each: id, name, role, tier, identities."""
    lines = []
    for user, callers in await store.people.latest(_MOST):
        known = " ".join(f"{one.platform}:{one.id}" for one in callers)
        lines.append("  ".join((user.id, user.name or "-", user.role or "-", user.tier or "-", known)))
    return "\n".join(lines) or text("person-none")


async def appointed(store: Store, config: Config, reference: str, role: str | None, tier: str | None) -> str:
    """Give a user a role or a tier ("none" takes it away) and report it; raises `BadInput`."""
    user = await store.people.one(reference)
    if reference not in (user.id, *(f"{one.platform}:{one.id}" for one in await store.people.identities(user.id))):
        # People choose their names: nobody is made anything by theirs.
        raise BadInput("input-person-name", given=reference, id=user.id)
    tiers = tuple(one.name for one in config.quota.tiers)
    await store.people.appoint(user.id, role=_one_of("role", role, _ROLES), tier=_one_of("tier", tier, tiers))
    await store.audit.note("terminal", "appoint", user=user.id, facts={"role": role or "", "tier": tier or ""})
    after = await store.people.one(user.id)
    return text("person-set", name=after.name or after.id, role=after.role or "none", tier=after.tier or "none")


def _one_of(name: str, given: str | None, offered: tuple[str, ...]) -> str | None:
    if given is None or given in offered:
        return given
    if given == "none":
        return ""
    raise BadInput("input-choice", name=name, offered=", ".join((*offered, "none")), given=given)
