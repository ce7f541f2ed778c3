/* SPDX-License-Identifier: MIT */
/*
 * test_signals.c: every signal, however it comes, does what it would do without the runtime; or it
 * comes to its channel. Nobody's action is lost.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "debug_test.h"

#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* ---- how it comes ---- */

static int to_process(int signo)
{
	return kill(getpid(), signo);
}

static int to_thread(int signo)
{
	return (int)syscall(SYS_tgkill, getpid(), gettid(), signo);
}

static int queued(int signo)
{
	return sigqueue(getpid(), signo, (union sigval){.sival_int = 1});
}

static void touch_beyond_a_file(void)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	(void)*p;
}

static void divide_by_zero(void)
{
#ifdef __x86_64__
	volatile int zero = 0, seven = 7;
	seven = seven / zero;
#else
	raise(SIGFPE); /* there is no such fault */
#endif
}

static int by_fault(int signo)
{
	switch (signo) {
	case SIGSEGV:
		*(volatile int *)0 = 1; /* NOLINT: the fault is wanted */
		return 0;
	case SIGBUS:
		touch_beyond_a_file();
		return 0;
	case SIGFPE:
		divide_by_zero();
		return 0;
	case SIGILL:
#ifdef __x86_64__
		__asm__ volatile("ud2");
#else
		__asm__ volatile(".inst 0x00000000");
#endif
		return 0;
	default:
		return -1;
	}
}

static const struct way {
	const char *name;
	int (*come)(int signo);
} ways[] = {
	{"sent to the process", to_process},
	{"sent to the thread", to_thread},
	{"raised", raise},
	{"queued", queued},
	{"a fault", by_fault},
};

/* ---- what is set for it ---- */

enum setting {
	BY_DEFAULT,
	IGNORED,
	HANDLED_BEFORE,
	HANDLED_BY_TASK,
	NOTIFIED,
	BLOCKED_AND_NOTIFIED
};
static const char *const settings[] = {"by default",	    "ignored",	"handled before",
				       "handled by a task", "notified", "blocked and notified"};

static struct trial {
	int signo;
	enum setting setting;
	const struct way *way;
} trial;

enum { WENT_ON = 0, ARRIVED = 7, REFUSED = 8, NEVER_CAME = 9 };

static volatile sig_atomic_t handled;
static sigjmp_buf after_the_fault;

static void handler(int signo)
{
	handled = handled + 1;
	if (trial.way->come == by_fault)
		siglongjmp(after_the_fault, 1); /* else the instruction would run again */
}

static void set_handler(void)
{
	struct sigaction action = {.sa_handler = handler};
	sigaction(trial.signo, &action, NULL);
}

static int come_and_go_on(void)
{
	trial.way->come(trial.signo);
	weft_sleep(5 * MS); /* for the process that is to die of it */
	return WENT_ON;
}

static int come_and_be_handled(void)
{
	if (sigsetjmp(after_the_fault, 1) == 0)
		trial.way->come(trial.signo);
	for (int i = 0; i < 10000 && !handled; i++)
		weft_sleep(MS);
	return handled == 1 ? ARRIVED : NEVER_CAME;
}

static int come_to_channel(void)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int signo = 0;
	int err = weft_signal_notify(c, trial.signo);
	if (err) {
		trial.way->come(trial.signo); /* a true fault kills; it does not spin */
		weft_chan_unref(c);
		return err == -EINVAL ? REFUSED : NEVER_CAME;
	}
	trial.way->come(trial.signo);
	weft_chan_recv(c, &signo, weft_after(10000ll * MS));
	weft_chan_unref(c);
	return signo == trial.signo ? ARRIVED : NEVER_CAME;
}

static int try_task(void *arg)
{
	switch (trial.setting) {
	case BY_DEFAULT:
	case IGNORED:
		return come_and_go_on();
	case HANDLED_BY_TASK:
		set_handler();
		return come_and_be_handled();
	case HANDLED_BEFORE:
		return come_and_be_handled();
	default:
		return come_to_channel();
	}
}

static int try_in_child(void *arg)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, trial.signo);
	signal(trial.signo, trial.setting == IGNORED ? SIG_IGN : SIG_DFL);
	if (trial.setting == HANDLED_BEFORE)
		set_handler();
	if (trial.setting == BLOCKED_AND_NOTIFIED)
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	return weft_run(NULL, try_task, NULL);
}

/* ---- what must come of it ---- */

static bool is_fault(int signo)
{
	return signo == SIGSEGV || signo == SIGBUS || signo == SIGILL || signo == SIGFPE ||
	       signo == SIGTRAP || signo == SIGSYS;
}

