// SPDX-License-Identifier: MIT

package main

// #include <unistd.h>
import "C"

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"runtime/pprof"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

func rowSleepers(size, processors int) int {
	var group sync.WaitGroup
	var done int64
	group.Add(size)
	for i := 0; i < size; i++ {
		go func(d time.Duration) {
			for j := 0; j < 10; j++ {
				time.Sleep(d)
			}
			atomic.AddInt64(&done, 1)
			group.Done()
		}(time.Duration(1+i%100) * time.Millisecond)
	}
	group.Wait()
	return int(done)
}

// Resident memory and page tables of this process in bytes.
func memory() (bytes int) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		fail(err.Error())
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int
		if n, _ := fmt.Sscanf(lines.Text(), "VmRSS: %d", &kib); n == 1 {
			bytes += kib * 1024
		} else if n, _ := fmt.Sscanf(lines.Text(), "VmPTE: %d", &kib); n == 1 {
			bytes += kib * 1024
		}
	}
	return
}

func rowParked(size, processors int) int {
	var group sync.WaitGroup
	var arrived, done int64
	gate := make(chan struct{})
	empty := memory()
	group.Add(size)
	for i := 0; i < size; i++ {
		go func() {
			atomic.AddInt64(&arrived, 1)
			<-gate
			atomic.AddInt64(&done, 1)
			group.Done()
		}()
	}
	for atomic.LoadInt64(&arrived) < int64(size) {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond)
	note("bytes", float64(memory()-empty)/float64(size))
	close(gate)
	group.Wait()
	return int(done)
}

func ticker(stop *int32, gaps chan []int) {
	var gap []int
	for last := time.Now(); atomic.LoadInt32(stop) == 0; {
		time.Sleep(time.Millisecond)
		now := time.Now()
		gap = append(gap, int(now.Sub(last)))
		last = now
	}
	sort.Ints(gap)
	gaps <- gap
}

func besideTicker(size int, call func() bool) int {
	var group sync.WaitGroup
	var done int64
	var stop int32
	gaps := make(chan []int)
	go ticker(&stop, gaps)
	began := time.Now()
	group.Add(size)
	for i := 0; i < size; i++ {
		go func() {
			if call() {
				atomic.AddInt64(&done, 1)
			}
			group.Done()
		}()
	}
	group.Wait()
	note("all_ms", float64(time.Since(began))/1e6)
	atomic.StoreInt32(&stop, 1)
	gap := <-gaps
	note("gap_p99_us", float64(gap[len(gap)*99/100])/1000)
	note("gap_worst_us", float64(gap[len(gap)-1])/1000)
	note("threads", float64(pprof.Lookup("threadcreate").Count()))
	return int(done)
}

func rowNanosleep(size, processors int) int {
	return besideTicker(size, func() bool {
		t := syscall.Timespec{Nsec: 10 * 1000 * 1000}
		at := uintptr(unsafe.Pointer(&t))
		for { // a signal of Go's own may end it early: once more for what is left
			_, _, err := syscall.Syscall(syscall.SYS_NANOSLEEP, at, at, 0)
			if err != syscall.EINTR {
				return err == 0
			}
		}
	})
}

func rowUsleep(size, processors int) int {
	return besideTicker(size, func() bool { return C.usleep(50*1000) == 0 })
}

func draw() {
	var b [4]byte
	rand.Read(b[:])
}

func serve(c net.Conn) {
	var buffer [512]byte
	for {
		n, err := c.Read(buffer[:])
		if err != nil {
			break
		}
		if _, err = c.Write(buffer[:n]); err != nil {
			break
		}
	}
	c.Close()
}

func rowEcho(size, processors int) int {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fail(err.Error())
	}
	fmt.Printf("port %d\n", l.Addr().(*net.TCPAddr).Port)
	for {
		c, err := l.Accept()
		if err != nil {
			return 0
		}
		go serve(c)
	}
}
