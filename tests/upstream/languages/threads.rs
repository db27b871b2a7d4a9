// SPDX-License-Identifier: MIT
use std::cell::RefCell;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{channel, sync_channel, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock};
use std::thread;
use std::time::{Duration, Instant};

thread_local!(static MINE: RefCell<Vec<u64>> = RefCell::new(Vec::new()));

fn turns() {
    let turn = Arc::new((Mutex::new(0u32), Condvar::new()));
    let players: Vec<_> = (0..8)
        .map(|me| {
            let turn = turn.clone();
            thread::spawn(move || {
                for _ in 0..200 {
                    let mut now = turn.1.wait_while(turn.0.lock().unwrap(), |now| *now % 8 != me).unwrap();
                    *now += 1;
                    turn.1.notify_all();
                }
            })
        })
        .collect();
    players.into_iter().for_each(|player| player.join().unwrap());
    println!("turns {}", turn.0.lock().unwrap());
}

fn channels() {
    let (send, receive) = sync_channel::<u64>(3);
    let receive = Arc::new(Mutex::new(receive));
    let (results, sums) = channel();
    for _ in 0..4 {
        let (receive, results) = (receive.clone(), results.clone());
        thread::spawn(move || {
            let mut sum = 0;
            loop {
                let value = receive.lock().unwrap().recv();
                match value {
                    Ok(value) => sum += value,
                    Err(_) => break,
                }
            }
            results.send(sum).unwrap();
        });
    }
    drop(results);
    (0..2000).for_each(|value| send.send(value).unwrap());
    drop(send);
    println!("sum {}", sums.iter().sum::<u64>());
    let (silent, waiting) = channel::<()>();
    let start = Instant::now();
    let timed_out = waiting.recv_timeout(Duration::from_millis(30)) == Err(RecvTimeoutError::Timeout);
    println!("time-out {} {}", timed_out, start.elapsed() >= Duration::from_millis(30));
    drop(silent);
    println!("closed {}", waiting.recv().is_err());
}

fn scoped() {
    let mut numbers: Vec<u64> = (0..10_000).collect();
    let total = AtomicU64::new(0);
    let started = Barrier::new(10);
    thread::scope(|scope| {
        for part in numbers.chunks_mut(1000) {
            let (total, started) = (&total, &started);
            scope.spawn(move || {
                started.wait();
                part.iter_mut().for_each(|number| *number *= 2);
                MINE.with(|mine| mine.borrow_mut().extend(part.iter()));
                total.fetch_add(MINE.with(|mine| mine.borrow().iter().sum()), Ordering::Relaxed);
            });
        }
    });
    println!("doubled {} mine {}", total.into_inner(), MINE.with(|mine| mine.borrow().len()));
}

fn parked() {
    let open = Arc::new(AtomicBool::new(false));
    let sleepers: Vec<_> = (0..50)
        .map(|i| {
            let open = open.clone();
            thread::Builder::new().name(format!("sleeper {}", i)).spawn(move || {
                while !open.load(Ordering::Acquire) {
                    thread::park();
                }
                thread::current().name().unwrap().len()
            })
        })
        .map(Result::unwrap)
        .collect();
    open.store(true, Ordering::Release);
    sleepers.iter().for_each(|sleeper| sleeper.thread().unpark());
    println!("unparked {}", sleepers.into_iter().map(|sleeper| sleeper.join().unwrap()).sum::<usize>());
    let start = Instant::now();
    thread::park_timeout(Duration::from_millis(20)); // may end early, as its reference says; it ends
    println!("park_timeout {}", start.elapsed() < Duration::from_secs(60));
}

fn shared() {
    static FIRST: Once = Once::new();
    let made = Arc::new(AtomicU64::new(0));
    let table = Arc::new(RwLock::new(vec![0u32; 16]));
    let all: Vec<_> = (0..16)
        .map(|i| {
            let (made, table) = (made.clone(), table.clone());
            thread::spawn(move || {
                FIRST.call_once(|| {
                    thread::sleep(Duration::from_millis(5));
                    made.fetch_add(1, Ordering::Relaxed);
                });
                for _ in 0..100 {
                    table.write().unwrap()[i] += 1;
                    assert!(table.read().unwrap()[i] > 0);
                }
            })
        })
        .collect();
    all.into_iter().for_each(|each| each.join().unwrap());
    println!("once {} written {}", made.load(Ordering::Relaxed), table.read().unwrap().iter().sum::<u32>());
}

fn serve(listener: TcpListener, connections: usize) {
    thread::scope(|scope| {
        for _ in 0..connections {
            let (stream, _) = listener.accept().unwrap();
            scope.spawn(move || {
                let mut out = stream.try_clone().unwrap();
                for line in BufReader::new(stream).lines() {
                    writeln!(out, "{}", line.unwrap().chars().rev().collect::<String>()).unwrap();
                }
            });
        }
    });
}

fn sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || serve(listener, 100));
    let clients: Vec<_> = (0..100)
        .map(|i| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let mut answers = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                for j in 0..20 {
                    writeln!(stream, "{}.{}", i, j).unwrap();
                    line.clear();
                    answers.read_line(&mut line).unwrap();
                }
                stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
                let silence = answers.read_line(&mut String::new()).unwrap_err().kind();
                assert!(silence == ErrorKind::WouldBlock || silence == ErrorKind::TimedOut);
                stream.shutdown(Shutdown::Write).unwrap();
                line.trim().to_string()
            })
        })
        .collect();
    println!("{}", clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>().join(","));
    server.join().unwrap();
}

fn main() {
    turns();
    channels();
    scoped();
    parked();
    shared();
    sockets();
    let poisoned = Arc::new(Mutex::new(()));
    let also = poisoned.clone();
    std::panic::set_hook(Box::new(|_| ()));
    let panicked = thread::spawn(move || {
        let _held = also.lock();
        panic!("meant")
    });
    let told = *panicked.join().unwrap_err().downcast::<&str>().unwrap();
    println!("panic {} {}", told, poisoned.is_poisoned());
    let children: Vec<_> = (0..8)
        .map(|i| thread::spawn(move || Command::new("sh").args(["-c", &format!("echo {}; exit {}", i, i)]).output().unwrap()))
        .collect();
    for child in children {
        let done = child.join().unwrap();
        print!("{} {}", done.status.code().unwrap(), String::from_utf8(done.stdout).unwrap());
    }
    println!("end");
}
