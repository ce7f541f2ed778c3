// SPDX-License-Identifier: MIT

// A program with the bug's trigger: more goroutines than the first batch of states holds are locked to their threads,
// draw random bytes at the same time, and end locked. With Go 1.24.0 to 1.24.2 it dies of SIGSEGV where the vDSO
// has getrandom; with any other Go it prints "survived".
package main

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"sync"
	"time"
)

func dieLocked(ready *sync.WaitGroup, start chan struct{}) {
	runtime.LockOSThread()
	var buffer [16]byte
	rand.Read(buffer[:])
	ready.Done()
	<-start
}

func main() {
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
	fmt.Println("survived")
}
