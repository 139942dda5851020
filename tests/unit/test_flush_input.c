/*
 * What comes into incr-flush: which streams are taken, which are a bug or a
 * configuration error, and how old a batch is by two clocks.
 */
#include "check.h"
#include "flush/flush_input.h"

#define A "aaaaaaaa-0000-4000-8000-00000000000a"
#define B "bbbbbbbb-0000-4000-8000-00000000000b"
#define LINE(v) "{\"key\":\"" A "\",\"value\":" #v "}"
#define CHECKPOINT(queue, consumer, seq, lines, adopted, rest) \
	"{\"checkpoint\":{\"queue\":\"" queue "\",\"consumer\":\"" consumer \
	"\",\"seq\":" #seq ",\"lines\":" #lines ",\"taken\":5000," \
	"\"adopted\":" #adopted rest "}}"
#define BEGIN(consumer) CHECKPOINT("q", consumer, 0, 0, false, "")
#define BATCH(consumer, seq, lines) \
	CHECKPOINT("q", consumer, seq, lines, false, "")
#define ADOPTED(consumer, seq, lines) \
	CHECKPOINT("q", consumer, seq, lines, true, "")
#define END(consumer) CHECKPOINT("q", consumer, 0, 0, false, ",\"end\":true")
#define ERROR(code) \
	"{\"error\":{\"code\":\"" code "\",\"detail\":\"x\",\"line\":1}}"

static struct flush_input s;

static void
start(void)
{
	batch_free(&s.batch);
	s = (struct flush_input){.queue = "q"};
}

static enum flush_input_event
give(const char *line)
{
	enum flush_input_event event =
	    flush_input_line(&s, line, strlen(line), false, 1000);

	if (event == FLUSH_INPUT_BATCH)
		batch_clear(&s.batch);
	return event;
}

static void
expect(const char *line, enum flush_input_event want)
{
	enum flush_input_event event = give(line);

	check(event == want, "%s: %d, not %d: %s", line, event, want, s.why);
}

static void
expect_bad(const char *line, enum fault want)
{
	expect(line, FLUSH_INPUT_BAD);
	check(s.fault == want, "%s: %s", line, fault_code(s.fault));
}

/* A stream of lines up to the first failure, which is expected at the
 * last. */
static void
expect_failure(const char *const *lines, enum flush_input_event want)
{
	start();
	for (; lines[1] != NULL; lines++) {
		enum flush_input_event event = give(*lines);

		check(event < FLUSH_INPUT_CONFIG, "%s: %s", *lines, s.why);
	}
	s.why[0] = '\0';
	expect(*lines, want);
	check(s.why[0] != '\0', "%s: a reason", *lines);
}

static void
plain(void)
{
	start();
	expect(LINE(7), FLUSH_INPUT_ADD);
	check(s.kind == FLUSH_INPUT_PLAIN && s.inc.value == 7, "plain");
	expect_bad("", FAULT_NOT_JSON);
	expect_bad(BEGIN(A), FAULT_CONTROL_LINE);
	expect_bad(ERROR("not-json"), FAULT_CONTROL_LINE);
	check(flush_input_line(&s, "x", 1, true, 0) == FLUSH_INPUT_BAD &&
		  s.fault == FAULT_TOO_LONG,
	    "too long");
	expect(LINE(1), FLUSH_INPUT_ADD);
	check(s.batch.lines == 0, "no batch");
}

/* Only a checkpoint of seq 0 that is no end makes a consumer's stream. */
static void
plain_by_its_first_line(void)
{
	static const char *const first[] = {"", "nonsense", ERROR("not-json"),
	    BATCH(A, 1, 0), END(A), ADOPTED(A, 3, 0), " " BEGIN(A),
	    "{\"checkpoint\":{}}"};

	for (size_t i = 0; i < check_n(first); i++) {
		start();
		expect(first[i], FLUSH_INPUT_BAD);
		check(s.kind == FLUSH_INPUT_PLAIN, "%s", first[i]);
		expect_bad(BEGIN(A), FAULT_CONTROL_LINE);
	}
	start();
	check(flush_input_line(&s, BEGIN(A), sizeof BEGIN(A) - 1, true, 0) ==
		  FLUSH_INPUT_BAD,
	    "the front of a line that is too long");
	check(s.kind == FLUSH_INPUT_PLAIN, "plain");
}

static void
stream(void)
{
	start();
	expect(BEGIN(A), FLUSH_INPUT_BEGIN);
	check(s.kind == FLUSH_INPUT_CONSUMER && s.begun_ms == 1000 &&
		  s.begun_taken_ms == 5000,
	    "begun");
	expect(BATCH(A, 1, 0), FLUSH_INPUT_BATCH);
	expect(LINE(1), FLUSH_INPUT_LINE);
	expect_bad("nonsense", FAULT_NOT_JSON);
	expect_bad(ERROR("faulty-header"), FAULT_FAULTY_HEADER);
	expect_bad(ERROR("unavailable"), FAULT_CONTROL_LINE);
	expect_bad(ERROR("no-such"), FAULT_CONTROL_LINE);
	check(flush_input_line(&s, BEGIN(A), sizeof BEGIN(A) - 1, true, 0) ==
		  FLUSH_INPUT_BAD,
	    "too long: no control line");
	check(s.batch.lines == 6 && s.batch.bad.len == 5 * sizeof(uint64_t),
	    "%ju lines", (uintmax_t)s.batch.lines);
	expect(BATCH(A, 2, 6), FLUSH_INPUT_BATCH);
	expect(LINE(1), FLUSH_INPUT_LINE);
	expect(ADOPTED(B, 77, 1), FLUSH_INPUT_BATCH);
	expect(ADOPTED(B, 79, 0), FLUSH_INPUT_BATCH);
	check(s.seq == 2, "adopted ones have their own numbers");
	expect(BATCH(A, 3, 0), FLUSH_INPUT_BATCH);
	expect(BEGIN(B), FLUSH_INPUT_BEGIN);
	check(s.seq == 0, "another consumer begins anew");
	expect(BATCH(B, 1, 0), FLUSH_INPUT_BATCH);
	expect(END(B), FLUSH_INPUT_END);
	check(s.ended, "ended");
	expect(BEGIN(A),
	    FLUSH_INPUT_BEGIN); /* two streams, one behind the other */
	check(!s.ended, "not ended");
	expect(END(A), FLUSH_INPUT_END);
}

