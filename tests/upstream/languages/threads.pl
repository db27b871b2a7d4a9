# SPDX-License-Identifier: MIT
use strict;
use threads;
use threads::shared;
use Thread::Queue;
use IO::Socket::INET;
$| = 1;

my $queue = Thread::Queue->new;
my @workers = map { threads->create(sub { my $sum = 0; while (defined(my $x = $queue->dequeue)) { $sum += $x } $sum }) } 1 .. 6;
$queue->enqueue($_) for 1 .. 500;
$queue->end;
my $sum = 0;
$sum += $_->join for @workers;
print "sum $sum\n";

my $turn : shared = 0;
my @players = map {
  my $me = $_;
  threads->create(sub { for (1 .. 10) { lock($turn); cond_wait($turn) while $turn % 4 != $me; $turn++; cond_broadcast($turn) } })
} 0 .. 3;
$_->join for @players;
print "turns $turn\n";

my $listener = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die;
my $port = $listener->sockport;
my $server = threads->create(sub {
  for (1 .. 8) {
    my $client = $listener->accept;
    while (my $line = <$client>) { print $client uc $line }
    close $client;
  }
});
my @clients = map {
  my $i = $_;
  threads->create(sub {
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die;
    my $answer;
    for (1 .. 10) { print $socket "m$i.$_\n"; $answer = <$socket> }
    close $socket;
    chomp $answer;
    $answer
  })
} 1 .. 8;
print join(',', map { $_->join } @clients), "\n";
$server->join;
print `echo child`;
my $pid = fork;
if (!$pid) { threads->create(sub { print "thread of a child\n" })->join; exit 4 }
waitpid $pid, 0;
print $? >> 8, "\nend\n";
