/* SPDX-License-Identifier: MIT */
/* test_gobin.c: the verdict over small files in which one fact at a time is different. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../kit.h"
#include "cli/gobin/judge.h"
#include "twin_elf.h"

struct judged {
	unsigned char *bytes;
	size_t size;
	struct view view;
	struct elf_image elf;
	struct go_image go;
	struct go_judgement j;
};

/* Returns weft__go_open's result; the judgement is there when it is 0. */
static int judge(struct judged *d, const struct twin *t)
{
	memset(d, 0, sizeof(*d));
	d->bytes = twin_make(t, &d->size);
	weft__view_memory(&d->view, d->bytes, d->size);
	expect_eq(weft__elf_open(&d->elf, &d->view), 0);
	int result = weft__go_open(&d->go, &d->elf);
	if (!result)
		expect_eq(weft__go_judge(&d->go, &go_rules[0], &d->j), 0);
	return result;
}

static void done(struct judged *d)
{
	weft__go_judgement_free(&d->j);
	free(d->bytes);
}

static void judged_as(const struct twin *t, enum go_verdict verdict)
{
	struct judged d;
	expect_eq(judge(&d, t), 0);
	expect_that(d.j.verdict == verdict, "%s instead of %s: %s",
		    weft__go_verdict_name(d.j.verdict), weft__go_verdict_name(verdict), d.j.reason);
	done(&d);
}

static void expect_reason(const struct twin *t, enum go_verdict verdict, const char *part)
{
	struct judged d;
	expect_eq(judge(&d, t), 0);
	expect_that(d.j.verdict == verdict && strstr(d.j.reason, part), "%s: %s",
		    weft__go_verdict_name(d.j.verdict), d.j.reason);
	done(&d);
}

#define EXPECT_REASON(verdict, part, ...) expect_reason(&(struct twin){__VA_ARGS__}, verdict, part)
#define expect_verdict(verdict, ...) judged_as(&(struct twin){__VA_ARGS__}, verdict)

TEST("order and callers decide")
{
	expect_verdict(GO_AFFECTED, .caller = "main.work");
	expect_verdict(GO_DORMANT, .caller = NULL);
	expect_verdict(GO_DORMANT, .no_trigger = true);
	expect_verdict(GO_DORMANT, .caller = "example.org/pkg.init.0");
	expect_verdict(GO_DORMANT, .caller = "runtime.ensureSigM.func1");
	expect_verdict(GO_DORMANT, .caller = "github.com/moby/sys/mountinfo.parseMountTable");
	expect_verdict(GO_AFFECTED, .caller = "github.com/moby/sys/mountinfo.parse");
	expect_verdict(GO_AFFECTED, .caller = "example.org/pkg.init.0.func1");
	expect_verdict(GO_NOT_AFFECTED, .caller = "main.work", .repaired = true,
		       .give_back = "runtime.vgetrandomDestroy");
}

TEST("structure beats names and version")
{
	expect_verdict(GO_NOT_AFFECTED, .caller = "main.work", .repaired = true);
	expect_verdict(GO_AFFECTED, .caller = "main.work",
		       .give_back = "runtime.vgetrandomDestroy");
	expect_verdict(GO_AFFECTED, .caller = "main.work", .version = "go1.25.7");
	expect_verdict(GO_AFFECTED, .caller = "main.work", .both_names = true);
	expect_verdict(GO_AFFECTED, .caller = "main.work", .no_build_info = true);
}

TEST("changed key is mitigated")
{
	expect_verdict(GO_MITIGATED, .caller = "main.work", .patched = true);
	expect_verdict(GO_MITIGATED, .caller = "main.work", .patched = true, .relocated = true);
	expect_verdict(GO_AFFECTED, .caller = "main.work", .no_key = true);
}

TEST("every layout is read")
{
	expect_verdict(GO_AFFECTED, .caller = "main.work", .relocated = true);
	expect_verdict(GO_AFFECTED, .caller = "main.work", .no_text_start = true);
	expect_verdict(GO_AFFECTED, .caller = "main.work", .no_text_start = true,
		       .relocated = true);
	expect_verdict(GO_AFFECTED, .caller = "main.work", .one_segment = true);
	expect_verdict(GO_AFFECTED, .caller = "main.work", .no_module = true);
	expect_verdict(GO_AFFECTED, .caller = "main.work", .machine = EM_AARCH64);
	expect_verdict(GO_NOT_AFFECTED, .machine = EM_AARCH64, .repaired = true,
		       .give_back = "runtime.vgetrandomDestroy");
}