static void
failures(void)
{
	static const char *const bugs[][5] = {
	    {BEGIN(A), BATCH(A, 2, 0)},
	    {BEGIN(A), BATCH(A, 1, 0), BATCH(A, 1, 0)},
	    {BEGIN(A), BATCH(A, 1, 0), BATCH(A, 3, 0)},
	    {BEGIN(A), BATCH(B, 1, 0)},
	    {BEGIN(A), LINE(1), BATCH(A, 1, 0)},
	    {BEGIN(A), LINE(1), BATCH(A, 1, 2)},
	    {BEGIN(A), BATCH(A, 1, 1)},
	    {BEGIN(A), LINE(1), BEGIN(B)},
	    {BEGIN(A), LINE(1), END(A)},
	    {BEGIN(A), LINE(1), CHECKPOINT("q", B, 0, 1, false, "")},
	    {BEGIN(A), LINE(1),
		CHECKPOINT("q", A, 0, 1, false, ",\"end\":true")},
	    {BEGIN(A), END(A), LINE(1)},
	    {BEGIN(A), END(A), ERROR("not-json")},
	    {BEGIN(A), END(A), BATCH(A, 1, 0)},
	    {BEGIN(A), END(A), END(A)},
	    {BEGIN(A), "{\"checkpoint\":{}}"},
	    {BEGIN(A), "{\"checkpoint\":{\"queue\":\"q\""},
	    {CHECKPOINT("q", A, 0, 3, false, "")},
	};
	static const char *const configs[][3] = {
	    {CHECKPOINT("other", A, 0, 0, false, "")},
	    {BEGIN(A), CHECKPOINT("other", A, 1, 0, false, "")},
	    {BEGIN(A), CHECKPOINT("other", B, 0, 0, false, "")},
	};

	for (size_t i = 0; i < check_n(bugs); i++)
		expect_failure(bugs[i], FLUSH_INPUT_BUG);
	for (size_t i = 0; i < check_n(configs); i++)
		expect_failure(configs[i], FLUSH_INPUT_CONFIG);
}

static void
largest_batch(void)
{
	start();
	expect(BEGIN(A), FLUSH_INPUT_BEGIN);
	for (int i = 0; i < FLUSH_INPUT_BATCH_MAX; i++)
		expect(LINE(1), FLUSH_INPUT_LINE);
	expect(BATCH(A, 1, 100000), FLUSH_INPUT_BATCH);
	for (int i = 0; i < FLUSH_INPUT_BATCH_MAX; i++)
		expect(LINE(1), FLUSH_INPUT_LINE);
	expect(LINE(1), FLUSH_INPUT_BUG);
}

/* now_ms is 9000 in all cases, the stream began at 1000. */
static void
ages(void)
{
	static const struct {
		const char *name;
		int64_t begun_taken_ms, taken_ms, unix_ms, age_ms, since_ms;
	} cases[] = {
	    {"clocks agree", 101000, 107000, 109000, 2000, 0},
	    {"ours is an hour ahead", 101000, 107000, 3709000, 2000, 0},
	    {"ours is behind", 101000, 107000, 1000, 0, 0},
	    {"taken with the beginning", 101000, 101000, 109000, 8000, 0},
	    {"read late: the stream says more", 101000, 103000, 105000, 2000,
		0},
	    {"adopted, taken before", 101000, 51000, 109000, 58000, 0},
	    {"taken in the future", 101000, 120000, 109000, 0, 0},
	    {"waited before it was taken", 101000, 107000, 109000, 5000,
		104000},
	    {"before we were there", 101000, 107000, 109000, 59000, 50000},
	    {"our clock has no say in that", 101000, 107000, 1000, 3000,
		104000},
	};

	start();
	for (size_t i = 0; i < check_n(cases); i++) {
		int64_t age_ms;

		s.begun_ms = 1000;
		s.begun_taken_ms = cases[i].begun_taken_ms;
		s.point.taken_ms = cases[i].taken_ms;
		s.point.since_ms = cases[i].since_ms;
		age_ms = flush_input_age_ms(&s, 9000, cases[i].unix_ms);
		check(age_ms == cases[i].age_ms, "%s: %jd", cases[i].name,
		    (intmax_t)age_ms);
	}
}

int
main(void)
{
	plain();
	plain_by_its_first_line();
	stream();
	failures();
	largest_batch();
	ages();
	batch_free(&s.batch);
	return check_end();
}
