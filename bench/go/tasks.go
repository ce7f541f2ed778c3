// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

func rowYield(size, processors int) int {
	var group sync.WaitGroup
	var done int64
	n := 2 * processors
	for i := 0; i < n; i++ {
		group.Add(1)
		go func(turns int) {
			for j := 0; j < turns; j++ {
				runtime.Gosched()
			}
			atomic.AddInt64(&done, int64(turns))
			group.Done()
		}(share(size, n, i))
	}
	group.Wait()
	return int(done)
}

func rowSpawn(size, processors int) int {
	const batch = 1000
	var group sync.WaitGroup
	var result [batch]int
	done := 0
	for done < size {
		n := size - done
		if n > batch {
			n = batch
		}
		group.Add(n)
		for i := 0; i < n; i++ {
			go func(i int) {
				result[i] = i
				group.Done()
			}(i)
		}
		group.Wait()
		for i := 0; i < n; i++ {
			if result[i] == i {
				done++
			}
			result[i] = -1
		}
	}
	return done
}

func node(up chan uint64, first, leaves uint64) {
	if leaves == 1 {
		up <- first
		return
	}
	var sum uint64
	c := make(chan uint64)
	for i := uint64(0); i < 10; i++ {
		go node(c, first+i*(leaves/10), leaves/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-c
	}
	up <- sum
}

func rowSkynet(size, processors int) int {
	c := make(chan uint64)
	go node(c, 0, uint64(size))
	if <-c != uint64(size)*(uint64(size)-1)/2 {
		return 0
	}
	return size
}

// One goroutine locks its thread and ends: the thread goes with it.
func lockDrawEnd(ended chan bool) {
	runtime.LockOSThread()
	draw()
	ended <- true
}

func storm(ends, flight int) int {
	var group sync.WaitGroup
	var done int64
	for i := 0; i < flight; i++ {
		group.Add(1)
		go func(ends int) {
			ended := make(chan bool)
			for j := 0; j < ends; j++ {
				go lockDrawEnd(ended)
				<-ended
			}
			atomic.AddInt64(&done, int64(ends))
			group.Done()
		}(share(ends, flight, i))
	}
	group.Wait()
	return int(done)
}

func rowLocked1(size, processors int) int {
	return storm(size, 1)
}

func rowLocked16(size, processors int) int {
	return storm(size, 16)
}
