// SPDX-License-Identifier: MIT

//go:build library

package main

import "C"

//export Storm
func Storm() { storm() }

func main() {}
