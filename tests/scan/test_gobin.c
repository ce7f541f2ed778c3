/* SPDX-License-Identifier: MIT */
/* test_gobin.c: the verdict over small files in which one fact at a time is different. */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* Gives weft__go_open's result; the judgement is there when it is 0. */
static int judge(struct judged *d, const struct twin *t)
{
	memset(d, 0, sizeof(*d));
	d->bytes = twin_make(t, &d->size);
	weft__view_memory(&d->view, d->bytes, d->size);
	ck_assert_int_eq(weft__elf_open(&d->elf, &d->view), 0);
	int result = weft__go_open(&d->go, &d->elf);
	if (!result)
		ck_assert_int_eq(weft__go_judge(&d->go, &go_rules[0], &d->j), 0);
	return result;
}

static void done(struct judged *d)
{
	weft__go_judgement_free(&d->j);
	free(d->bytes);
}

static void expect(const struct twin *t, enum go_verdict verdict)
{
	struct judged d;
	ck_assert_int_eq(judge(&d, t), 0);
	ck_assert_msg(d.j.verdict == verdict, "%s instead of %s: %s",
		      weft__go_verdict_name(d.j.verdict), weft__go_verdict_name(verdict),
		      d.j.reason);
	done(&d);
}

static void expect_reason(const struct twin *t, enum go_verdict verdict, const char *part)
{
	struct judged d;
	ck_assert_int_eq(judge(&d, t), 0);
	ck_assert_msg(d.j.verdict == verdict && strstr(d.j.reason, part), "%s: %s",
		      weft__go_verdict_name(d.j.verdict), d.j.reason);
	done(&d);
}

#define EXPECT_REASON(verdict, part, ...) expect_reason(&(struct twin){__VA_ARGS__}, verdict, part)
#define EXPECT(verdict, ...) expect(&(struct twin){__VA_ARGS__}, verdict)

START_TEST(order_and_callers_decide)
{
	EXPECT(GO_AFFECTED, .caller = "main.work");
	EXPECT(GO_DORMANT, .caller = NULL);
	EXPECT(GO_DORMANT, .no_trigger = true);
	EXPECT(GO_DORMANT, .caller = "example.org/pkg.init.0");
	EXPECT(GO_DORMANT, .caller = "runtime.ensureSigM.func1");
	EXPECT(GO_AFFECTED, .caller = "example.org/pkg.init.0.func1");
	EXPECT(GO_NOT_AFFECTED, .caller = "main.work", .repaired = true,
	       .give_back = "runtime.vgetrandomDestroy");
}
END_TEST

START_TEST(structure_beats_names_and_version)
{
	EXPECT(GO_NOT_AFFECTED, .caller = "main.work", .repaired = true);
	EXPECT(GO_AFFECTED, .caller = "main.work", .give_back = "runtime.vgetrandomDestroy");
	EXPECT(GO_AFFECTED, .caller = "main.work", .version = "go1.25.7");
	EXPECT(GO_AFFECTED, .caller = "main.work", .both_names = true);
	EXPECT(GO_AFFECTED, .caller = "main.work", .no_build_info = true);
}
END_TEST

START_TEST(changed_key_is_mitigated)
{
	EXPECT(GO_MITIGATED, .caller = "main.work", .patched = true);
	EXPECT(GO_MITIGATED, .caller = "main.work", .patched = true, .relocated = true);
	EXPECT(GO_AFFECTED, .caller = "main.work", .no_key = true);
}
END_TEST

START_TEST(every_layout_is_read)
{
	EXPECT(GO_AFFECTED, .caller = "main.work", .relocated = true);
	EXPECT(GO_AFFECTED, .caller = "main.work", .no_text_start = true);
	EXPECT(GO_AFFECTED, .caller = "main.work", .no_text_start = true, .relocated = true);
	EXPECT(GO_AFFECTED, .caller = "main.work", .one_segment = true);
	EXPECT(GO_AFFECTED, .caller = "main.work", .no_module = true);
	EXPECT(GO_AFFECTED, .caller = "main.work", .machine = EM_AARCH64);
	EXPECT(GO_NOT_AFFECTED, .machine = EM_AARCH64, .repaired = true,
	       .give_back = "runtime.vgetrandomDestroy");
}
END_TEST

