/* SPDX-License-Identifier: MIT */
/*
 * twin_elf.h: makes small ELF files with everything that a Go binary has where the scanner looks:
 * function table, module data, build information, a vDSO key, and functions that call each other.
 * In any class, byte order and layout, with any part left out or twisted. Nothing in them can run.
 */
#ifndef TESTS_SCAN_TWIN_ELF_H
#define TESTS_SCAN_TWIN_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct twin {
	unsigned width; /* 4 or 8; 0: 8 */
	bool big_endian;
	uint16_t machine; /* 0: x86-64 */
	uint16_t type;	  /* 0: ET_EXEC */
	bool repaired;	  /* the calls in mexit are in the repaired order */
	const char
		*give_back; /* the name of the function that gives back; NULL: vgetrandomPutState */
	bool both_names;    /* the repaired name is linked too */
	const char *caller; /* calls LockOSThread; NULL: no caller */
	bool no_trigger;    /* LockOSThread is not linked */
	bool value;	    /* its address is in a word of the read-only data */
	bool inlined;	    /* its body is in another function */
	bool name_alone;    /* its name is in the table, and no function of it */
	bool late_entry;    /* calls leave out the first eight bytes of the function */
	bool far_text;	    /* the last function ends farther than a call reaches */
	bool no_runtime_names; /* as an obfuscator leaves them, and a runtime that is elsewhere */
	const char *needed;    /* a library that the file asks for */
	bool imports;	       /* the loader fills in LockOSThread's address */
	bool exports;	       /* LockOSThread is in the dynamic symbol table */
	bool other_system;     /* nothing parses the vDSO's symbols */
	bool no_module;	       /* nothing points at the function table */
	bool no_text_start;    /* the header does not say where the text begins */
	bool relocated;	       /* position-independent: pointers are zero, relocations give them */
	bool no_table, no_build_info, no_key;
	bool patched; /* the key's name was changed */
	bool decoy; /* an earlier function table with the repaired names, which nothing points at */
	bool one_segment;    /* data and code in one executable segment */
	unsigned magic;	     /* of the function table; 0: Go 1.20's */
	const char *version; /* NULL: go1.24.1 */
};

/* The file's bytes (the caller frees) and their number. */
unsigned char *twin_make(const struct twin *t, size_t *size);

#endif
