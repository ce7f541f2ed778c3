/* SPDX-License-Identifier: MIT */
/* test_tasks.cc: weft::run, go, task, group; errors and exceptions. */
#include <atomic>
#include <stdexcept>
#include <thread>

#include "cpp_test.hpp"

TEST("run returns what its function returns, and throws what it throws")
{
	int calls = 0;
	expect(weft::run([] { return std::string("text"); }) == "text");
	weft::run([&] { calls++; });
	expect(calls == 1);
	try {
		weft::run([]() -> int { throw std::out_of_range("far"); });
		fail("no exception");
	} catch (const std::out_of_range &e) {
		expect(std::string(e.what()) == "far");
	}
}

TEST("errors are std::system_error, and compare with std::errc")
{
	weft_options absurd{};
	absurd.size = 1;
	try {
		weft::run([] {}, &absurd);
		fail("no exception");
	} catch (const std::system_error &e) {
		expect(e.code() == std::errc::invalid_argument);
		expect(e.code().category() == weft::category());
		expect(std::string(weft::category().name()) == "weft");
		expect(e.code().message() == weft_error_text(-EINVAL));
	}
	expect(error_of([] { weft::group outside; }) == EINVAL);
}

TEST("deadlines: nothing, durations, moments, once")
{
	expect(weft::deadline().value() == WEFT_FOREVER);
	expect(weft::at_once.value() == 0);
	expect(weft::deadline(std::chrono::hours::max()).value() == WEFT_FOREVER);
	expect(weft::deadline(std::chrono::hours::min()).value() < weft_now());
	expect(weft::deadline(0s).value() != 0);
	expect(weft::deadline(std::chrono::steady_clock::time_point()).value() == 1);
	int64_t before = weft_now();
	int64_t moment = weft::deadline(std::chrono::steady_clock::now() + 1s).value();
	expect(moment >= before + 1000000000 && moment <= weft_now() + 1000000000);
	expect(weft::deadline(1500us).value() >= before + 1500000);
}

TASK_TEST("a task's value comes out of join")
{
	weft::task number([] { return 42; });
	weft::task text([s = std::string(100, 'x')] { return s; });
	weft::task unique([] { return std::make_unique<int>(7); });
	weft::task<void> nothing([] {});
	expect(number.join() == 42);
	expect(!number.joinable());
	expect(text.join() == std::string(100, 'x'));
	expect(*unique.join() == 7);
	nothing.join();
	expect(error_of([&] { number.join(); }) == EINVAL);
	expect(error_of([] { weft::task<int>().join(); }) == EINVAL);
}

TASK_TEST("what a task throws comes out of join")
{
	weft::task bad([]() -> int { throw std::runtime_error("thrown"); });
	try {
		bad.join();
		fail("no exception");
	} catch (const std::runtime_error &e) {
		expect(std::string(e.what()) == "thrown");
	}
	expect(!bad.joinable());
}

TASK_TEST("a passed deadline of a task is a value, and the task goes on")
{
	weft::channel<int> gate;
	weft::task waiting([&] { return *gate.recv(soon); });
	expect(!waiting.wait(1ms));
	expect(!waiting.wait(weft::at_once));
	expect(gate.send(5, soon) == weft::status::ok);
	expect(waiting.wait(soon));
	expect(waiting.join() == 5);
}

TASK_TEST("the destructor of a task cancels it and waits for it")
{
	std::atomic<int> ended{0};
	{
		weft::task sleeper([&] {
			int err = error_of([] { weft::sleep_for(1h); });
			ended = err;
		});
		weft_yield();
	}
	expect(ended == ECANCELED);
}

TASK_TEST("the destructor waits though the caller is cancelled, masked or in an exception")
{
	std::atomic<int> ended{0};
	weft::task outer([&] {
		weft::task inner([&] {
			error_of([] { weft::sleep_for(1h); });
			ended++;
		});
		weft::sleep_for(1h); /* cancelled: throws through inner */
	});
	weft_yield();
	outer.cancel();
	expect(error_of([&] { outer.join(); }) == ECANCELED);
	expect(ended == 1);
}

TASK_TEST("tasks are moved")
{
	std::vector<weft::task<int>> tasks;
	for (int i = 0; i < 100; i++)
		tasks.emplace_back([i] { return i; });
	weft::task<int> first = std::move(tasks[0]);
	expect(!tasks[0].joinable());
	tasks[0] = weft::task<int>([] { return 1000; });
	int sum = first.join();
	for (auto &t : tasks)
		sum += t.join();
	expect(sum == 1000 + 99 * 100 / 2);
}

