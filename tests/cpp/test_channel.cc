/* SPDX-License-Identifier: MIT */
/* test_channel.cc: weft::channel, select, mutexes. */
#include <poll.h>
#include <shared_mutex>
#include <stdexcept>
#include <unistd.h>

#include "cpp_test.hpp"

/* How many are alive. */
struct counted {
	static int alive;
	int value;
	explicit counted(int v) : value(v)
	{
		alive++;
	}
	counted(const counted &other) : value(other.value)
	{
		alive++;
	}
	counted(counted &&other) noexcept : value(std::exchange(other.value, -1))
	{
		alive++;
	}
	counted &operator=(counted &&other) noexcept
	{
		value = std::exchange(other.value, -1);
		return *this;
	}
	~counted()
	{
		alive--;
	}
};
int counted::alive;

TASK_TEST("a channel carries any type: copied, moved, and of no default")
{
	struct bare {
		explicit bare(int n) : number(n)
		{
		}
		int number;
	};
	weft::channel<int> numbers(2);
	weft::channel<std::string> texts(2);
	weft::channel<std::unique_ptr<int>> owners(2);
	weft::channel<bare> bares(2);
	std::string text(100, 'x');
	expect(numbers.send(3) == weft::status::ok);
	expect(texts.send(text) == weft::status::ok);
	expect(texts.send(std::move(text)) == weft::status::ok);
	expect(owners.send(std::make_unique<int>(4)) == weft::status::ok);
	expect(bares.send(bare(5)) == weft::status::ok);
	expect(numbers.size() == 1 && numbers.capacity() == 2);
	expect(*numbers.recv() == 3);
	expect(*texts.recv() == std::string(100, 'x'));
	expect(*texts.recv() == std::string(100, 'x'));
	expect(**owners.recv() == 4);
	expect(bares.recv()->number == 5);
}

TASK_TEST("items pass between tasks until the channel is closed")
{
	weft::channel<std::string> words;
	weft::task sender([&] {
		for (int i = 0; i < 200; i++)
			if (words.send(std::to_string(i), soon) != weft::status::ok)
				return false;
		words.close();
		return true;
	});
	int count = 0;
	for (std::string &word : words)
		expect(word == std::to_string(count++));
	expect(count == 200);
	expect(sender.join());
	expect(words.recv(soon).closed());
	expect(words.send("late", soon) == weft::status::closed);
	words.close();
}

TASK_TEST("a deadline that passed is a value, and what was not sent is as before")
{
	weft::channel<std::string> words;
	std::string word(100, 'x');
	expect(words.recv(weft::at_once).timeout());
	expect(words.recv(1ms).timeout());
	expect(!words.recv(1ms).closed());
	expect(words.send(std::move(word), 1ms) == weft::status::timeout);
	expect(word == std::string(100, 'x'));
	words.close();
	expect(words.send(std::move(word)) == weft::status::closed);
	expect(word == std::string(100, 'x'));
}

TASK_TEST("a cancelled task's waits throw")
{
	weft::channel<int> none;
	weft::task waiting([&] { none.recv(); });
	weft_yield();
	waiting.cancel();
	expect(error_of([&] { waiting.join(); }) == ECANCELED);
}

TASK_TEST("what is left inside is destroyed with the last copy, cancelled or not")
{
	for (int cancelled = 0; cancelled <= 1; cancelled++) {
		{
			weft::channel<counted> items(5);
			weft::channel<counted> same = items;
			for (int i = 0; i < 5; i++)
				expect(same.send(counted(i)) == weft::status::ok);
			expect(counted::alive == 5);
			expect(items.recv()->value == 0);
			if (cancelled)
				weft_cancel(weft_self());
		}
		weft_cancel_clear();
		expect(counted::alive == 0);
	}
}

TEST("channels live before and behind the runtime")
{
	weft::channel<counted> items(2);
	items.send(counted(1));
	weft::run([&] { expect(items.send(counted(2), soon) == weft::status::ok); });
	expect(items.recv()->value == 1);
	expect(counted::alive == 1);
}

/* ---- select ---- */

TASK_TEST("select runs one case, and its function alone")
{
	weft::channel<int> numbers(1);
	weft::channel<std::string> texts(1);
	int sum = 0;
	std::string last;
	auto either = [&](weft::deadline d) {
		return weft::select(d,
				    weft::on_recv(numbers, [&](auto n) { sum += n.value_or(0); }),
				    weft::on_recv(texts, [&](auto t) { last = t.value_or(""); }));
	};
	expect(!either(weft::at_once));
	expect(!either(1ms));
	numbers.send(3);
	expect(either(soon) == 0u);
	texts.send(std::string(50, 'y'));
	expect(either(soon) == 1u);
	expect(sum == 3 && last == std::string(50, 'y'));
	texts.close();
	bool closed = false;
	expect(weft::select(weft::on_recv(texts, [&](auto t) { closed = t.closed(); })) == 0u);
	expect(closed);
}

