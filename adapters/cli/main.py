"""The `easel` command.

Start-up stays light: the libraries that paint live in the worker process, and what only one command needs is imported in it, so
that `easel run` can be spoken to within a second.
"""

# Before everything else, for it is there for what follows.
from adapters.cli import startup_gc  # isort: split

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from adapters import bootstrap as parts
from adapters.base import Adapter
from adapters.cli import exit_codes
from adapters.observability import logging
from bot import config as configuration
from bot.core.errors import BadInput, BotError
from bot.i18n.translate import tell, text
from bot.store.store import Store
from inference.contract.errors import InferenceError

startup_gc.over()

app = typer.Typer(name="easel", help="Easel paints from words.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
models = typer.Typer(help="The models that can paint.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens that let people into the chat page.", no_args_is_help=True)
tables = typer.Typer(help="The tables of the store.", no_args_is_help=True)
users = typer.Typer(help="The people that Easel knows.", no_args_is_help=True)
app.add_typer(models, name="models")
app.add_typer(users, name="person")
app.add_typer(tokens, name="token")
app.add_typer(tables, name="db")

T = TypeVar("T")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration; easel.toml where it exists.")]


@contextmanager
def _told() -> Iterator[None]:
    """Tell every error as one sentence on standard error, and leave with its exit code."""
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
    """Tell the person something beside the result, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def _configured(path: Path | None) -> configuration.Config:
    config = configuration.read(path)
    logging.set_up(
        config.log, (config.store.url, config.files.url, config.discord.token, config.telegram.token, config.telegram.webhook_secret)
    )
    return config


@app.command()
def paint(
    prompt: Annotated[str, typer.Argument(help="What to paint, in words; (word:1.3) makes a word count more, [word] less.")],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The PNG file; several pictures are numbered.")] = None,
    negative: Annotated[str | None, typer.Option(help="What not to paint.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps; more is slower.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How closely to follow the words.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="How the steps are taken, such as “euler a”.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed repeats a picture.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Width and height in pixels.")] = None,
    count: Annotated[int | None, typer.Option(help="How many pictures.")] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to start from.")] = None,
    strength: Annotated[float | None, typer.Option(help="How much of that picture is painted anew, 0 to 1.")] = None,
    model: Annotated[str | None, typer.Option(help="Which model paints; see `easel models list`.")] = None,
    config: ConfigFile = None,
) -> None:
    """Paint a picture from words, into a file."""
    from rich.console import Console

    from adapters.cli import paint as painting
    from adapters.terminal import args
    from bot.prompting.vocabulary_hint import unknown_words

    with _told():
        settings = _configured(config)
        model_info = parts.chosen(settings, model)
        typed = args.PaintArgs(
            prompt=prompt,
            negative=negative,
            output=output,
            steps=steps,
            guidance=guidance,
            scheduler=scheduler,
            seed=seed,
            size=size,
            count=count,
            image=image,
            strength=strength,
            model=model,
        )
        want = painting.wanted(typed, model_info)
        if sentence := unknown_words(want.request, model_info):
            _note(sentence)
        asyncio.run(painting.paint(settings, model_info, want, Console()))


@app.command()
def run(
    *,
    show: Annotated[bool, typer.Option("--open", help="Open the chat page in the browser of this computer.")] = False,
    config: ConfigFile = None,
) -> None:
    """Run everything that is configured; with no configuration the chat page on this computer."""
    with _told():
        settings = _configured(config)

        def said(name: str, adapter: Adapter) -> None:
            print(text(f"run-{name}", address=adapter.address), flush=True)
            if show and name == "web" and _has_screen():
                import webbrowser

                webbrowser.open(adapter.address)

        def ending(pictures: int) -> None:
            print(text("run-ending", count=pictures), flush=True)

        asyncio.run(parts.run(settings, said, ending))


def _has_screen() -> bool:
    """Return whether there is a screen for a browser: elsewhere one would open inside the terminal and take it over."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@tokens.command("create")
def create_token(name: Annotated[str, typer.Argument(help="Whom the token lets in.")], config: ConfigFile = None) -> None:
    """Make a token that lets somebody into the chat page; it is shown once."""
    with _told():
        settings = _configured(config)
        print(asyncio.run(_with_store(settings, lambda store: store.tokens.create(name))))


@tokens.command("revoke")
def revoke_tokens(name: Annotated[str, typer.Argument(help="Whose tokens end.")], config: ConfigFile = None) -> None:
    """Take back every token of a name, at once."""
    with _told():
        settings = _configured(config)
        print(text("token-revoked", name=name, count=asyncio.run(_with_store(settings, lambda store: store.tokens.revoke(name)))))


@users.command("list")
def list_persons(config: ConfigFile = None) -> None:
    """List the people whom Easel met last: id, name, role, tier, and how platforms know them."""
    from adapters.cli import users as people

    with _told():
        print(asyncio.run(_with_store(_configured(config), people.listed)))


@users.command("set")
def set_person(
    user: Annotated[str, typer.Argument(help="Who: an id, or platform:id; `easel person list` shows them.")],
    *,
    role: Annotated[str | None, typer.Option(help="moderator, operator or none.")] = None,
    tier: Annotated[str | None, typer.Option(help="A tier of the configuration, or none.")] = None,
    config: ConfigFile = None,
) -> None:
    """Make somebody a moderator or an operator, or put them into a tier."""
    from adapters.cli import users as people

    with _told():
        settings = _configured(config)
        print(asyncio.run(_with_store(settings, lambda store: people.appointed(store, settings, user, role, tier))))


async def _with_store(settings: configuration.Config, act: Callable[[Store], Awaitable[T]]) -> T:
    async with parts.opened(settings) as store:
        return await act(store)


@app.command()
def export(
    user: Annotated[str, typer.Argument(help="Whose data: an id, platform:id, or a name that only one person has.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The ZIP file.")],
    config: ConfigFile = None,
) -> None:
    """Write everything that is kept of a person into a file for them."""
    from adapters.cli import privacy

    with _told():
        print(asyncio.run(_with_store(_configured(config), lambda store: privacy.exported(store, user, output))))


@app.command()
def forget(
    user: Annotated[str, typer.Argument(help="Whom to forget: an id, platform:id, or a name that only one person has.")] = "",
    *,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    again: Annotated[bool, typer.Option("--again", help="After restoring a backup: forget those in it who were forgotten since.")] = False,
    config: ConfigFile = None,
) -> None:
    """Delete everything that is kept of a person, for good."""
    from adapters.cli import privacy

    def forgotten(store: Store) -> Awaitable[str]:
        return privacy.forgotten_again(store) if again else privacy.forgotten(store, user, privacy.asked(sure, typer.confirm))

    with _told():
        if again == bool(user):
            raise BadInput("input-forget-whom")
        print(asyncio.run(_with_store(_configured(config), forgotten)))


@app.command("audit")
def show_audit(*, most: Annotated[int, typer.Option(help="How many lines.", min=1)] = 50, config: ConfigFile = None) -> None:
    """Show what moderators and operators did last."""
    from adapters.cli import audit

    with _told():
        print(asyncio.run(_with_store(_configured(config), lambda store: audit.listed(store, most))))


@app.command("doctor")
def examine(config: ConfigFile = None) -> None:
    """Say what is configured, what is missing and what to type next."""
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
    """Show every model that can be asked for."""
    from rich.console import Console
    from rich.table import Table

    with _told():
        settings = _configured(config)
        table = Table(box=None, pad_edge=False)
        for column in ("name", "family", "size", "steps", "title"):
            table.add_column(text(f"models-{column}"), no_wrap=column == "name")
        for one in parts.model_infos(settings).values():
            usual = one.defaults
            table.add_row(one.name, one.family, f"{usual.width} × {usual.height}", str(usual.steps), one.title)
        Console(highlight=False, markup=False).print(table)


@models.command()
def inspect(path: Annotated[Path, typer.Argument(help="A model folder, or a .safetensors file.")]) -> None:
    """Show what a model folder or file is, before anything of it is loaded."""
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
            "words": str(len(one.words)) if one.words else "",
        }
        for key, value in shown.items():
            if value:
                print(f"{text(f'models-{key}'):<12} {value}")


@tables.command("upgrade")
def upgrade(revision: Annotated[str, typer.Argument(help="Up to which revision.")] = "head", config: ConfigFile = None) -> None:
    """Bring the tables of the store up to date."""
    from adapters.cli import database

    with _told():
        raise typer.Exit(asyncio.run(database.upgrade(_configured(config).store.url, revision)))


# `-1` is a revision here, and no option.
@tables.command("downgrade", context_settings={"ignore_unknown_options": True})
def downgrade(
    revision: Annotated[str, typer.Argument(help="Down to which revision; base is none at all, and everything is gone.")],
    config: ConfigFile = None,
) -> None:
    """Bring the tables of the store back to an earlier revision."""
    from adapters.cli import database

    with _told():
        raise typer.Exit(asyncio.run(database.downgrade(_configured(config).store.url, revision)))


@tables.command("check")
def check(config: ConfigFile = None) -> None:
    """Say whether the store can be reached and its tables are right."""
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
    """Easel paints from words."""


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show “·” or “×” gets a question mark rather than no picture.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()
