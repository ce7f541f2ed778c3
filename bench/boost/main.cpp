/* SPDX-License-Identifier: MIT */
/*
 * main.cpp: Boost.Fiber's side of the benchmarks: the same work and the same contract as the C
 * programs (../bench.h).
 *
 * With one processor its round robin scheduler, with more its work stealing one on as many threads,
 * as its manual recommends; its default stacks, which come from malloc and have no guards.
 */
#include <boost/fiber/all.hpp>
#include <boost/version.hpp>

#include <atomic>
#include <functional>
#include <iostream>
#include <thread>
#include <vector>

#include "../bench.h"

namespace fibers = boost::fibers;

static fibers::fiber start(std::function<void()> fn)
{
	return fibers::fiber(std::allocator_arg, fibers::default_stack(64 * 1024), std::move(fn));
}

static uint64_t share(uint64_t total, unsigned n, unsigned i)
{
	return total / n + (i < total % n);
}

static uint64_t yields(const struct bench *b)
{
	unsigned n = 2 * b->processors;
	std::vector<fibers::fiber> all;
	std::atomic<uint64_t> done{0};
	for (unsigned i = 0; i < n; i++)
		all.push_back(start([&, turns = share(b->size, n, i)] {
			for (uint64_t j = 0; j < turns; j++)
				boost::this_fiber::yield();
			done += turns;
		}));
	for (auto &f : all)
		f.join();
	return done;
}

static uint64_t spawns(const struct bench *b)
{
	uint64_t done = 0;
	std::vector<fibers::fiber> all;
	std::vector<int> result(1000);
	while (done < b->size) {
		int n = (int)std::min<uint64_t>(b->size - done, 1000);
		for (int i = 0; i < n; i++)
			all.push_back(start([&result, i] { result[i] = i + 1; }));
		for (auto &f : all)
			f.join();
		all.clear();
		for (int i = 0; i < n; i++) {
			done += result[i] == i + 1;
			result[i] = 0;
		}
	}
	return done;
}

static uint64_t pingpong(const struct bench *b)
{
	fibers::unbuffered_channel<uint64_t> there, back;
	auto f = start([&] {
		for (uint64_t i; there.pop(i) == fibers::channel_op_status::success;)
			back.push(i);
	});
	uint64_t done = 0;
	for (uint64_t i = 0, got; i < b->size; i++) {
		there.push(i);
		back.pop(got);
		done += got == i;
	}
	there.close();
	f.join();
	return done;
}

static uint64_t buffered(const struct bench *b)
{
	fibers::buffered_channel<uint64_t> c(128);
	auto f = start([&] {
		for (uint64_t i = 0; i < b->size; i++)
			c.push(i);
		c.close();
	});
	uint64_t done = 0;
	for (uint64_t got; c.pop(got) == fibers::channel_op_status::success;)
		done += got == done;
	f.join();
	return done;
}

static uint64_t mutexes(const struct bench *b)
{
	fibers::mutex mutex;
	uint64_t counter = 0;
	std::vector<fibers::fiber> all;
	for (unsigned i = 0; i < 8; i++)
		all.push_back(start([&, turns = share(b->size, 8, i)] {
			for (uint64_t j = 0; j < turns; j++) {
				mutex.lock();
				counter++;
				mutex.unlock();
			}
		}));
	for (auto &f : all)
		f.join();
	return counter;
}

static const struct row rows[] = {{"yield", yields, 16, 0},	  {"spawn", spawns, 16, 0},
				  {"pingpong", pingpong, 16, 0}, {"buffered", buffered, 16, 0},
				  {"mutex", mutexes, 16, 0},	  {nullptr, nullptr, 0, 0}};

/* The other threads steal until `over`. */
static void help(unsigned processors, fibers::mutex &mutex,
		 fibers::condition_variable_any &ended, bool &over)
{
	fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(processors, true);
	mutex.lock();
	ended.wait(mutex, [&] { return over; });
	mutex.unlock();
}

static void with_threads(const struct row *row, const struct bench *b)
{
	fibers::mutex mutex;
	fibers::condition_variable_any ended;
	bool over = false;
	std::vector<std::thread> helpers;
	for (unsigned i = 1; i < b->processors; i++)
		helpers.emplace_back([&] { help(b->processors, mutex, ended, over); });
	fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(b->processors, true);
	bench_measure(row, b);
	mutex.lock();
	over = true;
	mutex.unlock();
	ended.notify_all();
	for (auto &t : helpers)
		t.join();
}

int main(int argc, char **argv)
{
	struct bench b;
	if (argc == 2 && strcmp(argv[1], "version") == 0) {
		std::cout << BOOST_LIB_VERSION << "\n";
		return 0;
	}
	const struct row *row = bench_arguments(argc, argv, rows, &b);
	if (b.processors > 1)
		with_threads(row, &b);
	else
		bench_measure(row, &b);
	return 0;
}
