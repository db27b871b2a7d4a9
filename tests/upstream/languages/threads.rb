# SPDX-License-Identifier: MIT
require 'socket'
require 'timeout'
$stdout.sync = true

mutex = Mutex.new
changed = ConditionVariable.new
turn = 0
players = 8.times.map do |me|
  Thread.new do
    20.times { mutex.synchronize { changed.wait(mutex) while turn % 8 != me; turn += 1; changed.broadcast } }
  end
end
players.each(&:join)
puts turn

listener = TCPServer.new('127.0.0.1', 0)
port = listener.addr[1]
acceptor = Thread.new do
  loop { Thread.new(listener.accept) { |client| while (line = client.gets); client.puts line.chomp.reverse; end } }
rescue IOError
  puts 'closed'
end
answers = 40.times.map do |i|
  Thread.new { TCPSocket.open('127.0.0.1', port) { |socket| 20.times.map { |j| socket.puts "m#{i}-#{j}"; socket.gets }.last } }
end
puts answers.map { |thread| thread.value.chomp }.join(',')
listener.close
acceptor.join
silent = IO.pipe
begin
  Timeout.timeout(0.05) { silent[0].read }
rescue Timeout::Error
  puts 'timeout'
end
puts 20.times.map { |i| Thread.new { `echo #{i}` } }.sum { |thread| thread.value.to_i }
busy = Thread.new { loop {} }
busy.kill
busy.join
Process.wait(fork { Thread.new { puts 'thread of a child' }.join; exit 7 })
puts $?.exitstatus, 'end'
