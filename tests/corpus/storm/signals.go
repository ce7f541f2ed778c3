// SPDX-License-Identifier: MIT

//go:build signals

// Links runtime.ensureSigM.func1, which locks its thread and never ends: a harmless caller.
package main

import (
	"os"
	"os/signal"
)

func init() { signal.Notify(make(chan os.Signal, 1), os.Interrupt) }
