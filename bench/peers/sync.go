// SPDX-License-Identifier: MIT
// The same work as bench/sync_bench.cpp with Go's locks: one line "NAME NANOSECONDS" each. Argument: seconds of each.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
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

// CPU time, as in the other programs: what else runs on the machine then counts for nobody.
func cpuSeconds() float64 {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		panic("getrusage")
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

// The quickest way there is to a steady count: more and more until the time is used up.
func measure(name string, seconds float64, smallest int, work func(n int)) {
	for n := smallest; ; n *= 4 {
		start := cpuSeconds()
		work(n)
		used := cpuSeconds() - start
		if used >= seconds {
			fmt.Printf("%s %.3f\n", name, used*1e9/float64(n))
			return
		}
	}
}

func main() {
	seconds := 0.1
	if len(os.Args) > 1 {
		seconds, _ = strconv.ParseFloat(os.Args[1], 64)
	}
	runtime.GOMAXPROCS(1) // as the fibers of one hub share a thread
	measure("lock_unlock", seconds, 1000, lockUnlock)
	measure("contended_short/1000", seconds, 1000*rounds, contended(1000, false))
	measure("contended_long/1000", seconds, 1000*rounds, contended(1000, true))
	measure("condition_round_trip", seconds, 1000, conditionRoundTrip)
	// What `go run` gives a program: a thread for each processor.
	runtime.GOMAXPROCS(runtime.NumCPU())
	measure("contended_short/1000/all_processors", seconds, 1000*rounds, contended(1000, false))
	measure("contended_long/1000/all_processors", seconds, 1000*rounds, contended(1000, true))
}
