%% SPDX-License-Identifier: MIT
%% Code that the JIT makes keeps the heap of the running process right below its stack pointer.
-module(threads).
-export([main/0]).

main() ->
  Main = self(),
  [spawn(fun() -> Main ! lists:sum(lists:seq(1, I * 100)) end) || I <- lists:seq(1, 200)],
  io:format("~p~n", [lists:sum([receive X -> X end || _ <- lists:seq(1, 200)])]),
  {ok, Listener} = gen_tcp:listen(0, [binary, {active, false}, {backlog, 100}, {ip, {127, 0, 0, 1}}]),
  {ok, Port} = inet:port(Listener),
  spawn(fun() -> accept(Listener) end),
  [spawn(fun() -> ask(Port), Main ! done end) || _ <- lists:seq(1, 30)],
  [receive done -> ok end || _ <- lists:seq(1, 30)],
  io:format("echoed~n~send~n", [os:cmd("echo child")]),
  halt(0).

ask(Port) ->
  {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}]),
  [begin ok = gen_tcp:send(Socket, <<"hello">>), {ok, <<"hello">>} = gen_tcp:recv(Socket, 5) end || _ <- lists:seq(1, 20)],
  gen_tcp:close(Socket).

accept(Listener) ->
  {ok, Socket} = gen_tcp:accept(Listener),
  Echo = spawn(fun() -> receive go -> echo(Socket) end end),
  ok = gen_tcp:controlling_process(Socket, Echo),
  Echo ! go,
  accept(Listener).

echo(Socket) ->
  case gen_tcp:recv(Socket, 0) of
    {ok, Bytes} -> gen_tcp:send(Socket, Bytes), echo(Socket);
    _ -> ok
  end.
