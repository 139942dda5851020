/*
 * The batch in flight, through every sequence of events: an increment is sent
 * under another id, or answered unavailable, only if Redis can't have it, and
 * is answered unknown only if Redis may have it.
 */
#include "check.h"
#include "publish/batch_state.h"

enum { DEPTH = 9 };

static const enum batch_state states[] = {BATCH_NONE, BATCH_UNSENT,
    BATCH_INTRODUCING, BATCH_SENDING, BATCH_UNCONFIRMED, BATCH_REPEATING};

/* What can come in each state; without echo nothing expires. */
static const struct {
	enum batch_state in;
	enum batch_event event;
	bool echo_only;
} possible[] = {
    {BATCH_NONE, BATCH_FILLED, false},
    {BATCH_UNSENT, BATCH_INTRODUCE, false},
    {BATCH_UNSENT, BATCH_SEND, false},
    {BATCH_UNSENT, BATCH_EXPIRED, true},
    {BATCH_UNSENT, BATCH_EMPTIED, true},
    {BATCH_INTRODUCING, BATCH_INTRODUCED, false},
    {BATCH_INTRODUCING, BATCH_KNOWN, false},
    {BATCH_INTRODUCING, BATCH_ASKED, false},
    {BATCH_INTRODUCING, BATCH_REFUSED, false},
    {BATCH_INTRODUCING, BATCH_LOST_UNSENT, false},
    {BATCH_SENDING, BATCH_PUSHED, false},
    {BATCH_SENDING, BATCH_GAP, false},
    {BATCH_SENDING, BATCH_OTHER, false},
    {BATCH_SENDING, BATCH_LATE, false},
    {BATCH_SENDING, BATCH_NO_ROOM, false},
    {BATCH_SENDING, BATCH_REFUSED, false},
    {BATCH_SENDING, BATCH_LOST, false},
    {BATCH_SENDING, BATCH_LOST_UNSENT, false},
    {BATCH_UNCONFIRMED, BATCH_SEND, false},
    {BATCH_UNCONFIRMED, BATCH_EXPIRED, true},
    {BATCH_REPEATING, BATCH_PUSHED, false},
    {BATCH_REPEATING, BATCH_GAP, false},
    {BATCH_REPEATING, BATCH_OTHER, false},
    {BATCH_REPEATING, BATCH_LATE, false},
    {BATCH_REPEATING, BATCH_LATE_ELSEWHERE, false},
    {BATCH_REPEATING, BATCH_NO_ROOM, false},
    {BATCH_REPEATING, BATCH_REFUSED, false},
    {BATCH_REPEATING, BATCH_LOST, false},
};

/* Redis may have the batch, or get it yet: a sending that went out to its end
 * had no reply. */
static bool
may_have(bool before, enum batch_state in, enum batch_event event)
{
	if (event == BATCH_PUSHED || event == BATCH_FILLED ||
	    event == BATCH_OTHER)
		return false;
	return before || (in == BATCH_SENDING && event == BATCH_LOST);
}

static void
check_step(enum batch_state in, enum batch_event event, bool echo, bool maybe,
    struct batch_step step)
{
	bool told =
	    step.action == BATCH_TURN_AWAY || step.action == BATCH_EXPIRE;
	bool unknown =
	    step.action == BATCH_GIVE_UNKNOWN || step.action == BATCH_GIVE_UP;

	check((step.action == BATCH_SETTLE) == (event == BATCH_PUSHED),
	    "%d %d: settled", in, event);
	check(!told || (echo && !maybe), "%d %d: unavailable", in, event);
	check(!unknown || maybe, "%d %d: unknown", in, event);
	check(!step.new_id || !maybe || step.action == BATCH_GIVE_UNKNOWN,
	    "%d %d: another id", in, event);
	check(step.next == BATCH_NONE ||
		  batch_state_in_doubt(step.next, false) == maybe,
	    "%d %d: in doubt", in, event);
	check(step.next != BATCH_NONE || step.action != BATCH_KEEP ||
		  event == BATCH_EMPTIED,
	    "%d %d: without an answer", in, event);
}

static void
follow(enum batch_state in, bool maybe, bool echo, int depth)
{
	for (size_t i = 0; depth > 0 && i < check_n(possible); i++) {
		enum batch_event event = possible[i].event;
		bool after = may_have(maybe, in, event);
		struct batch_step step;

		if (possible[i].in != in || (possible[i].echo_only && !echo))
			continue;
		step = batch_state_after(in, event, echo);
		check_step(in, event, echo, after, step);
		if (step.action != BATCH_GIVE_UP)
			follow(step.next, step.next != BATCH_NONE && after,
			    echo, depth - 1);
	}
}

/* What the programs around rely on, case by case. */
static void
check_cases(void)
{
	struct batch_step s;

	s = batch_state_after(BATCH_INTRODUCING, BATCH_LOST_UNSENT, true);
	check(s.new_id && s.next == BATCH_UNSENT, "introduced once per id");
	s = batch_state_after(BATCH_SENDING, BATCH_GAP, false);
	check(s.new_id && s.next == BATCH_UNSENT, "goes on under a new id");
	s = batch_state_after(BATCH_SENDING, BATCH_OTHER, true);
	check(s.new_id && s.next == BATCH_UNSENT, "the id is somebody else's");
	s = batch_state_after(BATCH_REPEATING, BATCH_OTHER, true);
	check(s.new_id && s.next == BATCH_UNSENT, "the same, of a repeat");
	s = batch_state_after(BATCH_INTRODUCING, BATCH_KNOWN, true);
	check(s.new_id && s.next == BATCH_UNSENT, "the same, of a new id");
	s = batch_state_after(BATCH_SENDING, BATCH_LATE, true);
	check(!s.new_id && s.next == BATCH_UNSENT, "in time, then");
	s = batch_state_after(BATCH_REPEATING, BATCH_LATE, true);
	check(s.next == BATCH_UNCONFIRMED, "the same, of a repeat");
	s = batch_state_after(BATCH_REPEATING, BATCH_LATE_ELSEWHERE, true);
	check(s.new_id && s.action == BATCH_GIVE_UNKNOWN,
	    "what another Redis lacks may be counted");
	s = batch_state_after(BATCH_SENDING, BATCH_REFUSED, false);
	check(!s.new_id && s.next == BATCH_UNSENT, "the same number again");
	s = batch_state_after(BATCH_SENDING, BATCH_NO_ROOM, false);
	check(s.next == BATCH_UNSENT && s.action == BATCH_KEEP, "waits");
	s = batch_state_after(BATCH_SENDING, BATCH_NO_ROOM, true);
	check(s.next == BATCH_NONE && s.action == BATCH_TURN_AWAY, "answers");
	s = batch_state_after(BATCH_REPEATING, BATCH_GAP, false);
	check(s.action == BATCH_GIVE_UP && batch_state_in_doubt(s.next, false),
	    "ends, and counts them as of unknown outcome");
}

static void
check_predicates(void)
{
	for (size_t i = 0; i < check_n(states); i++) {
		enum batch_state s = states[i];

		check(batch_state_calling(s) ==
			  (s == BATCH_INTRODUCING || s == BATCH_SENDING ||
			      s == BATCH_REPEATING),
		    "calling %d", s);
		check(
		    batch_state_in_doubt(s, true) ==
			(batch_state_in_doubt(s, false) || s == BATCH_SENDING),
		    "sent %d", s);
	}
}

int
main(void)
{
	follow(BATCH_NONE, false, false, DEPTH);
	follow(BATCH_NONE, false, true, DEPTH);
	check_cases();
	check_predicates();
	return check_end();
}