TASK_TEST("go starts a copy, and destroys it at its end")
{
	weft::channel<long> counts(1);
	auto shared = std::make_shared<int>(3);
	weft::go([shared, counts]() mutable { counts.send(shared.use_count(), soon); });
	expect(*counts.recv(soon) >= 1);
	for (int i = 0; i < 1000000 && shared.use_count() > 1; i++)
		weft_yield();
	expect(shared.use_count() == 1);
}

TEST("an exception out of a function of go ends the program", .ends = DIES(6))
{
	weft::run([] {
		weft::go([] { throw 1; });
		weft::sleep_for(10s);
	});
}

/* ---- groups ---- */

TASK_TEST("a group waits for all its members")
{
	std::atomic<int> count{0};
	weft::group all;
	for (int i = 0; i < 50; i++)
		expect(all.go([&] { count++; }));
	expect(all.go([&] {
		all.go([&] { count++; });
		return 0;
	}));
	expect(all.wait() == 0);
	expect(count == 51);
	expect(all.wait() == 0);
}

TASK_TEST("the first exception of a group cancels the others and comes out of wait")
{
	std::atomic<int> cancelled{0};
	weft::group all;
	for (int i = 0; i < 5; i++)
		all.go([&] { cancelled += error_of([] { weft::sleep_for(1h); }) == ECANCELED; });
	all.go([] { throw std::runtime_error("first"); });
	try {
		all.wait();
		fail("no exception");
	} catch (const std::runtime_error &e) {
		expect(std::string(e.what()) == "first");
	}
	expect(cancelled == 5);
}

TASK_TEST("a member's result: above zero returned, below an error")
{
	weft::group positive, negative;
	positive.go([] { return 3; });
	expect(positive.wait() == 3);
	negative.go([] { return -EIO; });
	expect(error_of([&] { negative.wait(); }) == EIO);
}

TASK_TEST("a cancelled group takes no more members")
{
	weft::group all;
	all.cancel();
	expect(!all.go([] {}));
	try {
		all.wait();
	} catch (const std::system_error &) {
	}
}

TASK_TEST("the destructor of a group cancels its members and waits for them")
{
	std::atomic<int> ended{0};
	try {
		weft::group all;
		for (int i = 0; i < 10; i++)
			all.go([&] {
				ended += error_of([] { weft::sleep_for(1h); }) == ECANCELED;
			});
		weft_yield();
		throw 7;
	} catch (int) {
	}
	expect(ended == 10);
}

/* ---- exceptions in flight ---- */

struct yields_while_unwinding {
	int depth;
	~yields_while_unwinding()
	{
		expect(std::uncaught_exceptions() == depth);
		for (int i = 0; i < 5; i++)
			weft_yield();
		expect(std::uncaught_exceptions() == depth);
	}
};

static void throw_across_calls(int number)
{
	try {
		yields_while_unwinding guard{1};
		throw number;
	} catch (int caught) {
		for (int i = 0; i < 5; i++)
			weft_yield();
		expect(caught == number);
		try {
			weft::sleep_for(1us);
			throw;
		} catch (int again) {
			expect(again == number);
		}
	}
}

TASK_TEST("exceptions stay with their task across every call, on whatever thread")
{
	weft::group all;
	for (int i = 0; i < 40; i++)
		all.go([i] {
			for (int turn = 0; turn < 20; turn++)
				throw_across_calls(i * 100 + turn);
		});
	all.wait();
}

/* ---- threads that are not the runtime's ---- */

/* Makes `what` in a std::thread while a runtime runs; `then` gets it when that has ended. */
template <class Make, class Then> static void outlive(Make make, Then then)
{
	std::atomic<bool> made{false}, over{false};
	std::thread thread;
	weft::run([&] {
		thread = std::thread([&] {
			auto what = make();
			made = true;
			while (!over)
				std::this_thread::yield();
			then(*what);
		});
		while (!made)
			weft::sleep_for(1ms);
	});
	over = true;
	thread.join();
}

using seven = weft::task<int>;

static auto make_task()
{
	return std::make_unique<seven>([] { return 7; });
}

static auto make_group()
{
	auto all = std::make_unique<weft::group>();
	all->go([] { throw std::runtime_error("a member's"); });
	return all;
}

TEST("a thread may join what the end of a runtime left, and may leave it")
{
	int joined = 0, thrown = 0;
	outlive(make_task, [&](seven &t) { joined = t.join(); });
	outlive(make_task, [](seven &) {});
	outlive(make_group, [](weft::group &) {});
	outlive(make_group, [&](weft::group &all) {
		try {
			all.wait();
		} catch (const std::runtime_error &) {
			thrown++;
		}
		expect(all.wait() == 0);
	});
	expect(joined == 7 && thrown == 1);
}
