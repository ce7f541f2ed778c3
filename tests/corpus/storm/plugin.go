// SPDX-License-Identifier: MIT

//go:build plugin

package main

func Storm() { storm() }
