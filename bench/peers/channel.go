// SPDX-License-Identifier: MIT
// The same work as bench/channel_bench.cpp on Go's channels.
package main

import "runtime"

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

func main() {
	runtime.GOMAXPROCS(1) // as the fibers of one hub share a thread
	measure("round_trip/0", 1000, cpuTime, roundTrip(0))
	measure("round_trip/2", 1000, cpuTime, roundTrip(2))
	measure("flow/64", 1000, cpuTime, flow(64))
	measure("send_and_receive", 1000, cpuTime, sendAndReceive)
	runtime.GOMAXPROCS(2)
	measure("round_trip_between_hubs", 1000, realTime, roundTrip(2))
}
