"""The `easel` command.

Start-up stays light: nothing here or below imports the libraries that paint, they live in the worker process.
"""

import asyncio
import importlib.metadata
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adapters import codes, doctor, logs
from adapters import main as parts
from adapters.terminal import inbound, outbound
from bot import config as configuration
from bot.errors import BotError
from bot.texts import tell, text
from bot.words import suggestions
from inference import catalogue
from inference.engine import Engine
from inference.errors import InferenceError
from inference.passport import Passport
from inference.request import Failed, Note, Picture, PictureRequest, Step

app = typer.Typer(name="easel", help="Easel paints from words.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
models = typer.Typer(help="The models that can paint.", no_args_is_help=True)
app.add_typer(models, name="models")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration; easel.toml where it exists.")]


@contextmanager
def _told() -> Iterator[None]:
    """Tell every error as one sentence on standard error, and leave with its exit code."""
    try:
        yield
    except (BotError, InferenceError) as error:
        outbound.note(tell(error.problem))
        raise typer.Exit(codes.code_of(error.problem)) from None
    except KeyboardInterrupt:
        outbound.note(text("paint-cancelled"))
        raise typer.Exit(codes.INTERRUPTED) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        outbound.note(text("fault-incident", file=str(logs.incident(error))))
        raise typer.Exit(codes.FAILED) from None


def _configured(path: Path | None) -> configuration.Config:
    config = configuration.read(path)
    logs.set_up(config.log)
    return config


@app.command()
def paint(
    prompt: Annotated[str, typer.Argument(help="What to paint, in words; (word:1.3) makes a word count more, [word] less.")],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The PNG file; several pictures are numbered.")] = None,
    negative: Annotated[str, typer.Option(help="What not to paint.")] = "",
    steps: Annotated[int | None, typer.Option(help="Denoising steps; more is slower.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How closely to follow the words.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="How the steps are taken, such as “euler a”.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed repeats a picture.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Width and height in pixels.")] = None,
    count: Annotated[int, typer.Option(help="How many pictures.")] = 1,
    image: Annotated[Path | None, typer.Option(help="A picture to start from.")] = None,
    strength: Annotated[float | None, typer.Option(help="How much of that picture is painted anew, 0 to 1.")] = None,
    model: Annotated[str | None, typer.Option(help="Which model paints; see `easel models list`.")] = None,
    config: ConfigFile = None,
) -> None:
    """Paint a picture from words, into a file."""
    with _told():
        settings = _configured(config)
        passport = parts.chosen(settings, model)
        console = Console()
        typed = inbound.Typed(
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
        )
        request = inbound.request_of(typed, passport, previews=outbound.can_preview(console))
        files = inbound.files_of(typed, request.seed)
        _mention_unknown_words(request, passport)
        asyncio.run(_paint(settings, passport, request, files, console))


def _mention_unknown_words(request: PictureRequest, passport: Passport) -> None:
    unknown = tuple(dict.fromkeys([*passport.unknown_words(request.prompt), *passport.unknown_words(request.negative)]))
    if unknown:
        known = ", ".join(suggestions(unknown, passport.words))
        outbound.note(text("words-unknown", count=len(unknown), words=", ".join(unknown), model=passport.name, known=known))


async def _paint(
    settings: configuration.Config, passport: Passport, request: PictureRequest, files: tuple[Path, ...], console: Console
) -> None:
    """Start the engine, paint, and say what came of it."""
    async with parts.engine(settings, {passport.name: passport}) as engine:
        began = time.monotonic()
        with outbound.Board(console) as board:
            notes = await _follow(engine, request, files, board)
        for sentence in notes:
            outbound.note(sentence)
        print(outbound.result(request, time.monotonic() - began))
        print(*files, sep="\n", flush=True)


async def _follow(engine: Engine, request: PictureRequest, files: tuple[Path, ...], board: outbound.Board) -> list[str]:
    """Write each picture as it comes and return what the person should know; raises what the request failed with."""
    notes = []
    async for event in engine.run(request):
        match event:
            case Step():
                board.step(event)
            case Picture():
                await asyncio.to_thread(inbound.write, files[event.index], event.image)
            case Note():
                notes.append(tell(event.problem))
            case Failed():
                raise InferenceError.of(event.problem)
    return notes


@app.command("doctor")
def examine(config: ConfigFile = None) -> None:
    """Say what is configured, what is missing and what to type next."""
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
    with _told():
        settings = _configured(config)
        table = Table(box=None, pad_edge=False)
        for column in ("name", "family", "size", "steps", "title"):
            table.add_column(text(f"models-{column}"), no_wrap=column == "name")
        for one in parts.passports(settings).values():
            usual = one.defaults
            table.add_row(one.name, one.family, f"{usual.width} × {usual.height}", str(usual.steps), one.title)
        Console(highlight=False, markup=False).print(table)


@models.command()
def inspect(path: Annotated[Path, typer.Argument(help="A model folder, or a .safetensors file.")]) -> None:
    """Show what a model folder or file is, before anything of it is loaded."""
    with _told():
        one = catalogue.inspect(path)
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


def _version(wanted: bool) -> None:
    if wanted:
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


if __name__ == "__main__":
    main()
