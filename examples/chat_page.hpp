// SPDX-License-Identifier: MIT
// The page of the chat.
#pragma once

namespace example {

inline constexpr char chat_page[] = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Weft chat</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
  #log { list-style: none; padding: 0; border-bottom: 1px solid #ccc; min-height: 10rem; }
  #state { color: #777; }
  form { display: flex; gap: .5rem; }
  input { font: inherit; padding: .25rem; }
  #text { flex: 1; }
</style>
</head>
<body>
<h1>Weft chat</h1>
<p id="state">connecting</p>
<ul id="log" aria-live="polite"></ul>
<form id="say">
  <input id="name" value="me" size="8" aria-label="name">
  <input id="text" placeholder="a message" autocomplete="off" aria-label="message" autofocus>
  <button id="send">Send</button>
</form>
<script>
  "use strict";
  const by = id => document.getElementById(id);
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chat`);
  socket.onopen = () => { by("state").textContent = "connected"; };
  socket.onclose = () => { by("state").textContent = "disconnected"; };
  socket.onmessage = event => {
    const line = document.createElement("li");
    line.textContent = event.data;  // as text: nobody's markup runs here
    by("log").append(line);
  };
  by("say").onsubmit = event => {
    event.preventDefault();
    if (by("text").value === "" || socket.readyState !== WebSocket.OPEN) return;
    socket.send(`${by("name").value}: ${by("text").value}`);
    by("text").value = "";
  };
</script>
</body>
</html>
)html";

}  // namespace example