static const struct {
	uint16_t machine;
	bool big_endian;
} hooked[] = {{EM_X86_64, false}, {EM_AARCH64, false},	      {EM_PPC64, false},
	      {EM_PPC64, true},	  {258 /* loong64 */, false}, {EM_S390, true}};

START_TEST(calls_of_every_instruction_set_are_read)
{
	for (unsigned i = 0; i < sizeof(hooked) / sizeof(*hooked); i++) {
		struct twin t = {.machine = hooked[i].machine, .big_endian = hooked[i].big_endian};
		expect_reason(&t, GO_DORMANT, "nothing calls");
		t.caller = "runtime.ensureSigM.func1";
		expect_reason(&t, GO_DORMANT, "only harmless callers");
		t.caller = "main.work";
		expect_reason(&t, GO_AFFECTED, "main.work calls");
		t.late_entry = true;
		expect(&t, t.machine == EM_PPC64 ? GO_AFFECTED : GO_DORMANT);
		t.late_entry = false;
		t.repaired = true;
		expect(&t, GO_NOT_AFFECTED);
		t.give_back = "runtime.vgetrandomDestroy";
		expect(&t, GO_NOT_AFFECTED);
		t.repaired = false;
		expect_reason(&t, GO_AFFECTED, "main.work calls");
	}
}
END_TEST

START_TEST(calls_that_cannot_reach_are_not_missed)
{
	EXPECT_REASON(GO_AFFECTED, "trampolines", .machine = EM_PPC64, .far_text = true);
	EXPECT(GO_DORMANT, .machine = EM_PPC64, .far_text = true, .no_trigger = true);
	EXPECT(GO_DORMANT, .machine = EM_PPC64);
}
END_TEST

/* Whoever can reach the trigger is seen, wherever the linker put what tells it. */
START_TEST(function_values_are_callers)
{
	EXPECT_REASON(GO_AFFECTED, "(function value)", .value = true);
	EXPECT_REASON(GO_AFFECTED, "(function value)", .value = true, .one_segment = true);
	EXPECT_REASON(GO_AFFECTED, "(function value)", .value = true, .relocated = true);
	EXPECT_REASON(GO_AFFECTED, "(function value)", .value = true, .relocated = true,
		      .one_segment = true);
}
END_TEST

START_TEST(inlined_bodies_are_callers)
{
	EXPECT_REASON(GO_AFFECTED, "(inlined code)", .name_alone = true);
	EXPECT_REASON(GO_AFFECTED, "(inlined code)", .name_alone = true, .one_segment = true);
	/* The function is left for a harmless caller, and another one has its body. */
	EXPECT_REASON(GO_AFFECTED, "(inlined code)", .inlined = true,
		      .caller = "runtime.ensureSigM.func1");
	EXPECT_REASON(GO_AFFECTED, "(inlined code)", .inlined = true, .one_segment = true);
}
END_TEST

START_TEST(other_files_are_callers)
{
	EXPECT_REASON(GO_AFFECTED, "exported to other files", .exports = true);
	EXPECT_REASON(GO_AFFECTED, "(function value)", .exports = true, .value = true);
	EXPECT_REASON(GO_AFFECTED, "(by the dynamic linker)", .imports = true);
}
END_TEST

START_TEST(a_missing_runtime_is_not_an_older_one)
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
END_TEST

static void check_borrowed(const struct twin *program, const struct twin *library,
			   enum go_verdict verdict, const char *part)
{
	struct judged p, l;
	ck_assert_int_eq(judge(&p, program), 0);
	ck_assert(p.j.runtime_elsewhere);
	ck_assert_int_eq(judge(&l, library), 0);
	weft__go_take_runtime(&p.j, &l.j, "/usr/lib/libstd.so");
	ck_assert_msg(p.j.verdict == verdict && strstr(p.j.reason, part) &&
			      strstr(p.j.reason, "libstd.so"),
		      "%s: %s", weft__go_verdict_name(p.j.verdict), p.j.reason);
	done(&p);
	done(&l);
}

START_TEST(a_shared_runtime_decides_for_its_programs)
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
END_TEST

