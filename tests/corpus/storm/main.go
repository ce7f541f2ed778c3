// SPDX-License-Identifier: MIT

//go:build !library && !plugin

package main

import "fmt"

func main() {
	fmt.Println("ready")
	fmt.Scanln()
	storm()
	fmt.Println("survived")
}
