// SPDX-License-Identifier: MIT

// Part of the program only where cgo is on: it makes the C linker link it.
package main

import "C"
