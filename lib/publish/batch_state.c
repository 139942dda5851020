/* The transitions of the batch in flight, as one table. */
#include "publish/batch_state.h"

#include <assert.h>
#include <stddef.h>

static const struct transition {
	enum { ALWAYS, WITH_ECHO, SILENT } when;
	enum batch_state in;
	enum batch_event event;
	struct batch_step step;
} transitions[] = {
    {ALWAYS, BATCH_NONE, BATCH_FILLED, {.next = BATCH_UNSENT}},
    {ALWAYS, BATCH_UNSENT, BATCH_INTRODUCE, {.next = BATCH_INTRODUCING}},
    {ALWAYS, BATCH_UNSENT, BATCH_SEND, {.next = BATCH_SENDING}},
    {ALWAYS, BATCH_UNCONFIRMED, BATCH_SEND, {.next = BATCH_REPEATING}},

    {ALWAYS, BATCH_INTRODUCING, BATCH_INTRODUCED, {.next = BATCH_UNSENT}},
    {ALWAYS, BATCH_INTRODUCING, BATCH_ASKED, {.next = BATCH_UNSENT}},
    {ALWAYS, BATCH_INTRODUCING, BATCH_REFUSED, {.next = BATCH_UNSENT}},
    {ALWAYS, BATCH_INTRODUCING, BATCH_KNOWN,
	{.next = BATCH_UNSENT, .new_id = true}},
    /* It may be introduced yet: another id is. */
    {ALWAYS, BATCH_INTRODUCING, BATCH_LOST_UNSENT,
	{.next = BATCH_UNSENT, .new_id = true}},

    {ALWAYS, BATCH_SENDING, BATCH_PUSHED,
	{.next = BATCH_NONE, .action = BATCH_SETTLE}},
    {ALWAYS, BATCH_SENDING, BATCH_REFUSED, {.next = BATCH_UNSENT}},
    {ALWAYS, BATCH_SENDING, BATCH_LOST_UNSENT, {.next = BATCH_UNSENT}},
    {ALWAYS, BATCH_SENDING, BATCH_LOST, {.next = BATCH_UNCONFIRMED}},
    {WITH_ECHO, BATCH_SENDING, BATCH_NO_ROOM,
	{.next = BATCH_NONE, .action = BATCH_TURN_AWAY}},
    {SILENT, BATCH_SENDING, BATCH_NO_ROOM, {.next = BATCH_UNSENT}},
    {ALWAYS, BATCH_SENDING, BATCH_LATE, {.next = BATCH_UNSENT}},
    /* Nothing of it was pushed under this id, and nothing can be. */
    {ALWAYS, BATCH_SENDING, BATCH_GAP, {.next = BATCH_UNSENT, .new_id = true}},
    {ALWAYS, BATCH_SENDING, BATCH_OTHER,
	{.next = BATCH_UNSENT, .new_id = true}},
    {ALWAYS, BATCH_REPEATING, BATCH_OTHER,
	{.next = BATCH_UNSENT, .new_id = true}},

    /* Whatever this sending did not do, one before it may have done. */
    {ALWAYS, BATCH_REPEATING, BATCH_PUSHED,
	{.next = BATCH_NONE, .action = BATCH_SETTLE}},
    {ALWAYS, BATCH_REPEATING, BATCH_REFUSED, {.next = BATCH_UNCONFIRMED}},
    {ALWAYS, BATCH_REPEATING, BATCH_LOST, {.next = BATCH_UNCONFIRMED}},
    {ALWAYS, BATCH_REPEATING, BATCH_NO_ROOM, {.next = BATCH_UNCONFIRMED}},
    {ALWAYS, BATCH_REPEATING, BATCH_LATE, {.next = BATCH_UNCONFIRMED}},
    /* The record of what was pushed is gone. */
    {WITH_ECHO, BATCH_REPEATING, BATCH_GAP,
	{.next = BATCH_NONE, .action = BATCH_GIVE_UNKNOWN, .new_id = true}},
    {SILENT, BATCH_REPEATING, BATCH_GAP,
	{.next = BATCH_UNCONFIRMED, .action = BATCH_GIVE_UP}},
    {WITH_ECHO, BATCH_REPEATING, BATCH_LATE_ELSEWHERE,
	{.next = BATCH_NONE, .action = BATCH_GIVE_UNKNOWN, .new_id = true}},
    {SILENT, BATCH_REPEATING, BATCH_LATE_ELSEWHERE,
	{.next = BATCH_UNCONFIRMED, .action = BATCH_GIVE_UP}},

    {WITH_ECHO, BATCH_UNSENT, BATCH_EXPIRED,
	{.next = BATCH_UNSENT, .action = BATCH_EXPIRE}},
    {WITH_ECHO, BATCH_UNSENT, BATCH_EMPTIED, {.next = BATCH_NONE}},
    {WITH_ECHO, BATCH_UNCONFIRMED, BATCH_EXPIRED,
	{.next = BATCH_NONE, .action = BATCH_GIVE_UNKNOWN, .new_id = true}},
};

struct batch_step
batch_state_after(enum batch_state state, enum batch_event event, bool echo)
{
	for (size_t i = 0; i < sizeof transitions / sizeof *transitions; i++) {
		const struct transition *t = &transitions[i];

		if (t->in == state && t->event == event &&
		    t->when != (echo ? SILENT : WITH_ECHO))
			return t->step;
	}
	assert(false && "event that can't come in this state");
	return (struct batch_step){.next = state};
}

bool
batch_state_calling(enum batch_state state)
{
	switch (state) {
	case BATCH_NONE:
	case BATCH_UNSENT:
	case BATCH_UNCONFIRMED: break;
	case BATCH_INTRODUCING:
	case BATCH_SENDING:
	case BATCH_REPEATING: return true;
	}
	return false;
}

bool
batch_state_in_doubt(enum batch_state state, bool sent)
{
	switch (state) {
	case BATCH_NONE:
	case BATCH_UNSENT:
	case BATCH_INTRODUCING: break;
	case BATCH_SENDING: return sent;
	case BATCH_UNCONFIRMED:
	case BATCH_REPEATING: return true;
	}
	return false;
}
