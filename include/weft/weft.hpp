/* SPDX-License-Identifier: MIT */
/*
 * weft/weft.hpp: weft for C++17 and later, in this header alone. Since 0.2.
 *
 *	int main()
 *	{
 *		return weft::run([] {
 *			weft::channel<std::string> words(3);
 *			weft::task lengths([&] {
 *				std::size_t sum = 0;
 *				for (std::string &word : words)
 *					sum += word.size();
 *				return sum;
 *			});
 *			words.send("hello");
 *			words.close();
 *			return lengths.join() == 5 ? 0 : 1;
 *		});
 *	}
 *
 * What C answers by a negative number is an exception here: std::system_error, whose code is of
 * weft::category() and compares with std::errc: operation_canceled is a cancelled task. What
 * a program waits for in its normal course is a value: a deadline that passed, a closed channel.
 *
 * Nothing is left behind when a scope ends: a task and a group cancel what they started and wait
 * for it, whatever the mask. Exceptions that a task throws come out of join, those of a group's
 * members out of wait (the first one; it cancels the others), those of the first task out of run;
 * one that comes out of a function of go ends the program. An exception may be in flight across any
 * call of weft's, also when the task continues on another thread; one C++ runtime in the program.
 *
 * weft_exit unwinds nothing: let tasks return or throw.
 */
#ifndef WEFT_WEFT_HPP
#define WEFT_WEFT_HPP

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "weft/weft.h"

namespace weft
{

/* ---- errors ---- */

namespace detail
{

class category : public std::error_category
{
      public:
	const char *name() const noexcept override
	{
		return "weft";
	}
	std::string message(int value) const override
	{
		return weft_error_text(-value);
	}
	std::error_condition default_error_condition(int value) const noexcept override
	{
		return {value, std::generic_category()};
	}
};

[[noreturn]] inline void fail(int err, const char *call);

} // namespace detail

/* Values are errno's, positive; messages are those of weft_error_text. */
inline const std::error_category &category() noexcept
{
	static const detail::category only;
	return only;
}

[[noreturn]] inline void detail::fail(int err, const char *call)
{
	throw std::system_error(-err, weft::category(), call);
}

/* ---- time ---- */

/*
 * How long a call may take: nothing said, for ever; a duration from now; a moment on the steady
 * clock. weft::at_once tries once.
 */
class deadline
{
      public:
	constexpr deadline() noexcept = default;
	template <class Rep, class Period>
	deadline(const std::chrono::duration<Rep, Period> &from_now)
	    : at_(weft_after(nanoseconds(from_now)))
	{
	}
	deadline(std::chrono::steady_clock::time_point moment)
	    : at_(nanoseconds(moment.time_since_epoch()))
	{
		if (at_ <= 0)
			at_ = 1; /* long passed, where 0 would be "once" */
	}
	/* As the calls of C take it. */
	std::int64_t value() const noexcept
	{
		return at_;
	}

      private:
	struct once {
	};
	explicit constexpr deadline(once) noexcept : at_(0)
	{
	}
	/* Centuries are for ever. */
	template <class Rep, class Period>
	static std::int64_t nanoseconds(const std::chrono::duration<Rep, Period> &d)
	{
		const std::chrono::duration<long double> seconds(d);
		if (seconds.count() >= 9.2e9L)
			return WEFT_FOREVER;
		if (seconds.count() <= -9.2e9L)
			return INT64_MIN;
		return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
	}

	std::int64_t at_ = WEFT_FOREVER;
	friend constexpr deadline at_once_() noexcept;
};

constexpr deadline at_once_() noexcept
{
	return deadline(deadline::once());
}
inline constexpr deadline at_once = at_once_();

/* What became of a call that may end without having done anything. */
enum class status { ok, closed, timeout };

namespace detail
{

/* The results that are values; all others throw. */
inline status judge(int err, const char *call)
{
	if (err >= 0)
		return status::ok;
	if (err == -EPIPE)
		return status::closed;
	if (err == -ETIMEDOUT || err == -EAGAIN)
		return status::timeout;
	fail(err, call);
}

/* A thread that is not the runtime's waits for a task whose run has ended or is ending: the task
 * has ended, too. In a task a wait never returns these. */
inline bool run_is_over(int err) noexcept
{
	return err == -ESHUTDOWN || err == -EINVAL;
}

/* Clean-up that waits is not cancelled. */
class masked
{
      public:
	masked() noexcept : before_(weft_cancel_mask(1))
	{
	}
	masked(const masked &) = delete;
	masked &operator=(const masked &) = delete;
	~masked()
	{
		if (before_ == 0)
			weft_cancel_mask(0);
	}