static bool kills_by_default(int signo)
{
	return signo != SIGCHLD && signo != SIGURG && signo != SIGWINCH && signo != SIGCONT;
}

static int expected(void)
{
	bool faults = trial.way->come == by_fault;
	switch (trial.setting) {
	case BY_DEFAULT:
		return kills_by_default(trial.signo) ? -trial.signo : WENT_ON;
	case IGNORED:
		return faults ? -trial.signo : WENT_ON;
	case HANDLED_BEFORE:
	case HANDLED_BY_TASK:
		return ARRIVED;
	default:
		if (!is_fault(trial.signo))
			return ARRIVED;
		/* A fault whose signal is blocked kills nevertheless; a blocked one that is sent
		 * waits. */
		return trial.setting == NOTIFIED || faults ? -trial.signo : REFUSED;
	}
}

/* What cannot be, or would stop the test. */
static bool makes_no_sense(void)
{
	bool stops = trial.signo == SIGTSTP || trial.signo == SIGTTIN || trial.signo == SIGTTOU;
	bool faults = trial.way->come == by_fault;
	if (trial.signo == SIGKILL || trial.signo == SIGSTOP)
		return true;
	if (SANITIZED && is_fault(trial.signo)) /* theirs */
		return true;
	if (faults && (trial.signo == SIGTRAP || trial.signo == SIGSYS || !is_fault(trial.signo)))
		return true;
	if (stops && trial.setting == BY_DEFAULT)
		return true;
	/* To a thread that blocks it, it never comes. */
	return trial.setting == BLOCKED_AND_NOTIFIED && !faults && trial.way->come != to_process &&
	       trial.way->come != queued;
}

static void try_signal(int signo, enum setting setting)
{
	for (unsigned i = 0; i < array_len(ways); i++) {
		trial = (struct trial){signo, setting, &ways[i]};
		if (makes_no_sense())
			continue;
		in_child(try_in_child, NULL);
		expect_that(status == expected(), "signal %d, %s, %s: status %d, not %d: %s", signo,
			    settings[setting], ways[i].name, status, expected(), said);
	}
}

TEST("a signal does what it does without the runtime",
     .times = (int)(array_len(settings)) - BY_DEFAULT, .seconds = 600)
{
	for (int signo = 1; signo <= SIGSYS; signo++)
		try_signal(signo, (enum setting)(BY_DEFAULT + nth));
	try_signal(SIGRTMIN + 1, (enum setting)(BY_DEFAULT + nth));
}

/* ---- what is refused ---- */

static int notify_what_cannot_be(void *arg)
{
	static const int signals[] = {SIGSEGV, SIGBUS,	SIGILL, SIGFPE, SIGTRAP, SIGSYS,
				      SIGKILL, SIGSTOP, 0,	-1,	NSIG,	 1000};
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	for (unsigned i = 0; i < array_len(signals); i++)
		expect_eq(weft_signal_notify(c, signals[i]), -EINVAL);
	weft_chan_unref(c);
	return 0;
}

TEST("faults and what cannot be handled have no channel", .seconds = 600)
{
	expect_eq(weft_run(NULL, notify_what_cannot_be, NULL), 0);
}

/* ---- a handler that stands behind the runtime's runs as it was installed ---- */

static int before_flags, as_installed;

static void look_around(int signo, siginfo_t *info, void *context)
{
	sigset_t blocked;
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	bool itself = sigismember(&blocked, signo), another = sigismember(&blocked, SIGUSR2);
	as_installed += itself == !(before_flags & SA_NODEFER) && another && context &&
			info->si_signo == signo && info->si_value.sival_int == 1;
}

static int come_twice(void *arg)
{
	for (int i = 0; i < 2; i++)
		pthread_sigqueue(pthread_self(), trial.signo, (union sigval){.sival_int = 1});
	return as_installed;
}

static int install_and_come_twice(void *arg)
{
	struct sigaction action = {.sa_sigaction = look_around,
				   .sa_flags = SA_SIGINFO | before_flags};
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(trial.signo, &action, NULL);
	return weft_run(NULL, come_twice, NULL);
}

TEST("a handler of before gets its mask, its flags and its information", .times = 2)
{
	static const int flags[] = {0, SA_NODEFER, (int)SA_RESETHAND};
	if (SANITIZED)
		skip("these signals are the sanitizer's");
	trial.signo = nth ? SIGBUS : SIGSEGV;
	for (unsigned i = 0; i < array_len(flags); i++) {
		before_flags = flags[i];
		in_child(install_and_come_twice, NULL);
		int wanted = flags[i] == (int)SA_RESETHAND ? -trial.signo : 2;
		expect_that(status == wanted, "flags %#x: status %d, not %d: %s", flags[i], status,
			    wanted, said);
	}
}

