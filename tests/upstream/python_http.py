# SPDX-License-Identifier: MIT
"""The two sides of the ThreadingHTTPServer test.

    python3 python_http.py server CLIENTS PORT_FILE FACTS
    python3 python_http.py client CLIENTS PORT OUT FACTS

Every client is a thread that keeps one connection. Its first request is answered only when all
clients' first requests have arrived, so that the server has one live thread for each of them. FACTS
gets the number of kernel threads at that moment.
"""

import hashlib
import http.client
import http.server
import json
import os
import signal
import sys
import threading


def tasks():
    return len(os.listdir("/proc/self/task"))


def save(path, facts):
    with open(path + ".new", "w", encoding="utf-8") as out:
        json.dump(facts, out)
    os.rename(path + ".new", path)


def body_of(index, step):
    return hashlib.sha256(f"{index}/{step}".encode()).hexdigest().encode() * (1 + index % 300)


def server():
    clients, port_file, facts = int(sys.argv[2]), sys.argv[3], sys.argv[4]
    everyone = threading.Barrier(clients, action=lambda: save(
        facts, {"alive": threading.active_count() - 1, "tasks": tasks()}))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one segment an answer: no delayed-acknowledge stalls
        timeout = 120

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/together":
                everyone.wait(120)
            answer = hashlib.sha256(body).hexdigest().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 4096

    threading.stack_size(512 * 1024)
    httpd = Server(("127.0.0.1", 0), Handler)

    def stop(*_):
        threading.Thread(target=httpd.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    save(port_file, httpd.server_address[1])
    httpd.serve_forever()
    httpd.server_close()
    print("closed")


def client():
    clients, port, out, facts = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    right, errors = [0] * clients, []
    everyone = threading.Barrier(clients, action=lambda: save(
        facts, {"alive": threading.active_count() - 1, "tasks": tasks()}))

    def run(index):
        try:
            everyone.wait(120)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            for step in range(4):
                body = body_of(index, step)
                connection.request("POST", "/together" if step == 0 else "/alone", body)
                response = connection.getresponse()
                answer = response.read()
                right[index] += (response.status == 200 and
                                 answer == hashlib.sha256(body).hexdigest().encode())
            connection.close()
        except Exception as error:  # pylint: disable=broad-except
            errors.append(repr(error))

    threading.stack_size(512 * 1024)
    threads = [threading.Thread(target=run, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open(out, "w", encoding="utf-8") as text:
        text.write(f"{sum(right)} right answers of {4 * clients}; errors: {sorted(set(errors))}\n")


if __name__ == "__main__":
    {"server": server, "client": client}[sys.argv[1]]()
