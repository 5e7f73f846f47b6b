"""`kill -9` of everything, in the middle of a picture."""

from benchmarks.chatting import Served, Visitor


def ended(visitor, job):
    """Return every card of a job that is shown until it has ended, and the pictures of the last one."""
    states = []
    for name, data in visitor.events():
        if name == "card" and data["id"] == job:
            states.append(data["state"])
            if data["state"] not in ("waiting", "running"):
                return states, data["html"].count("/files/")
    raise AssertionError("the stream ended before the job did")


def test_what_was_accepted_is_painted_after_the_restart(tmp_path):
    """A job whose bot and worker are killed in mid-picture is painted after the restart and shown once, in the same place."""
    with Served(tmp_path) as first:
        visitor = Visitor(first.port)
        visitor.enter()
        (job,) = visitor.say("/imagine a red circle on a blue background --steps 60 --count 4 --seed 7")
        next(data for name, data in visitor.events() if name == "progress" and data["id"] == job)
        first.kill()

    with Served(tmp_path) as second:
        visitor.moved(second.port)
        visitor.enter()
        _, shown = ended(visitor, job)
        page = visitor.page()
        again = visitor.say("/queue")

    assert shown >= 4
    assert page.count(f'id="job-{job}"') == 1
    assert again == []
