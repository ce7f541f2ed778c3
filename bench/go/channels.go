// SPDX-License-Identifier: MIT

package main

import "sync"

func rowPingpong(size, processors int) int {
	there, back := make(chan uint64), make(chan uint64)
	go func() {
		for i := range there {
			back <- i
		}
	}()
	done := 0
	for i := uint64(0); i < uint64(size); i++ {
		there <- i
		if <-back == i {
			done++
		}
	}
	close(there)
	return done
}

func rowBuffered(size, processors int) int {
	c := make(chan uint64, 128)
	go func() {
		for i := 0; i < size; i++ {
			c <- uint64(i)
		}
		close(c)
	}()
	done := 0
	for i := range c {
		if i == uint64(done) {
			done++
		}
	}
	return done
}

func rowSelect(size, processors int) int {
	var c [4]chan uint64
	for i := range c {
		c[i] = make(chan uint64)
	}
	go func() {
		for i := 0; i < size; i++ {
			c[i%4] <- uint64(i)
		}
	}()
	done := 0
	for i := 0; i < size; i++ {
		var got uint64
		var which int
		select {
		case got = <-c[0]:
			which = 0
		case got = <-c[1]:
			which = 1
		case got = <-c[2]:
			which = 2
		case got = <-c[3]:
			which = 3
		}
		if which == i%4 && got == uint64(i) {
			done++
		}
	}
	return done
}

func rowMutex(size, processors int) int {
	const contenders = 8
	var mutex sync.Mutex
	var group sync.WaitGroup
	counter := 0
	for i := 0; i < contenders; i++ {
		group.Add(1)
		go func(turns int) {
			for j := 0; j < turns; j++ {
				mutex.Lock()
				counter++
				mutex.Unlock()
			}
			group.Done()
		}(share(size, contenders, i))
	}
	group.Wait()
	return counter
}
