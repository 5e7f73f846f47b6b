"""The report of `easel doctor` on Discord, mostly from a separate process over real sockets."""

import asyncio
import os
import sys
from importlib.metadata import version

import pytest

from adapters.cli.doctor import findings
from adapters.discord import probe
from bot.config import Discord as Section
from tests.answering import answering
from tests.emulators.discord import Discord
from tests.emulators.discord.api import ROUTES

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GhIjKl.abcdefghijklmnopqrstuvwxyz0123456789AB"

#: In seconds. Longer than any of these takes on a small machine under load; a test that waits this long has failed.
PATIENCE = 120


@pytest.fixture
async def discord():
    """Yield an emulated Discord that knows the token."""
    async with Discord(token=TOKEN) as running:
        yield running


@pytest.fixture
def examined(tmp_path):
    """Return a function that runs the doctor with Discord settings, and returns its exit code and output."""

    async def run(api_base, token=TOKEN):
        plain = {name: value for name, value in os.environ.items() if not name.startswith("EASEL__")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "adapters.cli", "doctor"),
            cwd=tmp_path,
            env={**plain, "EASEL__DISCORD__TOKEN": token, "EASEL__DISCORD__API_BASE": api_base},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert token not in said.decode()
        return process.returncode, said.decode()

    return run


async def test_a_known_token(discord, examined):
    """For a valid token, the doctor names the bot, prints the invite link with the needed permissions, and reports no problem."""
    code, said = await examined(discord.api_base)
    assert code == 0
    (line,) = (line for line in said.splitlines() if "Discord" in line)
    assert line.startswith("ok ")
    assert "this is easel" in line
    assert f"https://discord.com/oauth2/authorize?client_id={discord.application_id}&scope=bot+applications.commands&permissions=" in line
    assert all(one.path != "/gateway/bot" for one in discord.requests)


@pytest.mark.parametrize("token", [TOKEN.replace("GhIjKl", "GhIjKm"), f"Bot {TOKEN}", TOKEN.replace(".", "\n", 1)])
async def test_a_token_that_discord_does_not_know(discord, examined, token):
    """A wrong or malformed token is a problem of the configuration."""
    code, said = await examined(discord.api_base, token)
    assert code == 2
    (line,) = (line for line in said.splitlines() if "Discord" in line)
    assert line.startswith("problem ")
    assert "rejected the token" in line


async def test_nobody_answers(examined, unused_port):
    """If nothing listens, the doctor names the address and the network error."""
    code, said = await examined(f"http://127.0.0.1:{unused_port}/api/v10")
    assert code == 1
    (line,) = (line for line in said.splitlines() if "Discord" in line)
    assert line.startswith("problem ")
    assert f"can't be reached at http://127.0.0.1:{unused_port}/api/v10" in line
    assert "Connect call failed" in line


@pytest.fixture
async def unused_port():
    """Return a local port on which nothing listens."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


@pytest.fixture
async def asked(monkeypatch):
    """Return a function that asks an address who the bot is; the library's addresses are restored afterwards."""
    for holder in (probe.discord.http.Route, probe.discord.asset.Asset):
        monkeypatch.setattr(holder, "BASE", holder.BASE)

    async def ask(api_base, seconds=PATIENCE):
        return await probe.who(Section(token=TOKEN, api_base=api_base), seconds)

    return ask


async def test_silence_ends(asked):
    """A server that accepts the request and never responds is given up."""

    async def silent(reader, writer):
        del writer
        await reader.read()

    async with answering(silent) as address:
        with pytest.raises(probe.Away, match=r"no answer within 0\.2 s"):
            await asked(address, 0.2)


@pytest.mark.parametrize(("kind", "said"), [("cloudflare", "HTTP 429"), (503, "HTTP 503"), ((403, 0), "HTTP 403"), ("reset", ".")])
async def test_discord_is_not_well(discord, asked, kind, said):
    """An error of Discord or of Cloudflare in front of it is reported as it is."""
    discord.fault("GET", "/users/@me", kind, times=9)
    with pytest.raises(probe.Away, match=said):
        await asked(discord.api_base)


async def test_something_else_answers(asked):
    """An address at which another server responds is reported as not being Discord."""

    async def page(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    async with answering(page) as address:
        with pytest.raises(probe.Away, match="not Discord"):
            await asked(address)


async def test_an_endpoint_that_takes_everything(discord, asked, monkeypatch, tmp_path):
    """If an Interactions Endpoint URL receives all interactions, the doctor reports a problem."""
    assert not (await asked(discord.api_base)).is_elsewhere
    route = next(one for one in ROUTES if one.path == "/oauth2/applications/@me")
    told = route.handler
    monkeypatch.setattr(route, "handler", lambda call: (200, {**told(call)[1], "interactions_endpoint_url": "https://a.example/"}))
    known = await asked(discord.api_base)
    assert known.is_elsewhere

    async def who(_):
        return known

    monkeypatch.setattr(probe, "who", who)
    monkeypatch.setenv("EASEL__DISCORD__TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    found = await asyncio.to_thread(lambda: list(findings(None)))
    assert [one.code for one in found if "Interactions Endpoint URL" in one.sentence] == [2]


async def test_without_a_token_nothing_is_asked(tmp_path):
    """Without a Discord token, the doctor does not mention Discord or import its library."""
    script = (
        "import sys; from adapters.cli import doctor;"
        "print(*(one.sentence for one in doctor.findings(None))); print('discord' in sys.modules)"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("EASEL__")}
    python = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=tmp_path, env=plain, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(python.communicate(), PATIENCE)
    report, is_loaded = said.decode().splitlines()
    assert "Discord" not in report
    assert is_loaded == "False"


@pytest.mark.skipif(not version("torch").endswith("+cpu"), reason="torch is not the CPU build")
async def test_a_gpu_that_torch_cannot_use(tmp_path, monkeypatch):
    """If the driver reports a GPU and torch is the CPU build, the doctor prints the command that installs the CUDA build."""
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho NVIDIA RTX, 24576 MiB\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    said = [finding.sentence for finding in await asyncio.to_thread(lambda: list(findings(None)))]
    assert any("NVIDIA RTX" in line for line in said)
    assert any(f"torch=={version('torch').removesuffix('+cpu')} --index-url https://" in line for line in said)