      private:
	int before_;
};

/* What a function returned or threw, until somebody takes it. */
template <class T> class outcome
{
	static_assert(!std::is_reference_v<T>, "a task's result is a value");

      public:
	template <class F> void of(F &f) noexcept
	{
		try {
			if constexpr (std::is_void_v<T>) {
				f();
				value_.emplace();
			} else {
				value_.emplace(f());
			}
		} catch (...) {
			error_ = std::current_exception();
		}
	}
	T take()
	{
		if (error_)
			std::rethrow_exception(std::exchange(error_, nullptr));
		if constexpr (!std::is_void_v<T>)
			return std::move(*value_);
	}

      private:
	struct nothing {
	};
	std::optional<std::conditional_t<std::is_void_v<T>, nothing, T>> value_;
	std::exception_ptr error_;
};

template <class F> using result_of = std::invoke_result_t<std::decay_t<F> &>;

template <class T, class F> class join_case;
template <class F> class group_case;

} // namespace detail

/* ---- running ---- */

/* weft_run: returns what f returned, or throws what it threw. */
template <class F> detail::result_of<F> run(F &&f, const weft_options *options = nullptr)
{
	struct frame {
		std::remove_reference_t<F> &f;
		detail::outcome<detail::result_of<F>> out;
	} here{f, {}};
	int err = weft_run(
		options,
		[](void *arg) {
			frame *main = static_cast<frame *>(arg);
			main->out.of(main->f);
			return 0;
		},
		&here);
	if (err < 0)
		detail::fail(err, "weft::run");
	return here.out.take();
}

/* weft_go: starts a copy of f as a task that nobody joins. */
template <class F> void go(F &&f)
{
	using function = std::decay_t<F>;
	auto copy = std::make_unique<function>(std::forward<F>(f));
	int err = weft_go(
		[](void *arg) noexcept {
			std::unique_ptr<function> mine(static_cast<function *>(arg));
			(*mine)();
		},
		copy.get());
	if (err < 0)
		detail::fail(err, "weft::go");
	copy.release();
}

/* Sleep; throw when the task is cancelled. */
inline void sleep_until(deadline moment)
{
	int err = weft_sleep_until(moment.value());
	if (err < 0)
		detail::fail(err, "weft::sleep");
}
template <class Rep, class Period>
void sleep_for(const std::chrono::duration<Rep, Period> &duration)
{
	sleep_until(deadline(duration));
}

/*
 * A task that is running or has ended. Moved, not copied. Its destructor cancels it and waits for
 * its end; what it threw is lost then. weft::task t(f) starts a copy of f.
 */
template <class T> class task
{
      public:
	task() noexcept = default;
	template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, task>>>
	explicit task(F &&f) : state_(new running<std::decay_t<F>>(std::forward<F>(f)))
	{
		int err = weft_spawn(&handle_, nullptr, state::main, state_.get());
		if (err < 0)
			detail::fail(err, "weft::task");
	}
	task(task &&other) noexcept
	    : state_(std::move(other.state_)), handle_(std::exchange(other.handle_, nullptr))
	{
	}
	task &operator=(task &&other) noexcept
	{
		if (this != &other) {
			end();
			state_ = std::move(other.state_);
			handle_ = std::exchange(other.handle_, nullptr);
		}
		return *this;
	}
	~task()
	{
		end();
	}

	/* There is a result to be joined. */
	bool joinable() const noexcept
	{
		return state_ != nullptr;
	}
	void cancel() noexcept
	{
		if (handle_)
			weft_cancel(handle_);
	}
	/* Waits for the end. False: the deadline passed. */
	bool wait(deadline d = {})
	{
		int err = handle_ ? weft_join(handle_, nullptr, d.value()) : 0;
		if (!detail::run_is_over(err) &&
		    detail::judge(err, "weft::task::wait") != status::ok)
			return false;
		handle_ = nullptr;
		return true;
	}
	/* Waits, and returns what the function returned or throws what it threw. Once. */
	T join()
	{
		if (!state_)
			detail::fail(-EINVAL, "weft::task::join");
		wait();
		return std::unique_ptr<state>(std::move(state_))->out.take();
	}
	weft_task *native_handle() const noexcept
	{
		return handle_;
	}

      private:
	struct state {
		detail::outcome<T> out;
		virtual ~state() = default;
		virtual void call() noexcept = 0;
		static int main(void *arg)
		{
			static_cast<state *>(arg)->call();
			return 0;
		}
	};
	template <class F> struct running final : state {
		F f;
		template <class G> explicit running(G &&g) : f(std::forward<G>(g))
		{
		}
		void call() noexcept override
		{
			this->out.of(f);
		}
	};

	void end() noexcept
	{
		if (!handle_)
			return;
		detail::masked all_along;
		weft_cancel(handle_);
		int err = weft_join(handle_, nullptr, WEFT_FOREVER);
		if (err < 0 && !detail::run_is_over(err))
			std::terminate(); /* a forked child: the task uses what is freed now */
		handle_ = nullptr;
	}

	std::unique_ptr<state> state_;
	weft_task *handle_ = nullptr;
	template <class, class> friend class detail::join_case;
};

template <class F> task(F) -> task<detail::result_of<F>>;

/* ---- mutexes ---- */

/* Lockable and TimedLockable: for std::lock_guard, std::unique_lock, std::scoped_lock. */
class mutex
{
      public:
	mutex() noexcept = default;
	mutex(const mutex &) = delete;
	mutex &operator=(const mutex &) = delete;
	void lock() noexcept
	{
		weft_mutex_lock(&mutex_);
	}
	bool try_lock() noexcept
	{
		return weft_mutex_trylock(&mutex_) == 0;
	}
	bool try_lock_for(deadline d) noexcept
	{
		return weft_mutex_lock_until(&mutex_, d.value()) == 0;
	}
	bool try_lock_until(deadline d) noexcept
	{
		return try_lock_for(d);
	}
	void unlock() noexcept
	{
		weft_mutex_unlock(&mutex_);
	}
	weft_mutex *native_handle() noexcept
	{
		return &mutex_;
	}

