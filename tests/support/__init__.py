"""What tests share: real emulators and the proxy itself as subprocesses, and real clients."""
