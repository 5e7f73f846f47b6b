"""`python -m tests.forked_easel`: the `easel` command as it is, with workers that are forked (see `forked_worker`)."""

from adapters.cli.main import main
from tests import forked_worker

if __name__ == "__main__":
    forked_worker.install()
    main()
