// SPDX-License-Identifier: MIT

package main

// #include <pthread.h>
// #include <stdint.h>
// #include <stdlib.h>
// #include <time.h>
// #include <unistd.h>
//
// static int pair_end;
//
// static int64_t now(void)
// {
// 	struct timespec t;
// 	clock_gettime(CLOCK_MONOTONIC, &t);
// 	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
// }
//
// static void *writes(void *arg)
// {
// 	const struct timespec pause = {0, 10 * 1000 * 1000};
// 	for (intptr_t n = (intptr_t)arg; n; n--) {
// 		nanosleep(&pause, NULL);
// 		int64_t stamp = now();
// 		if (write(pair_end, &stamp, sizeof(stamp)) != sizeof(stamp))
// 			abort();
// 	}
// 	return NULL;
// }
//
// /* A thread that Go does not know, so that nothing delays what it writes. */
// static int start_writer(int fd, intptr_t n)
// {
// 	pthread_t thread;
// 	pair_end = fd;
// 	return pthread_create(&thread, NULL, writes, (void *)n);
// }
import "C"

import (
	"encoding/binary"
	"io"
	"os"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	computing = 3
	burst     = 30 * time.Millisecond
	steps     = 1000 * 1000
)

var stop uint32

func stopped() bool {
	return atomic.LoadUint32(&stop) != 0
}

func compute(steps int) {
	for i := 0; i < steps && !stopped(); i++ {
	}
}

func stepsOfBurst() int {
	began := time.Now()
	compute(steps)
	return int(int64(steps) * int64(burst) / int64(time.Since(began)+1))
}

func noteWaits(name string, waits []int64) {
	sort.Slice(waits, func(i, j int) bool { return waits[i] < waits[j] })
	ms := func(i int) float64 { return float64(waits[i]) / 1e6 }
	note(name+"_p50_ms", ms(len(waits)/2))
	note(name+"_p90_ms", ms(len(waits)*9/10))
	note(name+"_worst_ms", ms(len(waits)-1))
}

func beside(size int, work func(burst int)) int {
	var group sync.WaitGroup
	var reader, sleeper []int64
	n := stepsOfBurst()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		fail(err.Error())
	}
	syscall.SetNonblock(pair[0], true)
	end := os.NewFile(uintptr(pair[0]), "pair")
	group.Add(computing + 2)
	go func() {
		var stamp [8]byte
		for i := 0; i < size; i++ {
			if _, err := io.ReadFull(end, stamp[:]); err != nil {
				fail(err.Error())
			}
			now := int64(C.now())
			reader = append(reader, now-int64(binary.LittleEndian.Uint64(stamp[:])))
		}
		atomic.StoreUint32(&stop, 1)
		group.Done()
	}()
	go func() {
		for !stopped() {
			due := time.Now().Add(time.Millisecond)
			time.Sleep(time.Millisecond)
			sleeper = append(sleeper, int64(time.Since(due)))
		}
		group.Done()
	}()
	for i := 0; i < computing; i++ {
		go func() {
			for !stopped() {
				work(n)
			}
			group.Done()
		}()
	}
	if C.start_writer(C.int(pair[1]), C.intptr_t(size)) != 0 {
		fail("cannot start a thread")
	}
	group.Wait()
	noteWaits("reader", reader)
	noteWaits("sleeper", sleeper)
	return len(reader)
}

func rowFair(size, processors int) int {
	return beside(size, func(int) { compute(steps) })
}

func rowFairCalls(size, processors int) int {
	return beside(size, func(n int) { compute(n); runtime.Gosched() })
}