static const struct {
	uint16_t machine;
	bool big_endian;
} hooked[] = {{EM_X86_64, false}, {EM_AARCH64, false},	      {EM_PPC64, false},
	      {EM_PPC64, true},	  {258 /* loong64 */, false}, {EM_S390, true}};

TEST("calls of every instruction set are read")
{
	for (unsigned i = 0; i < sizeof(hooked) / sizeof(*hooked); i++) {
		struct twin t = {.machine = hooked[i].machine, .big_endian = hooked[i].big_endian};
		expect_reason(&t, GO_DORMANT, "nothing calls");
		t.caller = "runtime.ensureSigM.func1";
		expect_reason(&t, GO_DORMANT, "only harmless callers");
		t.caller = "main.work";
		expect_reason(&t, GO_AFFECTED, "main.work calls");
		t.late_entry = true;
		judged_as(&t, t.machine == EM_PPC64 ? GO_AFFECTED : GO_DORMANT);
		t.late_entry = false;
		t.repaired = true;
		judged_as(&t, GO_NOT_AFFECTED);
		t.give_back = "runtime.vgetrandomDestroy";
		judged_as(&t, GO_NOT_AFFECTED);
		t.repaired = false;
		expect_reason(&t, GO_AFFECTED, "main.work calls");
	}
}

TEST("calls that cannot reach are not missed")
{
	EXPECT_REASON(GO_AFFECTED, "trampolines", .machine = EM_PPC64, .far_text = true);
	expect_verdict(GO_DORMANT, .machine = EM_PPC64, .far_text = true, .no_trigger = true);
	expect_verdict(GO_DORMANT, .machine = EM_PPC64);
}

/* All that can reach the trigger is seen, wherever the linker put what tells it. */
TEST("function values are callers")
{
	EXPECT_REASON(GO_AFFECTED, "(function value)", .value = true);
	EXPECT_REASON(GO_AFFECTED, "(function value)", .value = true, .one_segment = true);
	EXPECT_REASON(GO_AFFECTED, "(function value)", .value = true, .relocated = true);
	EXPECT_REASON(GO_AFFECTED, "(function value)", .value = true, .relocated = true,
		      .one_segment = true);
}

TEST("inlined bodies are callers")
{
	EXPECT_REASON(GO_AFFECTED, "(inlined code)", .name_alone = true);
	EXPECT_REASON(GO_AFFECTED, "(inlined code)", .name_alone = true, .one_segment = true);
	/* The function is left for a harmless caller, and another one has its body. */
	EXPECT_REASON(GO_AFFECTED, "(inlined code)", .inlined = true,
		      .caller = "runtime.ensureSigM.func1");
	EXPECT_REASON(GO_AFFECTED, "(inlined code)", .inlined = true, .one_segment = true);
}

TEST("other files are callers")
{
	EXPECT_REASON(GO_AFFECTED, "exported to other files", .exports = true);
	EXPECT_REASON(GO_AFFECTED, "(function value)", .exports = true, .value = true);
	EXPECT_REASON(GO_AFFECTED, "(by the dynamic linker)", .imports = true);
}

TEST("a missing runtime is not an older one")
{
	EXPECT_REASON(GO_NOT_AFFECTED, "older", .give_back = "main.x", .no_key = true);
	EXPECT_REASON(GO_NOT_AFFECTED, "another system", .give_back = "main.x", .no_key = true,
		      .other_system = true);
	EXPECT_REASON(GO_NOT_AFFECTED, "architecture", .machine = EM_386, .width = 4,
		      .no_runtime_names = true, .no_key = true);
	EXPECT_REASON(GO_UNKNOWN, "libstd.so", .no_runtime_names = true, .no_key = true,
		      .needed = "libstd.so");
	EXPECT_REASON(GO_UNKNOWN, "neither", .no_runtime_names = true, .no_key = true);
}

static void check_borrowed(const struct twin *program, const struct twin *library,
			   enum go_verdict verdict, const char *part)
{
	struct judged p, l;
	expect_eq(judge(&p, program), 0);
	expect(p.j.runtime_elsewhere);
	expect_eq(judge(&l, library), 0);
	weft__go_take_runtime(&p.j, &l.j, "/usr/lib/libstd.so");
	expect_that(p.j.verdict == verdict && strstr(p.j.reason, part) &&
			    strstr(p.j.reason, "libstd.so"),
		    "%s: %s", weft__go_verdict_name(p.j.verdict), p.j.reason);
	done(&p);
	done(&l);
}

