// SPDX-License-Identifier: MIT
// The same work as bench/channel_bench.cpp on Go's channels: one line "NAME NANOSECONDS" each. Argument: seconds of each.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

func roundTrip(capacity int) func(n int) {
	return func(n int) {
		there, back := make(chan int64, capacity), make(chan int64, capacity)
		go func() {
			for value := range there {
				back <- value + 1
			}
			close(back)
		}()
		var value int64
		for i := 0; i < n; i++ {
			there <- value
			value = <-back
		}
		close(there)
		<-back
	}
}

func flow(capacity int) func(n int) {
	return func(n int) {
		c, done := make(chan int64, capacity), make(chan int64)
		go func() {
			var sum int64
			for value := range c {
				sum += value
			}
			done <- sum
		}()
		for i := 0; i < n; i++ {
			c <- int64(i)
		}
		close(c)
		<-done
	}
}

func sendAndReceive(n int) {
	c := make(chan int64, 2)
	for i := 0; i < n; i++ {
		c <- 1
		<-c
	}
}

// The quickest way there is to a steady count: more and more until the time is used up.
func measure(name string, seconds float64, work func(n int)) {
	for n := 1000; ; n *= 4 {
		start := time.Now()
		work(n)
		used := time.Since(start).Seconds()
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
	measure("round_trip/0", seconds, roundTrip(0))
	measure("round_trip/2", seconds, roundTrip(2))
	measure("flow/64", seconds, flow(64))
	measure("send_and_receive", seconds, sendAndReceive)
	runtime.GOMAXPROCS(2)
	measure("round_trip_between_hubs/real_time", seconds, roundTrip(2))
}
