// SPDX-License-Identifier: MIT

// The Go side of the benchmarks: the same work and the same contract as the C programs (../bench.h).
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

type row struct {
	work   func(size, processors int) int
	warmUp int
}

var rows = map[string]row{
	"yield":      {rowYield, 16},
	"spawn":      {rowSpawn, 16},
	"pingpong":   {rowPingpong, 16},
	"buffered":   {rowBuffered, 16},
	"select":     {rowSelect, 16},
	"mutex":      {rowMutex, 16},
	"skynet":     {rowSkynet, 0},
	"sleepers":   {rowSleepers, 0},
	"parked":     {rowParked, 0},
	"nanosleep":  {rowNanosleep, 0},
	"usleep":     {rowUsleep, 0},
	"locked-1":   {rowLocked1, 16},
	"locked-16":  {rowLocked16, 16},
	"fair":       {rowFair, 0},
	"fair-calls": {rowFairCalls, 0},
	"echo":       {rowEcho, 0},
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, "bench:", what)
	os.Exit(1)
}

func note(name string, value float64) {
	fmt.Printf("%s %.3f\n", name, value)
}

func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func (r row) do(size, processors int) {
	if r.work(size, processors) != size {
		fail("wrong result")
	}
}

// The part of an evenly shared total that the i-th of n gets.
func share(total, n, i int) int {
	part := total / n
	if i < total%n {
		part++
	}
	return part
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(runtime.Version())
		return
	}
	if len(os.Args) != 4 {
		fail("usage: PROGRAM ROW PROCESSORS SIZE")
	}
	r, known := rows[os.Args[1]]
	processors, err1 := strconv.Atoi(os.Args[2])
	size, err2 := strconv.Atoi(os.Args[3])
	if !known || err1 != nil || err2 != nil {
		fail("no such row, or bad number")
	}
	runtime.GOMAXPROCS(processors)
	if r.warmUp > 0 {
		r.do(size/r.warmUp+1, processors)
	}
	wall, used := time.Now(), cpu()
	r.do(size, processors)
	note("wall_ns", float64(time.Since(wall)))
	note("cpu_ns", float64(cpu()-used))
}
