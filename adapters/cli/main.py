"""The `easel` command.

Start-up stays light: the libraries that generate images live in the worker process, and modules that only one command needs are imported
inside that command, so that `easel run` can answer within a second.
"""

# Before all other imports, because it pauses garbage collection while they run.
from adapters.cli import startup_gc  # isort: split

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from adapters import bootstrap
from adapters.base import Adapter
from adapters.cli import exit_codes
from adapters.cli.field_options import with_field_options
from adapters.observability import logging
from bot import config as configuration
from bot.core.errors import BadInput, BotError
from bot.i18n.translate import tell, text
from bot.store.store import Store
from inference.contract.errors import InferenceError

startup_gc.over()

app = typer.Typer(
    name="easel", help="Paint pictures from descriptions.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
models = typer.Typer(help="List and inspect models.", no_args_is_help=True)
tokens = typer.Typer(help="Create and revoke tokens for the chat page.", no_args_is_help=True)
tables = typer.Typer(help="Check, upgrade and downgrade the database.", no_args_is_help=True)
users = typer.Typer(help="List users and set their roles and tiers.", no_args_is_help=True)
app.add_typer(models, name="models")
app.add_typer(users, name="person")
app.add_typer(tokens, name="token")
app.add_typer(tables, name="db")

T = TypeVar("T")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration file; easel.toml if it exists.")]


@contextmanager
def _told() -> Iterator[None]:
    """Print every error as one sentence on standard error, and exit with its code."""
    try:
        yield
    except (BotError, InferenceError) as error:
        _note(tell(error.problem))
        raise typer.Exit(exit_codes.code_of(error.problem)) from None
    except KeyboardInterrupt:
        _note(text("paint-cancelled"))
        raise typer.Exit(exit_codes.INTERRUPTED) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        _note(text("fault-incident", file=str(logging.incident(error))))
        raise typer.Exit(exit_codes.FAILED) from None


def _note(sentence: str) -> None:
    """Print a note that is not part of the result, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def _configured(path: Path | None) -> configuration.Config:
    config = configuration.read(path)
    logging.set_up(
        config.log, (config.store.url, config.files.url, config.discord.token, config.telegram.token, config.telegram.webhook_secret)
    )
    return config


@app.command()
@with_field_options
def paint(
    prompt: Annotated[str, typer.Argument(help="What the picture should show; (word:1.3) gives a word more weight, [word] less.")],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="PNG file to write; several pictures are numbered.")] = None,
    config: ConfigFile = None,
    **given: Any,
) -> None:
    """Paint a picture from a description, into a file."""
    from rich.console import Console

    from adapters.cli import paint as painting
    from adapters.terminal import args
    from bot.generation.resolve import unknown_words

    with _told():
        settings = _configured(config)
        model_info = bootstrap.chosen(settings, given["model"])
        want = painting.wanted(args.PaintArgs(prompt=prompt, output=output, image=given.pop("image"), given=given), model_info)
        if sentence := unknown_words(want.request, model_info):
            _note(sentence)
        asyncio.run(painting.paint(settings, model_info, want, Console()))


@app.command()
def run(
    *,
    show: Annotated[bool, typer.Option("--open", help="Open the chat page in this computer's browser.")] = False,
    config: ConfigFile = None,
) -> None:
    """Run everything that is configured; without a configuration, the chat page on this computer."""
    with _told():
        settings = _configured(config)

        def said(name: str, adapter: Adapter) -> None:
            print(text(f"run-{name}", address=adapter.address), flush=True)
            if show and name == "web" and _has_screen():
                import webbrowser

                webbrowser.open(adapter.address)

        def ending(pictures: int) -> None:
            print(text("run-ending", count=pictures), flush=True)

        asyncio.run(bootstrap.run(settings, said, ending))


def _has_screen() -> bool:
    """Return whether there is a screen for a browser: without one, a browser would open inside the terminal and take it over."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@tokens.command("create")
def create_token(name: Annotated[str, typer.Argument(help="Name of the user.")], config: ConfigFile = None) -> None:
    """Create a token for the chat page; it is shown only once."""
    with _told():
        settings = _configured(config)
        print(asyncio.run(_with_store(settings, lambda store: store.tokens.create(name))))


@tokens.command("revoke")
def revoke_tokens(name: Annotated[str, typer.Argument(help="Name of the user.")], config: ConfigFile = None) -> None:
    """Revoke all tokens of a user, effective at once."""
    with _told():
        settings = _configured(config)
        print(text("token-revoked", name=name, count=asyncio.run(_with_store(settings, lambda store: store.tokens.revoke(name)))))


@users.command("list")
def list_persons(config: ConfigFile = None) -> None:
    """List the latest users: id, name, role, tier, and their accounts."""
    from adapters.cli import users as people

    with _told():
        print(asyncio.run(_with_store(_configured(config), people.listed)))


@users.command("set")
def set_person(
    user: Annotated[str, typer.Argument(help="User: an id, or platform:id; see `easel person list`.")],
    *,
    role: Annotated[str | None, typer.Option(help="moderator, operator or none.")] = None,
    tier: Annotated[str | None, typer.Option(help="A tier from the configuration, or none.")] = None,
    config: ConfigFile = None,
) -> None:
    """Set the role or the tier of a user."""
    from adapters.cli import users as people

    with _told():
        settings = _configured(config)
        print(asyncio.run(_with_store(settings, lambda store: people.appointed(store, settings, user, role, tier))))


async def _with_store(settings: configuration.Config, act: Callable[[Store], Awaitable[T]]) -> T:
    async with bootstrap.opened(settings) as store:
        return await act(store)


@app.command()
def export(
    user: Annotated[str, typer.Argument(help="User: an id, platform:id, or a name that only one user has.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="ZIP file to write.")],
    config: ConfigFile = None,
) -> None:
    """Export all data of a user into a file."""
    from adapters.cli import privacy

    with _told():
        print(asyncio.run(_with_store(_configured(config), lambda store: privacy.exported(store, user, output))))


@app.command()
def forget(
    user: Annotated[str, typer.Argument(help="User: an id, platform:id, or a name that only one user has.")] = "",
    *,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    again: Annotated[bool, typer.Option("--again", help="After restoring a backup: delete users again who were deleted before.")] = False,
    config: ConfigFile = None,
) -> None:
    """Permanently delete all data of a user."""
    from adapters.cli import privacy

    def forgotten(store: Store) -> Awaitable[str]:
        return privacy.forgotten_again(store) if again else privacy.forgotten(store, user, privacy.asked(sure, typer.confirm))

    with _told():
        if again == bool(user):
            raise BadInput("input-forget-whom")
        print(asyncio.run(_with_store(_configured(config), forgotten)))


@app.command("audit")
def show_audit(*, most: Annotated[int, typer.Option(help="Number of lines.", min=1)] = 50, config: ConfigFile = None) -> None:
    """Show the latest actions of moderators and operators."""
    from adapters.cli import audit

    with _told():
        print(asyncio.run(_with_store(_configured(config), lambda store: audit.listed(store, most))))


@app.command("doctor")
def examine(config: ConfigFile = None) -> None:
    """Check the configuration and say what is missing and what to run next."""
    from adapters.cli import doctor

    with _told():
        found = list(doctor.findings(config))
        for finding in found:
            print(f"{text(f'doctor-state-{finding.state}'):<8} {finding.sentence}")
        code = next((finding.code for finding in found if finding.code), 0)
        print("\n" + text("doctor-next-mend" if code else "doctor-next"))
        raise typer.Exit(code)


@models.command("list")
def list_models(config: ConfigFile = None) -> None:
    """List all available models."""
    from rich.console import Console
    from rich.table import Table

    with _told():
        settings = _configured(config)
        table = Table(box=None, pad_edge=False)
        for column in ("name", "family", "size", "steps", "title"):
            table.add_column(text(f"models-{column}"), no_wrap=column == "name")
        found = bootstrap.catalogue(settings)
        for one in found.models.values():
            usual = one.defaults
            table.add_row(one.name, one.family, f"{usual.width} × {usual.height}", str(usual.steps), one.title)
        console = Console(highlight=False, markup=False)
        console.print(table)
        for problem in (*found.configured.values(), *found.lying.values()):
            console.print(f"\n{tell(problem)}", soft_wrap=True)


@models.command()
def inspect(path: Annotated[Path, typer.Argument(help="Model folder or .safetensors file.")]) -> None:
    """Show what a model folder or file is, without loading it."""
    from inference.models import registry

    with _told():
        one = registry.inspect(path)
        shown = {
            "name": one.name,
            "title": one.title,
            "family": one.family,
            "kind": one.kind,
            "variant": one.variant,
            "prediction": one.prediction,
            "precision": one.precision,
            "megabytes": str(round(one.bytes / 1_000_000)),
            "size": f"{one.defaults.width} × {one.defaults.height}",
            "steps": str(one.defaults.steps),
            "schedulers": ", ".join(one.schedulers),
            "options": ", ".join(one.options),
            "words": str(len(one.words)) if one.words else "",
        }
        for key, value in shown.items():
            if value:
                print(f"{text(f'models-{key}'):<12} {value}")


@tables.command("upgrade")
def upgrade(revision: Annotated[str, typer.Argument(help="Revision to upgrade to.")] = "head", config: ConfigFile = None) -> None:
    """Upgrade the tables of the database."""
    from adapters.cli import database

    with _told():
        raise typer.Exit(asyncio.run(database.upgrade(_configured(config).store.url, revision)))


# `-1` is a revision here, not an option.
@tables.command("downgrade", context_settings={"ignore_unknown_options": True})
def downgrade(
    revision: Annotated[str, typer.Argument(help="Revision to downgrade to; base deletes all tables and their data.")],
    config: ConfigFile = None,
) -> None:
    """Downgrade the tables of the database to an earlier revision."""
    from adapters.cli import database

    with _told():
        raise typer.Exit(asyncio.run(database.downgrade(_configured(config).store.url, revision)))


@tables.command("check")
def check(config: ConfigFile = None) -> None:
    """Check that the database is reachable and its tables are right."""
    from adapters.cli import database

    with _told():
        raise typer.Exit(asyncio.run(database.check(_configured(config).store.url)))


def _version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        print(f"easel {importlib.metadata.version('easel')}")
        raise typer.Exit


@app.callback()
def easel(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False) -> None:
    """Paint pictures from descriptions."""


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show “·” or “×” shows a question mark instead of failing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()
