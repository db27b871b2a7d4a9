// SPDX-License-Identifier: MIT
// What the peers in Go share. Argument of each program: seconds of each measurement.
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

func secondsEach() float64 {
	if len(os.Args) > 1 {
		if seconds, err := strconv.ParseFloat(os.Args[1], 64); err == nil {
			return seconds
		}
	}
	return 0.1
}

// CPU time, as in the other programs: what else runs on the machine then counts for nobody.
func cpuTime() float64 {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		panic("getrusage")
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

var started = time.Now()

func realTime() float64 {
	return time.Since(started).Seconds()
}

// Prints "NAME NANOSECONDS". The quickest way there is to a steady count: more and more until the time is used up.
func measure(name string, smallest int, clock func() float64, work func(n int)) {
	for n := smallest; ; n *= 4 {
		start := clock()
		work(n)
		used := clock() - start
		if used >= secondsEach() {
			fmt.Printf("%s %.3f\n", name, used*1e9/float64(n))
			return
		}
	}
}
