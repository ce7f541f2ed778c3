// SPDX-License-Identifier: MIT

// A Go program that opens storm/ as a plugin; see host.c.
package main

import (
	"fmt"
	"os"
	"plugin"
)

func main() {
	p, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	storm, err := p.Lookup("Storm")
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	fmt.Scanln()
	storm.(func())()
	fmt.Println("survived")
}