TEST("a shared runtime decides for its programs")
{
	struct twin program = {.no_runtime_names = true, .no_key = true, .needed = "libstd.so"};
	struct twin old = {.exports = true, .caller = "net.work"};
	struct twin quiet = {.exports = true, .caller = "runtime.ensureSigM.func1"};
	struct twin repaired = {.repaired = true, .give_back = "runtime.vgetrandomDestroy"};
	struct twin patched = {.exports = true, .patched = true}, packed = {.no_table = true};
	check_borrowed(&program, &old, GO_AFFECTED, "net.work calls");
	check_borrowed(&program, &quiet, GO_DORMANT, "old order");
	check_borrowed(&program, &repaired, GO_NOT_AFFECTED, "repaired");
	check_borrowed(&program, &patched, GO_MITIGATED, "disabled");
	check_borrowed(&program, &packed, GO_UNKNOWN, "no function table");
	program.imports = true;
	check_borrowed(&program, &quiet, GO_AFFECTED, "and it calls");
	check_borrowed(&program, &repaired, GO_NOT_AFFECTED, "repaired");
}

TEST("other architectures have no such code")
{
	expect_verdict(GO_NOT_AFFECTED, .machine = EM_386, .width = 4, .give_back = "main.x",
		       .no_key = true);
	expect_verdict(GO_NOT_AFFECTED, .machine = EM_MIPS, .width = 4, .big_endian = true,
		       .give_back = "main.x", .no_key = true);
	/* Its stub of the old function is linked, and empty. */
	expect_verdict(GO_NOT_AFFECTED, .machine = EM_386, .width = 4, .no_key = true,
		       .caller = "main.work");
	expect_verdict(GO_NOT_AFFECTED, .give_back = "main.x", .no_key = true);
	expect_verdict(GO_NOT_AFFECTED, .magic = 0xfffffffb);
	expect_verdict(GO_NOT_AFFECTED, .magic = 0xfffffffa);
}

TEST("lack of facts is never clean")
{
	expect_verdict(GO_UNKNOWN, .no_table = true);
	expect_verdict(GO_UNKNOWN, .no_runtime_names = true);
	expect_verdict(GO_UNKNOWN, .magic = 0xfffffff2);
	/* A table that says "repaired", which nothing points at, must not hide the real one. */
	expect_verdict(GO_AFFECTED, .caller = "main.work", .decoy = true);
	expect_verdict(GO_AFFECTED, .caller = "main.work", .decoy = true, .relocated = true);
	expect_verdict(GO_UNKNOWN, .decoy = true, .no_module = true, .caller = "main.work",
		       .repaired = true);
}

TEST("files that are not go are left alone")
{
	struct judged d;
	expect_eq(judge(&d, &(struct twin){.no_table = true, .no_build_info = true}), -ENOENT);
	done(&d);
}

TEST("facts are reported")
{
	struct judged d;
	expect_eq(judge(&d, &(struct twin){.caller = "main.work"}), 0);
	expect_eq(d.go.version, "go1.24.1");
	expect(d.go.table.confirmed);
	expect_eq(d.j.callers->name, "main.work");
	expect(!d.j.callers->harmless);
	expect_eq(d.j.callers->next, NULL);
	expect_ge(d.j.evidence_count, 2);

	struct go_function f;
	char name[64];
	expect(weft__go_function_at(&d.go, d.go.table.text + 0x85, &f));
	expect(weft__go_function_name(&d.go, &f, name, sizeof(name)));
	expect_eq(name, "runtime.handoffp");
	expect_eq(f.entry, d.go.table.text + 0x80);
	expect_eq(f.end, d.go.table.text + 0x100);
	expect(!weft__go_function_at(&d.go, d.go.table.text - 1, &f));
	expect(!weft__go_has_name(&d.go, "mexit", NULL)); /* a tail of a name is none */
	done(&d);
}

TEST("keys are located")
{
	for (int relocated = 0; relocated < 2; relocated++) {
		struct judged d;
		struct go_vdso_key keys[2];
		expect_eq(judge(&d, &(struct twin){.relocated = relocated}), 0);
		expect_eq(weft__go_vdso_keys(&d.elf, keys, 2), 1);
		expect(keys[0].pointed && keys[0].intact);
		expect_eq((char *)d.bytes + keys[0].name_offset, "__vdso_getrandom");
		expect_eq(keys[0].record != 0, relocated);
		done(&d);
	}
}
