"""Connecting and sending without the event loop: what may happen in each state, by a real listener on loopback."""

import socket
from collections.abc import Iterator

import pytest

from replay_proxy.proxy.http.client.direct_connect import DirectConnector


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(10)
        yield sock


def received(listener: socket.socket) -> bytes:
    peer, _ = listener.accept()
    with peer:
        peer.settimeout(10)
        return b"".join(iter(lambda: peer.recv(1024), b""))


def test_nothing_is_sent_before_the_address_is_known() -> None:
    connector = DirectConnector()
    connector.preconnect()
    assert connector.connect_and_send(b"GET") is None
    assert "no address" in repr(connector)


@pytest.mark.parametrize("preconnects", [False, True])
def test_a_request_goes_by_one_connection(listener: socket.socket, preconnects: bool) -> None:
    connector = DirectConnector()
    connector.learn_address(listener.getsockname())
    if preconnects:
        connector.preconnect()
        connector.preconnect()  # another request has begun to arrive meanwhile: one connection is enough
        assert "preconnecting" in repr(connector)
    sent = connector.connect_and_send(b"GET / HTTP/1.1")
    assert sent is not None and sent[1] == 14
    connector.cancel_preconnect()  # of a connection that was used
    assert sent[0].fileno() >= 0
    sent[0].close()
    assert received(listener) == b"GET / HTTP/1.1"
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert "ready" in repr(connector)


def test_a_connection_that_is_not_used_is_closed(listener: socket.socket) -> None:
    connector = DirectConnector()
    connector.learn_address(listener.getsockname())
    connector.preconnect()
    connector.cancel_preconnect()
    assert received(listener) == b""
    assert "ready" in repr(connector)


def test_an_emulator_that_is_not_there_is_tried_again(listener: socket.socket) -> None:
    connector = DirectConnector()
    connector.learn_address(listener.getsockname())
    listener.close()
    for _ in range(10):
        assert connector.connect_and_send(b"GET") is None
        connector.preconnect()
        connector.cancel_preconnect()
    assert "ready" in repr(connector)


def test_an_emulator_that_does_not_accept_in_time_is_given_up() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]  # nobody accepts them: the queue is full
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        connector = DirectConnector()
        connector.learn_address(full.getsockname())
        for _ in range(3):
            assert "given up" not in repr(connector)
            assert connector.connect_and_send(b"GET") is None
        assert "given up" in repr(connector)
        connector.preconnect()
        assert "given up" in repr(connector)
        for each in waiting:
            each.close()


def test_the_next_socket_is_made_beforehand_and_closed_in_the_end(listener: socket.socket) -> None:
    connector = DirectConnector()
    connector.prepare_socket()
    assert "spare" not in repr(connector)
    connector.learn_address(listener.getsockname())
    connector.prepare_socket()
    assert "a spare socket" in repr(connector)
    connector.close()
    assert "spare" not in repr(connector)
