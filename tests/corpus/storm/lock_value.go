// SPDX-License-Identifier: MIT

//go:build value

// Nobody calls runtime.LockOSThread by name: its address is in a table.
package main

import "runtime"

type duty struct{ begin, end func() }

var duties = map[string]duty{"thread": {runtime.LockOSThread, runtime.UnlockOSThread}}

func takeThread() { duties["thread"].begin() }
