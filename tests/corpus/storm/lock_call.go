// SPDX-License-Identifier: MIT

//go:build !value && !quiet

package main

import "runtime"

// A profile can inline runtime.LockOSThread here, and then nothing is left of it but its name.
//
//go:noinline
func takeThread() { runtime.LockOSThread() }
