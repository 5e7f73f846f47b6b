"""Requests in transport and in storage."""

import msgspec

from inference.contract.inputs import Input, Role
from inference.contract.modes import mode_of
from inference.contract.protocol import Paint, decode_to_worker, encode
from inference.contract.request import Fragment, PictureRequest, Prompt

#: A request as the version of 2026-11-21, which had one source picture and no modes, stored it in a job's row.
STORED = bytes.fromhex(
    "de0012a670726f6d707482a474657874b26120287265643a312e322920636972636c65a57061727473919382a474657874a26120a6776569676874cb3ff0"
    "00000000000082a474657874a3726564a6776569676874cb3ff333333333333382a474657874a720636972636c65a6776569676874cb3ff0000000000000"
    "a86e6567617469766582a474657874a3666f67a57061727473919182a474657874a3666f67a6776569676874cb3ff0000000000000a56d6f64656ca46465"
    "6d6fa57769647468cc80a668656967687460a5737465707314a867756964616e6365cb4016000000000000a97363686564756c6572a565756c6572a47365"
    "6564ceffffffffa5636f756e7402a6736f75726365c0a8737472656e677468cb3fdccccccccccccda87072657669657773c2ad616c6c6f775f736d616c6c"
    "6572c2a57368617265a3616263a6776569676874cb3ff0000000000000a66275636b657400a5736561747391a3313a30"
)

REQUEST = PictureRequest(
    prompt=Prompt("a (red:1.2) circle", ((Fragment("a "), Fragment("red", 1.2), Fragment(" circle")),)),
    negative=Prompt.plain("fog"),
    model="demo",
    width=128,
    height=96,
    steps=20,
    guidance=5.5,
    scheduler="euler",
    seed=2**32 - 1,
    count=2,
    strength=0.45,
    share="abc",
    seats=("1:0",),
)


def test_a_request_of_an_older_version_is_read():
    """A request stored before inputs and modes existed decodes to the same request, and its inputs decide its mode."""
    assert msgspec.msgpack.decode(STORED, type=PictureRequest) == REQUEST
    assert mode_of(REQUEST).name == "txt2img"
    assert mode_of(REQUEST, (Role.INIT,)).name == "img2img"


def test_inputs_reach_the_worker_in_order():
    """Inputs cross the process border with their roles and bytes; several inputs of a role keep their order."""
    inputs = (Input(Role.INIT, b"one"), Input(Role.CONTROL, b"two"), Input(Role.CONTROL, b"three"), Input(Role.REFERENCE, b""))
    sent = Paint(3, msgspec.structs.replace(REQUEST, inputs=inputs, mode="img2img"))
    assert decode_to_worker(encode(sent)) == sent
    assert sent.request.roles == (Role.INIT, Role.CONTROL, Role.CONTROL, Role.REFERENCE)
