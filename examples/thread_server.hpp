// SPDX-License-Identifier: MIT
// What the servers of the examples, and their peers in bench/peers, share: a listener on the loopback address and the loop
// of the threaded ones.
// Plain POSIX sockets and std::thread; nothing here knows of Weft.
#pragma once

namespace example {

// Serves one connection. The server closes the socket when it returns.
using connection_handler = void (*)(int socket);

// Listens on 127.0.0.1 (port 0: one that the kernel chooses), prints "listening on PORT" and gives each
// connection a thread of its own until SIGTERM or SIGINT comes. Returns the exit status of the program.
int serve(int port, connection_handler handler);

// Its first half: raises the limit of open files, listens and prints the port; SIGTERM and SIGINT will shut the
// socket down, so that accept() fails with EINVAL. Returns the socket, or -1 after a message.
int start_listening(int port, int socket_flags = 0);

// Whether accept() is worth another try: the peer left early, or something ran out that other connections will give back.
bool passing_accept_error(int error);

// The one argument that both programs take; exits with a message when it is not a port.
int port_argument(int argc, char** argv);

// Sends the whole range; false when the peer is gone.
bool send_all(int socket, const char* data, unsigned long size);

}  // namespace example
