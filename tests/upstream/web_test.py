# SPDX-License-Identifier: MIT
"""Web servers with threads under many downloads, a reload meanwhile, and a clean end.

    python3 web_test.py [--weft WEFT] [--hubs 1,2] haproxy|nginx|varnish
"""

import os
import signal
import subprocess
import threading

import content_server
import support
from content_server import download
from support import check, listening, started, wait_until

NGINX = """\
daemon off;
user nobody nogroup;
worker_processes 2;
thread_pool default threads=4 max_queue=1000;
error_log {directory}/error.log;
pid {directory}/pid;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  server {{
    listen 127.0.0.1:{listen} backlog=600;
    add_header Generation {generation};
    location / {{ root {directory}/files; aio threads; sendfile off; output_buffers 2 32k; }}
    location /far/ {{ proxy_pass http://127.0.0.1:{port}; proxy_buffers 4 8k; aio threads; aio_write on; }}
  }}
}}
"""

HAPROXY = """\
global
  nbthread 4
  maxconn 600
  stats socket {directory}/stats
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
frontend all
  bind 127.0.0.1:{listen} backlog 600
  http-response set-header Generation {generation}
  default_backend far
backend far
  balance roundrobin
  server one 127.0.0.1:{port}
  server two 127.0.0.1:{port}
"""

VARNISH = """\
vcl 4.1;
backend far {{ .host = "127.0.0.1"; .port = "{port}"; .connect_timeout = 60s; .first_byte_timeout = 60s; }}
sub vcl_deliver {{ set resp.http.Generation = "{generation}"; }}
"""


class Web:
    """A server that is started with a configuration, whose `workers` have threads."""

    configuration = ""
    threads = 5  # of a worker, natively, at least
    stop_signal = signal.SIGTERM
    stop_status = 0
    paths = ("",)  # what is asked for, before the content's own address

    def __init__(self, directory, port):
        self.directory, self.port, self.listen = directory, port, support.free_port()
        self.process = None
        self.config = os.path.join(directory, "config")

    def write_config(self, generation):
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(self.configuration.format(directory=self.directory, listen=self.listen, port=self.port,
                                                generation=generation))

    def address(self, path=""):
        return f"http://127.0.0.1:{self.listen}{path}"

    def generation(self):
        said = subprocess.run(["curl", "--silent", "--dump-header", "-", "--output", "/dev/null", "--noproxy", "*",
                               "--max-time", "60", self.address(f"/{content_server.size_of(0)}/0")],
                              stdout=subprocess.PIPE, text=True, check=False).stdout
        return [line.split()[1] for line in said.splitlines() if line.lower().startswith("generation:")]

    def workers(self):
        return support.children(self.process.pid)


class Nginx(Web):
    configuration = NGINX
    stop_signal = signal.SIGQUIT
    paths = ("", "/far")

    def command(self):
        files = os.path.join(self.directory, "files")
        content_server.write_files(files, 150)
        return ["nginx", "-c", self.config, "-e", os.path.join(self.directory, "error.log"), "-p", self.directory]

    def reload(self):
        self.process.popen.send_signal(signal.SIGHUP)


class Haproxy(Web):
    configuration = HAPROXY
    threads = 4
    stop_signal = signal.SIGUSR1

    def command(self):
        return ["haproxy", "-W", "-db", "-f", self.config]

    def reload(self):
        self.process.popen.send_signal(signal.SIGUSR2)


class Varnish(Web):
    configuration = VARNISH
    threads = 30

    def command(self):
        return ["varnishd", "-F", "-j", "none", "-a", f"127.0.0.1:{self.listen}", "-f", self.config, "-n",
                os.path.join(self.directory, "varnish"), "-s", "malloc,64m", "-p", "thread_pool_min=20"]

    def reload(self):
        for arguments in (["vcl.load", "next", self.config], ["vcl.use", "next"]):
            support.output_of(["varnishadm", "-n", os.path.join(self.directory, "varnish"), *arguments],
                              self.directory, "varnishadm", 100)


def reload_under_load(web):
    """The old workers finish what they have begun, and new connections meet the new configuration."""
    check(web.generation() == ["1"], f"generation {web.generation()}")
    web.write_config(2)
    answers = []
    loads = [threading.Thread(target=lambda path=path: answers.append(
        download(support.Mode(), web.directory, web.address(path), "--noproxy", "*"))) for path in web.paths]
    for load in loads:
        load.start()
    before = web.workers()
    web.reload()
    for load in loads:
        load.join()
    check(len(answers) == len(loads), f"downloads failed during the reload\n{web.process.tail()}")
    wait_until(lambda: web.generation() == ["2"], 60, f"the new configuration\n{web.process.tail()}")
    if not isinstance(web, Varnish):
        wait_until(lambda: not set(before) & set(web.workers()), 60, f"the end of the old workers {before}")


def body(mode, kind):
    with support.workspace(kind.__name__.lower()) as directory, content_server.serving() as port:
        web = kind(directory, port)
        web.write_config(1)
        with started(mode.command(web.command()), directory, "server") as web.process:
            wait_until(lambda: listening(web.listen) or not web.process.alive(), 60, "the server listens")
            check(web.process.alive(), web.process.tail())
            answer = fetch(web)
            reload_under_load(web)
            answer += fetch(web)
            for worker in web.workers():
                mode.check_threads(worker, web.threads, f"a worker of {kind.__name__}")
            web.process.stop(60, web.stop_signal, web.stop_status)
            check(not support.children(web.process.pid), "a worker outlives its master")
            return answer


def fetch(web):
    return [download(support.Mode(), web.directory, web.address(path), "--noproxy", "*") for path in web.paths]


KINDS = {"haproxy": ("haproxy", "haproxy", Haproxy), "nginx": ("nginx", "nginx", Nginx),
         "varnish": ("varnish", "varnishd", Varnish)}


def main():
    args = support.parse(__doc__.splitlines()[0],
                         lambda parser: parser.add_argument("server", choices=sorted(KINDS)))
    package, program, kind = KINDS[args.server]
    support.need("curl", "curl")
    support.skip_without(package, program)
    support.run_modes(args, lambda mode: body(mode, kind))


if __name__ == "__main__":
    support.main(main)
