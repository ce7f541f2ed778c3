/* SPDX-License-Identifier: MIT */
/* weft/weft_channel.hpp: the part of weft/weft.hpp about channels and select. Since 0.2. */
#ifndef WEFT_WEFT_CHANNEL_HPP
#define WEFT_WEFT_CHANNEL_HPP

#include "weft/weft.hpp" /* which comes first */

namespace weft
{

/* What a channel delivered; empty: it is closed, or the deadline passed. */
template <class T> class received : public std::optional<T>
{
      public:
	received(T &&value) : std::optional<T>(std::move(value))
	{
	}
	received(status why) noexcept : why_(why)
	{
	}
	bool closed() const noexcept
	{
		return why_ == status::closed;
	}
	bool timeout() const noexcept
	{
		return why_ == status::timeout;
	}

      private:
	status why_ = status::ok;
};

namespace detail
{

/* What goes through the channel of C: the bytes of a T, or a pointer to one that it owns. */
template <class T, bool = std::is_trivially_copyable_v<T>> class parcel
{
      public:
	parcel() noexcept = default;
	template <class U> explicit parcel(std::in_place_t, U &&value)
	{
		new (bytes_) T(std::forward<U>(value));
	}
	void *item() noexcept
	{
		return bytes_;
	}
	void sent() noexcept
	{
	}
	T &value() noexcept
	{
		return *std::launder(reinterpret_cast<T *>(bytes_));
	}

      private:
	alignas(T) unsigned char bytes_[sizeof(T)];
};

template <class T> class parcel<T, false>
{
      public:
	parcel() noexcept = default;
	template <class U>
	explicit parcel(std::in_place_t, U &&value) : box_(new T(std::forward<U>(value)))
	{
	}
	parcel(parcel &&other) noexcept : box_(std::exchange(other.box_, nullptr))
	{
	}
	~parcel()
	{
		delete box_;
	}
	void *item() noexcept
	{
		return &box_;
	}
	void sent() noexcept
	{
		box_ = nullptr;
	}
	T &value() noexcept
	{
		return *box_;
	}

      private:
	T *box_ = nullptr;
};

template <class T>
inline constexpr std::size_t parcel_size = std::is_trivially_copyable_v<T> ? sizeof(T)
									   : sizeof(T *);

} // namespace detail

/*
 * A channel of any T that can be moved. Copies of the object are the same channel; with the last
 * one, what is left inside is destroyed. What is trivially copyable is copied, anything else passes
 * by a pointer.
 */
template <class T> class channel
{
      public:
	explicit channel(std::size_t capacity = 0)
	    : chan_(weft_chan_new(detail::parcel_size<T>, capacity), drop)
	{
		if (!chan_)
			throw std::bad_alloc();
	}

	/* Waits until a receiver or the buffer has it. Not sent, `value` is as before. */
	status send(const T &value, deadline d = {})
	{
		detail::parcel<T> parcel(std::in_place, value);
		return send(parcel, d);
	}
	status send(T &&value, deadline d = {})
	{
		detail::parcel<T> parcel(std::in_place, std::move(value));
		status done = send(parcel, d);
		if constexpr (std::is_move_assignable_v<T>)
			if (done != status::ok)
				value = std::move(parcel.value());
		return done;
	}

	/* Waits for an item; nothing: closed and empty, or the deadline passed. */
	received<T> recv(deadline d = {})
	{
		detail::parcel<T> parcel;
		int err = weft_chan_recv(native_handle(), parcel.item(), d.value());
		status done = detail::judge(err, "weft::channel::recv");
		if (done != status::ok)
			return done;
		return std::move(parcel.value());
	}

	/* Nothing can be sent any more. Again: nothing happens. */
	void close() noexcept
	{
		weft_chan_close(native_handle());
	}
	std::size_t size() const noexcept
	{
		return weft_chan_len(chan_.get());
	}
	std::size_t capacity() const noexcept
	{
		return weft_chan_cap(chan_.get());
	}
	weft_chan *native_handle() const noexcept
	{
		return chan_.get();
	}

	/* for (T &item : channel): until it is closed and empty. */
	class iterator
	{
	      public:
		using iterator_category = std::input_iterator_tag;
		using value_type = T;
		using difference_type = std::ptrdiff_t;
		using pointer = T *;
		using reference = T &;
		explicit iterator(channel *from) : from_(from)
		{
			if (from_)
				++*this;
		}
		iterator &operator++()
		{
			item_.emplace(from_->recv());
			if (!*item_)
				from_ = nullptr;
			return *this;
		}
		reference operator*()
		{
			return **item_;
		}
		bool operator!=(const iterator &other) const noexcept
		{
			return from_ != other.from_;
		}
		bool operator==(const iterator &other) const noexcept
		{
			return from_ == other.from_;
		}

	      private:
		channel *from_;
		std::optional<received<T>> item_;
	};
	iterator begin()
	{
		return iterator(this);
	}
	iterator end()
	{
		return iterator(nullptr);
	}

      private:
	status send(detail::parcel<T> &parcel, deadline d)
	{
		int err = weft_chan_send(native_handle(), parcel.item(), d.value());
		status done = detail::judge(err, "weft::channel::send");
		if (done == status::ok)
			parcel.sent();
		return done;
	}
	/* What is inside is closed in first: a parcel that is received and dropped destroys it. */
	static void drop(weft_chan *chan) noexcept
	{
		detail::masked all_along;
		if constexpr (!std::is_trivially_copyable_v<T>) {
			int err = 0;
			while (err == 0) {
				detail::parcel<T> left;
				err = weft_chan_recv(chan, left.item(), 0);
			}
		}
		weft_chan_unref(chan);
	}

	std::shared_ptr<weft_chan> chan_;
};

/* ---- select ---- */

namespace detail
{

struct any_case {
};

template <class T, class F> class recv_case : any_case
{
      public:
	recv_case(channel<T> &from, F &&then) : from_(from), then_(std::forward<F>(then))
	{
	}
	weft_case make() noexcept
	{
		weft_case c{};
		c.op = WEFT_CHAN_RECV;
		c.chan = from_.native_handle();
		c.item = parcel_.item();
		return c;
	}
	void ran(int result)
	{
		if (result == 0)
			then_(received<T>(std::move(parcel_.value())));
		else
			then_(received<T>(judge(result, "weft::select")));
	}

      private:
	channel<T> &from_;
	parcel<T> parcel_;
	F then_;
};

template <class T, class F> class send_case : any_case
{
      public:
	template <class U>
	send_case(channel<T> &to, U &&value, F &&then)
	    : to_(to), parcel_(std::in_place, std::forward<U>(value)), then_(std::forward<F>(then))
	{
	}
	weft_case make() noexcept
	{
		weft_case c{};
		c.op = WEFT_CHAN_SEND;
		c.chan = to_.native_handle();
		c.item = parcel_.item();
		return c;
	}
	void ran(int result)
	{
		if (result == 0)
			parcel_.sent();
		then_(judge(result, "weft::select"));
	}

      private:
	channel<T> &to_;
	parcel<T> parcel_;
	F then_;
};

template <class T, class F> class join_case : any_case
{
      public:
	join_case(task<T> &ends, F &&then) : task_(ends), then_(std::forward<F>(then))
	{
	}
	weft_case make() noexcept
	{
		return task_.handle_ ? weft_on_join(task_.handle_, nullptr) : weft_case{};
	}
	void ran(int)
	{
		task_.handle_ = nullptr;
		then_();
	}

      private:
	task<T> &task_;
	F then_;
};

template <class F> class group_case : any_case
{
      public:
	group_case(group &ends, F &&then) : group_(ends), then_(std::forward<F>(then))
	{
	}
	weft_case make() noexcept
	{
		return group_.group_ ? weft_on_group(group_.group_, &group_.result_) : weft_case{};
	}
	void ran(int)
	{
		group_.group_ = nullptr;
		then_();
	}

      private:
	group &group_;
	F then_;
};

template <class F> class ready_case : any_case
{
      public:
	ready_case(int fd, short events, F &&then)
	    : fd_(fd), events_(events), then_(std::forward<F>(then))
	{
	}
	weft_case make() const noexcept
	{
		return weft_on_ready(fd_, events_);
	}
	void ran(int result)
	{
		if (result < 0)
			fail(result, "weft::select");
		then_(result);
	}

      private:
	int fd_;
	short events_;
	F then_;
};

template <class F> class sem_case : any_case
{
      public:
	sem_case(weft_sem &sem, F &&then) : sem_(sem), then_(std::forward<F>(then))
	{
	}
	weft_case make() const noexcept
	{
		return weft_on_sem(&sem_);
	}
	void ran(int)
	{
		then_();
	}

      private:
	weft_sem &sem_;
	F then_;
};

template <class C> inline constexpr bool is_case = std::is_base_of_v<any_case, std::decay_t<C>>;

} // namespace detail

/* Cases of a select: `then` is called with what came (received<T>), or with what became of it. */
template <class T, class F> detail::recv_case<T, F> on_recv(channel<T> &from, F &&then)
{
	return {from, std::forward<F>(then)};
}
template <class T, class U, class F>
detail::send_case<T, F> on_send(channel<T> &to, U &&value, F &&then)
{
	return {to, std::forward<U>(value), std::forward<F>(then)};
}
/* `then` is called without arguments when the task or group has ended; its join or wait returns at
 * once then. One that was waited for before never runs. */
template <class T, class F> detail::join_case<T, F> on_join(task<T> &ends, F &&then)
{
	return {ends, std::forward<F>(then)};
}
template <class F> detail::group_case<F> on_group(group &ends, F &&then)
{
	return {ends, std::forward<F>(then)};
}
/* `then` is called with the events that poll(2) would report. It takes nothing from the
 * descriptor. */
template <class F> detail::ready_case<F> on_ready(int fd, short events, F &&then)
{
	return {fd, events, std::forward<F>(then)};
}
/* One unit is taken, which `then` and who comes after it own. */
template <class F> detail::sem_case<F> on_sem(weft_sem &sem, F &&then)
{
	return {sem, std::forward<F>(then)};
}

/*
 * Waits until one of the cases can run, runs exactly that one and then its function; fair among
 * those that can. Returns which it was; nothing: the deadline passed.
 */
template <class... Cases> std::optional<std::size_t> select(deadline d, Cases &&...cases)
{
	static_assert((detail::is_case<Cases> && ...), "weft::on_recv, weft::on_send, ...");
	std::array<weft_case, sizeof...(Cases)> all{cases.make()...};
	int n = weft_select(all.data(), static_cast<unsigned>(all.size()), d.value());
	if (detail::judge(n, "weft::select") != status::ok)
		return std::nullopt;
	int at = 0;
	((at++ == n ? cases.ran(all[static_cast<std::size_t>(n)].result) : void()), ...);
	return static_cast<std::size_t>(n);
}
template <class First, class... Cases, class = std::enable_if_t<detail::is_case<First>>>
std::optional<std::size_t> select(First &&first, Cases &&...cases)
{
	return select(deadline(), std::forward<First>(first), std::forward<Cases>(cases)...);
}

} // namespace weft

#endif