START_TEST(other_architectures_have_no_such_code)
{
	EXPECT(GO_NOT_AFFECTED, .machine = EM_386, .width = 4, .give_back = "main.x",
	       .no_key = true);
	EXPECT(GO_NOT_AFFECTED, .machine = EM_MIPS, .width = 4, .big_endian = true,
	       .give_back = "main.x", .no_key = true);
	/* Its stub of the old function is linked, and empty. */
	EXPECT(GO_NOT_AFFECTED, .machine = EM_386, .width = 4, .no_key = true,
	       .caller = "main.work");
	EXPECT(GO_NOT_AFFECTED, .give_back = "main.x", .no_key = true);
	EXPECT(GO_NOT_AFFECTED, .magic = 0xfffffffb);
	EXPECT(GO_NOT_AFFECTED, .magic = 0xfffffffa);
}
END_TEST

START_TEST(lack_of_facts_is_never_clean)
{
	EXPECT(GO_UNKNOWN, .no_table = true);
	EXPECT(GO_UNKNOWN, .no_runtime_names = true);
	EXPECT(GO_UNKNOWN, .magic = 0xfffffff2);
	/* A table that says "repaired", which nothing points at, must not hide the real one. */
	EXPECT(GO_AFFECTED, .caller = "main.work", .decoy = true);
	EXPECT(GO_AFFECTED, .caller = "main.work", .decoy = true, .relocated = true);
	EXPECT(GO_UNKNOWN, .decoy = true, .no_module = true, .caller = "main.work",
	       .repaired = true);
}
END_TEST

START_TEST(files_that_are_not_go_are_left_alone)
{
	struct judged d;
	ck_assert_int_eq(judge(&d, &(struct twin){.no_table = true, .no_build_info = true}),
			 -ENOENT);
	done(&d);
}
END_TEST

START_TEST(facts_are_reported)
{
	struct judged d;
	ck_assert_int_eq(judge(&d, &(struct twin){.caller = "main.work"}), 0);
	ck_assert_str_eq(d.go.version, "go1.24.1");
	ck_assert(d.go.table.confirmed);
	ck_assert_str_eq(d.j.callers->name, "main.work");
	ck_assert(!d.j.callers->harmless);
	ck_assert_ptr_null(d.j.callers->next);
	ck_assert_uint_ge(d.j.evidence_count, 2);

	struct go_function f;
	char name[64];
	ck_assert(weft__go_function_at(&d.go, d.go.table.text + 0x85, &f));
	ck_assert(weft__go_function_name(&d.go, &f, name, sizeof(name)));
	ck_assert_str_eq(name, "runtime.handoffp");
	ck_assert_uint_eq(f.entry, d.go.table.text + 0x80);
	ck_assert_uint_eq(f.end, d.go.table.text + 0x100);
	ck_assert(!weft__go_function_at(&d.go, d.go.table.text - 1, &f));
	ck_assert(!weft__go_has_name(&d.go, "mexit", NULL)); /* a tail of a name is none */
	done(&d);
}
END_TEST

START_TEST(keys_are_located)
{
	for (int relocated = 0; relocated < 2; relocated++) {
		struct judged d;
		struct go_vdso_key keys[2];
		ck_assert_int_eq(judge(&d, &(struct twin){.relocated = relocated}), 0);
		ck_assert_int_eq(weft__go_vdso_keys(&d.elf, keys, 2), 1);
		ck_assert(keys[0].pointed && keys[0].intact);
		ck_assert_str_eq((char *)d.bytes + keys[0].name_offset, "__vdso_getrandom");
		ck_assert_int_eq(keys[0].record != 0, relocated);
		done(&d);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gobin");
	TCase *c = tcase_create("verdicts");
	tcase_add_test(c, order_and_callers_decide);
	tcase_add_test(c, structure_beats_names_and_version);
	tcase_add_test(c, changed_key_is_mitigated);
	tcase_add_test(c, every_layout_is_read);
	tcase_add_test(c, calls_of_every_instruction_set_are_read);
	tcase_add_test(c, calls_that_cannot_reach_are_not_missed);
	tcase_add_test(c, function_values_are_callers);
	tcase_add_test(c, inlined_bodies_are_callers);
	tcase_add_test(c, other_files_are_callers);
	tcase_add_test(c, a_missing_runtime_is_not_an_older_one);
	tcase_add_test(c, a_shared_runtime_decides_for_its_programs);
	tcase_add_test(c, other_architectures_have_no_such_code);
	tcase_add_test(c, lack_of_facts_is_never_clean);
	tcase_add_test(c, files_that_are_not_go_are_left_alone);
	tcase_add_test(c, facts_are_reported);
	tcase_add_test(c, keys_are_located);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
