// SPDX-License-Identifier: MIT
// The same work as bench/sync_bench.cpp with Go's locks.
package main

import (
	"runtime"
	"sync"
)

func lockUnlock(n int) {
	var m sync.Mutex
	for i := 0; i < n; i++ {
		m.Lock()
		m.Unlock()
	}
}

const rounds = 100

func contended(goroutines int, yields bool) func(n int) {
	return func(n int) {
		var m sync.Mutex
		total := 0
		for done := 0; done < n; done += goroutines * rounds {
			var all sync.WaitGroup
			all.Add(goroutines)
			for i := 0; i < goroutines; i++ {
				go func() {
					for k := 0; k < rounds; k++ {
						m.Lock()
						total++
						if yields {
							runtime.Gosched()
						}
						m.Unlock()
					}
					all.Done()
				}()
			}
			all.Wait()
		}
	}
}

func conditionRoundTrip(n int) {
	var m sync.Mutex
	changed := sync.NewCond(&m)
	theirs, over := false, false
	done := make(chan struct{})
	go func() {
		m.Lock()
		for {
			for !theirs {
				changed.Wait()
			}
			if over {
				break
			}
			theirs = false
			changed.Signal()
		}
		m.Unlock()
		close(done)
	}()
	m.Lock()
	for i := 0; i < n; i++ {
		theirs = true
		changed.Signal()
		for theirs {
			changed.Wait()
		}
	}
	theirs, over = true, true
	m.Unlock()
	changed.Signal()
	<-done
}

func main() {
	runtime.GOMAXPROCS(1) // as the fibers of one hub share a thread
	measure("lock_unlock", 1000, cpuTime, lockUnlock)
	measure("contended_short/1000", 1000*rounds, cpuTime, contended(1000, false))
	measure("contended_long/1000", 1000*rounds, cpuTime, contended(1000, true))
	measure("condition_round_trip", 1000, cpuTime, conditionRoundTrip)
	// What `go run` gives a program: a thread for each processor.
	runtime.GOMAXPROCS(runtime.NumCPU())
	measure("contended_short/1000/all_processors", 1000*rounds, cpuTime, contended(1000, false))
	measure("contended_long/1000/all_processors", 1000*rounds, cpuTime, contended(1000, true))
}
