# SPDX-License-Identifier: MIT
"""As much of the MariaDB client protocol as the test needs: login without a password, text queries.

https://mariadb.com/kb/en/clientserver-protocol/
"""

import socket
import struct

LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41 = 1, 8, 512
TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH = 8192, 32768, 1 << 19


class ServerError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Connection:
    def __init__(self, address, database="", user="root", timeout=120):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.sequence = 0
        self._login(user, database)

    def _login(self, user, database):
        greeting = self._read()
        if greeting[0] != 10:
            raise ServerError(0, f"an unknown greeting {greeting!r}")
        flags = LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH
        if database:
            flags |= CONNECT_WITH_DB
        login = struct.pack("<IIB23x", flags, 1 << 24, 45) + user.encode() + b"\0" + b"\0"
        if database:
            login += database.encode() + b"\0"
        self._write(login + b"mysql_native_password\0")
        answer = self._read()
        if answer[0] == 0xFE:  # asked to use another plugin: an empty password looks the same in all
            self._write(b"")
            answer = self._read()

    def _write(self, payload):
        self.socket.sendall(struct.pack("<I", len(payload))[:3] + bytes([self.sequence]) + payload)
        self.sequence = (self.sequence + 1) % 256

    def _read(self):
        head = self.file.read(4)
        if len(head) < 4:
            raise EOFError("the server closed the connection")
        length = int.from_bytes(head[:3], "little")
        self.sequence = (head[3] + 1) % 256
        payload = self.file.read(length)
        if len(payload) < length:
            raise EOFError("the server closed the connection inside a packet")
        if payload[0] == 0xFF:
            raise ServerError(struct.unpack("<H", payload[1:3])[0], payload[9:].decode())
        return payload

    def query(self, text):
        """The rows of a SELECT, as tuples of str; of another statement, how many rows it changed."""
        self.sequence = 0
        self._write(b"\x03" + text.encode())
        first = self._read()
        if first[0] == 0:
            return _length(first, 1)[0]
        columns, _ = _length(first, 0)
        for _ in range(columns):
            self._read()
        self._read()  # the end of the column descriptions
        rows = []
        while True:
            packet = self._read()
            if packet[0] == 0xFE and len(packet) < 9:
                return rows
            rows.append(_row(packet, columns))

    def close(self):
        self.sequence = 0
        try:
            self._write(b"\x01")
        finally:
            self.file.close()
            self.socket.close()


def _length(data, offset):
    first = data[offset]
    if first < 251:
        return first, offset + 1
    size = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(data[offset + 1:offset + 1 + size], "little"), offset + 1 + size


def _row(packet, columns):
    values, offset = [], 0
    for _ in range(columns):
        if packet[offset] == 251:
            values.append(None)
            offset += 1
            continue
        length, offset = _length(packet, offset)
        values.append(packet[offset:offset + length].decode())
        offset += length
    return tuple(values)
