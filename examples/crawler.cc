/* SPDX-License-Identifier: MIT */
/*
 * crawler.cc HOST PORT [PATH]: every page of an HTTP server that links lead to, in C++.
 *
 * A task per page, at most sixteen connections at once: a channel of sixteen places counts them.
 * All tasks belong to one group: what the first of them throws cancels the others and comes out of
 * wait, and nobody outlives main. A page takes at most ten seconds and a megabyte. Prints each
 * path with its size, sorted, and how many there are.
 *
 *     crawler localhost 8080
 */
#include <iostream>
#include <map>
#include <regex>
#include <set>

#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace
{

constexpr std::size_t page_most = 1 << 20, line_most = 8192;

struct close_stream {
	void operator()(weft_stream *s) const noexcept
	{
		weft_stream_close(s, weft_after(0));
	}
};
using stream = std::unique_ptr<weft_stream, close_stream>;

/* A result of C, or its error thrown. */
template <class N> N check(N result, const std::string &what)
{
	if (result < 0)
		throw std::system_error(static_cast<int>(-result), weft::category(), what);
	return result;
}

stream dial(const char *host, const char *port, weft::deadline by)
{
	weft_stream *made;
	int fd = check(weft_tcp_dial(host, port, by.value()), host);
	int err = weft_stream_new(&made, fd);
	if (err < 0)
		weft_close(fd);
	check(err, host);
	weft_stream_tie(made, 1);
	return stream(made);
}

class crawler
{
      public:
	crawler(const char *host, const char *port) : host_(host), port_(port)
	{
	}
	void visit(const std::string &path)
	{
		{
			std::lock_guard held(lock_);
			if (!seen_.insert(path).second)
				return;
		}
		pages_.go([this, path] {
			std::string text = limited_fetch(path);
			static const std::regex link("href=\"(/[^\"#]*)\"");
			for (std::sregex_iterator at(text.begin(), text.end(), link), end;
			     at != end; ++at)
				visit((*at)[1]);
			std::lock_guard held(lock_);
			sizes_[path] = text.size();
		});
	}
	std::map<std::string, std::size_t> wait()
	{
		pages_.wait();
		return sizes_;
	}

      private:
	std::string limited_fetch(const std::string &path)
	{
		places_.send(true);
		struct leave {
			weft::channel<bool> &places;
			~leave()
			{
				places.recv(weft::at_once);
			}
		} at_end{places_};
		return fetch(path);
	}
	std::string fetch(const std::string &path)
	{
		const char *line;
		weft::deadline by(10s);
		/* A moment for all of it: the deadline of each call is the same. */
		std::int64_t end = by.value();
		stream s = dial(host_, port_, by);
		check(weft_stream_printf(s.get(), end, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n",
					 path.c_str(), host_),
		      path);
		while (check(weft_stream_read_until(s.get(), "\r\n", 2, line_most, &line, end),
			     path) > 2)
			;
		std::string text(page_most, 0);
		text.resize(static_cast<std::size_t>(check(
			weft_stream_read_full(s.get(), text.data(), text.size(), end), path)));
		return text;
	}

	const char *host_, *port_;
	weft::mutex lock_;
	std::set<std::string> seen_;
	std::map<std::string, std::size_t> sizes_;
	weft::channel<bool> places_{16};
	weft::group pages_; /* the last: its tasks use the rest */
};

int crawl(const char *host, const char *port, const char *path)
try {
	crawler all(host, port);
	all.visit(path);
	auto sizes = all.wait();
	for (auto &[page, size] : sizes)
		std::cout << page << ' ' << size << '\n';
	std::cout << sizes.size() << " pages\n";
	return 0;
} catch (const std::system_error &e) {
	std::cerr << "crawler: " << e.what() << '\n';
	return 1;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc < 3) {
		std::cerr << "usage: crawler HOST PORT [PATH]\n";
		return 2;
	}
	return weft::run([&] { return crawl(argv[1], argv[2], argc > 3 ? argv[3] : "/"); });
}
