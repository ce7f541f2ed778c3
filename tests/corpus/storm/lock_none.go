// SPDX-License-Identifier: MIT

//go:build quiet

// No thread is taken, and runtime.LockOSThread is not linked.
package main

func takeThread() {}
