# SPDX-License-Identifier: MIT
"""The echo server with a greenlet for each connection."""
import signal

import gevent
import gevent.server


def echo(connection, _address):
    try:
        while data := connection.recv(1024):
            connection.sendall(data)
    except ConnectionError:
        pass


server = gevent.server.StreamServer(("127.0.0.1", 0), echo, backlog=16384)
server.start()
gevent.signal_handler(signal.SIGTERM, server.close)
gevent.signal_handler(signal.SIGINT, server.close)
print("listening on", server.server_port, flush=True)
server.serve_forever()
