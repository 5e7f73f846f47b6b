"""Routes about the bot and what it can look up: itself, its app, the gateway, users and servers."""

from tests.emulators.discord.errors import Refusal
from tests.emulators.discord.routing import Routes

routes = Routes()


@routes.get("/users/@me")
def me(call):
    """Return the bot's own user."""
    own = {"mfa_enabled": True, "locale": "en-US", "verified": True, "email": None, "premium_type": 0, "banner": None, "accent_color": None}
    return 200, call.discord.bot.payload() | own


@routes.get("/oauth2/applications/@me")
@routes.get("/applications/@me")
def application(call):
    """Return the app."""
    discord = call.discord
    counts = ("approximate_guild_count", "approximate_user_install_count", "approximate_user_authorization_count")
    links = ("interactions_endpoint_url", "role_connections_verification_url", "team", "icon")
    return 200, {
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(links),
        **{"id": discord.application_id, "name": "Easel", "description": "", "summary": "", "type": None, "flags": 0, "flags_new": "0"},
        **{"verify_key": "0" * 64, "redirect_uris": [], "explicit_content_filter": 0, "eligible_oauth2_scopes": []},
        **{"bot_public": True, "bot_require_code_grant": False, "owner": discord.owner.payload(), "bot": discord.bot.payload()},
    }


@routes.get("/gateway")
def gateway(call):
    """Return the URL of the gateway."""
    return 200, {"url": call.discord.gateway_url}


@routes.get("/gateway/bot")
def gateway_of_bot(call):
    """Return the URL of the gateway, the recommended number of shards, and how often the bot may still identify today."""
    return 200, {
        "url": call.discord.gateway_url,
        "shards": call.discord.shards,
        "session_start_limit": dict(call.discord.session_start_limit),
    }


@routes.post("/users/@me/channels")
def create_dm(call):
    """Open the direct message channel with a user. A user who accepts no direct messages causes an error only when the bot sends one."""
    return 200, _user(call, str((call.body or {}).get("recipient_id"))).dm().payload()


@routes.get("/users/{user_id}")
def get_user(call):
    """Return a user."""
    return 200, _user(call, call["user_id"]).payload()


def _user(call, user_id):
    found = call.discord.users.get(user_id)
    if found is None:
        raise Refusal(10013)
    return found


@routes.get("/guilds/{guild_id}")
def get_guild(call):
    """Return a server that the bot is a member of."""
    found = next((one for one in call.discord.guilds if one.id == call["guild_id"]), None)
    if found is None:
        raise Refusal(10004)
    if not found.has_bot:
        raise Refusal(50001)
    return 200, found.payload()