/* ---- an overflow after a signal that was sent ---- */

static int use_much(volatile char *above, unsigned depth)
{
	volatile char frame[1024];
	frame[0] = above[0];
	return depth ? use_much(frame, depth - 1) + frame[0] : frame[0];
}

static int overflow(void *arg)
{
	volatile char start = 0;
	raise(SIGSEGV);
	raise(SIGBUS);
	return use_much(&start, 1u << 20);
}

static int ignore_and_overflow(void *arg)
{
	signal(SIGSEGV, SIG_IGN);
	signal(SIGBUS, SIG_IGN);
	return weft_run(NULL, overflow, NULL);
}

TEST("an overflow is named after signals that were sent", .seconds = 600)
{
	if (SANITIZED)
		skip("a sanitizer reports the overflow itself");
	in_child(ignore_and_overflow, NULL);
	assert_said("overflowed its");
	assert_status(-SIGSEGV);
}

/* ---- whose handlers stay ---- */

static void another(int signo)
{
}

static const int handled_by_us[] = {SIGSEGV, SIGBUS, SIGQUIT, SIGABRT, SIGFPE, SIGILL, SIGUSR1};

static int install_handlers(void *arg)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	expect_eq(weft_signal_notify(c, SIGUSR1), 0);
	for (unsigned i = 0; i < array_len(handled_by_us); i++)
		signal(handled_by_us[i], another);
	weft_chan_unref(c);
	return 0;
}

static int install_none(void *arg)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	expect_eq(weft_signal_notify(c, SIGUSR1), 0);
	expect_eq(weft_signal_notify(c, SIGQUIT), 0);
	weft_chan_unref(c);
	return 0;
}

/* A run of each kind, in a child. Its status: the first signal with another action than `wanted`.
 * */
static int actions_after(int (*main_task)(void *arg), void (*wanted)(int signo))
{
	for (int sim = 0; sim < 2; sim++) {
		for (unsigned i = 0; i < array_len(handled_by_us); i++)
			signal(handled_by_us[i], handler);
		if (sim ? weft_sim_run(1, NULL, main_task, NULL) : weft_run(NULL, main_task, NULL))
			return 255;
		for (unsigned i = 0; i < array_len(handled_by_us); i++) {
			struct sigaction now;
			sigaction(handled_by_us[i], NULL, &now);
			if (now.sa_handler != wanted)
				return handled_by_us[i];
		}
	}
	return 0;
}

static int actions_of_tasks(void *arg)
{
	return actions_after(install_handlers, another);
}

static int actions_of_before(void *arg)
{
	return actions_after(install_none, handler);
}

TEST("handlers that a task installed stay", .seconds = 600)
{
	in_child(actions_of_tasks, NULL);
	assert_status(0);
}

TEST("handlers of before come back", .seconds = 600)
{
	in_child(actions_of_before, NULL);
	assert_status(0);
}

/* ---- a channel that is taken away ---- */

/* Blocked by all and handled by none, it kills if the monitor takes it once the channel has gone.
 * */
static int take_away(void *arg)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	sigset_t pending;
	for (int i = 0; i < 200; i++) {
		expect_eq(weft_signal_notify(c, SIGTERM), 0);
		expect_eq(weft_signal_notify(NULL, SIGTERM), 0);
		kill(getpid(), SIGTERM);
		sigpending(&pending);
		if (!sigismember(&pending, SIGTERM))
			return 1;
		signal(SIGTERM, SIG_IGN); /* forgets it */
		signal(SIGTERM, SIG_DFL);
	}
	weft_chan_unref(c);
	return 0;
}

static int block_and_take_away(void *arg)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGTERM, SIG_DFL);
	return weft_run(NULL, take_away, NULL);
}

TEST("nothing arrives once the channel is taken away", .seconds = 600)
{
	in_child(block_and_take_away, NULL);
	assert_status(0);
}

/* ---- the deterministic mode ---- */

/* Without a deadline: virtual time does not wait for a signal. */
static int come_to_channel_for_ever(void *arg)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int signo = 0;
	weft_signal_notify(c, SIGUSR1);
	kill(getpid(), SIGUSR1);
	weft_chan_recv(c, &signo, WEFT_FOREVER);
	weft_chan_unref(c);
	return signo == SIGUSR1 ? 0 : 1;
}

static int sim_notified(void *arg)
{
	return weft_sim_run(1, NULL, come_to_channel_for_ever, NULL);
}

TEST("a signal arrives in the deterministic mode too", .seconds = 600)
{
	in_child(sim_notified, NULL);
	assert_status(0);
}
