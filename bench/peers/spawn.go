// SPDX-License-Identifier: MIT
// The same work as bench/spawn_bench.cpp with goroutines, and the same line.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func join(count uint64) {
	for i := uint64(0); i < count; i++ {
		done := make(chan struct{})
		go func() { close(done) }()
		<-done
	}
}

func skynet(result chan<- uint64, number, leaves uint64) {
	if leaves == 1 {
		result <- number
		return
	}
	sums := make(chan uint64, 10)
	for i := uint64(0); i < 10; i++ {
		go skynet(sums, number+i*(leaves/10), leaves/10)
	}
	var total uint64
	for i := 0; i < 10; i++ {
		total += <-sums
	}
	result <- total
}

func sleepers(count uint64) {
	var asleep sync.WaitGroup
	asleep.Add(int(count))
	for i := uint64(0); i < count; i++ {
		go func() {
			asleep.Done()
			time.Sleep(time.Hour)
		}()
	}
	asleep.Wait()
}

func cpuNs() int64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return used.Utime.Nano() + used.Stime.Nano()
}

func statusBytes(name string) int64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), name) {
			kib, _ := strconv.ParseInt(strings.Fields(lines.Text())[1], 10, 64)
			return kib * 1024
		}
	}
	return 0
}

func peakBytes() int64 { return statusBytes("VmHWM:") + statusBytes("VmPTE:") }

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go_spawn join|skynet|sleepers COUNT")
		os.Exit(2)
	}
	count, _ := strconv.ParseUint(os.Args[2], 10, 64)
	before, cpu, start := peakBytes(), cpuNs(), time.Now()
	switch os.Args[1] {
	case "join":
		join(count)
	case "skynet":
		result := make(chan uint64, 1)
		skynet(result, 0, count)
		if sum := <-result; sum != count*(count-1)/2 {
			fmt.Fprintln(os.Stderr, "go_spawn: the sum is wrong:", sum)
			os.Exit(1)
		}
	case "sleepers":
		sleepers(count)
	default:
		fmt.Fprintln(os.Stderr, "go_spawn: no such work:", os.Args[1])
		os.Exit(2)
	}
	wall := time.Since(start)
	fmt.Printf("%d fibers %.1f %.1f %d\n", count, float64(wall.Nanoseconds())/float64(count),
		float64(cpuNs()-cpu)/float64(count), peakBytes()-before)
}