      private:
	weft_mutex mutex_ = WEFT_MUTEX_INIT;
};

/* The same, and SharedTimedLockable: for std::shared_lock. */
class shared_mutex
{
      public:
	shared_mutex() noexcept = default;
	shared_mutex(const shared_mutex &) = delete;
	shared_mutex &operator=(const shared_mutex &) = delete;
	void lock() noexcept
	{
		weft_rwmutex_wrlock(&mutex_);
	}
	bool try_lock() noexcept
	{
		return weft_rwmutex_trywrlock(&mutex_) == 0;
	}
	bool try_lock_for(deadline d) noexcept
	{
		return weft_rwmutex_wrlock_until(&mutex_, d.value()) == 0;
	}
	bool try_lock_until(deadline d) noexcept
	{
		return try_lock_for(d);
	}
	void unlock() noexcept
	{
		weft_rwmutex_wrunlock(&mutex_);
	}
	void lock_shared() noexcept
	{
		weft_rwmutex_rdlock(&mutex_);
	}
	bool try_lock_shared() noexcept
	{
		return weft_rwmutex_tryrdlock(&mutex_) == 0;
	}
	bool try_lock_shared_for(deadline d) noexcept
	{
		return weft_rwmutex_rdlock_until(&mutex_, d.value()) == 0;
	}
	bool try_lock_shared_until(deadline d) noexcept
	{
		return try_lock_shared_for(d);
	}
	void unlock_shared() noexcept
	{
		weft_rwmutex_rdunlock(&mutex_);
	}

