// SPDX-License-Identifier: MIT

// A program with the bug's trigger: more goroutines than the first batch of states holds draw random bytes at the same
// time, each from a thread of its own, and end. How they are locked to their threads is a file's business, chosen by a
// build tag: lock_call.go (none), lock_value.go (value), lock_none.go (quiet).
//
// As a program (main.go) it waits for a line, runs the storm and prints "survived"; as a library (library.go, tag
// library) a C program does (../host.c), as a plugin (plugin.go, tag plugin) another Go program (../opener).
//
// With the old exit order it dies of SIGSEGV where the vDSO has getrandom, but for lock_none.go; with any other order
// it survives.
package main

import (
	"crypto/rand"
	"runtime"
	"sync"
	"time"
)

func dieLocked(ready *sync.WaitGroup, start chan struct{}) {
	takeThread()
	var buffer [16]byte
	rand.Read(buffer[:])
	ready.Done()
	<-start
}

func storm() {
	count := 21*((runtime.NumCPU()*192+4095)/4096) + 20
	for round := 0; round < 3; round++ {
		var ready sync.WaitGroup
		start := make(chan struct{})
		ready.Add(count)
		for i := 0; i < count; i++ {
			go dieLocked(&ready, start)
		}
		ready.Wait()
		close(start)
		time.Sleep(50 * time.Millisecond)
	}
}
