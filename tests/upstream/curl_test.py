# SPDX-License-Identifier: MIT
"""curl --parallel, itself under Weft (`direct`), or through a tinyproxy (`proxy`) or stunnel (`tls`) under it.

    python3 curl_test.py [--weft WEFT] [--hubs 1,2] direct|proxy|tls
"""

import os
import socket
import subprocess

import content_server
import support
from content_server import download
from support import check, listening, started, wait_until

PROXY = """\
Port {port}
Listen 127.0.0.1
Timeout 120
MaxClients 400
Allow 127.0.0.1
ConnectPort 443
LogLevel Warning
LogFile "{directory}/tinyproxy.log"
PidFile "{directory}/tinyproxy.pid"
"""


TUNNEL = """\
foreground = yes
pid =
[web]
accept = 127.0.0.1:{listen}
connect = 127.0.0.1:{port}
cert = {directory}/pem
"""


def direct(mode):
    name, address, threads = name_to_resolve()
    with support.workspace("curl") as directory, content_server.serving(address) as port:
        return download(mode, directory, f"http://{name}:{port}", "--ipv4", "--noproxy", "*", threads=threads)


def name_to_resolve():
    """A name, its address, and how many threads libcurl makes at least to resolve it: none for localhost, which it knows, and so
    for a machine whose own name says nothing."""
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
        with socket.socket() as probe:
            probe.bind((address, 0))
    except OSError:
        return "localhost", "127.0.0.1", 0
    return name, address, 1


def proxy(mode):
    native = support.Mode()
    listen = support.free_port()
    with support.workspace("proxy") as directory, content_server.serving() as port:
        config = os.path.join(directory, "tinyproxy.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(PROXY.format(port=listen, directory=directory))
        options = ["--noproxy", "", "--proxy", f"http://127.0.0.1:{listen}"]
        return relay(mode, directory, ["tinyproxy", "-d", "-c", config], listen,
                     lambda: download(native, directory, f"http://127.0.0.1:{port}", *options))


def tls(mode):
    native = support.Mode()
    listen = support.free_port()
    with support.workspace("tls") as directory, content_server.serving() as port:
        pem = os.path.join(directory, "pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", pem, "-out", pem + ".cert"],
                       check=True, capture_output=True)
        with open(pem, "a", encoding="utf-8") as out, open(pem + ".cert", encoding="utf-8") as cert:
            out.write(cert.read())
        config = os.path.join(directory, "stunnel.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(TUNNEL.format(listen=listen, port=port, directory=directory))
        options = ["--noproxy", "*", "--cacert", pem + ".cert", "--resolve",
                   f"localhost:{listen}:127.0.0.1"]
        return relay(mode, directory, ["stunnel4", config], listen,
                     lambda: download(native, directory, f"https://localhost:{listen}", *options))


def relay(mode, directory, command, listen, fetch):
    """All contents come through a relay, before and while a hundred idle connections hold threads."""
    name = command[0]
    with started(mode.command(command), directory, name) as server:
        wait_until(lambda: listening(listen) or not server.alive(), 30, f"{name} listens")
        answer = fetch()
        idle = [socket.create_connection(("127.0.0.1", listen)) for _ in range(100)]
        wait_until(lambda: mode.hubs or len(support.task_names(server.pid)) > 100, 30,
                   "a thread for each idle connection")
        answer += fetch()
        mode.check_threads(server.pid, 101, name)
        for connection in idle:
            connection.close()
        server.stop(30)
        return answer


def main():
    args = support.parse(__doc__.splitlines()[0],
                         lambda parser: parser.add_argument("case", choices=("direct", "proxy", "tls")))
    support.need("curl", "curl")
    if args.case == "proxy":
        support.need("tinyproxy", "tinyproxy")
    if args.case == "tls":
        support.need("stunnel4", "stunnel4")
        support.need("openssl", "openssl")
    support.run_modes(args, {"direct": direct, "proxy": proxy, "tls": tls}[args.case])


if __name__ == "__main__":
    support.main(main)