TASK_TEST("select sends or receives, and what was not sent is destroyed")
{
	{
		weft::channel<counted> out(1), in(1);
		weft::status sent = weft::status::timeout;
		auto either = [&] {
			return weft::select(
				soon, weft::on_send(out, counted(1), [&](auto s) { sent = s; }),
				weft::on_recv(in, [](auto got) { expect(got->value == 2); }));
		};
		expect(either() == 0u);
		expect(sent == weft::status::ok && counted::alive == 1);
		in.send(counted(2));
		expect(either() == 1u);
		expect(counted::alive == 1);
		out.close();
		expect(either() == 0u);
		expect(sent == weft::status::closed);
	}
	expect(counted::alive == 0);
}

/* Which of the five runs, with nothing else ready. */
TASK_TEST("select waits for tasks, groups, descriptors and semaphores beside channels")
{
	weft::channel<int> never(1);
	weft::channel<int> end(1);
	weft_sem sem = WEFT_SEM_INIT(0);
	int pipe[2], events = 0, ran = 0;
	expect(::pipe(pipe) == 0);
	weft::task length([&] { return *end.recv(); });
	weft::group all;
	all.go([&] { return *end.recv(); });
	auto any = [&](weft::deadline d) {
		return weft::select(d, weft::on_recv(never, [](auto) {}),
				    weft::on_join(length, [&] { ran += 1; }),
				    weft::on_group(all, [&] { ran += 10; }),
				    weft::on_ready(pipe[0], POLLIN, [&](int e) { events = e; }),
				    weft::on_sem(sem, [&] { ran += 100; }));
	};
	expect(!any(1ms));
	weft_sem_release(&sem, 1);
	expect(any(soon) == 4u);
	expect(!any(weft::at_once));
	expect(write(pipe[1], "x", 1) == 1);
	expect(any(soon) == 3u && events == POLLIN);
	char c;
	expect(read(pipe[0], &c, 1) == 1);
	end.send(7);
	end.send(7);
	auto first = any(soon), second = any(soon);
	expect(first && second && *first + *second == 3 && ran == 111);
	expect(!any(weft::at_once));
	expect(length.join() == 7 && all.wait() == 7);
	expect(close(pipe[0]) == 0 && close(pipe[1]) == 0);
}

TASK_TEST("what a task and a group that a select saw the end of threw comes out of join and wait")
{
	weft::task thrower([]() -> int { throw std::runtime_error("a task's"); });
	weft::group all;
	all.go([] { throw std::runtime_error("a member's"); });
	auto nothing = [] {};
	for (int i = 0; i < 2; i++)
		expect(weft::select(weft::on_join(thrower, nothing), weft::on_group(all, nothing)));
	int thrown = 0;
	try {
		thrower.join();
	} catch (const std::runtime_error &) {
		thrown++;
	}
	try {
		all.wait();
	} catch (const std::runtime_error &) {
		thrown++;
	}
	expect(thrown == 2);
}

TASK_TEST("a descriptor that is none comes out of select as an error")
{
	try {
		weft::select(weft::on_ready(-1, POLLIN, [](int) { expect(false); }));
		expect(false);
	} catch (const std::system_error &e) {
		expect(e.code() == std::errc::bad_file_descriptor);
	}
}

/* ---- mutexes ---- */

TASK_TEST("the standard's locks lock weft's mutexes")
{
	weft::mutex mutex, other;
	weft::shared_mutex shared;
	long count = 0;
	weft::group all;
	for (int i = 0; i < 8; i++)
		all.go([&] {
			for (int n = 0; n < 100; n++) {
				std::scoped_lock both(mutex, other);
				count++;
				if (n % 10 == 0)
					weft_yield();
			}
		});
	all.wait();
	expect(count == 800);
	std::unique_lock held(mutex);
	weft::task late([&] {
		expect(!mutex.try_lock());
		expect(!mutex.try_lock_for(1ms));
		std::unique_lock timed(mutex, 1ms);
		expect(!timed.owns_lock());
		return true;
	});
	expect(late.join());
	std::shared_lock one(shared), two(shared);
	expect(!shared.try_lock());
	expect(!shared.try_lock_until(std::chrono::steady_clock::now() + 1ms));
	one.unlock();
	two.unlock();
	std::unique_lock alone(shared);
	expect(!shared.try_lock_shared());
	expect(!shared.try_lock_shared_for(1ms));
}

TASK_TEST("a condition wakes, and its deadline is a value")
{
	weft::mutex mutex;
	weft::condition changed;
	int state = 0;
	std::unique_lock lock(mutex);
	expect(!changed.wait(lock, 1ms));
	expect(!changed.wait_until(
		lock, [&] { return state == 1; }, 1ms));
	weft::task setter([&] {
		std::lock_guard held(mutex);
		state = 1;
		changed.notify_all();
	});
	expect(changed.wait_until(
		lock, [&] { return state == 1; }, soon));
	lock.unlock();
	setter.join();
}
