/* SPDX-License-Identifier: MIT */
/*
 * cpp_test.hpp: tests/kit.h for C++: TEST and TASK_TEST as in C, and expect. What C compares by
 * _Generic is expect(a == b) here.
 */
#ifndef CPP_TEST_HPP
#define CPP_TEST_HPP

#include <string>
#include <vector>

#include "weft/weft.hpp"

#define _Noreturn __attribute__((__noreturn__))
extern "C" {
#include "../kit.h"
}

using namespace std::chrono_literals;

/* For what should happen at once on any machine. */
constexpr auto soon = 20s;

/* With 1, 2 and 4 processors in turn. */
inline void cpp_around(const kit_test *test, int nth)
{
	weft_options options{};
	options.processors = 1u << nth;
	weft::run([&] { test->body(nth); }, &options);
}

#define TASK_TEST(name) TEST(name, .times = 3, .around = cpp_around)

/* The error that f throws; 0: none. */
template <class F> int error_of(F &&f)
{
	try {
		f();
	} catch (const std::system_error &e) {
		expect(e.code().category() == weft::category());
		return e.code().value();
	}
	return 0;
}

#endif