      private:
	weft_rwmutex mutex_ = WEFT_RWMUTEX_INIT;
};

class condition
{
      public:
	condition() noexcept = default;
	condition(const condition &) = delete;
	condition &operator=(const condition &) = delete;
	/* The lock is held again in every case. False: the deadline passed. */
	bool wait(std::unique_lock<mutex> &lock, deadline d = {})
	{
		int err = weft_cond_wait(&cond_, lock.mutex()->native_handle(), d.value());
		return detail::judge(err, "weft::condition::wait") == status::ok;
	}
	/* Until it is so. Returns whether it is. */
	template <class Predicate>
	bool wait_until(std::unique_lock<mutex> &lock, Predicate so, deadline d = {})
	{
		while (!so())
			if (!wait(lock, d))
				return so();
		return true;
	}
	void notify_one() noexcept
	{
		weft_cond_signal(&cond_);
	}
	void notify_all() noexcept
	{
		weft_cond_broadcast(&cond_);
	}

      private:
	weft_cond cond_ = WEFT_COND_INIT;
};

/* ---- groups ---- */

/* Tasks that belong together. The destructor cancels those that still run, and waits for them. */
class group
{
      public:
	group() : group_(weft_group_new())
	{
		if (!group_)
			detail::fail(weft_self() ? -ENOMEM : -EINVAL, "weft::group");
	}
	group(const group &) = delete;
	group &operator=(const group &) = delete;
	~group()
	{
		if (!group_)
			return;
		detail::masked all_along;
		weft_group_cancel(group_);
		int err = weft_group_wait(group_, nullptr, WEFT_FOREVER);
		if (err < 0 && !detail::run_is_over(err))
			std::terminate();
	}

	/*
	 * Starts a copy of f, which returns nothing or an int; one that throws, or returns what is
	 * not 0, cancels the others. False: the group is cancelled already, and wait says why.
	 */
	template <class F> bool go(F &&f)
	{
		auto mine = std::make_unique<member<std::decay_t<F>>>(*this, std::forward<F>(f));
		int err = weft_group_go(group_, member<std::decay_t<F>>::main, mine.get());
		if (err == -ECANCELED)
			return false;
		if (err < 0)
			detail::fail(err, "weft::group::go");
		mine.release();
		return true;
	}
	void cancel() noexcept
	{
		if (group_)
			weft_group_cancel(group_);
	}
	/*
	 * Waits for all. Throws what the first member threw that did, or the first result below 0
	 * as an error; returns the first result that is not 0, else 0; a second time, 0.
	 */
	int wait()
	{
		int err = group_ ? weft_group_wait(group_, &result_, WEFT_FOREVER) : 0;
		if (err < 0 && !detail::run_is_over(err))
			detail::fail(err, "weft::group::wait");
		group_ = nullptr;
		int result = std::exchange(result_, 0);
		if (error_)
			std::rethrow_exception(std::exchange(error_, nullptr));
		if (err < 0) /* what the members returned is lost */
			detail::fail(err, "weft::group::wait");
		if (result < 0)
			detail::fail(result, "a member of weft::group");
		return result;
	}

      private:
	template <class F> struct member {
		group &owner;
		F f;
		template <class G> member(group &its, G &&g) : owner(its), f(std::forward<G>(g))
		{
		}
		int call()
		{
			if constexpr (std::is_void_v<std::invoke_result_t<F &>>)
				return f(), 0;
			else
				return f();
		}
		static int main(void *arg) noexcept
		{
			std::unique_ptr<member> mine(static_cast<member *>(arg));
			try {
				return mine->call();
			} catch (...) {
				return mine->owner.remember(std::current_exception());
			}
		}
	};

	int remember(std::exception_ptr error) noexcept
	{
		std::lock_guard<mutex> held(lock_);
		if (!error_)
			error_ = std::move(error);
		return -ECANCELED;
	}

	weft_group *group_;
	int result_ = 0;
	mutex lock_;
	std::exception_ptr error_;
	template <class> friend class detail::group_case;
};

} // namespace weft

#include "weft/weft_channel.hpp"

#endif
