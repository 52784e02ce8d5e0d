"""`python -m replay_proxy` is `replay-proxy`."""

from replay_proxy.cli.main import entry

if __name__ == "__main__":
    entry()
