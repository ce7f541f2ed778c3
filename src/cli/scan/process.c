/* SPDX-License-Identifier: MIT */
/*
 * process.c: running processes: what they execute, whether they see the vDSO symbol, and the live
 * gauge.
 *
 * First every process is listed with the files that it executes or maps with execute permission;
 * each file is judged once, through /proc/PID/exe or /proc/PID/map_files, which work for deleted
 * files and other mount namespaces. When all files are judged, only the processes of files with
 * something to say are looked at more closely.
 *
 * The gauge: Go keeps its random states in mappings that carry `dp` (droppable) in smaps. The first
 * batch is `ceil(cpus * 192 / page size)` pages; more pages mean that more states were alive at
 * once than the list had room for: the process is primed to crash when so many locked threads end.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cpus.h"
#include "cli/proc/tracee.h"
#include "cli/scan/engine.h"
#include "cli/scan/process.h"

#define DELETED " (deleted)"

static FILE *open_proc(pid_t pid, const char *file)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return fopen(path, "re");
}

static void read_name(pid_t pid, char name[16])
{
	FILE *f = open_proc(pid, "comm");
	name[0] = '\0';
	if (!f)
		return;
	if (fgets(name, 16, f))
		name[strcspn(name, "\n")] = '\0';
	fclose(f);
}

/* Did the process end meanwhile? So say its files, and those of a kernel thread. */
static bool is_gone(int error)
{
	return error == ENOENT || error == ESRCH;
}

/* Opens the file behind `link` and judges it under the name that the link shows. */
static void run_link(struct scan_worker *w, struct scan_work *item)
{
	struct scan_origin origin = item->origin;
	struct stat status;
	weft__scan_begin(w, origin.path);
	int fd = open(item->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 &&
	    (errno == EPERM || errno == EACCES)) /* map_files wants privilege, the name may not */
		fd = open(item->fallback, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && !is_gone(errno))
		weft__scan_error(w->scan, origin.path, "cannot be opened: %s", strerror(errno));
	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		weft__scan_judge(w, fd, &status, &origin);
	if (fd >= 0)
		close(fd);
	free((char *)origin.path);
	free(item->fallback);
	free(item->path);
	free(item);
}

static void process_add(struct scan_seen_file *file, pid_t pid, bool deleted, bool library)
{
	for (const struct scan_process *p = file->processes; p; p = p->next)
		if (p->pid == pid)
			return;
	struct scan_process *p = cli_alloc(sizeof(*p));
	p->pid = pid;
	p->deleted = deleted;
	p->library = library;
	p->vdso = SCAN_NOT_KNOWN;
	read_name(pid, p->name);
	p->next = file->processes;
	file->processes = p;
}

/* `pid` executes the file that /proc/PID/`link` leads to and that is called `name`. */
static void file_add(struct scan *scan, pid_t pid, const char *link, const char *name, dev_t device,
		     ino_t inode, bool library)
{
	size_t length = strlen(name), tail = strlen(DELETED);
	bool deleted = length > tail && strcmp(name + length - tail, DELETED) == 0, first;
	char *path = cli_strdup(name);
	if (deleted)
		path[length - tail] = '\0';
	pthread_mutex_lock(&scan->lock);
	struct scan_seen_file *file = weft__seen_file(scan->seen, device, inode, &first);
	first = !file->judged;
	file->judged = true;
	weft__name_add(&file->names, path);
	process_add(file, pid, deleted, library);
	scan->counts.elf += first;
	pthread_mutex_unlock(&scan->lock);
	if (!first) {
		free(path);
		return;
	}
	struct scan_work *item = weft__scan_item(run_link);
	item->path = cli_format("/proc/%d/%s", (int)pid, link);
	item->fallback = cli_format("/proc/%d/root%s", (int)pid, path);
	item->origin.path = path;
	item->origin.file = file;
	weft__scan_push(scan, item);
}

/*
 * maps and stat do not name the device alike on every file system: stat is what directories are
 * walked with.
 */
static void library_add(struct scan *scan, pid_t pid, const char *link, const char *name,
			dev_t device, ino_t inode)
{
	char path[128];
	struct stat status;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, link);
	if (stat(path, &status) == 0) {
		device = status.st_dev;
		inode = status.st_ino;
	}
	file_add(scan, pid, link, name, device, inode, true);
}

/*
 * The libraries: files mapped with execute permission. A line: range, permissions, offset, device,
 * inode, name.
 */
