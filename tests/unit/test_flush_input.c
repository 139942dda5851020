/*
 * What comes into incr-flush: which streams are taken, which are a bug or a
 * configuration error, and how old a batch is by Redis's clock.
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
	check(s.kind == FLUSH_INPUT_CONSUMER && s.lag_ms == -4000 &&
		  s.lag_before_ms == -4000 && s.lag_since_ms == 1000,
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

#define TAKEN \
	"{\"checkpoint\":{\"queue\":\"q\",\"consumer\":\"" A \
	"\",\"seq\":%d,\"lines\":%d,\"taken\":%jd,\"adopted\":false}}"

/* A stream as of a consumer whose Redis says `redis` at `ours`. */
static void
begin_at(int64_t redis, int64_t ours)
{
	char line[256];

	start();
	snprintf(line, sizeof line, TAKEN, 0, 0, (intmax_t)redis);
	check(flush_input_line(&s, line, strlen(line), false, ours) ==
		  FLUSH_INPUT_BEGIN,
	    "%s", s.why);
}

/* Its next batch, taken at `redis`, read at `ours`. */
static void
take_at(int64_t redis, int64_t ours)
{
	char line[256];

	batch_clear(&s.batch);
	expect(LINE(1), FLUSH_INPUT_LINE);
	snprintf(line, sizeof line, TAKEN, (int)s.seq + 1, 1, (intmax_t)redis);
	check(flush_input_line(&s, line, strlen(line), false, ours) ==
		  FLUSH_INPUT_BATCH,
	    "%s", s.why);
}

#define AGE(now_ms, age_ms) \
	check(flush_input_age_ms(&s, now_ms) == (age_ms), "line %d: %jd", \
	    __LINE__, (intmax_t)flush_input_age_ms(&s, now_ms))

/* By Redis's clock alone, whatever it says: 101000 is 1000 here. */
static void
ages(void)
{
	begin_at(101000, 1000);
	take_at(107000, 7000);
	AGE(9000, 2000);
	take_at(107000, 9000); /* waited in the pipe */
	AGE(9000, 2000);
	s.point.since_ms = 104000;
	AGE(9000, 5000);
	s.point.since_ms = 50000; /* before we were there */
	AGE(9000, 59000);
	s.point.since_ms = 0;
	s.point.taken_ms = 51000; /* adopted, taken before the beginning */
	AGE(9000, 58000);
	s.point.taken_ms = 120000; /* in the future */
	AGE(9000, 0);
	s.point.taken_ms = INT64_MAX;
	AGE(9000, 0);

	/* The stream was read late, and is read sooner now. */
	begin_at(101000, 4000);
	take_at(107000, 7000);
	AGE(9000, 2000);
	take_at(108000, 9000);
	AGE(9000, 1000);
}

/* Redis's clock is set. */
static void
steps(void)
{
	begin_at(101000, 1000);
	take_at(200000, 3000); /* forward: at once */
	AGE(3000, 0);
	take_at(201000, 5000);
	AGE(5000, 1000);

	begin_at(101000, 1000);
	take_at(99000, 3000); /* back: looks old, for a minute */
	AGE(3000, 4000);
	take_at(127000, 31000);
	AGE(31000, 4000);
	take_at(157000, 61000);
	AGE(61000, 0);
	AGE(62000, 1000);

	/* Who was idle for long knows as before what time it is. */
	begin_at(101000, 1000);
	take_at(1101000, 1003000);
	AGE(1003000, 2000);
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
	steps();
	batch_free(&s.batch);
	return check_end();
}