static void add_libraries(struct scan *scan, pid_t pid, const struct stat *program)
{
	FILE *f = open_proc(pid, "maps");
	char *line = NULL, link[96], range[64], permissions[8];
	size_t room = 0;
	if (!f && !is_gone(errno))
		scan->counts.denied++;
	while (f && getline(&line, &room, f) > 0) {
		unsigned major, minor;
		unsigned long long inode;
		int name = 0;
		if (sscanf(line, "%63s %7s %*s %x:%x %llu %n", range, permissions, &major, &minor,
			   &inode, &name) < 5 ||
		    !name || !inode || !strchr(permissions, 'x') || line[name] != '/')
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (inode == program->st_ino)
			continue;
		snprintf(link, sizeof(link), "map_files/%s", range);
		library_add(scan, pid, link, line + name, makedev(major, minor), (ino_t)inode);
	}
	free(line);
	if (f)
		fclose(f);
}

static void add_process(struct scan *scan, pid_t pid)
{
	char link[64], name[4096];
	struct stat status;
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	ssize_t length = readlink(link, name, sizeof(name) - 1);
	if (length < 0 && is_gone(errno))
		return; /* or a kernel thread */
	if (length < 0 || stat(link, &status)) {
		/* Without privileges, every process of another user: a count, no list of errors. */
		scan->counts.denied++;
		return;
	}
	name[length] = '\0';
	scan->counts.processes++;
	file_add(scan, pid, "exe", name, status.st_dev, status.st_ino, false);
	add_libraries(scan, pid, &status);
}

void weft__scan_add_processes(struct scan *scan)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	if (!dir) {
		weft__scan_error(scan, "/proc", "%s", strerror(errno));
		return;
	}
	/* Each namespace has a process 1. Where it is not seen, others may be missing too. */
	if (access("/proc/1/stat", F_OK))
		weft__scan_error(scan, "/proc",
				 "is not mounted here, or hides processes (hidepid): without its "
				 "process 1 it does not show all");
	while ((entry = readdir(dir))) {
		pid_t pid =
			isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;
		if (pid > 0 && pid != getpid())
			add_process(scan, pid);
	}
	closedir(dir);
}

static int is_vdso(const struct tracee_mapping *m, void *arg)
{
	struct tracee_mapping *found = arg;
	if (strcmp(m->path, "[vdso]"))
		return 0;
	found->start = m->start;
	found->end = m->end;
	return 1;
}

enum scan_answer weft__scan_process_vdso(pid_t pid)
{
	char path[64];
	struct tracee_mapping vdso;
	struct view view;
	enum scan_answer answer = SCAN_NOT_KNOWN;
	if (weft__tracee_mappings(pid, is_vdso, &vdso) <= 0)
		return SCAN_NOT_KNOWN;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && weft__view_init(&view) == 0) {
		weft__view_file(&view, fd, vdso.start, vdso.end - vdso.start);
		answer = weft__scan_vdso_view(&view);
		weft__view_close(&view);
	}
	if (fd >= 0)
		close(fd);
	return answer;
}

int weft__scan_process_pages(pid_t pid, unsigned *pages)
{
	FILE *f = open_proc(pid, "smaps");
	char line[512];
	unsigned long size = 0, kilobytes = 0;
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Size: %lu kB", &size) == 1)
			continue;
		if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dp"))
			kilobytes += size;
	}
	fclose(f);
	*pages = (unsigned)(kilobytes * 1024 / (unsigned long)sysconf(_SC_PAGESIZE));
	return 0;
}

unsigned weft__scan_process_limit(pid_t pid)
{
	int cpus = weft__cpu_count(pid);
	return weft__scan_page_limit((unsigned)max_of(cpus, 0), (unsigned)sysconf(_SC_PAGESIZE));
}

static bool is_mitigated(const struct scan *scan, const struct scan_process *p,
			 const struct go_rule *rule)
{
	if (rule->needs_vdso && p->vdso == SCAN_NO)
		return true;
	return scan->options.is_made_safe && scan->options.is_made_safe(p->pid);
}

/* A copy of what is known of the process, completed for this result. */
static struct scan_process *process_look(const struct scan *scan, const struct scan_process *known,
					 const struct scan_result *r)
{
	struct scan_process *p = cli_alloc(sizeof(*p));
	*p = *known;
	p->next = NULL;
	p->verdict = r->judgement.verdict;
	if (r->judgement.verdict == GO_NOT_AFFECTED)
		return p;
	p->vdso = weft__scan_process_vdso(p->pid);
	p->seccomp = weft__tracee_status(p->pid, "Seccomp", 10) == 2;
	if (weft__scan_process_pages(p->pid, &p->pages) == 0)
		p->page_limit = weft__scan_process_limit(p->pid);
	if (p->verdict > GO_MITIGATED && is_mitigated(scan, p, r->judgement.rule))
		p->verdict = GO_MITIGATED;
	return p;
}

void weft__scan_processes_finish(struct scan *scan)
{
	for (size_t i = 0; i < scan->result_count; i++) {
		struct scan_result *r = scan->results[i];
		const struct scan_process *known = r->file ? r->file->processes : NULL;
		struct scan_process **tail = &r->processes;
		for (; known; known = known->next) {
			*tail = process_look(scan, known, r);
			tail = &(*tail)->next;
		}
	}
}
